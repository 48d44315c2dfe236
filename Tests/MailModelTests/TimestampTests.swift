import MailModel
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"),
            (1_732_300_000_123, "2024-11-22T18:26:40.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (253_402_300_799_000, "9999-12-31T23:59:59Z"),
        ] as [(Int64, String)])
    func roundTrips(milliseconds: Int64, text: String) {
        #expect(Timestamp.rfc3339(milliseconds: milliseconds) == text)
        #expect(Timestamp.milliseconds(rfc3339: text) == milliseconds)
    }

    @Test(arguments: [
        "", "2024-11-22", "2024-11-22T18:26:40", "2024-13-22T18:26:40Z", "2024-11-22T18:26:40.Z",
        "2024-11-22T1x:26:40Z",
    ])
    func refuses(text: String) {
        #expect(Timestamp.milliseconds(rfc3339: text) == nil)
    }
}
