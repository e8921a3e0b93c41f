"""`verify`: testinfra's checks (tests/hosts) on every host of an environment, as a report.

The checks run in a pytest of their own, exactly as `pytest tests/hosts` runs them; that process writes
the report, this one reads it back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

CHECKS = ROOT / "tests" / "hosts"
LIMIT = 180.0
"""Seconds after which the checks are stopped: many times what they take (30 s on 10 hosts)."""

_RAN = (0, 1)  # pytest's exit codes: all passed, some failed; the others say that it did not run


def verify(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    on_progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Check every host; the report, valid against schemas/verify.schema.json.

    The report is kept in the environment's reports as well. MirrorforceError where the checks could not
    be run at all; a failed check is no error but a result.
    """
    on_progress(f"{len(inventory.hosts)} hosts of {estate.name} answer about themselves")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verify.json"
        done = _pytest(ws, path)
        if done.returncode not in _RAN or not path.exists():
            said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise MirrorforceError(
                f"the checks could not be run: {' '.join(said[-3:])}",
                f'eval "$(mirrorforce env {ws.env})"; pytest tests/hosts',
            )
        text = path.read_text(encoding="utf-8")
    report: dict[str, Any] = json.loads(text)
    ws.reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    (ws.reports / "verify.json").write_text(text, encoding="utf-8")
    return report


def _pytest(ws: Workspace, report: Path) -> subprocess.CompletedProcess[str]:
    line = [
        sys.executable, "-m", "pytest", str(CHECKS), "--quiet", "--no-header", "--tb=no",
        "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={ROOT}", f"--report={report}",
    ]  # fmt: skip
    # What somebody set for pytest's own runs is not for the checks: a report in another format fails them.
    own = {"MIRRORFORCE_ENV": ws.env, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    environment = {**os.environ, **own}
    try:
        return subprocess.run(
            line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise MirrorforceError(
            f"the checks did not end within {LIMIT:.0f} s", f"mirrorforce status {ws.env}"
        ) from None
