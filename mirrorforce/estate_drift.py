"""What an estate file says about accepted drift: days that exist, and not for ever; each entry once. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from mirrorforce.estate_reading import mapping, sequence
from mirrorforce.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_DAYS = 731
"""Accepted for longer than two years is not accepted for a while: then the declaration is to change."""


def faults(document: Mapping[str, Any], today: dt.date | None = None) -> Iterator[Fault]:
    """Entries whose day does not exist or lies too far ahead, and those that say the same again.

    A day that has passed is no fault of the file: it makes a finding, and stops nothing else.
    """
    now = today or dt.datetime.now(dt.UTC).date()
    told: set[tuple[object, ...]] = set()
    for index, entry in enumerate(map(mapping, sequence(document.get("accepted_drift")))):
        path = ("accepted_drift", index)
        match = mapping(entry.get("match"))
        key = tuple(str(match.get(name)) for name in ("subject", "item", "layer"))
        if key in told:
            yield Fault(
                (*path, "match"), f"{match.get('subject')} {match.get('item')} once more", "each once"
            )
        told.add(key)
        until = entry.get("until")
        if not isinstance(until, str):
            continue
        try:
            day = dt.date.fromisoformat(until)
        except ValueError:
            yield Fault((*path, "until"), f"text {until!r}", "a day that exists, as YYYY-MM-DD")
            continue
        if (day - now).days > LONGEST_DAYS:
            last = now + dt.timedelta(days=LONGEST_DAYS)
            yield Fault((*path, "until"), until, f"{last} at the latest: two years ahead")
