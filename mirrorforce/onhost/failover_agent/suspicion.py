"""Whether this member sees the primary fail. Pure; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

IN_A_ROW = 3


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


def streak_after(streak: int, sample: Sample) -> int:
    """How many looks in a row failed."""
    return streak + 1 if sample.fails else 0


def suspicious(streak: int) -> bool:
    """Whether that is enough to say so."""
    return streak >= IN_A_ROW
