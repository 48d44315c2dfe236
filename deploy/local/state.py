"""One stack's place on disk: its folders, ports, secrets, certificate and rendered configuration."""

from __future__ import annotations

import grp
import os
import pwd
import re
import secrets
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATES = REPOSITORY / "deploy"
VMAIL = 5000
LOOPBACK = "127.0.0.1"

# Every port is PORT_BASE plus one of these.
PORT_OFFSETS = {
    "GATEWAY": 0, "AUTH": 1, "ADMIN": 2, "WEBMAIL": 3, "WATCHER": 4,
    "MARIADB": 5, "REDIS": 6, "DNS": 7, "PDNS": 8, "TRAEFIK_PING": 9,
    "GATEWAY_IMAPS": 10, "GATEWAY_SMTP": 11, "GATEWAY_SMTPS": 12, "GATEWAY_SUBMISSION": 13,
    "GATEWAY_TLS": 14, "GATEWAY_HTTP": 15,
    "IMAP": 20, "IMAPS": 21, "IMAPS_PROXY": 22, "LMTP": 23, "DOVEADM": 24, "SASL": 25, "QUOTA_STATUS": 26, "SIEVE": 27,
    "SMTP": 30, "SMTPS": 31, "SUBMISSION": 32, "SMTP_PROXY": 33, "SMTPS_PROXY": 34, "SUBMISSION_PROXY": 35,
    "REINJECT": 36, "POLICY": 37,
    "RSPAMD_SCAN": 40, "RSPAMD_CONTROL": 41,
}  # fmt: skip

SERVICE_PORTS = ("AUTH", "ADMIN", "WEBMAIL", "WATCHER")

# name: how it is made. A service token begins with xs_ (that is how people and scanners recognise one).
SECRETS = {
    "service-token": lambda: "xs_" + secrets.token_urlsafe(32),
    "introspection-credentials": lambda: "dovecot:" + secrets.token_hex(24),
    "doveadm-api-key": lambda: secrets.token_hex(24),
    "pdns-api-key": lambda: secrets.token_hex(24),
    "rspamd-password": lambda: secrets.token_hex(24),
    "redis-password": lambda: secrets.token_hex(24),
    "push-secret": lambda: secrets.token_hex(24),
    "database-password": lambda: secrets.token_hex(24),
    "dovecot-database-password": lambda: secrets.token_hex(24),
    "postfix-database-password": lambda: secrets.token_hex(24),
    "demo-password": lambda: secrets.token_urlsafe(12),
    "demo2-password": lambda: secrets.token_urlsafe(12),
}

# folder: owner, mode
FOLDERS = {
    "etc": ("root", 0o755),
    # Dovecot's delivery, which runs as the mail's owner, keeps the compiled scripts beside them.
    "etc/sieve": (VMAIL, 0o755),
    "secrets": (VMAIL, 0o700),
    "keys": (VMAIL, 0o700),
    "log": ("root", 0o755),
    "run": ("root", 0o755),
    "run/pids": ("root", 0o755),
    "run/stamps": ("root", 0o755),
    "run/mariadb": ("mysql", 0o755),
    "run/powerdns": ("pdns", 0o755),
    "run/rspamd": (VMAIL, 0o755),
    "data": ("root", 0o755),
    "data/mariadb": ("mysql", 0o750),
    "data/mariadb-tmp": ("mysql", 0o750),
    "data/redis": ("redis", 0o750),
    "data/powerdns": ("pdns", 0o750),
    "data/rspamd": (VMAIL, 0o750),
    "data/dovecot": ("root", 0o755),
    "data/traefik": (VMAIL, 0o750),
    "data/postfix": ("postfix", 0o755),
    "data/postfix-queue": ("root", 0o755),
    "mail": (VMAIL, 0o755),
    "mail/vhosts": (VMAIL, 0o750),
    "mail/dkim": (VMAIL, 0o700),
    "mail/ssl": ("root", 0o755),
}

# folder of templates: owner and group of what is rendered from it (nobody else may read it)
RENDERED = {
    "mariadb": ("mysql", "mysql"),
    "redis": ("redis", "redis"),
    "powerdns": ("pdns", "pdns"),
    "rspamd": (VMAIL, VMAIL),
    "dovecot": ("root", "dovecot"),
    "sieve": (VMAIL, VMAIL),
    "postfix": ("root", "postfix"),
    "traefik": (VMAIL, VMAIL),
}


class StackError(Exception):
    """Something a person has to know; printed without a trace."""


class State:
    def __init__(self, path: Path, port_base: int | None = None, binaries: Path | None = None):
        self.path = path.absolute()
        remembered = self._remembered()
        self.port_base = port_base or int(remembered.get("PORT_BASE", 21000))
        self.binaries = (binaries or Path(remembered.get("BIN", REPOSITORY / ".build/release"))).absolute()
        self.ports = {name: self.port_base + offset for name, offset in PORT_OFFSETS.items()}

    # --- what was chosen at the last `up` ---

    def _remembered(self) -> dict[str, str]:
        file = self.path / "stack.env"
        return read_env(file) if file.exists() else {}

    def remember(self) -> None:
        write_if_changed(self.path / "stack.env", f"PORT_BASE={self.port_base}\nBIN={self.binaries}\n")

    # --- folders, secrets, certificate ---

    def check(self) -> None:
        """The servers run as users of their own and through sockets below the state folder."""
        if os.geteuid() != 0:
            raise StackError("run as root: the servers are started under users of their own")
        if not 1024 <= self.port_base <= 65000:
            raise StackError(f"PORT_BASE={self.port_base} is not between 1024 and 65000")
        if len(str(self.path)) > 72 or re.search(r"[^\w./+-]", str(self.path)):
            raise StackError(f"STATE={self.path} is too long for Unix sockets (72), or holds special characters")
        self.path.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, *self.path.parents):
            if not folder.stat().st_mode & 0o001:
                raise StackError(f"{folder} is closed to other users: put STATE= where the servers' users may go")

    def prepare(self) -> None:
        for name, (owner, mode) in FOLDERS.items():
            folder = self.path / name
            folder.mkdir(exist_ok=True)
            if folder.stat().st_mode & 0o777 != mode:
                folder.chmod(mode)
            own(folder, owner, owner)
        for name, make in SECRETS.items():
            file = self.path / "secrets" / name
            if not file.exists() or not file.stat().st_size:
                write(file, make(), VMAIL, VMAIL, 0o600)
        redis_url = f"redis://:{self.secret('redis-password')}@{LOOPBACK}:{self.ports['REDIS']}/0"
        write_if_changed(self.path / "secrets/redis-url", redis_url, VMAIL, VMAIL, 0o600)
        self._make_certificate()

    def secret(self, name: str) -> str:
        return (self.path / "secrets" / name).read_text()

    def _make_certificate(self) -> None:
        """A CA of our own, and the mail servers' certificate by it."""
        folder = self.path / "mail/ssl"
        if (folder / "cert.pem").exists():
            return
        ca, key, request, extensions = (str(folder / n) for n in ("ca.pem", "key.pem", "request.pem", "extensions"))
        Path(extensions).write_text(
            f"subjectAltName=DNS:localhost,DNS:{self.mail_hostname},IP:127.0.0.1,IP:::1\n"
            "extendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n"
        )
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"]
        for command in (
            ["req", "-x509", *new_key, f"{folder}/ca-key.pem", "-days", "3650", "-subj", "/CN=xynap-mail local CA",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", ca],
            ["req", *new_key, key, "-subj", f"/CN={self.mail_hostname}", "-out", request],
            ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", f"{folder}/ca-key.pem", "-CAcreateserial",
             "-days", "3650", "-extfile", extensions, "-out", f"{folder}/cert.new"],
        ):  # fmt: skip
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        for private in ("ca-key.pem", "key.pem"):
            (folder / private).chmod(0o600)
        # Traefik reads it as the mail's user, the mail servers as root.
        own(folder / "key.pem", VMAIL, VMAIL)
        for leftover in (request, extensions):
            os.unlink(leftover)
        (folder / "cert.new").rename(folder / "cert.pem")

    # --- configuration ---

    mail_hostname = "mx.xynap.test"
    dns_nameserver = "ns1.xynap.test"
    mariadb_socket = property(lambda self: self.path / "run/mariadb/mariadb.sock")
    milter_socket = property(lambda self: self.path / "run/rspamd/milter.sock")
    pids = property(lambda self: self.path / "run/pids")

    def values(self) -> dict[str, object]:
        """What the templates may name."""
        addresses = {f"{name}_ADDRESS": f"{LOOPBACK}:{port}" for name, port in self.ports.items()}
        ssl = self.path / "mail/ssl"
        return {
            **{f"{name}_PORT": port for name, port in self.ports.items()},
            **addresses,
            **{name.upper().replace("-", "_"): self.secret(name) for name in SECRETS},
            # As Traefik lists them: one server each here, as many as there are replicas elsewhere.
            **{f"{n}_SERVERS": f'{{url: "http://{addresses[f"{n}_ADDRESS"]}"}}' for n in SERVICE_PORTS},
            "TRAEFIK_TLS": "{}",
            "ACME_EMAIL": f"postmaster@{self.mail_hostname}",
            "LISTEN": LOOPBACK,
            "POSTFIX_INTERFACES": LOOPBACK,
            "TRUSTED_NETWORKS": "127.0.0.0/8",
            "PROXY_NETWORKS": "127.0.0.0/8",
            "ETC_DIR": self.path / "etc",
            "RUN_DIR": self.path / "run",
            "DATA_DIR": self.path / "data",
            "LOG_DIR": self.path / "log",
            "MAIL_DIR": self.path / "mail",
            "POSTFIX_LOG": self.path / "log/postfix.log",
            "TLS_CERTIFICATE": ssl / "cert.pem",
            "TLS_KEY": ssl / "key.pem",
            "VMAIL_UID": VMAIL,
            "VMAIL_GID": VMAIL,
            "MAIL_HOSTNAME": self.mail_hostname,
            "DNS_NAMESERVER": self.dns_nameserver,
            "DKIM_SELECTOR": "mail",
            "MARIADB_SOCKET": self.mariadb_socket,
            "MARIADB_BUFFER_POOL": "128M",
            "DATABASE_NAME": "xynap",
            "DATABASE_HOST": self.mariadb_socket,
            "POSTFIX_DATABASE_HOST": f"unix:{self.mariadb_socket}",
            # Over TCP the small writes of the milter protocol wait 40 ms for a delayed acknowledgement.
            "MILTER_BIND": f"{self.milter_socket} mode=0666",
            "MILTER": f"unix:{self.milter_socket}",
            # Here no mail leaves the machine.
            "OUTBOUND_TRANSPORT": "error:5.7.1 outbound mail is switched off here",
            "SMTP_CONNECTIONS_PER_CLIENT": 0,
        }

    def render(self) -> None:
        """All templates into etc/, each file readable by the server it is for."""
        values = self.values()
        for folder, (owner, group) in RENDERED.items():
            self._render_tree(TEMPLATES / folder, self.path / "etc" / folder, values, owner, group)
        self._render_tree(
            TEMPLATES / "local/dovecot", self.path / "etc/dovecot/conf.d", values, *RENDERED["dovecot"])

    def _render_tree(self, source: Path, target: Path, values: dict[str, object], owner, group) -> None:
        for template in sorted(p for p in source.rglob("*") if p.is_file()):
            file = target / template.relative_to(source)
            for folder in reversed([p for p in file.parents if p.is_relative_to(target)]):
                folder.mkdir(exist_ok=True)
            write_if_changed(file, fill_in(template, values), owner, group, 0o640)

    # --- what tools from outside read ---

    endpoints = property(lambda self: self.path / "endpoints.env")

    def write_endpoints(self) -> None:
        def url(name: str) -> str:
            return f"http://{LOOPBACK}:{self.ports[name]}"

        values = {
            **{f"{name}_URL": url(name) for name in ("GATEWAY", "GATEWAY_HTTP", *SERVICE_PORTS)},
            "SERVICE_TOKEN": self.secret("service-token"),
            "INTROSPECT_CREDENTIALS": self.secret("introspection-credentials"),
            "IMAP_HOST": LOOPBACK,
            **{f"{n}_PORT": self.ports[n] for n in ("IMAP", "IMAPS", "SMTP", "SMTPS", "SUBMISSION", "LMTP", "DNS")},
            **{f"GATEWAY_{n}_PORT": self.ports[f"GATEWAY_{n}"]
               for n in ("IMAPS", "SMTP", "SMTPS", "SUBMISSION", "TLS")},
            "REDIS_URL": self.secret("redis-url"),
            "MARIADB_SOCKET": self.mariadb_socket,
            "MARIADB_USER": "xynap",
            "MARIADB_PASSWORD": self.secret("database-password"),
            "MARIADB_DATABASE": "xynap",
            "DEMO_EMAIL": "demo@example.test",
            "DEMO_PASSWORD": self.secret("demo-password"),
            "DEMO2_EMAIL": "demo2@example.test",
            "DEMO2_PASSWORD": self.secret("demo2-password"),
            "TLS_CA": self.path / "mail/ssl/ca.pem",
            "PIDS_DIR": self.pids,
        }
        write_if_changed(self.endpoints, "".join(f"{key}={value}\n" for key, value in values.items()), mode=0o600)


def fill_in(template: Path, values: dict[str, object]) -> str:
    def value(match: re.Match) -> str:
        if match[1] not in values:
            raise StackError(f"{template}: @{match[1]}@ is not a known value")
        return str(values[match[1]])

    return re.sub(r"@([A-Z][A-Z0-9_]*)@", value, template.read_text())


def read_env(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def own(path: Path, owner: str | int, group: str | int) -> None:
    uid = owner if isinstance(owner, int) else pwd.getpwnam(owner).pw_uid
    gid = group if isinstance(group, int) else grp.getgrnam(group).gr_gid
    status = path.stat()
    if (status.st_uid, status.st_gid) != (uid, gid):
        os.chown(path, uid, gid)


def write(file: Path, text: str, owner: str | int = 0, group: str | int = 0, mode: int = 0o644) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    own(new, owner, group)
    new.rename(file)


def write_if_changed(file: Path, text: str, owner: str | int = 0, group: str | int = 0, mode: int = 0o644) -> None:
    if not file.exists() or file.read_text() != text:
        write(file, text, owner, group, mode)
