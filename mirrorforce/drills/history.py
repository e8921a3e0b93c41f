"""What the clients of a drill remember: one event for each thing they asked for. Pure.

The clients (`mirrorforce.onhost.workload`) write one JSON document a line, as soon as they have an answer.
All of them run in one process, so its monotonic clock orders what they saw; the wall clock is there to
compare with other hosts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from mirrorforce.errors import MirrorforceError

Kind = Literal["append", "transfer", "list", "read", "connect"]
"""append: one numbered row. transfer: an amount from one account to another. list: a transaction of
list-append operations. read: what the read-only name shows. connect: an attempt at a new connection."""

Way = Literal["dns", "multi-host"]
"""How a client finds its server: by the cell's DNS name, or by libpq's list of all members."""

Outcome = Literal["acknowledged", "rejected", "unknown"]
"""acknowledged: done for good. rejected: never done. unknown: nobody can tell (no answer came, or the server
gave up waiting for a standby, which it reports as success with a warning)."""

WRITES: tuple[Kind, ...] = ("append", "transfer", "list")


@dataclass(frozen=True, slots=True)
class Transfer:
    """An amount that leaves account `debit` for account `credit`; `number` is the client's own, from 1."""

    number: int
    debit: int
    credit: int
    amount: int


@dataclass(frozen=True, slots=True)
class Append:
    """`value` goes to the end of the list at `key`; no value is ever appended twice in a run."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Read:
    """The list at `key` as the transaction saw it; None where no answer came."""

    key: str
    values: tuple[str, ...] | None


Operation = Append | Read


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a client asked for, and what it was told.

    began, at: wall clock, in seconds, when it asked and when the answer came; mono_began, mono_at: the
    same by the clients' monotonic clock. server: address of the server it was connected to, and timeline:
    the timeline of this server when it connected (None: not connected, or a standby). row, transfer,
    operations: what an event of kind append, transfer, list asked for. newest, total: the position of the
    newest row and the sum of all balances that an event of kind read saw.
    """

    kind: Kind
    client: str
    way: Way
    server: str | None
    timeline: int | None
    began: float
    at: float
    mono_began: float
    mono_at: float
    outcome: Outcome
    said: str = ""
    row: int | None = None
    transfer: Transfer | None = None
    operations: tuple[Operation, ...] = ()
    newest: int | None = None
    total: int | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the client was told that it is done."""
        return self.outcome == "acknowledged"

    @property
    def writes(self) -> bool:
        """Whether it would change the database: a transaction of reads alone does not."""
        if self.kind == "list":
            return any(isinstance(operation, Append) for operation in self.operations)
        return self.kind in WRITES

    @property
    def seconds(self) -> float:
        """How long the client waited for the answer."""
        return self.mono_at - self.mono_began


@dataclass(frozen=True, slots=True)
class History:
    """All events of a run, in the order of their answers."""

    events: tuple[Event, ...]

    def of(self, kind: Kind) -> tuple[Event, ...]:
        """The events of one kind."""
        return tuple(event for event in self.events if event.kind == kind)

    @property
    def acknowledged_writes(self) -> tuple[Event, ...]:
        """Every write that was acknowledged, in the order of the answers."""
        return tuple(event for event in self.events if event.acknowledged and event.writes)

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses that clients were connected to, each once, in order of first use."""
        reached = (event.server for event in self.events if event.kind == "connect" and event.acknowledged)
        return tuple(dict.fromkeys(address for address in reached if address))


def parse(text: str) -> History:
    """The history of this text. A last line that is cut off (its writer was killed) is left out.

    Raises MirrorforceError for any other line that is none of an event.
    """
    lines = text.splitlines()
    if text and not text.endswith("\n"):
        lines.pop()
    events = [_event(number, line) for number, line in enumerate(lines, start=1)]
    return History(tuple(sorted(events, key=lambda event: event.mono_at)))


def _event(number: int, line: str) -> Event:
    try:
        found = json.loads(line)
        return Event(
            kind=cast("Kind", _one_of(Kind, found["kind"])),
            client=str(found["client"]),
            way=cast("Way", _one_of(Way, found["way"])),
            server=found["server"],
            timeline=found["timeline"],
            began=float(found["began"]),
            at=float(found["at"]),
            mono_began=float(found["mono_began"]),
            mono_at=float(found["mono_at"]),
            outcome=cast("Outcome", _one_of(Outcome, found["outcome"])),
            said=str(found["said"]),
            **_asked(found),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise MirrorforceError(
            f"line {number} of the history is no event ({type(fault).__name__}: {fault}): {line[:120]}",
            "clients and checker are of one version? mirrorforce converge",
        ) from fault


def _asked(found: dict[str, Any]) -> dict[str, Any]:
    match found["kind"]:
        case "append":
            return {"row": int(found["row"])}
        case "transfer":
            keys = ("number", "debit", "credit", "amount")
            return {"transfer": Transfer(*(int(found[key]) for key in keys))}
        case "list":
            return {"operations": tuple(_operation(each) for each in found["ops"])}
        case "read":
            return {"newest": found["newest"], "total": found["total"]}
        case _:
            return {}


def _operation(found: list[Any]) -> Operation:
    what, key, value = found
    if what == "append":
        return Append(str(key), str(value))
    if what == "read":
        return Read(str(key), None if value is None else tuple(str(each) for each in value))
    raise ValueError(what)


def _one_of(allowed: Any, found: object) -> object:  # noqa: ANN401 (a Literal is no type to mypy)
    if found not in get_args(allowed):
        raise ValueError(f"{found!r} is none of {', '.join(get_args(allowed))}")
    return found
