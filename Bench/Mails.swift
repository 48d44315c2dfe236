import Foundation

/// Mails as people get them: of different lengths, with HTML, several recipients, now and then an attachment.
enum Mails {
    private static let names = [
        "Anna Schmidt", "Jürgen Müller", "Tom O'Neill", "Sales Team", "Newsletter", "María José", "Li Wei", "Peter P.",
    ]
    private static let words = """
        meeting invoice tomorrow question about the new offer draft please find attached report for last month we would
        like to invite you reminder your order has been shipped thanks again regards minutes of our call next steps
        """.split(whereSeparator: \.isWhitespace).map(String.init)

    /// - Parameter index: Which one: the same every time.
    static func mail(_ index: Int, to: String) -> String {
        let name = names[index % names.count]
        let subject = words(from: index, 4 + index % 5)
        let date = "\(1 + index % 28) Nov 2026 \(10 + index % 10):\(10 + index % 50):\(10 + index % 50) +0100"
        var head = """
            Return-Path: <sender\(index % 97)@example.org>\r
            Received: from mx.example.org (mx.example.org [192.0.2.\(index % 250)]) by mail.example.net with ESMTPS; \(date)\r
            From: =?utf-8?B?\(Base64.encode(Array(name.utf8)))?= <sender\(index % 97)@example.org>\r
            To: \(to)\(index % 3 == 0 ? ", Somebody Else <else\(index % 13)@example.com>" : "")\r
            Subject: \(index % 4 == 0 ? "=?utf-8?Q?Gr=C3=BC=C3=9Fe=3A_?= " : "Re: ")\(subject)\r
            Date: \(date)\r
            Message-ID: <\(index).\(UUID().uuidString)@example.org>\r
            MIME-Version: 1.0\r

            """
        if index % 3 == 0 { head += "Cc: Team <team@example.com>, boss@example.com\r\n" }
        let alternative = alternative(index)
        guard index % 6 == 0 else { return head + alternative }
        let attachment = String(
            repeating: "JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0ZURl\r\n", count: 40)
        return head + """
            Content-Type: multipart/mixed; boundary="mixed"\r
            \r
            --mixed\r
            \(alternative)\r
            --mixed\r
            Content-Type: application/pdf; name="invoice-\(index).pdf"\r
            Content-Disposition: attachment; filename="invoice-\(index).pdf"\r
            Content-Transfer-Encoding: base64\r
            \r
            \(attachment)--mixed--\r
            """
    }

    /// One whose HTML has so many bytes, about.
    static func html(bytes: Int, to: String) -> String {
        var rows = ""
        var index = 0
        while rows.utf8.count < bytes {
            rows += """
                <tr style="background:#f\(index % 10)f0f0"><td class="cell" align="left">\
                <a href="https://example.org/item/\(index)?ref=mail">Item \(index)</a></td>\
                <td style="padding:4px 8px;color:#333">\(words(from: index, 12))</td></tr>\r

                """
            index += 1
        }
        return """
            From: Shop <shop@example.org>\r
            To: \(to)\r
            Subject: Your monthly overview\r
            Date: Sun, 22 Nov 2026 12:00:00 +0000\r
            Message-ID: <\(UUID().uuidString)@example.org>\r
            MIME-Version: 1.0\r
            Content-Type: text/html; charset=utf-8\r
            \r
            <html><head><title>Overview</title></head><body><table>\(rows)</table></body></html>\r
            """
    }

    private static func alternative(_ index: Int) -> String {
        let lines = (0..<(10 + index % 30)).map { words(from: index * 31 + $0, 10) + "." }
        return """
            Content-Type: multipart/alternative; boundary="alternative"\r
            \r
            --alternative\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Transfer-Encoding: 8bit\r
            \r
            \(lines.joined(separator: "\r\n"))\r
            --alternative\r
            Content-Type: text/html; charset=utf-8\r
            Content-Transfer-Encoding: 8bit\r
            \r
            <html><body>\(lines.map { "<p style=\"margin:0\">\($0)</p>" }.joined(separator: "\r\n"))</body></html>\r
            --alternative--\r
            """
    }

    private static func words(from seed: Int, _ count: Int) -> String {
        (0..<count).map { words[(seed * 7 + $0 * 13) % words.count] }.joined(separator: " ")
    }
}
