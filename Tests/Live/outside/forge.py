"""Makes tokens an attacker, or time, would make: the claims of a good token changed, signed as asked, by openssl.

Reads one JSON object: token (a good one), claims (to be changed), header (to be changed), sign: "key" (with the
platform's own key, as somebody with the database and the master key in the file `key` could), "stranger" (a new key),
"embedded" (a new key, which the header brings along as jwk), "hmac" (HS256, with the public key of `jwk` as its secret,
written as `secret` says: pem, jwk, jwks or point), "none" (no signature), "keep" (the old signature). Prints {"token"}.
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


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


def hmac_secret(task: dict) -> bytes:
    """The public key, which everybody has, in the forms that confused verifiers took for a shared secret."""
    jwk = task["jwk"]
    x, y = (base64.urlsafe_b64decode(jwk[name] + "=") for name in ("x", "y"))
    match task["secret"]:
        case "point":
            return b"\x04" + x + y
        case "jwk":
            return json.dumps(jwk, separators=(",", ":")).encode()
        case "jwks":
            return json.dumps({"keys": [jwk]}, separators=(",", ":")).encode()
    numbers = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1())
    return numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def new_key() -> tuple[str, dict]:
    """A key of the attacker's own, in PEM, and its public half as JWK."""
    pem = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        capture_output=True, check=True).stdout  # fmt: skip
    numbers = load_pem_private_key(pem, None).public_key().public_numbers()
    x, y = (encode(number.to_bytes(32)) for number in (numbers.x, numbers.y))
    return pem.decode(), {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def sign_with(pem: str, signed: bytes) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as key:
        key.write(pem)
        key.flush()
        return encode(es256(signed, key.name))


def signature(signed: bytes, task: dict, old: str) -> str:
    if task["sign"] == "none":
        return ""
    if task["sign"] == "keep":
        return old
    if task["sign"] == "hmac":
        return encode(hmac.new(hmac_secret(task), signed, hashlib.sha256).digest())
    return sign_with(platform_key(task) if task["sign"] == "key" else task["own"], signed)


def main() -> None:
    task = json.load(sys.stdin)
    header, claims, old = task["token"].split(".")
    header = {**decode(header), **task["header"]}
    claims = {**decode(claims), **task["claims"]}
    task["own"], public = new_key()
    if task["sign"] == "embedded":
        header["jwk"] = public
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    print(json.dumps({"token": f"{signed}.{signature(signed.encode(), task, old)}"}))


main()
