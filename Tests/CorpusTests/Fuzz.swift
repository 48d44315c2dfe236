import Dispatch
import Foundation

// SwiftPM calls the entry point of an executable `<module>_main`, and libFuzzer would bring its own `main`: so ours
// calls libFuzzer's driver. `scripts/fuzz` sets the target.

@_silgen_name("LLVMFuzzerRunDriver") func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

let parsing: Parsing = {
    let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
    guard let parsing = Parsing(rawValue: name) else { fatalError("FUZZ_TARGET must be one of \(Parsing.allCases)") }
    return parsing
}()

@_cdecl("Fuzz_main") public func fuzz(
    _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    var count = count
    var arguments = Optional(arguments)
    return runDriver(&count, &arguments) { data, size in
        let bytes = Array(UnsafeBufferPointer(start: data, count: size))
        let done = DispatchSemaphore(value: 0)
        Task {
            if let fault = await parsing.fault(bytes) { fatalError(fault) }
            done.signal()
        }
        done.wait()
        return 0
    }
}

@_cdecl("LLVMFuzzerTestOneInput") public func unused(_: UnsafePointer<UInt8>?, _: Int) -> CInt { 0 }
