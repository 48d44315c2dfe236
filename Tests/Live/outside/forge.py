"""Makes tokens an attacker, or time, would make: the claims of a good token changed, signed as asked, by openssl.

Reads one JSON object: token (a good one), claims (to be changed), header (to be changed), sign: "key" (with the
platform's own key, as somebody with the database and the master key in the file `key` could), "stranger" (a new key),
"none" (no signature), "keep" (the old signature). Prints {"token"}.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def decode(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def platform_key(task: dict) -> str:
    """The private key that signs: sealed in the database with AES-GCM, under a key derived from the master key."""
    database = task["database"]
    select = (
        "SELECT HEX(sealed_key) FROM signing_keys WHERE active_from <= UNIX_TIMESTAMP(NOW(3)) * 1000"
        " ORDER BY active_from DESC, created_at DESC LIMIT 1"
    )
    sealed = subprocess.run(
        ["mariadb", f"--socket={database['socket']}", f"--user={database['user']}", "-N", "-e", select,
         database["name"]],
        env={**os.environ, "MYSQL_PWD": database["password"]}, capture_output=True, check=True).stdout  # fmt: skip
    sealed = bytes.fromhex(sealed.decode().strip())
    with open(task["key"]) as file:
        master = base64.b64decode(file.read())
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"signing key").derive(master)
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], None).decode()


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
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as key:
            key.write(platform_key(task))
            key.flush()
            return encode(es256(signed, key.name))
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
