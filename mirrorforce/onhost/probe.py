"""What a host knows about itself, as one JSON document: one ssh call a host asks for all of it.

Runs on hosts as root: `python3 -m mirrorforce.onhost.probe`, with a request on stdin that names
the wanted sections and gives each its arguments; standard library only. Sections run side by side,
and one that is late or fails says so in its own place, so that a hung PostgreSQL does not hide what
etcd had to say:

    {"limit": 2.0, "sections": {"etcd": {...}, "dns": {...}}}
    {"version": 1, "host": "east-control", "seconds": 0.1,
     "sections": {"etcd": {...}, "dns": {"error": "no answer within 2.0 s"}}}
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION = 1

SECTIONS = {
    "patroni": "facts_cluster.patroni",
    "patroni_config": "facts_cluster.patroni_config",
    "etcd": "facts_cluster.etcd",
    "dns": "facts_dns.answers",
    "replication": "facts_postgres.replication",
    "postgres": "facts_postgres.settings",
    "services": "facts_system.services",
    "sockets": "facts_system.sockets",
    "nftables": "facts_system.nftables",
    "files": "facts_system.files",
    "certificates": "facts_system.certificates",
    "sshd": "facts_system.sshd",
    "mounts": "facts_system.mounts",
    "failover_agent": "facts_system.failover_agent",
    "clock": "facts_system.clock",
    "refusals": "facts_refusals.attempts",
    "unreachable": "facts_refusals.unreachable",
    "resolver": "facts_dns.answers",
    "dns_tcp": "facts_dns.answers",
    "etcd_members": "facts_drift.etcd_members",
    "dns_admin": "facts_drift.dns_admin",
    "overrides": "facts_drift.overrides",
    "packages": "facts_drift.packages",
    "member_data": "facts_drift.member_data",
    "seal": "seal.broken",
}
"""The function that finds each section's facts. Loaded where it is asked for: a busy host is asked often."""


def finder(section: str) -> Callable[[dict[str, Any]], object]:
    """The function behind a section's name; one that says so where there is no such section."""
    if section not in SECTIONS:
        return lambda _: {"error": f"there is no section {section}"}
    module, _, name = SECTIONS[section].partition(".")
    found: Callable[[dict[str, Any]], object] = getattr(import_module(f"mirrorforce.onhost.{module}"), name)
    return found


def answer(
    request: Mapping[str, Any],
    find: Callable[[str], Callable[[dict[str, Any]], object]] = finder,
) -> dict[str, Any]:
    """Run the requested sections side by side for at most `limit` seconds from when they are loaded."""
    results: dict[str, object] = {}
    known = {name: find(name) for name in request["sections"]}
    started = time.monotonic()
    limit = float(request.get("limit", 2.0))

    def run(name: str, arguments: dict[str, Any]) -> None:
        try:
            results[name] = known[name](arguments)
        except Exception as fault:  # noqa: BLE001 (a section's fault is its answer)
            results[name] = {"error": f"{type(fault).__name__}: {fault}"}

    threads = [
        threading.Thread(target=run, args=(name, arguments), daemon=True)
        for name, arguments in request["sections"].items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, started + limit - time.monotonic()))
    late = {"error": f"no answer within {limit} s"}
    return {
        "version": VERSION,
        "host": socket.gethostname().partition(".")[0],
        "seconds": round(time.monotonic() - started, 3),
        "sections": {name: results.get(name, late) for name in request["sections"]},
    }


def main() -> None:
    """Answer the request on stdin; ends at once, even where a section still hangs."""
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
