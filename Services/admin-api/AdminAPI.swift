@main struct AdminAPI { static func main() {} }
