"""A mail server that does not give up: hands mails to Dovecot by LMTP (RFC 2033), again until each has its 250.

Reads one JSON object: host, port, to, subjects, pause (seconds between mails), retry (seconds to try each). Prints one
JSON object a mail: {"subject", "at": seconds since 1970 of the 250} or {"subject", "error"}.
"""

import json
import smtplib
import sys
import time


def mail(recipient: str, subject: str) -> str:
    return (
        f"From: Ann <ann@outside.test>\r\nTo: {recipient}\r\nSubject: {subject}\r\n"
        f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '.')}@outside.test>\r\n\r\n"
        f"Preview of {subject}\r\n"
    )


def main() -> None:
    task = json.loads(sys.stdin.read())
    connection = None
    for subject in task["subjects"]:
        until = time.monotonic() + task.get("retry", 0)
        while True:
            try:
                if connection is None:
                    connection = smtplib.LMTP(task["host"], task["port"], local_hostname="outside.test", timeout=10)
                connection.sendmail("ann@outside.test", [task["to"]], mail(task["to"], subject))
                print(json.dumps({"subject": subject, "at": time.time()}), flush=True)
                break
            except (OSError, smtplib.SMTPException) as error:
                if connection is not None:
                    connection.close()
                connection = None
                if time.monotonic() > until:
                    print(json.dumps({"subject": subject, "error": str(error)}), flush=True)
                    break
                time.sleep(0.1)
        time.sleep(task.get("pause", 0))


main()
