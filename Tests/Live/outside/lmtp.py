"""Delivers mails as a mail server would, byte for byte, by LMTP (Python's own smtplib).

Reads {"host", "port", "to", "mails": [{"path"} | {"base64"} | {"megabytes": n} | {"parts": n}]}; prints one JSON object
a mail: {"accepted", "text", "sha256": of an attachment made here}.
"""

import base64
import hashlib
import json
import smtplib
import sys
from collections.abc import Iterator


def head(content_type: str, subject: str) -> bytes:
    return (
        f"From: Ann <ann@outside.test>\r\nTo: reader@inside.test\r\nSubject: {subject}\r\n"
        f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n"
    ).encode()


def pseudorandom(size: int) -> Iterator[bytes]:
    """Bytes that no filter or compression makes smaller."""
    for block in range(0, size, 57 * 1024):
        stream = hashlib.shake_128(block.to_bytes(8, "big")).digest(min(57 * 1024, size - block))
        yield stream


def large(megabytes: int) -> tuple[bytes, str]:
    """A text and one attachment of that size."""
    digest, lines = hashlib.sha256(), []
    for block in pseudorandom(megabytes << 20):
        digest.update(block)
        lines.append(base64.encodebytes(block).replace(b"\n", b"\r\n"))
    return (
        head("multipart/mixed; boundary=m", f"{megabytes} MB")
        + b"--m\r\nContent-Type: text/plain\r\n\r\nsmall words\r\n--m\r\nContent-Type: application/octet-stream\r\n"
        + b'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="large.bin"\r\n\r\n'
        + b"".join(lines)
        + b"--m--\r\n"
    ), digest.hexdigest()


def many(parts: int) -> bytes:
    one = b"--m\r\nContent-Type: application/octet-stream; name=x%d\r\n\r\nx\r\n"
    return (
        head("multipart/mixed; boundary=m", f"{parts} parts")
        + b"--m\r\nContent-Type: text/plain\r\n\r\nsmall words\r\n"
        + b"".join(one % index for index in range(parts))
        + b"--m--\r\n"
    )


def content(mail: dict) -> tuple[bytes, str | None]:
    if "path" in mail:
        with open(mail["path"], "rb") as file:
            return file.read(), None
    if "megabytes" in mail:
        return large(mail["megabytes"])
    if "parts" in mail:
        return many(mail["parts"]), None
    return base64.b64decode(mail["base64"]), None


def main() -> None:
    task = json.load(sys.stdin)
    for mail in task["mails"]:
        data, digest = content(mail)
        try:
            with smtplib.LMTP(task["host"], task["port"], timeout=60) as lmtp:
                lmtp.sendmail("ann@outside.test", [task["to"]], data)
            print(json.dumps({"accepted": True, "text": "", "sha256": digest}), flush=True)
        except smtplib.SMTPException as error:
            print(json.dumps({"accepted": False, "text": str(error), "sha256": digest}), flush=True)


main()
