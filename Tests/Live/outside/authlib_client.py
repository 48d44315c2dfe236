"""Authlib, an OAuth2 library that is none of ours, against the platform: metadata, code with PKCE, refresh, token
exchange, revocation, introspection and registration.

Reads {"issuer", "introspection" (the URL inside), "credentials": [user, password], "redirect_uri"}; prints
{"authorize": url}, reads one line with the redirect that the browser was sent to, and prints {"checks": [...]}.
"""

import json
import sys
import time
import warnings

warnings.filterwarnings("ignore", module="authlib")
warnings.filterwarnings("ignore", message="authlib.jose")

from authlib.common.security import generate_token  # noqa: E402
from authlib.integrations.requests_client import OAuth2Session  # noqa: E402
from authlib.jose import JsonWebKey, jwt  # noqa: E402
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # noqa: E402

task = json.loads(sys.stdin.readline())
issuer = task["issuer"]
checks: list[str] = []


def expect(what: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"Authlib: {what}")
    checks.append(what)


class LoopbackMetadata(AuthorizationServerMetadata):
    """Authlib wants https everywhere; the tests run on loopback."""

    def validate_issuer(self) -> None:
        pass


plain = OAuth2Session()
document = plain.get(f"{issuer}/.well-known/oauth-authorization-server", withhold_token=True).json()
checked = LoopbackMetadata({key: value.replace("http://", "https://", 1) if isinstance(value, str) else value
                            for key, value in document.items()})  # fmt: skip
checked.validate()
expect("the metadata is valid (RFC 8414)", True)

registered = plain.post(document["registration_endpoint"], withhold_token=True, json={
    "client_name": "Authlib", "redirect_uris": [task["redirect_uri"]]}).json()  # fmt: skip
client = OAuth2Session(
    registered["client_id"], token_endpoint_auth_method="none", scope="imap smtp", redirect_uri=task["redirect_uri"],
    code_challenge_method="S256", token_endpoint=document["token_endpoint"])  # fmt: skip
verifier = generate_token(48)
url, state = client.create_authorization_url(document["authorization_endpoint"], code_verifier=verifier)
print(json.dumps({"authorize": url}), flush=True)
redirected = sys.stdin.readline().strip()
token = client.fetch_token(
    document["token_endpoint"], authorization_response=redirected, state=state, code_verifier=verifier)
expect("code with PKCE", token["token_type"] == "Bearer" and token["scope"] == "imap smtp")

keys = JsonWebKey.import_key_set(plain.get(document["jwks_uri"], withhold_token=True).json())
claims = jwt.decode(token["access_token"], keys)
claims.options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": "mail"}}
# Our iat has milliseconds, which a clock that counts whole seconds has not reached yet.
claims.validate(now=int(time.time()), leeway=1)
expect("the token is signed by a key of the set (RFC 7517)", claims["client_id"] == registered["client_id"])

old = token["refresh_token"]
token = client.refresh_token(document["token_endpoint"], refresh_token=old)
expect("refresh rotates", token["refresh_token"] != old)

introspecting = OAuth2Session(*task["credentials"])
answer = introspecting.introspect_token(task["introspection"], token=token["access_token"]).json()
expect("introspection (RFC 7662)", answer["active"] is True and answer["token_type"] == "Bearer")

client.revoke_token(document["revocation_endpoint"], token=token["refresh_token"], token_type_hint="refresh_token")
answer = introspecting.introspect_token(task["introspection"], token=token["access_token"]).json()
expect("revocation ends the session (RFC 7009)", answer == {"active": False})
print(json.dumps({"checks": checks}))
