"""An authenticator app: reads {"secret": base32, "time": seconds since 1970}, prints {"code"} (RFC 6238)."""

import base64
import hashlib
import hmac
import json
import struct
import sys

task = json.load(sys.stdin)
key = base64.b32decode(task["secret"] + "=" * (-len(task["secret"]) % 8))
mac = hmac.new(key, struct.pack(">Q", task["time"] // 30), hashlib.sha1).digest()
offset = mac[-1] & 15
number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
print(json.dumps({"code": f"{number % 1_000_000:06}"}))
