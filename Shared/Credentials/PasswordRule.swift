public import MailModel

/// What a new password must be: length is what counts (NIST SP 800-63B §5.1.1.2).
public enum PasswordRule {
    /// - Throws: `Failure` `invalid` for the field.
    public static func check(_ password: String, field: String = "password") throws(Failure) {
        guard password.unicodeScalars.count >= 8, password.utf8.count <= PasswordHash.maximumLength else {
            throw .invalid(field, code: "invalid_length", "must be 8 characters to 1024 bytes long")
        }
        guard !password.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            throw .invalid(field, code: "invalid_character", "must not contain control characters")
        }
    }
}
