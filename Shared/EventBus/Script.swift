/// What must happen in Redis as one step, as Lua.
enum Script {
    /// KEYS: log. ARGV: channel, entries to keep, milliseconds to keep them, the JSON before the id and after it.
    /// Returns the id.
    static let publish = """
        local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'head', ARGV[4], 'tail', ARGV[5])
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

    /// KEYS: lease. ARGV: holder. Returns 1 when the lease was the holder's and is gone now.
    static let release = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """
}
