@main struct WebmailProxy { static func main() {} }
