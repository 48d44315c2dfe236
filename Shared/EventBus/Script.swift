/// What must happen in Redis as one step, as Lua.
enum Script {
    /// KEYS: log, lease. ARGV: channel, entries to keep, milliseconds to keep them, the JSON before the id and after it,
    /// the id wished for (or `*`), who publishes (empty: whoever has the lease), milliseconds for which a lease that nobody
    /// has is then his, the id of the newest entry that he knows of (empty: any).
    /// Returns the id; nil when somebody else has the lease, or had it and logged something. An event that is in the log
    /// already is not told again, so that one whose answer got lost may be published once more.
    static let publish = """
        if ARGV[7] ~= '' then
          local holder = redis.call('GET', KEYS[2])
          if holder and holder ~= ARGV[7] then return false end
          if not holder then
            local newest = ARGV[9] ~= '' and redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
            if newest and newest[1] ~= ARGV[9] and newest[1] ~= ARGV[6] then return false end
            redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[8])
          end
        end
        local id = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], ARGV[6], 'head', ARGV[4], 'tail', ARGV[5])
        if type(id) == 'table' then
          local known = redis.call('XRANGE', KEYS[1], ARGV[6], ARGV[6])
          if known[1] and known[1][2][2] == ARGV[4] then return ARGV[6] end
          id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'head', ARGV[4], 'tail', ARGV[5])
        end
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        redis.call('PUBLISH', ARGV[1], ARGV[4] .. id .. ARGV[5])
        return id
        """

    /// KEYS: log. ARGV: where to begin, how many. Returns the entries, and of the log: the first entry's id, the last
    /// id ever given, how many were ever added, how many there are. The last four are empty for a log that does not exist.
    static let replay = """
        local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
        if redis.call('EXISTS', KEYS[1]) == 0 then return {entries, '', '', 0, 0} end
        local log = redis.call('XINFO', 'STREAM', KEYS[1])
        local first, last, added, length = '', '', 0, 0
        for i = 1, #log, 2 do
          if log[i] == 'first-entry' and log[i + 1] then first = log[i + 1][1] end
          if log[i] == 'last-generated-id' then last = log[i + 1] end
          if log[i] == 'entries-added' then added = log[i + 1] end
          if log[i] == 'length' then length = log[i + 1] end
        end
        return {entries, first, last, added, length}
        """

    /// KEYS: lease. ARGV: holder, milliseconds. Returns 1 when the lease was the holder's and is longer now.
    static let renew = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
        return 0
        """

    /// KEYS: leases. ARGV: holder, milliseconds. Takes those that nobody has and keeps the holder's own; returns for each
    /// 2 when it was taken, 1 when it was the holder's before, 0 when it is another's.
    static let hold = """
        local held = {}
        for i, key in ipairs(KEYS) do
          local holder = redis.call('GET', key)
          if not holder or holder == ARGV[1] then
            redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
            held[i] = holder and 1 or 2
          else
            held[i] = 0
          end
        end
        return held
        """

    /// KEYS: lease. ARGV: holder. Returns 1 when the lease was the holder's and is gone now.
    static let release = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """

    /// KEYS: counter. ARGV: milliseconds it lives from its first count on. Returns the count.
    static let count = """
        local count = redis.call('INCR', KEYS[1])
        if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
        return count
        """

    /// KEYS: count. ARGV: amount, limit, milliseconds of the window. Returns -1 when the amount was counted, else the
    /// milliseconds until the count starts anew.
    static let admit = """
        local count = tonumber(redis.call('GET', KEYS[1]) or '0')
        local left = redis.call('PTTL', KEYS[1])
        if count + tonumber(ARGV[1]) > tonumber(ARGV[2]) then
          if left < 0 then return tonumber(ARGV[3]) end
          return left
        end
        redis.call('INCRBY', KEYS[1], ARGV[1])
        if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
        return -1
        """

    /// KEYS: pair, source, account, known. ARGV: for the first three the free failures and the longest delay in
    /// milliseconds. Returns the milliseconds to wait, or 0 when the attempt was counted. The counts are hashes of `n`
    /// and `until`, and forgotten a day after the last attempt.
    static let beginAttempt = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local last = redis.call('EXISTS', KEYS[4]) == 1 and 2 or 3
        local wait = 0
        for i = 1, last do
          local ends = tonumber(redis.call('HGET', KEYS[i], 'until') or '0')
          if ends - now > wait then wait = ends - now end
        end
        if wait > 0 then return wait end
        for i = 1, 3 do
          local n = redis.call('HINCRBY', KEYS[i], 'n', 1)
          local free, most = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
          if n > free then
            local delay = math.min(most, 1000 * 2 ^ math.min(20, n - free - 1))
            redis.call('HSET', KEYS[i], 'until', string.format('%.0f', now + delay))
          end
          redis.call('PEXPIRE', KEYS[i], 86400000)
        end
        return 0
        """

    /// KEYS: pair, source, account. Takes back what `beginAttempt` counted; the wait it began was for this attempt.
    static let withdrawAttempt = """
        for i = 1, 3 do
          if redis.call('EXISTS', KEYS[i]) == 1 then
            if redis.call('HINCRBY', KEYS[i], 'n', -1) <= 0 then
              redis.call('DEL', KEYS[i])
            else
              redis.call('HDEL', KEYS[i], 'until')
            end
          end
        end
        return 0
        """

    /// KEYS: pair, source, account, known. Takes back what `beginAttempt` counted.
    static let endAttempt = """
        redis.call('DEL', KEYS[1])
        for i = 2, 3 do
          if redis.call('EXISTS', KEYS[i]) == 1 then
            redis.call('HINCRBY', KEYS[i], 'n', -1)
            redis.call('HDEL', KEYS[i], 'until')
          end
        end
        redis.call('SET', KEYS[4], '1', 'PX', 2592000000)
        return 0
        """
}
