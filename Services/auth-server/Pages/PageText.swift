/// Every sentence of the pages, in one language.
struct PageText: Sendable {
    let language: PageLanguage

    private func say(_ english: String, _ german: String) -> String { language == .english ? english : german }

    // MARK: Signing in

    var signIn: String { say("Sign in", "Anmelden") }
    var signInHeading: String { say("Sign in to your mailbox", "Bei Ihrem Postfach anmelden") }
    func signInFor(_ program: String) -> String {
        say("\(program) wants to reach your mail.", "\(program) möchte auf Ihre E-Mails zugreifen.")
    }
    var email: String { say("Email address", "E-Mail-Adresse") }
    var password: String { say("Password", "Passwort") }
    var next: String { say("Continue", "Weiter") }
    var wrongPassword: String {
        say(
            "The address or the password is wrong. Please try again.",
            "Adresse oder Passwort ist falsch. Bitte versuchen Sie es noch einmal.")
    }
    var suspended: String {
        say(
            "This account is suspended. Please ask your mail provider.",
            "Dieses Konto ist gesperrt. Bitte wenden Sie sich an Ihren Anbieter.")
    }
    func wait(seconds: Int64) -> String {
        say(
            "Too many attempts failed. Please wait \(seconds) seconds and try again.",
            "Zu viele Versuche sind fehlgeschlagen. Bitte warten Sie \(seconds) Sekunden und versuchen Sie es erneut.")
    }
    var unavailable: String {
        say(
            "We cannot answer right now. Please try again in a moment.",
            "Das geht gerade nicht. Bitte versuchen Sie es gleich noch einmal.")
    }

    // MARK: Second factor

    var codeHeading: String { say("Enter your code", "Code eingeben") }
    var codeHint: String {
        say(
            "Open your authenticator app and enter the six digits, or use a recovery code.",
            "Öffnen Sie Ihre Authenticator-App und geben Sie die sechs Ziffern ein, oder nutzen Sie einen Notfallcode.")
    }
    var code: String { say("Code", "Code") }
    var wrongCode: String {
        say(
            "The code is wrong or was used already. Wait for the next one.",
            "Der Code ist falsch oder wurde schon benutzt. Warten Sie auf den nächsten.")
    }

    // MARK: Consent

    func consentHeading(_ program: String) -> String {
        say("Allow \(program) to use your mailbox?", "\(program) den Zugriff auf Ihr Postfach erlauben?")
    }
    var itCan: String { say("It will be able to", "Es kann dann") }
    var canRead: String { say("read, move and delete your mail", "Ihre E-Mails lesen, verschieben und löschen") }
    var canSend: String { say("send mail in your name", "E-Mails in Ihrem Namen senden") }
    var mailbox: String { say("Mailbox", "Postfach") }
    func returns(to place: String) -> String {
        say("Afterwards you return to \(place).", "Danach kehren Sie zu \(place) zurück.")
    }
    var yourComputer: String { say("a program on this computer", "einem Programm auf diesem Computer") }
    var unknownProgram: String {
        say(
            "This program chose its name itself. Allow it only if you have just started this yourself.",
            "Dieses Programm hat seinen Namen selbst gewählt. Erlauben Sie es nur, wenn Sie dies gerade selbst begonnen haben."
        )
    }
    var endable: String {
        say(
            "You can end this at any time in the list of your sessions.",
            "Sie können den Zugriff jederzeit in der Liste Ihrer Sitzungen beenden.")
    }
    var allow: String { say("Allow", "Erlauben") }
    var deny: String { say("Deny", "Ablehnen") }
    var noMailbox: String {
        say(
            "You have no active mailbox that could be opened.",
            "Sie haben kein aktives Postfach, das geöffnet werden könnte.")
    }

    // MARK: Devices

    var deviceHeading: String { say("Connect a device", "Gerät verbinden") }
    var deviceHint: String {
        say(
            "Enter the code that your device or program shows.",
            "Geben Sie den Code ein, den Ihr Gerät oder Programm anzeigt.")
    }
    var deviceCode: String { say("Code on the device", "Code auf dem Gerät") }
    var wrongDeviceCode: String {
        say(
            "This code is wrong, was used or is too old. Look at the device again.",
            "Dieser Code ist falsch, verbraucht oder zu alt. Sehen Sie noch einmal auf dem Gerät nach.")
    }
    func deviceAsked(code: String, address: String, minutes: Int64) -> String {
        say(
            "The request with the code \(code) came \(ago(minutes)) from the address \(address). Go on only if it is yours: "
                + "nobody who calls or writes to you needs this code.",
            "Die Anfrage mit dem Code \(code) kam \(ago(minutes)) von der Adresse \(address). Machen Sie nur weiter, wenn es "
                + "Ihre eigene ist: Niemand, der Sie anruft oder anschreibt, braucht diesen Code.")
    }
    private func ago(_ minutes: Int64) -> String {
        minutes < 1 ? say("just now", "gerade eben") : say("\(minutes) min ago", "vor \(minutes) min")
    }
    var allowedHeading: String { say("All set", "Fertig") }
    var allowed: String {
        say(
            "Your device is connected. You can close this page.",
            "Ihr Gerät ist verbunden. Sie können diese Seite schließen.")
    }
    var deniedHeading: String { say("Denied", "Abgelehnt") }
    var denied: String {
        say(
            "The device was not let in. You can close this page.",
            "Das Gerät wurde nicht zugelassen. Sie können diese Seite schließen.")
    }

    // MARK: What cannot go on

    var stopHeading: String { say("This does not work", "Das geht so nicht") }
    var unknownClient: String {
        say(
            "The program that sent you here is not known to us, or wants you back at a place it did not register.",
            "Das Programm, das Sie hierher geschickt hat, ist uns nicht bekannt oder will Sie an eine Adresse zurückschicken, "
                + "die es nicht angemeldet hat.")
    }
    func faultyRequest(_ code: String) -> String {
        say(
            "The program that sent you here asked in a way that we do not understand (\(code)).",
            "Das Programm, das Sie hierher geschickt hat, hat eine Anfrage gestellt, die wir nicht verstehen (\(code))."
        )
    }
    var expired: String {
        say(
            "This page is too old, or your browser sent it without its cookie. Please start again in your program.",
            "Diese Seite ist zu alt, oder Ihr Browser hat sie ohne ihr Cookie geschickt. Bitte beginnen Sie in Ihrem "
                + "Programm von vorn.")
    }
    var otherLanguage: String { say("Language", "Sprache") }
    var help: String { say("Help", "Hilfe") }
}
