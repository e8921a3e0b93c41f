"""Whether this member sees the primary fail. Pure; standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

IN_A_ROW = 3
REMEMBERED = 20
"""Looks that were answered, ten seconds of them: how long they took says what to expect of the next."""
LONGEST_LIMIT_S = 2.0


@dataclass(frozen=True)
class Sample:
    """One look at the primary: each True where it was as it should be.

    late: the look itself came late, or took longer than its limits allow: this host is out of breath, and
    what it says of others counts for nothing.
    """

    rest: bool
    port: bool
    stream: bool
    late: bool = False

    @property
    def fails(self) -> bool:
        """Patroni's REST alone is never enough: PostgreSQL's port or the stream has to fail too."""
        return not self.late and not self.rest and not (self.port and self.stream)

    @property
    def words(self) -> str:
        """What failed."""
        parts = (("REST", self.rest), ("port", self.port), ("stream", self.stream))
        return ", ".join(name for name, good in parts if not good) or "nothing"


def limit(declared: float, took: Iterable[float]) -> float:
    """Seconds that the next look may take, by what the last answered ones took: a busy server gets more.

    Never less than what was declared of it, never more than LONGEST_LIMIT_S. The slowest alone is no habit: a
    single slow answer would cost a failover within the next ten seconds a second. And no more than what
    others took: a late answer ends the row, so only one that takes a second longer yet lets three looks fail.
    """
    slow = sorted(took)[-2:]
    return max(declared, min(LONGEST_LIMIT_S, slow[0] if len(slow) > 1 else 0.0))


def streak_after(streak: int, sample: Sample) -> int:
    """How many looks in a row failed."""
    return streak + 1 if sample.fails else 0


def suspicious(streak: int) -> bool:
    """Whether that is enough to say so."""
    return streak >= IN_A_ROW
