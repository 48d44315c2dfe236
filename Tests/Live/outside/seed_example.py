"""The example that the product was ordered with, line for line; only host, port and port security are parameters."""

import base64
import imaplib
import json
import ssl
import sys

task = json.load(sys.stdin)
user = task["user"]
token = task["secret"]

# XOAUTH2 SASL String
auth_string = f"user={user}\x01auth=Bearer {token}\x01\x01"
auth_b64 = base64.b64encode(auth_string.encode()).decode()

if task["tls"]:
    imap = imaplib.IMAP4_SSL(task["host"], task["port"], ssl_context=ssl.create_default_context(cafile=task["ca"]))
else:
    imap = imaplib.IMAP4(task["host"], task["port"])
imap.authenticate("XOAUTH2", lambda x: auth_string.encode())
imap.select("INBOX")

print(json.dumps({"state": imap.state, "sasl": auth_b64 != ""}))
imap.logout()
