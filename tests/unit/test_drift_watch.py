from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import drift_watch

if TYPE_CHECKING:
    from mirrorforce.drift.report import Kind


def report(kind: str, *items: str, complete: bool = True, seen_by: str = "seal") -> dict[str, Any]:
    findings = [{"subject": "east-na1", "item": item, "seen_by": [seen_by]} for item in items]
    return {"kind": kind, "findings": findings, "complete": complete}


KNOWN = {("east-na1", "a"): {"subject": "east-na1", "item": "a", "seen_by": ["seal"]}}
DEEP = {("east-na1", "a"): {"subject": "east-na1", "item": "a", "seen_by": ["infrastructure"]}}


def test_what_is_new_and_what_is_gone() -> None:
    said = drift_watch.news(KNOWN, report("quick", "b"))
    assert [one["item"] for one in said.new] == ["b"]
    assert said.gone == (("east-na1", "a"),)


@pytest.mark.parametrize(
    ("known", "found"),
    [(KNOWN, report("quick", complete=False)), (DEEP, report("quick")), (KNOWN, report("full", "a"))],
)
def test_what_a_look_could_not_see_is_not_gone(
    known: dict[tuple[str, str], dict[str, Any]], found: dict[str, Any]
) -> None:
    assert drift_watch.news(known, found).gone == ()


def test_a_full_look_each_hour_and_quick_ones_between_and_a_failure_stops_nothing() -> None:
    now = [0.0]
    kinds: list[str] = []
    told: list[tuple[object, int]] = []

    def look(kind: Kind) -> dict[str, Any]:
        kinds.append(kind)
        now[0] += 30.0
        if len(kinds) == 2:
            raise MirrorforceError("the lock is held")
        return report(kind, "a")

    def rest(seconds: float) -> None:
        assert seconds == pytest.approx(30.0)
        now[0] += seconds

    drift_watch.watch(
        look,
        lambda said, news: told.append((said, len(news.new))),
        1,
        clock=lambda: now[0],
        rest=rest,
        looks=62,
    )
    assert [number for number, kind in enumerate(kinds) if kind == "full"] == [0, 60]
    assert isinstance(told[1][0], MirrorforceError)
    assert [count for _, count in told[:3]] == [1, 0, 0]
