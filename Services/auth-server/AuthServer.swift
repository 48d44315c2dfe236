@main struct AuthServer { static func main() {} }
