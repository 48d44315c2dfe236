public import MailModel

extension AccessToken {
    /// The person an `access` token speaks for; nil when the claims of one are missing or the kind is another.
    public var person: Caller.Person? {
        guard type == .access, let customerID, let role = role.flatMap(Role.init(rawValue:)), let accounts else {
            return nil
        }
        return Caller.Person(
            subject: sub, email: email, customerID: customerID, role: role, accounts: accounts, tokenID: jti,
            family: sid)
    }
}

extension Failure {
    /// 401 for a token that does not count, whatever the reason: the caller need not know which check it failed.
    static var invalidToken: Failure {
        Failure(.unauthorized, code: "invalid_token", "The access token is not valid, has expired or was revoked.")
    }
}
