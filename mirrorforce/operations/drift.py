"""`drift`: a look at what runs against what is declared: stacks, hosts, the running cluster, hosts' seals.

The quick look asks every host once, all side by side, and reads the stacks' state. The full look also lets
Pulumi look at every resource and runs the whole playbook in check mode. A part that cannot be done is a gap
in the report: what the others saw counts all the same.
"""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from mirrorforce import engine, inventory, placement, playbook, remote
from mirrorforce.drift import (
    allowance,
    configuration,
    facts,
    finding,
    infrastructure,
    masks,
    report,
    rotating,
)
from mirrorforce.drift.finding import Finding, Gap
from mirrorforce.drift.requests import for_drift
from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import packages
from mirrorforce.lock import only_one
from mirrorforce.operations import probing
from mirrorforce.stack_names import site_stacks
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mirrorforce.drift.report import Kind
    from mirrorforce.estate import Estate, Host
    from mirrorforce.workspace import Workspace

    Say = Callable[[str], None]

ANSWER_WITHIN = 12.0
"""Seconds that a host has for all of its facts."""

PATIENCE = {"postgres_wait_seconds": 5, "etcd_wait_seconds": 5}
"""What a run in check mode waits for a service that may not run at all: it looks, it does not mend."""


@dataclass(slots=True)
class Seen:
    """What the parts of a look have found so far, and how long each took."""

    findings: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    primaries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """The report, valid against schemas/drift-report.schema.json, and the findings that count as values."""

    report: Mapping[str, Any]
    findings: tuple[Finding, ...]
    primaries: frozenset[str]


def look(  # noqa: PLR0913 - what of the environment, how, and who listens
    ws: Workspace,
    estate: Estate,
    kind: Kind,
    *,
    site: str | None = None,
    locked: bool = False,
    mended: Sequence[Mapping[str, Any]] = (),
    on_progress: Say = lambda _: None,
) -> Result:
    """Look at the estate, or at one of its sites. Changes nothing.

    `locked`: whether the caller holds the environment's lock. `mended`: what was done before, for the report.
    """
    moment, started = dt.datetime.now(dt.UTC), time.monotonic()
    seen = Seen()
    hosts = [host for host in placement.hosts(estate) if site in {None, host.site}]
    stacks = [str(stack) for stack in engine.stacks_of(estate) if site is None or stack.part == site]
    with ThreadPoolExecutor(max_workers=4) as pool:
        secrets = pool.submit(engine.read_secrets, ws)
        parts = [
            pool.submit(_timed, seen, "hosts", lambda: _ask_hosts(ws, estate, hosts, moment, seen)),
            pool.submit(_timed, seen, "state", lambda: _read_state(ws, estate, site, seen)),
        ]
        if kind == "full":
            _look_deeper(ws, estate, stacks, site, seen, locked=locked, on_progress=on_progress)
        for part in parts:
            part.result()
        seen.findings += rotating.findings(ws.env, secrets.result())
        known = masks.values_of(secrets.result())
    judged = allowance.judge(
        finding.merged(seen.findings),
        estate.accepted_drift,
        moment.date(),
        file=f"stacks/{ws.env}.yaml",
        saw_all=kind == "full" and site is None and not seen.gaps,
    )
    frame = report.Look(
        ws.env,
        estate.name,
        moment.isoformat(timespec="seconds"),
        kind,
        time.monotonic() - started,
        seen.seconds,
    )
    document = report.build(frame, judged, _distinct(seen.gaps), secrets=known, mended=mended)
    return Result(document, judged.findings, seen.primaries)


def _distinct(gaps: Iterable[Gap]) -> list[Gap]:
    """Each gap once; a host that does not answer is told once, by whoever said it first."""
    known: dict[tuple[str, bool], Gap] = {}
    found = []
    for gap in gaps:
        silent = gap.reason.startswith(("does not answer", "not reached"))
        if silent and known.setdefault((gap.subject, silent), gap) is not gap:
            continue
        found.append(gap)
    return list(dict.fromkeys(found))


def _timed(seen: Seen, name: str, part: Callable[[], None]) -> None:
    started = time.monotonic()
    try:
        part()
    except MirrorforceError as error:
        seen.gaps.append(Gap(name, error.message, error.next_step))
    seen.seconds[name] = time.monotonic() - started


def _ask_hosts(ws: Workspace, estate: Estate, hosts: Sequence[Host], moment: dt.datetime, seen: Seen) -> None:
    """The running estate against the model and the hosts' seals: one round trip each."""
    known = remote.known_hosts(ws)
    names = packages.declared()
    requests = {host.name: for_drift(estate, host, names) for host in hosts if host.name in known}
    probes = probing.ask(ws, requests, timeout=ANSWER_WITHIN)
    absent = {
        host.name: probing.Probe(host.name, reason="it is not in the inventory: it does not exist")
        for host in hosts
        if host.name not in known
    }
    told = facts.Facts(estate, placement.hosts(estate), probes | absent, moment, renew_before_days())
    seen.findings += facts.findings(told)
    seen.gaps += facts.gaps(told)
    leading = (told.primary(cell) for cell in estate.cells)
    seen.primaries = frozenset(host.name for host in leading if host is not None)


def _read_state(ws: Workspace, estate: Estate, site: str | None, seen: Seen) -> None:
    """Which hosts the stacks have, against those that the estate file declares."""
    found = inventory.read(ws, estate)
    stacks = {stack.part: str(stack) for stack in site_stacks(estate)}
    seen.findings += [
        each
        for each in infrastructure.of_inventory(placement.hosts(estate), found, stacks)
        if site is None or each.mend.where == stacks[site]
    ]


def _look_deeper(  # noqa: PLR0913 - what of the environment, and who listens
    ws: Workspace,
    estate: Estate,
    stacks: Sequence[str],
    site: str | None,
    seen: Seen,
    *,
    locked: bool,
    on_progress: Say,
) -> None:
    """Every resource and every task: not while another command changes them."""
    with ExitStack() as held:
        try:
            if not locked:
                held.enter_context(only_one(ws, f"drift {ws.env}"))
        except MirrorforceError as error:
            for part in ("infrastructure", "configuration"):
                seen.gaps.append(Gap(part, f"not looked at: {error.message}", error.next_step))
            return
        with ThreadPoolExecutor(max_workers=1) as pool:
            refreshed = pool.submit(_timed, seen, "infrastructure", lambda: _refresh(ws, stacks, seen))
            _timed(seen, "configuration", lambda: _check(ws, estate, site, seen, on_progress))
            on_progress("every resource of every stack")
            refreshed.result()


def _refresh(ws: Workspace, stacks: Sequence[str], seen: Seen) -> None:
    """All stacks side by side; one that cannot be read leaves a gap, and the others count."""

    def one(stack: str) -> None:
        try:
            seen.findings += infrastructure.of_refresh(engine.refresh(ws, stack))
        except MirrorforceError as error:
            seen.gaps.append(Gap(f"stack {stack}", error.message, error.next_step))

    with ThreadPoolExecutor(max_workers=len(stacks)) as pool:
        list(pool.map(one, stacks))


def _check(ws: Workspace, estate: Estate, site: str | None, seen: Seen, on_progress: Say) -> None:
    """The whole playbook in check mode."""
    result = playbook.run(
        ws,
        "site.yml",
        check=True,
        limit=f"site_{site.replace('-', '_')}" if site else None,
        variables=PATIENCE,
        on_event=lambda progress: on_progress(str(progress)),
    )
    cells = {host.name: host.cell for host in placement.hosts(estate) if host.cell}
    seen.findings += configuration.findings(result, cells)
    seen.gaps += configuration.gaps(result)


def renew_before_days() -> int:
    """How long before their end role pki makes certificates anew."""
    defaults = yaml.safe_load((ROOT / "roles/pki/defaults/main.yml").read_text(encoding="utf-8"))
    return int(defaults["pki_renew_before_days"])
