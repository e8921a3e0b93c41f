"""`drill`: break an estate on purpose, and say what it cost its clients. Over `mirrorforce.drills`."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mirrorforce import timings
from mirrorforce.drills import (
    actions,
    availability,
    binding,
    ledger,
    preparation,
    report,
    report_files,
    run,
    spec,
)
from mirrorforce.drills.actions import Context
from mirrorforce.drills.report import DrillRun
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import names, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mirrorforce.drills.drill import Drill, Expectation, Way
    from mirrorforce.drills.report import Repetition
    from mirrorforce.estate import Cell, Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

JSON_FILE, HTML_FILE = "drill.json", "drill.html"
"""The last run's report, among the environment's reports."""

_HAVE_CLIENTS = ("application", "database")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the report goes, beside the environment's own reports; None: nowhere else."""

    json: Path | None = None
    html: Path | None = None
    junit: Path | None = None


def chosen(wanted: Sequence[str]) -> tuple[Drill, ...]:
    """The drills of these names, in the order asked; all of the catalogue where none is named."""
    if not wanted:
        return spec.load_all()
    known = spec.names()
    return tuple(spec.load(spec.FOLDER / f"{names.known('drill', name, known)}.yaml") for name in wanted)


def require_permission(ws: Workspace, estate: Estate, meant: str | None) -> None:
    """BadInputError unless every site is a lab's, or the person names the environment."""
    if all(site.platform == "lab" for site in estate.sites) or meant == ws.env:
        return
    raise BadInputError(
        f"{ws.env} is no lab: a drill breaks it on purpose, and its clients will notice",
        f"if that is what you want: --i-mean-it {ws.env}",
    )


def outstanding(ws: Workspace) -> tuple[str, ...]:
    """What an earlier drill broke and has not healed, in words."""
    return tuple(run.in_words(entry.act) for entry in ledger.outstanding(ws))


def heal(ws: Workspace, estate: Estate, inventory: Inventory, say: Callable[[str], None]) -> None:
    """Undo whatever a drill left behind, and stop its clients; nothing to do where nothing is."""
    actions.heal(Context(ws, estate, inventory, say))
    workload.stop_left(ws, [host.name for host in inventory.hosts if host.role in _HAVE_CLIENTS])


@dataclass(frozen=True, slots=True)
class Turn:
    """A repetition to come: a drill, a cell, and which one it is of several, in words."""

    drill: Drill
    cell: str
    said: str = ""


def turns(
    drills: Sequence[Drill],
    estate: Estate,
    cell: str | None = None,
    repeat: int | None = None,
    *,
    nightly: bool = False,
) -> Iterator[Turn]:
    """Each drill in each of its cells (or in this one), `repeat` times, else as often as it says itself.

    BadInputError for a cell that the estate has not.
    """
    wanted = names.cell(estate, cell).name if cell else None
    for one in drills:
        times = repeat or (one.nightly if nightly else 1)
        for place in binding.cells(one, estate) if wanted is None else (wanted,):
            for number in range(1, times + 1):
                yield Turn(one, place, f"{number} of {times}" if times > 1 else "")


def turns_at_random(
    drills: Sequence[Drill], estate: Estate, cell: str | None, seconds: float, seed: int
) -> Iterator[Turn]:
    """Drills at random, in cells at random (or in this one), begun within so many seconds."""
    chance = random.Random(seed)  # noqa: S311 (no secret: the same seed is to give the same order)
    wanted = [names.cell(estate, cell).name] if cell else [each.name for each in estate.cells]
    deadline, number = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        number += 1
        left = (deadline - time.monotonic()) / 60
        yield Turn(chance.choice(drills), chance.choice(wanted), f"number {number}, {left:.0f} min left")


def drill(  # noqa: PLR0913 - the environment, what to run on it, and whom to tell
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    planned: Iterable[Turn],
    *,
    soak: bool = False,
    outputs: Outputs = Outputs(),
    say: Callable[[str], None] = lambda _: None,
) -> Document:
    """Run one drill after another; the report, valid against its schema. With `soak` it says how available.

    It is written after every repetition, so that what was measured is there whatever happens next. Whoever
    calls holds the environment's lock. Raises MirrorforceError where a drill could not be healed, or the
    estate is not healthy to begin with.
    """
    if left := outstanding(ws):
        raise MirrorforceError(
            f"an earlier drill left {len(left)} things broken: {'; '.join(left)}",
            f"mirrorforce drill heal --env {ws.env}",
        )
    ctx = Context(ws, estate, inventory, say)
    preparation.require_healthy(ctx)
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    found: dict[tuple[str, str], DrillRun] = {}
    document: Document = {}
    for turn in planned:
        say(f"== {turn.drill.name} in {turn.cell}{turn.said and f', {turn.said}'}: {turn.drill.title}")
        repetition = run.repetition(ctx, turn.drill, turn.cell)
        key = turn.drill.name, turn.cell
        before = found[key].repetitions if key in found else ()
        found[key] = _run(turn, estate, (*before, repetition))
        document = report.build(
            environment=ws.env,
            time=started,
            seconds=time.monotonic() - clock,
            runs=list(found.values()),
            setting=setting(estate),
        )
        if soak:
            document["availability"] = availability.document(document["drills"])
        write(ws, document, outputs)
        say(f"   {_verdict(repetition)}")
    preparation.bring_home(ctx)
    return document


def objective(expect: Expectation, estate: Estate, cell: Cell) -> Mapping[Way, float]:
    """How long an outage of this cell may last, in seconds by way in."""
    with_agents = estate.fence_and_release and cell.synchronous_copies == 1
    return {**expect.outage, **(expect.outage_with_agents if with_agents else {})}


def _run(turn: Turn, estate: Estate, repetitions: tuple[Repetition, ...]) -> DrillRun:
    return DrillRun(
        name=turn.drill.name,
        title=turn.drill.title,
        why=turn.drill.why,
        cell=turn.cell,
        repetitions=repetitions,
        outage_at_most=objective(turn.drill.expect, estate, estate.cell(turn.cell)),
    )


def setting(estate: Estate) -> dict[str, str]:
    """What the figures depend on, in words."""
    patroni = timings.patroni(estate)
    links = (f"{'-'.join(link.between)} {link.round_trip_ms:g} ms" for link in estate.links)
    copies = (f"{cell.name} {cell.synchronous_copies}" for cell in estate.cells)
    return {
        "timings": f"{estate.preset}: ttl {patroni.ttl} s, loop_wait {patroni.loop_wait} s, "
        f"retry_timeout {patroni.retry_timeout} s",
        "round trips": ", ".join(links),
        "synchronous copies": ", ".join(copies),
        "failover agents": "on" if estate.fence_and_release else "off",
    }


def write(ws: Workspace, document: Document, outputs: Outputs) -> None:
    """Write the report among the environment's reports, as JSON and as a page, and wherever asked."""
    ws.reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    report_files.write(document, as_json=ws.reports / JSON_FILE, as_html=ws.reports / HTML_FILE)
    report_files.write(document, as_json=outputs.json, as_html=outputs.html, as_junit=outputs.junit)


def _verdict(repetition: Repetition) -> str:
    """One line for a person."""
    if repetition.measures is None:
        return f"{repetition.outcome}: {repetition.skipped or repetition.error}"
    outages = ", ".join(
        f"{outage.seconds:.1f} s by {way}{'' if outage.ended else ', not ended'}"
        for way, outage in sorted(repetition.measures.outages.items())
    )
    return f"{repetition.outcome}: {repetition.measures.rpo_rows} rows lost; outage {outages}"
