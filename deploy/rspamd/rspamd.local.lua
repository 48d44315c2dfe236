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

-- Signs what logged-in people send, with every key that its domain signs with now: admin-api writes them while we run, and
-- their selectors into <domain>.selectors.
local rspamd_logger = require 'rspamd_logger'
local dkim_folder = '@MAIL_DIR@/dkim/'

local function selectors_of(domain)
  local file = io.open(dkim_folder .. domain .. '.selectors', 'r')
  if not file then return { '@DKIM_SELECTOR@', '@DKIM_SELECTOR@-ed' } end
  local line = file:read('*l') or ''
  file:close()
  local selectors = {}
  for selector in line:gmatch('[%w-]+') do table.insert(selectors, selector) end
  return #selectors > 0 and selectors or { '@DKIM_SELECTOR@', '@DKIM_SELECTOR@-ed' }
end

local function is_readable(path)
  local file = io.open(path, 'r')
  if file then file:close() end
  return file ~= nil
end

rspamd_config:register_symbol({
  name = 'DKIM_SIGNED',
  type = 'normal',
  flags = 'ignore_passthrough',
  score = 0,
  callback = function(task)
    if not task:get_user() then return end
    local from = (task:get_from('mime') or {})[1]
    local domain = from and from.domain and from.domain:lower()
    -- It becomes the name of a file.
    if not domain or not domain:match('^[%w.-]+$') then return end
    for _, selector in ipairs(selectors_of(domain)) do
      local key = dkim_folder .. domain .. '.' .. selector .. '.key'
      if is_readable(key) then
        local signed = rspamd_plugins.dkim.sign(task, { domain = domain, selector = selector, key = key })
        if signed then
          task:insert_result('DKIM_SIGNED', 1.0, domain .. ':s=' .. selector)
        else
          rspamd_logger.errx(task, 'not signed with selector %s', selector)
        end
      end
    end
  end,
})
