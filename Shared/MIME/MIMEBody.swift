/// Decoding of one body part fetched on its own (`BODY[1.2]`), by what its BODYSTRUCTURE says.
public enum MIMEBody {
    /// Undoes the transfer encoding (RFC 2045 §6): `base64`, `quoted-printable`, `x-uuencode`; others are the identity.
    /// Malformed input gives what can be read.
    public static func data(_ bytes: [UInt8], transferEncoding: String) -> [UInt8] { [] }

    /// The text of a body part: transfer encoding undone, charset decoded, line ends as LF, no NUL.
    ///
    /// A charset that is missing, unknown or contradicted by the bytes is read as UTF-8 where that is valid, else as
    /// Windows-1252; undecodable bytes become U+FFFD.
    /// - Parameter parameters: of the `Content-Type`: `charset`, and `format=flowed`, `delsp` (RFC 3676).
    public static func text(_ bytes: [UInt8], transferEncoding: String, parameters: MIMEParameters) -> String { "" }
}
