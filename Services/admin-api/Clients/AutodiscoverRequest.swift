/// What Outlook asks with ([MS-OXDSCLI] §2.2.3): an address, and in which shape it wants the answer.
struct AutodiscoverRequest: Sendable, Equatable {
    static let outlookSchema = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"

    let address: String
    /// nil when it names none.
    let acceptableSchema: String?

    /// - Returns: nil for what names no address, and for a document with a type of its own, which nothing here needs.
    init?(parsing bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self), !text.contains("<!DOCTYPE"),
            let address = XML.text(of: "EMailAddress", in: text), !address.isEmpty
        else { return nil }
        self.address = address
        acceptableSchema = XML.text(of: "AcceptableResponseSchema", in: text)
    }

    var acceptsOutlook: Bool { acceptableSchema == nil || acceptableSchema == Self.outlookSchema }

    static let invalid = fault(600, "Invalid Request")
    static let unknownSchema = fault(601, "Provider is not available")

    private static func fault(_ code: Int, _ message: String) -> String {
        """
        <?xml version="1.0" encoding="utf-8"?>
        <Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
          <Response>
            <Error Time="00:00:00.0000000" Id="0">
              <ErrorCode>\(code)</ErrorCode>
              <Message>\(message)</Message>
              <DebugData />
            </Error>
          </Response>
        </Autodiscover>

        """
    }
}
