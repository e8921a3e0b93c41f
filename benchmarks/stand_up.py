"""How long an estate takes to stand up, phase by phase: from nothing, again with nothing to do, whole.

`python -m benchmarks.stand_up ENV` takes ENV down first and leaves it up. Image and engine are cached, or
else the first figures hold their making as well.
"""

from __future__ import annotations

import sys

from benchmarks import report
from mirrorforce.workspace import Workspace


def main(env: str) -> None:
    """Down, up, up again, and a converge of every host that changes nothing."""
    times = Workspace(env).reports / "up.json"
    groups: dict[str, report.Figures] = {}
    groups["down"] = {"total": report.mirrorforce("down", env, "--yes")}
    for name in ("up from nothing", "up with nothing to do"):
        total = report.mirrorforce("up", env)
        groups[name] = {**report.phases(times), "total": total}
    groups["converge that changes nothing"] = {"total": report.mirrorforce("converge", env)}
    report.show("stand up", "seconds", groups)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "lab")
