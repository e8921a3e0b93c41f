"""`drift --watch`: the quick look every few minutes, the full one each hour; what is new, what is gone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirrorforce.drift.report import Kind

FULL_EVERY = 3600.0
"""Seconds from one full look to the next."""


@dataclass(frozen=True, slots=True)
class News:
    """How a look differs from what was known: findings that are new, and what is found no more."""

    new: tuple[Mapping[str, Any], ...]
    gone: tuple[tuple[str, str], ...]


def key(one: Mapping[str, Any]) -> tuple[str, str]:
    """What makes two findings of reports the same one."""
    return one["subject"], one["item"]


def news(known: Mapping[tuple[str, str], Mapping[str, Any]], report: Mapping[str, Any]) -> News:
    """What a report says that was not known. Pure.

    What only a full look sees is not gone because a quick one does not see it; nor is what a partial look
    could not tell.
    """
    found = {key(one): one for one in report["findings"]}
    can_tell = report["complete"]
    gone = tuple(
        name
        for name, one in known.items()
        if name not in found and can_tell and (report["kind"] == "full" or quick_sees(one))
    )
    return News(tuple(one for name, one in found.items() if name not in known), gone)


def quick_sees(one: Mapping[str, Any]) -> bool:
    """Whether a quick look would see this finding as well."""
    return bool({"cluster", "seal", "accepted"} & set(one["seen_by"]))


def watch(
    look: Callable[[Kind], Mapping[str, Any]],
    tell: Callable[[Mapping[str, Any] | MirrorforceError, News], None],
    minutes: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
    looks: int | None = None,
) -> None:
    """Look for ever, or so many times; a look that fails is told, and the next one comes in its time."""
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    full_at = clock()
    made = 0
    while looks is None or made < looks:
        begun = clock()
        kind: Kind = "full" if begun >= full_at else "quick"
        if kind == "full":
            full_at = begun + FULL_EVERY
        try:
            report = look(kind)
        except MirrorforceError as error:
            tell(error, News((), ()))
        else:
            said = news(known, report)
            tell(report, said)
            for name in said.gone:
                del known[name]
            known.update({key(one): one for one in report["findings"]})
        made += 1
        rest(max(0.0, begun + minutes * 60 - clock()))
