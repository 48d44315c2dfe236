import HTTPService
import MailModel

extension FormFields {
    /// One of the words of a type.
    /// - Throws: `Failure` `invalid` when the field is there and is none of them.
    func choice<Word: RawRepresentable<String>>(_ name: String) throws -> Word? {
        guard let text = self[name] else { return nil }
        guard let word = Word(rawValue: text) else {
            throw Failure.invalid(name, code: "unknown", "is not one of the words that this field may be")
        }
        return word
    }

    /// `sort=email`, or `sort=-email` for the other way round.
    /// - Throws: `Failure` `invalid`.
    func order<Order: RawRepresentable<String> & CaseIterable>(
        default fallback: Order
    ) throws -> (order: Order, isDescending: Bool) {
        guard let text = self["sort"] else { return (fallback, false) }
        let isDescending = text.hasPrefix("-")
        guard let order = Order(rawValue: String(text.dropFirst(isDescending ? 1 : 0))) else {
            let words = Order.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure.invalid("sort", code: "unknown", "must be one of \(words), with - before it for descending")
        }
        return (order, isDescending)
    }
}
