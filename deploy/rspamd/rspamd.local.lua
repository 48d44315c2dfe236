-- Postfix binds the envelope sender to the login. On submission the address people see, the header From, must be
-- that same address: nobody signs mail in another's name.
rspamd_config:register_symbol({
  name = 'SUBMISSION_FROM_MISMATCH',
  type = 'prefilter',
  priority = 10,
  score = 0,
  callback = function(task)
    if not task:get_user() then return end
    local envelope = (task:get_from('smtp') or {})[1]
    local sender = envelope and envelope.addr and envelope.addr:lower() or ''
    local from = task:get_from('mime') or {}
    if #from ~= 1 or (from[1].addr or ''):lower() ~= sender then
      task:set_pre_result('reject', 'header From must be the envelope sender', 'submission')
    end
  end,
})
