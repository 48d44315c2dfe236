"""Makes tokens an attacker, or time, would make: the claims of a good token changed, signed as asked, by openssl.

Reads one JSON object: token (a good one), claims (to be changed), header (to be changed), sign: "key" (with the PEM
private key in the file `key`), "stranger" (a new key), "none" (no signature), "keep" (the old signature).
Prints {"token"}.
"""

import base64
import json
import subprocess
import sys
import tempfile


def decode(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def es256(signed: bytes, key_file: str) -> bytes:
    der = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key_file], input=signed, capture_output=True, check=True).stdout
    # SEQUENCE { INTEGER r, INTEGER s } becomes r || s (RFC 7518 §3.4).
    r_length = der[3]
    r, s = der[4 : 4 + r_length], der[6 + r_length :]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (r, s))


def signature(signed: bytes, task: dict, old: str) -> str:
    if task["sign"] == "none":
        return ""
    if task["sign"] == "keep":
        return old
    if task["sign"] == "key":
        return encode(es256(signed, task["key"]))
    with tempfile.NamedTemporaryFile(suffix=".pem") as key:
        subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key.name], check=True)
        return encode(es256(signed, key.name))


def main() -> None:
    task = json.load(sys.stdin)
    header, claims, old = task["token"].split(".")
    header = {**decode(header), **task["header"]}
    claims = {**decode(claims), **task["claims"]}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    print(json.dumps({"token": f"{signed}.{signature(signed.encode(), task, old)}"}))


main()
