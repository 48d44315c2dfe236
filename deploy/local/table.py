"""The processes of the stack: what is started, as whom, on which ports, and how one sees that it is ready."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
from pathlib import Path

from process import Process
from state import LOOPBACK, REPOSITORY, VMAIL, State

SERVICES = ("auth-server", "admin-api", "webmail-proxy", "mail-watcher")
# A path of each that the gateway routes to it.
ROUTES = {
    "auth-server": "/.well-known/jwks.json",
    "admin-api": "/api/v1/mail/domains",
    "webmail-proxy": "/api/v1/mail/webmail/folders",
    "mail-watcher": "/api/v1/mail/watcher/status",
}


def processes(state: State) -> list[Process]:
    """In the order in which they are listed; all start at once."""
    return [*stores(state), *mail_servers(state), *services(state), traefik(state)]


def stores(state: State) -> list[Process]:
    etc = state.path / "etc"
    return [
        Process(
            name="mariadb", user="mysql", configuration="mariadb", ports=("MARIADB",), stop_rank=2,
            command=["/usr/sbin/mariadbd", f"--defaults-file={etc}/mariadb/my.cnf"],
            prepare=lambda: prepare_mariadb(state),
            ready=lambda: greeting(str(state.mariadb_socket)) != b"",
        ),
        Process(
            name="redis", user="redis", configuration="redis", ports=("REDIS",), stop_rank=2,
            command=["/usr/bin/redis-server", f"{etc}/redis/redis.conf"],
            ready=lambda: redis_answers(state),
        ),
        Process(
            name="powerdns", user="pdns", configuration="powerdns", ports=("DNS", "PDNS"), stop_rank=2,
            command=["/usr/sbin/pdns_server", f"--config-dir={etc}/powerdns"],
            prepare=lambda: prepare_powerdns(state),
            ready=lambda: http_status(
                state.ports["PDNS"], "/api/v1/servers/localhost", {"X-API-Key": state.secret("pdns-api-key")}) == 200,
        ),
    ]  # fmt: skip


def mail_servers(state: State) -> list[Process]:
    etc, ports = state.path / "etc", state.ports
    rspamd = {"CONFDIR": "/etc/rspamd", "LOCAL_CONFDIR": etc / "rspamd", "RUNDIR": state.path / "run/rspamd",
              "DBDIR": state.path / "data/rspamd", "LOGDIR": state.path / "log"}  # fmt: skip
    return [
        Process(
            # As the mail's own user: it reads the DKIM keys that admin-api writes.
            name="rspamd", user=VMAIL, configuration="rspamd", stop_rank=1, patience=120,
            ports=("RSPAMD_SCAN", "RSPAMD_CONTROL"),
            command=["/usr/bin/rspamd", "-f", "-c", f"{etc}/rspamd/rspamd.conf",
                     *(f"--var={key}={value}" for key, value in rspamd.items())],
            prepare=lambda: state.milter_socket.unlink(missing_ok=True),
            ready=lambda: http_status(ports["RSPAMD_CONTROL"], "/ping") == 200 and is_open(str(state.milter_socket)),
        ),
        Process(
            name="dovecot", configuration="dovecot", stop_rank=1,
            ports=("IMAP", "IMAPS", "IMAPS_PROXY", "LMTP", "DOVEADM", "SASL", "QUOTA_STATUS", "SIEVE"),
            command=["/usr/sbin/dovecot", "-F", "-c", f"{etc}/dovecot/dovecot.conf"],
            # Its own pid file may name a zombie, or a stranger: then it would refuse to start.
            prepare=lambda: (state.path / "run/dovecot/master.pid").unlink(missing_ok=True),
            ready=lambda: greeting(ports["IMAP"]).startswith(b"* OK") and greeting(ports["LMTP"]).startswith(b"220"),
        ),
        Process(
            name="postfix", configuration="postfix", stop_rank=1,
            ports=("SMTP", "SMTPS", "SUBMISSION", "SMTP_PROXY", "SMTPS_PROXY", "SUBMISSION_PROXY", "REINJECT"),
            command=["/usr/lib/postfix/sbin/master", "-c", f"{etc}/postfix", "-s"],
            environment={"MAIL_CONFIG": f"{etc}/postfix"},
            prepare=lambda: prepare_postfix(state),
            ready=lambda: greeting(ports["SMTP"]).startswith(b"220"),
        ),
    ]  # fmt: skip


def traefik(state: State) -> Process:
    return Process(
        name="traefik", user=VMAIL, configuration="traefik",
        ports=("GATEWAY", "GATEWAY_IMAPS", "GATEWAY_SMTP", "GATEWAY_SMTPS", "GATEWAY_SUBMISSION", "GATEWAY_TLS",
               "GATEWAY_HTTP", "TRAEFIK_PING"),
        command=[str(REPOSITORY / ".local/venv/bin/traefik"), f"--configFile={state.path}/etc/traefik/traefik.yml"],
        ready=lambda: http_status(state.ports["TRAEFIK_PING"], "/ping") == 200,
    )  # fmt: skip


def services(state: State) -> list[Process]:
    ports = state.ports
    verifies = {"JWKS_URL": f"http://{LOOPBACK}:{ports['AUTH']}/.well-known/jwks.json"}
    reads_mail = {
        **verifies,
        "AUTH_URL": f"http://{LOOPBACK}:{ports['AUTH']}",
        "SERVICE_TOKEN_FILE": secret_file(state, "service-token"),
        "IMAP_HOST": LOOPBACK,
        "IMAP_PORT": ports["IMAP"],
        "IMAP_SECURITY": "plain",
        "TLS_CA_FILE": state.path / "mail/ssl/ca.pem",
    }
    return [
        service(state, "auth-server", "AUTH", {
            "MASTER_KEY_FILE": state.path / "keys/master.key",
            "INTROSPECTION_CREDENTIALS_FILE": secret_file(state, "introspection-credentials"),
            "BOOTSTRAP_SERVICE_TOKEN_FILE": secret_file(state, "service-token"),
            "DOVEADM_URL": f"http://{LOOPBACK}:{ports['DOVEADM']}",
            "DOVEADM_API_KEY_FILE": secret_file(state, "doveadm-api-key"),
        }),
        service(state, "admin-api", "ADMIN", {
            **verifies,
            "PDNS_URL": f"http://{LOOPBACK}:{ports['PDNS']}",
            "PDNS_API_KEY_FILE": secret_file(state, "pdns-api-key"),
            "DKIM_DIRECTORY": state.path / "mail/dkim",
            "DKIM_SELECTOR": "mail",
            "DNS_MX_HOST": state.mail_hostname,
            "DNS_MX_PRIORITY": 10,
            "DNS_SPF": "v=spf1 ip4:127.0.0.1 -all",
            "DNS_DMARC": "v=DMARC1; p=quarantine; rua=mailto:dmarc@xynap.test",
            "DNS_AUTOCONFIG_HOST": state.mail_hostname,
            "DNS_NAMESERVERS": state.dns_nameserver,
            "DNS_RESOLVER_HOST": LOOPBACK,
            "DNS_RESOLVER_PORT": ports["DNS"],
            "DNS_MTA_STS": "testing",
            "DNS_TLS_REPORTS": "mailto:tls@xynap.test",
            "AUTH_URL": f"http://{LOOPBACK}:{ports['AUTH']}",
            "SERVICE_TOKEN_FILE": secret_file(state, "service-token"),
            "SIEVE_PORT": ports["SIEVE"],
            "MAIL_FOLDERS": state.path / "mail/vhosts",
            "POLICY_PORT": ports["POLICY"],
            "SEND_LIMIT": 0,
            "CLIENTS_IMAP_HOST": state.mail_hostname,
            "CLIENTS_SMTP_HOST": state.mail_hostname,
        }),
        service(state, "webmail-proxy", "WEBMAIL", {
            **reads_mail,
            "SMTP_HOST": "localhost",
            "SMTP_PORT": ports["SMTPS"],
            "SMTP_SECURITY": "tls",
        }),
        service(state, "mail-watcher", "WATCHER", {
            **reads_mail,
            "PUSH_SECRET_FILE": secret_file(state, "push-secret"),
            # Receivers run on this machine, and a developer sees soon what becomes of a call that fails.
            "WEBHOOKS_INSECURE": "true",
            "WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "WEBHOOKS_RETRY": "500ms",
            "WEBHOOKS_ATTEMPTS": 3,
            "WEBHOOKS_KEY_FILE": state.path / "keys/webhooks.key",
        }),
    ]  # fmt: skip


def service(state: State, name: str, port: str, settings: dict[str, object]) -> Process:
    common = {
        "HOST": LOOPBACK,
        "PORT": state.ports[port],
        "LOG_LEVEL": "info",
        "ISSUER": f"http://{LOOPBACK}:{state.ports['GATEWAY']}",
        "TRUSTED_PROXIES": LOOPBACK,
        "DATABASE_SOCKET": state.mariadb_socket,
        "DATABASE_USER": "xynap",
        "DATABASE_PASSWORD_FILE": secret_file(state, "database-password"),
        "DATABASE_NAME": "xynap",
        "REDIS_URL_FILE": secret_file(state, "redis-url"),
    }
    return Process(
        name=name, user=VMAIL, ports=(port,), command=[str(state.binaries / name)],
        environment={f"XYNAP_{key}": str(value) for key, value in {**common, **settings}.items()},
        ready=lambda: http_status(state.ports[port], "/healthz") == 200,
    )  # fmt: skip


def secret_file(state: State, name: str) -> Path:
    return state.path / "secrets" / name


# --- what has to be there before the first start ---


def prepare_mariadb(state: State) -> None:
    data = state.path / "data/mariadb"
    state.mariadb_socket.unlink(missing_ok=True)
    if (data / "installed").exists():
        return
    # An interrupted installation is begun again, never taken for a database.
    if data.exists():
        shutil.rmtree(data)
    data.mkdir(mode=0o750)
    shutil.chown(data, "mysql", "mysql")
    run_logged(state, "mariadb-install", [
        "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=mysql", "--skip-test-db",
        "--auth-root-authentication-method=socket", "--innodb-log-file-size=32M",
        f"--tmpdir={state.path}/data/mariadb-tmp",
    ])  # fmt: skip
    (data / "installed").touch()


def prepare_powerdns(state: State) -> None:
    database = state.path / "data/powerdns/pdns.sqlite3"
    if database.exists():
        return
    schema = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").read_text()
    new = database.with_suffix(".new")
    new.unlink(missing_ok=True)
    subprocess.run(["sqlite3", new], input=schema, text=True, check=True)
    shutil.chown(new, "pdns", "pdns")
    new.rename(database)


def prepare_postfix(state: State) -> None:
    etc = state.path / "etc/postfix"
    for name in ("dynamicmaps.cf", "postfix-files", "dynamicmaps.cf.d", "postfix-files.d"):
        source, target = Path("/etc/postfix") / name, etc / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, target)
    made = state.path / "data/postfix/queue-made"
    if not made.exists():
        run_logged(state, "postfix-check", ["postfix", "-c", str(etc), "check"])
        made.touch()


def run_logged(state: State, name: str, command: list[str]) -> None:
    with open(state.path / "log" / f"{name}.log", "ab") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)


# --- looking whether a server answers ---


def http_status(port: int, path: str, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise ConnectionError(error) from error
    finally:
        connection.close()


def greeting(address: int | str) -> bytes:
    """The first bytes a server says on a TCP port or a Unix socket."""
    with connect(address) as stream:
        return stream.recv(200)


def is_open(address: int | str) -> bool:
    connect(address).close()
    return True


def redis_answers(state: State) -> bool:
    with connect(state.ports["REDIS"]) as stream:
        stream.sendall(f"AUTH {state.secret('redis-password')}\r\nPING\r\n".encode())
        answers = stream.makefile("rb")
        return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"


def connect(address: int | str) -> socket.socket:
    if isinstance(address, int):
        return socket.create_connection((LOOPBACK, address), timeout=2)
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(2)
    stream.connect(address)
    return stream
