public import MailModel

extension Caller {
    /// The customer that something new is made for.
    ///
    /// - Parameter id: The `customer_id` of the request, which a service token must give and a person may leave out.
    /// - Throws: `Failure`: `invalid` when a service token names none, `forbidden` for one that is limited to some domains or
    ///   mailboxes, `notFound` when a person names another's.
    public func customer(named id: Int64?) throws -> Int64 {
        switch self {
        case .platform(let platform):
            guard platform.limits == nil else {
                throw Failure.forbidden("The service token is limited to what there is.")
            }
            guard let id else {
                throw Failure.invalid("customer_id", code: "required", "a service token must name the customer")
            }
            return id
        case .person(let person):
            guard id == nil || id == person.customerID else { throw Failure.notFound("This customer") }
            return person.customerID
        }
    }
}
