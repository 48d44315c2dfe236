"""Starting, finding and ending one process of the stack, so that a kill -9 of anything is survived."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from state import LOOPBACK, StackError, State

# The process writes its own stamp and pid file and then becomes the server: whatever interrupts us, a server that
# runs has a pid file. It leads a session of its own, so its children can be found when it is gone.
LAUNCH = """
read -r stat </proc/$$/stat && printf '%s\\n%s\\n' "$stat" "$3" >"$1" && echo $$ >"$2.new" && mv "$2.new" "$2" \
&& shift 3 && exec "$@"
"""


@dataclass(frozen=True)
class Process:
    name: str
    command: list[str]
    ready: Callable[[], bool]
    ports: tuple[str, ...]
    user: str | int = "root"
    environment: dict[str, str] = field(default_factory=dict)
    configuration: str | None = None
    """Its folder below etc/: when a file there changes, the process is started anew."""
    prepare: Callable[[], None] | None = None
    stop_rank: int = 0
    """Lower ends first."""
    patience: float = 30
    """Seconds until it must be ready."""


class Runner:
    """The processes of one state folder."""

    def __init__(self, state: State):
        self.state = state

    def pid(self, process: Process) -> int | None:
        """The pid, if the process we started (and no other that got its number) is alive."""
        pid, stamp = self._pid_file(process), self._stamp(process)
        stat = read_stat(pid) if pid else None
        return pid if stat and stamp and stat.started == stamp[0] and stat.state not in "ZX" else None

    def is_current(self, process: Process) -> bool:
        """Whether it was started from the binary and configuration that are there now."""
        stamp = self._stamp(process)
        return stamp is not None and stamp[1] == self._digest(process)

    def log(self, process: Process) -> Path:
        return self.state.path / "log" / f"{process.name}.log"

    def start(self, process: Process) -> None:
        if process.prepare:
            process.prepare()
        self._await_free_ports(process)
        log = self.log(process)
        if log.exists() and log.stat().st_size > 50_000_000:
            log.rename(log.with_suffix(".log.1"))
        command = process.command
        if process.user != "root":
            group = str(process.user)
            command = ["setpriv", "--reuid", group, "--regid", group, "--clear-groups", "--", *command]
        stamp, pid_file = self.state.path / "run/stamps" / process.name, self.state.pids / process.name
        with open(log, "ab") as output:
            subprocess.Popen(
                ["sh", "-c", LAUNCH, "sh", stamp, pid_file, self._digest(process), *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                cwd=self.state.path / "run", env={"PATH": os.environ["PATH"], "HOME": "/", **process.environment},
            )  # fmt: skip

    def await_ready(self, process: Process, patience: float) -> bool:
        """False when it has ended, or is still not ready after `patience` seconds."""
        end, launched = time.monotonic() + patience, time.monotonic() + 2
        while time.monotonic() < end:
            if self.pid(process) is None and time.monotonic() > launched:
                return False
            if self.pid(process) is not None and is_true(process.ready):
                return True
            time.sleep(0.05)
        return False

    def stop(self, process: Process, patience: float = 20) -> bool:
        """Ends the process and whatever it left behind; true when there was something to end."""
        pid = self.pid(process)
        if pid:
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: self.pid(process) is None, patience)
        orphans = self._session(process)
        for orphan in orphans:
            try:
                os.kill(orphan, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not self._session(process), 5)
        (self.state.pids / process.name).unlink(missing_ok=True)
        (self.state.path / "run/stamps" / process.name).unlink(missing_ok=True)
        return bool(pid or orphans)

    def memory(self, process: Process) -> int:
        """Kilobytes: resident for a single process, the fair shares (PSS) of a family."""
        family = self._session(process)
        pattern = "Rss:" if len(family) == 1 else "Pss:"
        total = 0
        for pid in family:
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith(pattern))
        return total

    # --- one process's traces ---

    def _pid_file(self, process: Process) -> int | None:
        try:
            return int((self.state.pids / process.name).read_text())
        except (OSError, ValueError):
            return None

    def _stamp(self, process: Process) -> tuple[int, str] | None:
        """When it was started (clock ticks since boot), and from what."""
        try:
            stat, digest = (self.state.path / "run/stamps" / process.name).read_text().splitlines()
            return parse_stat(stat).started, digest
        except (OSError, ValueError, IndexError):
            return None

    def _session(self, process: Process) -> list[int]:
        """The living members of the session it leads or led. A stranger that got its number is none of ours."""
        pid, stamp = self._pid_file(process), self._stamp(process)
        leader = read_stat(pid) if pid else None
        if not pid or (leader and stamp and leader.started != stamp[0]):
            return []
        members = []
        for entry in os.listdir("/proc"):
            stat = read_stat(int(entry)) if entry.isdigit() else None
            if stat and stat.session == pid and stat.state not in "ZX":
                members.append(int(entry))
        return members

    def _digest(self, process: Process) -> str:
        digest = hashlib.sha256(repr((process.command, process.environment)).encode())
        binary = os.stat(process.command[0])
        digest.update(f"{binary.st_mtime_ns} {binary.st_size}".encode())
        if process.configuration:
            folder = self.state.path / "etc" / process.configuration
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                digest.update(file.read_bytes())
        return digest.hexdigest()

    def _await_free_ports(self, process: Process) -> None:
        for name in process.ports:
            port = self.state.ports[name]
            if not wait_until(lambda port=port: is_free(port), 3):
                raise StackError(f"port {port} is taken by another program: choose another PORT_BASE")


@dataclass(frozen=True)
class Stat:
    state: str
    session: int
    started: int


def parse_stat(text: str) -> Stat:
    # The name in parentheses may hold anything; what follows the last ")" is fields 3 and up of proc(5).
    fields = text.rpartition(")")[2].split()
    return Stat(state=fields[0], session=int(fields[3]), started=int(fields[19]))


def read_stat(pid: int) -> Stat | None:
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (OSError, IndexError, ValueError):
        return None


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def is_true(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except OSError:
        return False


def wait_until(check: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
