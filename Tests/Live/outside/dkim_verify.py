"""Verifies a mail's DKIM signature with dkimpy, asking the stack's own name server.

Reads one JSON object: message (Base64), dns_host, dns_port. Prints {"valid", "domain", "selector", "why"} of the first
signature, and the same of each as "signatures".
"""

import base64
import json
import sys

import dkim
import dns.message
import dns.query
import dns.rdatatype

task = json.load(sys.stdin)


def text_record(name: bytes, timeout: float = 5) -> bytes | None:
    query = dns.message.make_query(name.decode(), dns.rdatatype.TXT, use_edns=True)
    answer, _ = dns.query.udp_with_fallback(query, task["dns_host"], timeout=timeout, port=task["dns_port"])
    for record in answer.answer:
        if record.rdtype == dns.rdatatype.TXT:
            return b"".join(record[0].strings)
    return None


def verdict(message: bytes, index: int) -> dict:
    verifier = dkim.DKIM(message)
    try:
        valid, why = verifier.verify(idx=index, dnsfunc=text_record), ""
    except dkim.DKIMException as error:
        valid, why = False, repr(error)
    return {
        "valid": valid,
        "domain": (verifier.domain or b"").decode(),
        "selector": (verifier.selector or b"").decode(),
        "why": why,
    }


message = base64.b64decode(task["message"])
count = sum(1 for name, _ in dkim.DKIM(message).headers if name.lower() == b"dkim-signature")
verdicts = [verdict(message, index) for index in range(count)] or [verdict(message, 0)]
print(json.dumps({**verdicts[0], "signatures": verdicts}))
