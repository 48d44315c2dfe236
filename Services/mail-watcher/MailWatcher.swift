@main struct MailWatcher { static func main() {} }
