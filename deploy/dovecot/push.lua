-- Tells mail-watcher what a mail process (LMTP, IMAP) has just changed in a mailbox: one POST for each transaction.
--
-- It is called while the delivery, or the IMAP command, waits. So every wait here is short, and a watcher that does not
-- answer is left alone for a while: what is not told is found by the watcher's next look, and nothing depends on it.

-- Messages told of in one POST; of more, the watcher looks for itself.
local limit = 50
-- Characters told of a header: nobody shows more.
local longest = 1000
-- Seconds for which a watcher that did not answer is not asked again.
local silence = 2

local client
local silent_until = 0

local function text(value, most)
  value = tostring(value)
  -- What is not UTF-8 (RFC 8259 §8.1) would make the whole body unreadable.
  if not utf8.len(value) then value = value:gsub('[\x80-\xff]', '?') end
  local rest = most and utf8.offset(value, most + 1)
  if rest then value = value:sub(1, rest - 1) end
  return '"' .. value:gsub('[%c"\\]', function(c) return string.format('\\u%04x', string.byte(c)) end) .. '"'
end

local function list(values)
  local items = {}
  for _, value in ipairs(values or {}) do items[#items + 1] = text(value) end
  return '[' .. table.concat(items, ',') .. ']'
end

local function object(fields) return '{' .. table.concat(fields, ',') .. '}' end

local function add(context, event, details)
  context.count = context.count + 1
  if context.count > limit then return end
  local fields = { '"event":' .. text(event.name), '"folder":' .. text(event.mailbox) }
  for _, key in ipairs(details) do
    local value = event[key]
    if type(value) == 'table' then
      fields[#fields + 1] = text(key) .. ':' .. list(value)
    elseif type(value) == 'number' then
      fields[#fields + 1] = text(key) .. ':' .. string.format('%d', value)
    elseif value then
      fields[#fields + 1] = text(key) .. ':' .. text(value, longest)
    end
  end
  context.events[#context.events + 1] = object(fields)
end

local function message(context, event)
  context.folders[event.mailbox] = true
  add(context, event, {
    'uid', 'uid_validity', 'date', 'from', 'from_address', 'from_display_name', 'subject', 'snippet', 'flags',
    'keywords',
  })
end

-- The counts still hold the message: the watcher asks for them a moment later.
local function expunge(context, event)
  context.expunged[event.mailbox] = true
  add(context, event, { 'uid', 'uid_validity' })
end

-- One for all messages of a folder: which flags they have now, the watcher asks for.
local function flags(context, event)
  context.folders[event.mailbox] = true
  if context.flagged[event.mailbox] then return end
  context.flagged[event.mailbox] = true
  add(context, { name = 'FlagsChange', mailbox = event.mailbox }, {})
end

local function folder(context, event) add(context, event, {}) end

dovecot_lua_notify_event_message_new = message
dovecot_lua_notify_event_message_append = message
dovecot_lua_notify_event_message_expunge = expunge
dovecot_lua_notify_event_flags_set = flags
dovecot_lua_notify_event_flags_clear = flags
dovecot_lua_notify_event_mailbox_create = folder
dovecot_lua_notify_event_mailbox_delete = folder
dovecot_lua_notify_event_mailbox_rename = folder

-- How a folder stands now; nil where it cannot be opened.
local function state(user, name)
  local mailbox, storage = user:mailbox(name), dovecot.storage
  local is_open, status = pcall(function()
    mailbox:open()
    return mailbox:status(
      storage.STATUS_MESSAGES, storage.STATUS_UNSEEN, storage.STATUS_UIDVALIDITY, storage.STATUS_UIDNEXT,
      storage.STATUS_HIGHESTMODSEQ)
  end)
  mailbox:free()
  if not is_open then return nil end
  return object({
    '"folder":' .. text(name),
    string.format(
      '"uid_validity":%d,"uid_next":%d,"modseq":%d,"messages":%d,"unseen":%d', status.uidvalidity, status.uidnext,
      status.highest_modseq, status.messages, status.unseen),
  })
end

local function body(context)
  local folders = {}
  for name in pairs(context.folders) do
    if not context.expunged[name] then folders[#folders + 1] = state(context.user, name) end
  end
  return object({
    '"user":' .. text(context.user.username),
    '"events":[' .. table.concat(context.events, ',') .. ']',
    '"folders":[' .. table.concat(folders, ',') .. ']',
    '"more":' .. tostring(context.count > limit),
  })
end

function script_init() return 0 end

function dovecot_lua_notify_begin_txn(user)
  return { user = user, events = {}, count = 0, folders = {}, expunged = {}, flagged = {} }
end

function dovecot_lua_notify_end_txn(context, success)
  if not success or context.count == 0 or os.time() < silent_until then return end
  client = client or dovecot.http.client({
    connect_timeout_msecs = 200, request_timeout_msecs = 500, request_absolute_timeout_msecs = 500, max_attempts = 1,
    max_connect_attempts = 1,
  })
  local user = context.user
  local request = client:request({ url = user:plugin_getenv('push_url'), method = 'POST' })
  request:add_header('content-type', 'application/json')
  request:add_header('authorization', 'Bearer ' .. user:plugin_getenv('push_secret'))
  request:set_payload(body(context))
  local response = request:submit()
  local status = response:status()
  if status // 100 == 2 then return end
  if status // 100 ~= 4 then silent_until = os.time() + silence end
  dovecot.i_error('mail-watcher was not told of a change: ' .. status .. ' ' .. tostring(response:reason()))
end
