"""Whether what a drill waits for has come true, told from what was seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce.drills.acts import Condition
from mirrorforce.operations.status_problems import troubles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mirrorforce.drills.history import Event, History

RECOVER = "mirrorforce recover"
"""How `status` begins its advice where too much is lost."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the cell's primary counts on: members in its synchronous standby names, and owners of slots."""

    synchronous: frozenset[str]
    slots: frozenset[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a drill sees when it looks.

    cell: the drilled one. first_primary: who led it when the repetition began. report: the status report.
    history: of the clients on the application host; at_primary: of those on the primary's own host.
    fault_at, began: wall clock, seconds, of the fault and of the beginning of this wait. counted: None where
    no primary could be asked.
    """

    cell: str
    first_primary: str
    report: Mapping[str, Any]
    history: History
    at_primary: History
    fault_at: float
    began: float
    counted: Counted | None

    @property
    def leader(self) -> str | None:
        """Who says that it is the cell's primary: the newest claim."""
        primary = self.of_cell["primary"]
        return None if primary is None else str(primary["host"])

    @property
    def of_cell(self) -> Mapping[str, Any]:
        """The status of the cell."""
        found: Mapping[str, Any] = next(c for c in self.report["cells"] if c["name"] == self.cell)
        return found

    @property
    def running(self) -> frozenset[str]:
        """The members of the cell that say what they are."""
        return frozenset(m["host"] for m in self.of_cell["members"] if m["role"] != "unknown")


def holds(condition: Condition, seen: Seen) -> bool:
    """Whether the condition holds, as `words.CONDITIONS` has it."""
    return _CONDITIONS[condition](seen)


def _leads(seen: Seen, *, first: bool) -> bool:
    return seen.leader is not None and (seen.leader == seen.first_primary) is first


def _acknowledged(seen: Seen) -> bool:
    return any(event.began >= seen.began for event in seen.history.acknowledged_writes)


def _refused(seen: Seen) -> bool:
    """Since the last acknowledgement (or this wait's begin) every writing client was refused or timed out."""
    last = max((event.at for event in seen.history.acknowledged_writes), default=0.0)
    return _every_writer_failed(seen.history, max(seen.began, last))


def _every_writer_failed(history: History, since: float) -> bool:
    """Of the clients that write. A connection that failed is an error that its client saw."""
    asked = [event for event in history.events if event.writes or event.kind == "connect"]
    writers = {event.client for event in asked if event.writes}
    failed = {event.client for event in _failures(asked) if event.at > since}
    return bool(writers) and writers <= failed


def _failures(events: Iterable[Event]) -> Iterable[Event]:
    return (event for event in events if not event.acknowledged)


_CONDITIONS: Mapping[Condition, Callable[[Seen], bool]] = {
    Condition.ANOTHER_LEADS: lambda seen: _leads(seen, first=False),
    Condition.SAME_LEADS: lambda seen: _leads(seen, first=True),
    Condition.ANY_LEADS: lambda seen: seen.leader is not None,
    Condition.WHOLE: lambda seen: not troubles_of(seen.report),
    Condition.WRITES_ACKNOWLEDGED: _acknowledged,
    Condition.WRITES_REFUSED: _refused,
    Condition.EVERY_CLIENT_HAS_AN_ERROR: lambda seen: _every_writer_failed(seen.history, seen.fault_at),
    Condition.CLIENTS_AT_PRIMARY_HAVE_ERRORS: lambda seen: _every_writer_failed(
        seen.at_primary, seen.fault_at
    ),
    Condition.LOST_NOT_COUNTED: lambda seen: (
        seen.counted is not None and seen.counted.synchronous <= seen.running
    ),
    Condition.LOST_SLOTS_GONE: lambda seen: seen.counted is not None and seen.counted.slots <= seen.running,
    Condition.SAYS_HOW_TO_GO_ON: lambda seen: any(RECOVER in said for said in seen.report["problems"]),
}
