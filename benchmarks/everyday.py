"""How long the verbs of every day take on an estate that is up: verify, status, status with a site dead.

`python -m benchmarks.everyday ENV [SITE]`; SITE is powered off for a moment, and waited for afterwards.
"""

from __future__ import annotations

import statistics
import sys
import time

from benchmarks import report
from mirrorforce import estate_file
from mirrorforce.operations import status
from mirrorforce.workspace import Workspace

RUNS = 5


def main(env: str, site: str) -> None:
    """Medians of a few runs each."""
    groups: dict[str, report.Figures] = {
        "command": {
            "verify": statistics.median(report.mirrorforce("verify", env) for _ in range(3)),
            "status": statistics.median(report.mirrorforce("status", env) for _ in range(RUNS)),
        },
        "asking the hosts": {"all alive": looked(env)},
    }
    report.mirrorforce("lab", "power-off", site, "--env", env)
    try:
        groups["asking the hosts"][f"{site} dead"] = looked(env)
    finally:
        report.mirrorforce("lab", "power-on", site, "--env", env)
        groups["after power is back"] = {"whole": report.mirrorforce("wait", env)}
    report.show("every day", "seconds", groups)


def looked(env: str) -> float:
    """Median seconds of a look at every host, connections open."""
    ws = Workspace(env)
    estate = estate_file.load(ws.estate_file)
    seconds = []
    for _ in range(RUNS):
        started = time.monotonic()
        status.collect(ws, estate)
        seconds.append(time.monotonic() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *["lab", "east"][len(sys.argv) - 1 :]]
    main(*arguments[:2])
