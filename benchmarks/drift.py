"""How long looks for drift take on a clean estate, and how often one finds what is not there.

`python -m benchmarks.drift ENV [RUNS]`: so many full looks, and as many quick ones. Ends with 3 where any of
them found something, or could not tell.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks import report
from mirrorforce.errors import ExitCode
from mirrorforce.workspace import ROOT

RUNS = 20


def main(env: str, runs: int) -> int:
    """Median and worst of each kind of look, and what they found."""
    groups: dict[str, report.Figures] = {}
    false: list[str] = []
    for name, options in (("full look", ()), ("quick look", ("--quick",))):
        looks = [look(env, *options) for _ in range(runs)]
        seconds = [taken for taken, _ in looks]
        groups[name] = {"median": statistics.median(seconds), "worst": max(seconds)}
        for _, document in looks:
            false += [f"{one['subject']} {one['item']}: {one['found']}" for one in document["findings"]]
            false += [f"{gap['subject']}: {gap['reason']}" for gap in document["gaps"]]
    report.show("drift", "seconds", groups)
    print(
        f"{len(false)} false findings in {runs} full and {runs} quick looks",
        *false,
        sep="\n",
        file=sys.stderr,
    )
    return ExitCode.DRIFT_FOUND if false else ExitCode.AS_DECLARED


def look(env: str, *options: str) -> tuple[float, dict[str, Any]]:
    """The command as a person runs it: its seconds, its report. SystemExit where it gave none."""
    line = [sys.executable, "-m", "mirrorforce", "drift", env, "--json", "-", *options]
    started = time.monotonic()
    done = subprocess.run(
        line, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if not done.stdout:
        raise SystemExit(f"mirrorforce drift ended with {done.returncode}:\n{done.stderr}")
    return round(time.monotonic() - started, 1), json.loads(done.stdout)


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *["lab", str(RUNS)][len(sys.argv) - 1 :]]
    sys.exit(main(arguments[0], int(arguments[1])))
