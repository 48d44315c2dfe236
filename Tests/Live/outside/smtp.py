"""An SMTP client that shares no code with the product: Python's own smtplib.

Reads one JSON object: host, port, security (tls, starttls, plain), ca, mechanism, user, secret (both absent: no
login), from, to (list), messages. Prints one JSON object a message: {"accepted", "code", "text", "stage"}.

With "hold" (seconds) it logs in once, says {"holding": true}, sends the first message over that session again and again
and prints {"ended", "code", "text"} (seconds since 1970) when it is refused, with "closed" for whether the server hung
up as well; "ended" is null when it never was.
"""

import json
import smtplib
import ssl
import sys
import time


def connect(task: dict) -> smtplib.SMTP:
    host, port, name = task["host"], task["port"], "client.outside.test"
    context = ssl.create_default_context(cafile=task["ca"])
    if task["security"] == "tls":
        return smtplib.SMTP_SSL(host, port, local_hostname=name, context=context, timeout=15)
    smtp = smtplib.SMTP(host, port, local_hostname=name, timeout=15)
    if task["security"] == "starttls":
        smtp.starttls(context=context)
    return smtp


def authenticate(smtp: smtplib.SMTP, task: dict) -> None:
    user, secret = task["user"], task["secret"]
    response = {
        "XOAUTH2": f"user={user}\x01auth=Bearer {secret}\x01\x01",
        "OAUTHBEARER": f"n,a={user},\x01auth=Bearer {secret}\x01\x01",
        "PLAIN": f"\0{user}\0{secret}",
    }[task["mechanism"]]
    smtp.ehlo()
    smtp.auth(task["mechanism"], lambda challenge=None: response)


def send(task: dict, message: str) -> dict:
    stage = "connect"
    try:
        with connect(task) as smtp:
            if task.get("mechanism"):
                stage = "login"
                authenticate(smtp, task)
            stage = "mail"
            refused = smtp.sendmail(task["from"], task["to"], message.encode())
            if refused:
                code, text = next(iter(refused.values()))
                return {"accepted": False, "code": code, "text": text.decode(errors="replace"), "stage": stage}
            return {"accepted": True, "code": 250, "text": "", "stage": stage}
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return {"accepted": False, "code": code, "text": text.decode(errors="replace"), "stage": stage}
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        return {"accepted": False, "code": error.smtp_code, "text": text, "stage": stage}
    except (OSError, smtplib.SMTPException) as error:
        return {"accepted": False, "code": 0, "text": repr(error), "stage": stage}


def is_closed(smtp: smtplib.SMTP) -> bool:
    try:
        return smtp.noop()[0] == 421
    except (OSError, smtplib.SMTPException):
        return True


def hold(task: dict) -> dict:
    with connect(task) as smtp:
        authenticate(smtp, task)
        print(json.dumps({"holding": True}), flush=True)
        end = time.time() + task["hold"]
        while time.time() < end:
            smtp.mail(task["from"])
            code, text = smtp.rcpt(task["to"][0])
            if code >= 400:
                ended = time.time()
                return {"ended": ended, "code": code, "text": text.decode(), "closed": is_closed(smtp)}
            smtp.data(task["messages"][0].encode())
            time.sleep(0.1)
    return {"ended": None}


def main() -> None:
    task = json.load(sys.stdin)
    if "hold" in task:
        print(json.dumps(hold(task)), flush=True)
        return
    for message in task["messages"]:
        print(json.dumps(send(task, message)), flush=True)


main()
