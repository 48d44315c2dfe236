import Glibc

/// How often and how lately: every mail counts by its weight, half as much after each half-life.
///
/// The sum decays, but what is kept does not change with time: the logarithm of the sum as it was in 1970, so that values
/// of different days compare and add up as they are.
public struct Affinity: Sendable, Equatable, Comparable {
    /// Milliseconds: 30 days.
    public static let halfLife = 30.0 * 86_400_000

    /// log₂ of the sum of weight · 2^(time / half-life).
    public let exponent: Double

    public init(exponent: Double) { self.exponent = exponent }

    /// One mail.
    ///
    /// - Parameter at: Milliseconds since 1970.
    public init(weight: Double, at: Int64) { exponent = log2(weight) + Double(at) / Self.halfLife }

    /// Both together.
    public static func + (left: Affinity, right: Affinity) -> Affinity {
        let (more, less) = (max(left.exponent, right.exponent), min(left.exponent, right.exponent))
        return Affinity(exponent: more + log2(1 + exp2(less - more)))
    }

    public static func < (left: Affinity, right: Affinity) -> Bool { left.exponent < right.exponent }

    /// What is left of it.
    ///
    /// - Parameter now: Milliseconds since 1970.
    public func score(at now: Int64) -> Double { exp2(exponent - Double(now) / Self.halfLife) }
}
