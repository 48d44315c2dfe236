/// The Bootstring encoding of one domain label (RFC 3492 §6.3).
public enum Punycode {
    private static let base = 36, tMin = 1, tMax = 26, skew = 38, damp = 700, initialBias = 72, initialN = 128

    /// - Parameter label: A label in Unicode, already lower case.
    /// - Returns: Its encoding without the `xn--` prefix.
    public static func encode(_ label: some StringProtocol) -> String {
        let input = label.unicodeScalars.map { Int($0.value) }
        var output = input.filter { $0 < 0x80 }.map { UInt8($0) }
        let basicCount = output.count
        if basicCount > 0 { output.append(UInt8(ascii: "-")) }

        var n = initialN
        var delta = 0
        var bias = initialBias
        var handled = basicCount
        while handled < input.count {
            guard let m = input.filter({ $0 >= n }).min() else { break }
            delta += (m - n) * (handled + 1)
            n = m
            for scalar in input {
                if scalar < n { delta += 1 }
                if scalar == n {
                    appendVariableLength(delta, bias: bias, to: &output)
                    bias = adapt(delta, points: handled + 1, first: handled == basicCount)
                    delta = 0
                    handled += 1
                }
            }
            delta += 1
            n += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// - Parameter text: An encoding without the `xn--` prefix.
    /// - Returns: The label; nil for what encodes nothing.
    public static func decode(_ text: some StringProtocol) -> String? {
        let bytes = Array(text.utf8)
        let split = bytes.lastIndex(of: UInt8(ascii: "-"))
        guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
        var output = split.map { bytes[..<$0].map { Int($0) } } ?? []
        var rest = bytes[(split.map { $0 + 1 } ?? 0)...]
        var n = initialN, i = 0, bias = initialBias
        while !rest.isEmpty {
            let old = i
            var weight = 1, k = base
            while true {
                guard let byte = rest.popFirst(), let digit = digitValue(byte), i <= 0x7fff_ffff, weight <= 0x7fff_ffff
                else { return nil }
                i += digit * weight
                let t = min(max(k - bias, tMin), tMax)
                if digit < t { break }
                weight *= base - t
                k += base
            }
            bias = adapt(i - old, points: output.count + 1, first: old == 0)
            n += i / (output.count + 1)
            i %= output.count + 1
            guard n <= 0x10ffff else { return nil }
            output.insert(n, at: i)
            i += 1
        }
        var label = ""
        for value in output {
            guard let scalar = Unicode.Scalar(UInt32(value)) else { return nil }
            label.unicodeScalars.append(scalar)
        }
        return label
    }

    private static func digitValue(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x61...0x7a: Int(byte) - 0x61
        case 0x30...0x39: Int(byte) - 0x30 + 26
        default: nil
        }
    }

    private static func appendVariableLength(_ delta: Int, bias: Int, to output: inout [UInt8]) {
        var q = delta
        var k = base
        while true {
            let t = min(max(k - bias, tMin), tMax)
            if q < t { break }
            output.append(digit(t + (q - t) % (base - t)))
            q = (q - t) / (base - t)
            k += base
        }
        output.append(digit(q))
    }

    private static func digit(_ value: Int) -> UInt8 { UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30) }

    private static func adapt(_ delta: Int, points: Int, first: Bool) -> Int {
        var delta = first ? delta / damp : delta / 2
        delta += delta / points
        var k = 0
        while delta > ((base - tMin) * tMax) / 2 {
            delta /= base - tMin
            k += base
        }
        return k + (base - tMin + 1) * delta / (delta + skew)
    }
}
