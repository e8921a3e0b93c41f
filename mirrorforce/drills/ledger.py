"""The ledger: what is broken on purpose right now, so that whoever comes next can undo it.

A fault is written down before it is made and struck out after it is undone: what a killed drill leaves
behind is in here, whether it got as far as making it or not. One entry a target (a host, a site, a link),
because steps undo targets one by one. Whoever writes holds the environment's lock (`lock.only_one`).
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from mirrorforce.drills import words
from mirrorforce.drills.acts import Act, Process, Verb
from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from mirrorforce.workspace import Workspace

VERSION = 1

LASTING: frozenset[Verb] = words.BREAKS | {Verb.RECOVER}
"""The verbs that go into the ledger. Others are over when they are done.

A cell that was recovered has given its lost sites up: they must not come back as they were.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is broken, or was about to be: the act on one target, when (wall clock, seconds)."""

    number: int
    at: float
    act: Act


def file_of(ws: Workspace) -> Path:
    """Where the ledger lies."""
    return ws.state / "drill-ledger.json"


def outstanding(ws: Workspace) -> tuple[Entry, ...]:
    """What has not been undone yet, oldest first; MirrorforceError where the ledger cannot be read."""
    try:
        document = json.loads(file_of(ws).read_text(encoding="utf-8"))
        return tuple(_entry(entry) for entry in document["entries"])
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as fault:
        raise MirrorforceError(
            f"{file_of(ws)} is no ledger of this version: {fault}",
            f"mirrorforce lab heal --env {ws.env}, then mirrorforce up {ws.env}, then remove the file",
        ) from fault


def add(ws: Workspace, acts: Iterable[Act]) -> tuple[Entry, ...]:
    """Write down what is about to be broken, one act a target; on the disk when this returns.

    What is in the ledger already is not written twice. Returns the new entries.
    """
    known = outstanding(ws)
    standing = [entry.act for entry in known]
    first = max((entry.number for entry in known), default=0) + 1
    now = time.time()
    missing = [act for act in acts if act not in standing]
    fresh = tuple(Entry(number, now, act) for number, act in enumerate(missing, first))
    _write(ws, (*known, *fresh))
    return fresh


def strike(ws: Workspace, undone: Collection[Entry]) -> None:
    """Strike out what has been undone; the file goes with its last entry."""
    numbers = {entry.number for entry in undone}
    left = tuple(entry for entry in outstanding(ws) if entry.number not in numbers)
    if left:
        _write(ws, left)
    else:
        file_of(ws).unlink(missing_ok=True)


def split(act: Act, site_of: Mapping[str, str]) -> tuple[Act, ...]:
    """The act as acts on one target each: a link, a site with its hosts, a host, a cell. Pure.

    `site_of` has the site of each host.
    """
    if act.links:
        return tuple(replace(act, links=(link,)) for link in act.links)
    by_site = tuple(
        replace(act, sites=(site,), hosts=tuple(host for host in act.hosts if site_of[host] == site))
        for site in act.sites
    )
    single = tuple(
        replace(act, sites=(), hosts=(host,)) for host in act.hosts if site_of[host] not in act.sites
    )
    return (*by_site, *single) or (act,)


def undone_by(undoing: Act, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries that an undoing act undoes: made by a verb of its kind, all targets among its own. Pure.

    That a cell was recovered holds until the last site that was given up is taken back.
    """
    gone = [entry for entry in entries if _undoes(undoing, entry.act)]
    if undoing.verb is Verb.TAKE_BACK:
        left = [entry for entry in entries if entry not in gone]
        gone += [entry for entry in left if entry.act.verb is Verb.RECOVER and not _given_up(entry, left)]
    return tuple(gone)


def _undoes(undoing: Act, broken: Act) -> bool:
    word = words.WORDS.get(undoing.verb)
    if word is None or broken.verb not in word.undoes:
        return False
    if broken.links:
        return {frozenset(link) for link in broken.links} <= {frozenset(link) for link in undoing.links}
    if broken.sites:
        return set(broken.sites) <= set(undoing.sites)
    if broken.hosts:
        return set(broken.hosts) <= set(undoing.hosts)
    return broken.cell == undoing.cell


def _given_up(recovered: Entry, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """What had no power when the cell was recovered."""
    off = (entry for entry in entries if entry.act.verb is Verb.POWER_OFF)
    return tuple(entry for entry in off if entry.number < recovered.number)


def undoing(entries: Sequence[Entry]) -> tuple[Act, ...]:
    """The acts that undo all entries, newest first; neighbours that one act can undo share one. Pure.

    A recovery that may have been killed half-way is completed before anything that it gave up comes back.
    """
    given_up = {
        each.number
        for entry in entries
        if entry.act.verb is Verb.RECOVER
        for each in _given_up(entry, entries)
    }
    acts: list[Act] = []
    for entry in sorted(entries, key=lambda each: each.number, reverse=True):
        act = _undoing_act(entry, given_up=entry.number in given_up)
        if acts and (acts[-1].verb, acts[-1].cell) == (act.verb, act.cell):
            acts[-1] = _together(acts[-1], act)
        else:
            acts.append(act)
    return tuple(acts)


def _undoing_act(entry: Entry, *, given_up: bool) -> Act:
    if entry.act.verb is Verb.RECOVER:
        return entry.act
    verb = Verb.TAKE_BACK if given_up else words.undoing(entry.act.verb)
    return replace(entry.act, verb=verb, amount=None)


def _together(one: Act, other: Act) -> Act:
    return replace(
        one,
        hosts=tuple(dict.fromkeys((*one.hosts, *other.hosts))),
        sites=tuple(dict.fromkeys((*one.sites, *other.sites))),
        links=tuple(dict.fromkeys((*one.links, *other.links))),
    )


def _write(ws: Workspace, entries: Sequence[Entry]) -> None:
    """Replace the file as a whole: after a power loss of this machine it is the old or the new one."""
    file = file_of(ws)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {"version": VERSION, "entries": [_document(entry) for entry in entries]}
    fresh = file.with_name(f".{file.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(json.dumps(document, indent=2) + "\n")
        handle.flush()
        os.fsync(descriptor)
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _document(entry: Entry) -> dict[str, Any]:
    act = entry.act
    return {
        "number": entry.number, "at": entry.at, "verb": act.verb.value, "hosts": list(act.hosts),
        "sites": list(act.sites), "links": [list(link) for link in act.links], "cell": act.cell,
        "process": act.process.value if act.process else None, "amount": act.amount,
    }  # fmt: skip


def _entry(document: Mapping[str, Any]) -> Entry:
    process = document["process"]
    act = Act(
        verb=Verb(document["verb"]),
        hosts=tuple(document["hosts"]),
        sites=tuple(document["sites"]),
        links=tuple(cast("tuple[str, str]", tuple(link)) for link in document["links"]),
        cell=document["cell"],
        process=Process(process) if process else None,
        amount=document["amount"],
    )
    return Entry(int(document["number"]), float(document["at"]), act)
