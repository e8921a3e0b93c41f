"""What the benchmarks share: a command timed, figures as JSON on stdout and as a table on stderr."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from pathlib import Path

Figures = dict[str, float]


def mirrorforce(*arguments: str) -> float:
    """Seconds that `mirrorforce ARGUMENTS` takes; SystemExit with its output where it fails."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "mirrorforce", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise SystemExit(
            f"mirrorforce {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return round(time.monotonic() - started, 1)


def machine() -> dict[str, object]:
    """The machine that was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / (1 << 30), 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def show(title: str, unit: str, groups: dict[str, Figures]) -> None:
    """Print the groups of figures: JSON for programs, a table for people."""
    document = {"benchmark": title, "unit": unit, "machine": machine(), "figures": groups}
    print(json.dumps(document, indent=2))
    table = Table("", "", unit, title=title, box=None, header_style="bold", title_justify="left")
    for group, figures in groups.items():
        for index, (name, value) in enumerate(figures.items()):
            table.add_row(group if index == 0 else "", name, f"{value:.1f}")
    Console(stderr=True).print(table)


def phases(path: Path) -> Figures:
    """The seconds of each phase of the last `up`, as it left them among the reports."""
    return {
        phase["name"]: phase["seconds"] for phase in json.loads(path.read_text(encoding="utf-8"))["phases"]
    }
