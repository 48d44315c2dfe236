"""What Postfix does at the end: hands mails to Dovecot by LMTP (RFC 2033), with Python's own smtplib.

Reads one JSON object: host, port, from, to, messages. Prints one JSON object a message: {"accepted", "code", "text"}.
"""

import json
import smtplib
import sys


def deliver(lmtp: smtplib.LMTP, task: dict, message: str) -> dict:
    code, text = lmtp.mail(task["from"])
    if code == 250:
        code, text = lmtp.rcpt(task["to"])
    if code == 250:
        code, text = lmtp.data(message.encode())
    else:
        lmtp.rset()
    return {"accepted": code == 250, "code": code, "text": text.decode(errors="replace")}


def main() -> None:
    task = json.loads(sys.stdin.read())
    with smtplib.LMTP(task["host"], task["port"], local_hostname="client.outside.test") as lmtp:
        lmtp.ehlo()
        for message in task["messages"]:
            print(json.dumps(deliver(lmtp, task, message)), flush=True)


if __name__ == "__main__":
    main()
