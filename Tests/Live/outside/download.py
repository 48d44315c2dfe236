"""A client that downloads, fast or slowly, and watches a process meanwhile.

Reads {"url", "headers", "pid", "pause": seconds between reads of 64 kB or 0, "stop_after": bytes or 0}; prints
{"status", "headers", "bytes", "sha256", "seconds", "rss_before", "rss_peak"} with memory in kB.
"""

import hashlib
import json
import sys
import threading
import time
import urllib.request


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


class Watch(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.before, self.peak, self.over = pid, resident(pid), 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.peak = max(self.peak, resident(self.pid))


def main() -> None:
    task = json.load(sys.stdin)
    watch = Watch(task["pid"])
    watch.start()
    digest, count, started = hashlib.sha256(), 0, time.monotonic()
    request = urllib.request.Request(task["url"], headers=task["headers"])
    with urllib.request.urlopen(request, timeout=60) as answer:
        while block := answer.read(65536):
            digest.update(block)
            count += len(block)
            if task["stop_after"] and count >= task["stop_after"]:
                break
            if task["pause"]:
                time.sleep(task["pause"])
        status, headers = answer.status, {name.lower(): value for name, value in answer.headers.items()}
    watch.over.set()
    print(json.dumps({
        "status": status, "headers": headers, "bytes": count, "sha256": digest.hexdigest(),
        "seconds": time.monotonic() - started, "rss_before": watch.before, "rss_peak": watch.peak}))  # fmt: skip


main()
