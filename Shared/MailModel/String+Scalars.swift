extension String {
    /// The beginning, of at most so many Unicode scalars: what databases and standards count as characters. A `Character`
    /// may hold any number of them.
    public func prefix(scalars limit: Int) -> String { String(unicodeScalars.prefix(limit)) }
}
