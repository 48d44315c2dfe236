import Foundation
import MariaDB
import TestSupport

extension Product {
    var adminHeaders: [String: String] { ["x-service-token": serviceToken, "Content-Type": "application/json"] }

    /// The product's own database, with as many connections as a service has.
    func openDatabase() throws -> MariaDB {
        let endpoints = database
        return MariaDB(
            MariaDB.Configuration(
                host: "127.0.0.1", port: 3306, socket: endpoints.socket, user: endpoints.user,
                password: endpoints.password, database: endpoints.name, connections: 4, queryTimeout: .seconds(600)))
    }

    /// The body that makes a domain of the bench's customer.
    func newDomain(_ label: String) -> String {
        #"{"domain":"\#(label)-\#(mailbox.split(separator: "@")[1])","customer_id":\#(customerID)}"#
    }

    func makeDomain(_ label: String) throws -> Int64 {
        try post(adminPort, "/api/v1/mail/domains", newDomain(label)).id
    }

    /// A PATCH of as many record sets as a domain has, to a zone that is there, with PowerDNS's own API.
    func zonePatch() throws -> (Int) throws -> Void {
        let pid = try processID(of: "admin-api")
        let pairs = try Data(contentsOf: URL(filePath: "/proc/\(pid)/environ")).split(separator: 0).map {
            String(decoding: $0, as: UTF8.self).split(separator: "=", maxSplits: 1).map(String.init)
        }
        let environment = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { $1 }
        guard let url = environment["XYNAP_PDNS_URL"].flatMap(URL.init(string:)), let port = url.port,
            let file = environment["XYNAP_PDNS_API_KEY_FILE"]
        else { throw Socket.Failed(description: "admin-api does not say where PowerDNS is") }
        let key = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let zone = mailbox.split(separator: "@")[1]
        return { round in
            let sets = (0..<14).map { number in
                #"{"name":"r\#(number).\#(zone).","type":"TXT","ttl":60,"changetype":"REPLACE","records":[{"content":"\"\#(round)\#(String(repeating: "x", count: 60))\"","disabled":false}]}"#
            }
            try HTTPCall(
                port: port, "PATCH", "/api/v1/servers/localhost/zones/\(zone).",
                headers: ["X-API-Key": key, "Content-Type": "application/json", "Connection": "close"],
                body: #"{"rrsets":[\#(sets.joined(separator: ","))]}"#)()
        }
    }
}
