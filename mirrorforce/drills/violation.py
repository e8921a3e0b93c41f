"""What may never be found after a drill: the kinds, and one finding. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mirrorforce.drills.history import Append

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.drills.history import Event, Operation

MOST_NAMED = 20
"""So many pieces of evidence stand in a violation; its text has the number of all."""


class ViolationKind(StrEnum):
    """Every kind of violation. The value is the word for reports.

    Those of transactions on lists have the names of Adya's thesis (Generalized Isolation Definitions, 2000)
    and of Elle.
    """

    LOST_ROW = "lost row"
    REJECTED_ROW = "rejected row present"
    UNWRITTEN_ROW = "row that nobody wrote"
    DUPLICATED_ROW = "duplicated row"
    OUT_OF_ORDER = "out of order"
    TOTAL_CHANGED = "total changed"
    HALF_TRANSFER = "half a transfer"
    TWO_WRITERS = "two writers"
    MEMBERS_DIFFER = "members differ"
    LOST_ELEMENT = "lost element"
    VANISHED_ELEMENT = "element seen, then gone"
    UNWRITTEN_ELEMENT = "element that nobody wrote"
    DUPLICATED_ELEMENT = "duplicated element"
    HALF_TRANSACTION = "half a transaction"
    INCOMPATIBLE_ORDER = "incompatible order"
    INTERNAL = "transaction at odds with itself"
    ABORTED_READ = "G1a: aborted read"
    INTERMEDIATE_READ = "G1b: intermediate read"
    WRITE_CYCLE = "G0: write cycle"
    CIRCULAR_FLOW = "G1c: circular information flow"
    SINGLE_ANTI_DEPENDENCY = "G-single: read skew"
    ANTI_DEPENDENCY_CYCLE = "G2-item: anti-dependency cycle"
    REAL_TIME = "real-time violation"


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding: its kind, a sentence for people, and what shows it (at most `MOST_NAMED` pieces)."""

    kind: ViolationKind
    said: str
    evidence: tuple[str, ...] = ()


def found(kind: ViolationKind, said: str, evidence: Iterable[str]) -> Violation:
    """A violation with its evidence cut to what a person reads."""
    return Violation(kind, said, tuple(evidence)[:MOST_NAMED])


def described(event: Event) -> str:
    """An event in one line: who asked whom for what, when by the clients' monotonic clock, and the answer."""
    at = f"{event.mono_began:.3f} to {event.mono_at:.3f} s"
    where = f"{event.server} on timeline {event.timeline}"
    return f"{event.client} {_asked(event)} {event.outcome} by {where}, {at}"


def _asked(event: Event) -> str:
    if event.row is not None:
        return f"row {event.row}"
    if event.transfer is not None:
        moved = event.transfer
        return f"transfer {moved.number} of {moved.amount} from account {moved.debit} to {moved.credit}"
    return ", ".join(map(_operation, event.operations))


def _operation(operation: Operation) -> str:
    if isinstance(operation, Append):
        return f"append {operation.value} to {operation.key}"
    seen = "no answer" if operation.values is None else " ".join(operation.values) or "empty"
    return f"read {operation.key}: {seen}"
