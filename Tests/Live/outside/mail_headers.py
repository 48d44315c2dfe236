"""What Python's own parser finds in mails.

Reads one JSON object: mails, each in base64. Prints one JSON array a mail: for the mail itself and each of its parts,
in order, the names of the header fields in lower case, sorted.
"""

import base64
import email
import json
import sys

for mail in json.load(sys.stdin)["mails"]:
    parts = email.message_from_bytes(base64.b64decode(mail)).walk()
    print(json.dumps([sorted(name.lower() for name in part.keys()) for part in parts]), flush=True)
