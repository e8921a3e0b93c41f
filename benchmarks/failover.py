"""Setups of a cell side by side, by the same drills and clients: what each lost, in rows and in seconds.

`python -m benchmarks.failover ENV` runs every drill under every setup, in rounds, so that a machine that is
busier later is so for all of them; then it times commits. Everything is written after each repetition, as
JSON and as plots beside it, among the environment's reports. The estate file is not touched.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import commits, failover_figures, report
from benchmarks.cell_settings import borrowed
from benchmarks.setups import COPIES, SETUPS, limit_ms
from mirrorforce import environment
from mirrorforce.drills import preparation, run, svg
from mirrorforce.drills.actions import Context
from mirrorforce.drills.report import Repetition
from mirrorforce.errors import MirrorforceError
from mirrorforce.lock import machine_to_oneself, only_one
from mirrorforce.operations import application, drill, names, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cell_settings import CellSettings
    from benchmarks.setups import Setup
    from mirrorforce.drills.drill import Drill

DRILLS = ("site-lost", "host-lost", "postmaster-killed", "switchover")
REPEAT = 3

ATTEMPTS = 2
"""On a busy machine a look at the hosts may come too late: a repetition without an end is tried again."""
NAME = "failover-comparison"

Document = dict[str, Any]


@dataclass
class Comparison:
    """A comparison under way: what was measured so far, and where it is written."""

    settings: CellSettings
    folder: Path
    deadline: float
    document: Document = field(default_factory=dict)

    def drills(self, setups: Sequence[Setup], drills: Sequence[Drill], repeat: int) -> None:
        """Every drill under every setup, `repeat` rounds; no repetition begins after the deadline."""
        for number in range(repeat):
            for setup in setups:
                if not self._round(setup, drills, f"{number + 1} of {repeat}"):
                    return

    def _round(self, setup: Setup, drills: Sequence[Drill], number: str) -> bool:
        """Whether there was time for all of it."""
        try:
            ctx = self.settings.apply(setup)
        except MirrorforceError as fault:
            self.settings.ctx.say(f"{setup.name} is left out this time: {fault}")
            return True
        for one in drills:
            if time.monotonic() > self.deadline:
                ctx.say("out of time")
                return False
            ctx.say(f"== {setup.name}: {one.name}, {number}")
            for _ in range(ATTEMPTS):
                if self._measured(ctx, setup, one):
                    break
        return True

    def _measured(self, ctx: Context, setup: Setup, one: Drill) -> bool:
        """One repetition, on the record; whether it came to its end."""
        before = os.getloadavg()[0]
        found = _repetition(ctx, one, self.settings.cell)
        row = failover_figures.row(setup, one.name, found, (before, os.getloadavg()[0]))
        self.document["repetitions"].append(row)
        ctx.say(f"   {row['rpo_rows']} rows lost, outage {row['outage_seconds']} {row['error'] or ''}")
        self.write()
        return found.measures is not None

    def commits(self, seconds: float) -> None:
        """Commit latency and throughput by connections, for each number of synchronous copies."""
        for setup in COPIES:
            ctx = self.settings.apply(setup)
            preparation.bring_home(ctx)
            ctx.say(f"== commits, {setup.name}")
            copies = setup.copies(self.settings.ctx.estate.cell(self.settings.cell))
            with machine_to_oneself(ctx.say):
                points = commits.points(ctx, self.settings.cell, seconds=seconds)
            series = {
                "setup": setup.key, "name": setup.name, "limit_ms": self._limit(ctx, copies),
                "points": points,
            }  # fmt: skip
            self.document["commits"].append(series)
            self.write()

    def _limit(self, ctx: Context, copies: int) -> float:
        facts = preparation.facts_of(waiting.until_whole(ctx.ws, ctx.estate, ctx.inventory))
        client = ctx.site_of[application.host_of(ctx.inventory)]
        primary = ctx.site_of[facts.primary[self.settings.cell]]
        return limit_ms(ctx.estate, ctx.estate.cell(self.settings.cell), client, primary, copies)

    def write(self) -> None:
        """The document as it stands, and the plots that it has figures for."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps(self.document, indent=1, ensure_ascii=False) + "\n"
        (self.folder / f"{NAME}.json").write_text(text, encoding="utf-8")
        draw(self.document, self.folder)


def draw(document: Document, folder: Path) -> None:
    """Write the plots that the document has figures for."""
    if any(one["rpo_rows"] is not None for one in document["repetitions"]):
        plot = svg.standalone(failover_figures.failover_plot(document))
        (folder / f"{NAME}.svg").write_text(plot, encoding="utf-8")
    if document["commits"]:
        plot = svg.standalone(failover_figures.commits_plot(document))
        (folder / "commits-by-connections.svg").write_text(plot, encoding="utf-8")


def _repetition(ctx: Context, one: Drill, cell: str) -> Repetition:
    """The repetition; where not even the heal went through, an error as any other: the next one will see."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return run.repetition(ctx, failover_figures.patient(one), cell)
    except MirrorforceError as fault:
        return Repetition(started, 0.0, error=str(fault))


def show(document: Document) -> None:
    """The tables, as they stand in a document."""
    if document["repetitions"]:
        print(failover_figures.markdown(failover_figures.table(document)), end="\n\n")
    if document["commits"]:
        print(failover_figures.markdown(failover_figures.commit_table(document)))


def main(arguments: argparse.Namespace) -> None:
    """Measure what was asked for, or show again what was measured."""
    if arguments.show is not None:
        document = json.loads(arguments.show.read_text(encoding="utf-8"))
        draw(document, arguments.show.parent)
        show(document)
        return
    ws, estate, inventory = environment.running(arguments.env)
    drill.require_permission(ws, estate, None)
    cell = names.cell(estate, arguments.cell or estate.cells[0].name).name
    setups = [each for each in SETUPS if each.key in arguments.setups]
    ctx = Context(ws, estate, inventory, _say)
    with only_one(ws, "benchmarks.failover"):
        if left := drill.outstanding(ws):
            raise MirrorforceError(
                f"a drill left broken: {'; '.join(left)}", f"mirrorforce drill heal --env {ws.env}"
            )
        folder = arguments.folder or ws.reports
        document = empty(cell, setups, drill.setting(estate))
        if arguments.go_on:
            document = added_to(folder / f"{NAME}.json", document)
        with borrowed(ctx, cell) as settings:
            comparison = Comparison(
                settings,
                folder,
                time.monotonic() + 60 * arguments.minutes,
                document,
            )
            if arguments.commits:
                comparison.commits(arguments.seconds)
            if arguments.repeat:
                comparison.drills(setups, drill.chosen(arguments.drills), arguments.repeat)
    show(comparison.document)


def empty(cell: str, setups: Sequence[Setup], setting: dict[str, str]) -> Document:
    """The document before anything is measured."""
    return {
        "benchmark": "failover", "time": datetime.now(UTC).isoformat(timespec="seconds"), "cell": cell,
        "machine": report.machine(), "round_trips": setting["round trips"],
        "setups": [
            {"key": each.key, "name": each.name, "source": each.source, "settings": dict(each.settings)}
            for each in setups
        ],
        "repetitions": [], "commits": [],
    }  # fmt: skip


def added_to(file: Path, fresh: Document) -> Document:
    """The document that an earlier run left in this file, to go on with; a fresh one where there is none.

    MirrorforceError where it is of another cell, or of other round trips.
    """
    if not file.exists():
        return fresh
    found: Document = json.loads(file.read_text(encoding="utf-8"))
    if (found["cell"], found["round_trips"]) != (fresh["cell"], fresh["round_trips"]):
        raise MirrorforceError(
            f"{file} is of {found['cell']} at {found['round_trips']}, this of {fresh['cell']} at "
            f"{fresh['round_trips']}",
            "name another --folder, or leave --go-on out",
        )
    known = {each["key"] for each in found["setups"]}
    found["setups"] += [each for each in fresh["setups"] if each["key"] not in known]
    return found


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    known = [setup.key for setup in SETUPS]
    made = argparse.ArgumentParser(prog="python -m benchmarks.failover", description=(__doc__ or "").strip())
    made.add_argument("env", nargs="?", default="lab", help="the environment, a lab")
    made.add_argument("--cell", help="the drilled cell; the first one unless said")
    made.add_argument(
        "--setups", nargs="+", choices=known, default=known, metavar="SETUP", help=", ".join(known)
    )
    made.add_argument("--drills", nargs="+", default=list(DRILLS), metavar="DRILL")
    made.add_argument("--repeat", type=int, default=REPEAT, help="rounds; 0: commits alone")
    made.add_argument("--minutes", type=float, default=240.0, help="begin no repetition after so many")
    made.add_argument("--seconds", type=float, default=commits.SECONDS, help="a figure of commits")
    made.add_argument("--no-commits", dest="commits", action="store_false", help="drills alone")
    made.add_argument("--folder", type=Path, help="where to write; else among the reports")
    made.add_argument("--go-on", action="store_true", help="add to what the folder holds of an earlier run")
    made.add_argument("--show", type=Path, metavar="JSON", help="draw and print again what was measured")
    return made


if __name__ == "__main__":
    try:
        main(parser().parse_args())
    except MirrorforceError as fault:
        sys.exit(str(fault))
