"""How much memory the hosts of a lab take: `python -m benchmarks.memory ENV`.

Proportional set size of every process of every host (a page that hosts share counts once), in MiB.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from benchmarks import report
from mirrorforce.lab import cgroups

if TYPE_CHECKING:
    from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
KIB_PER_MIB = 1024


def main(env: str) -> None:
    """One figure a host, and all of them together."""
    folder = cgroups.of_estate(env) / "hosts"
    hosts = {host.name: memory_of(host) for host in sorted(folder.iterdir()) if host.is_dir()}
    if not hosts:
        raise SystemExit(f"no host of {env} runs on this machine")
    report.show("memory of hosts", "MiB", {"hosts": hosts, "together": {"all": sum(hosts.values())}})


def memory_of(cgroup: Path) -> float:
    """MiB of all processes below a control group."""
    processes = {pid for listed in cgroup.rglob("cgroup.procs") for pid in listed.read_text().split()}
    return round(sum(proportional_set_size(pid) for pid in processes) / KIB_PER_MIB, 1)


def proportional_set_size(pid: str) -> int:
    """KiB of one process; 0 for one that has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:  # noqa: PTH123 (a plain read)
            found = _PSS.search(rollup.read())
    except OSError:
        return 0
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "lab")
