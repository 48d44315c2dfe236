/// Which bytes a `Range` header asks for (RFC 9110 §14.2).
enum ByteRange: Equatable {
    /// All: there is no header, or one that is not understood, or of several ranges.
    case whole
    case part(Range<UInt64>)
    case unsatisfiable

    init(_ header: String?, size: UInt64) {
        guard let header, header.hasPrefix("bytes=") else {
            self = .whole
            return
        }
        let bounds = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map { text in
            text.filter { $0 != " " }
        }
        guard bounds.count == 2, bounds.allSatisfy({ $0.isEmpty || UInt64($0) != nil }), bounds != ["", ""] else {
            self = .whole
            return
        }
        switch (UInt64(bounds[0]), UInt64(bounds[1])) {
        case (nil, let suffix?):
            self = suffix == 0 || size == 0 ? .unsatisfiable : .part(size - min(suffix, size)..<size)
        case (let first?, let last):
            if let last, last < first {
                self = .whole
            } else {
                self = first >= size ? .unsatisfiable : .part(first..<min(last ?? size - 1, size - 1) + 1)
            }
        case (nil, nil): self = .whole
        }
    }
}
