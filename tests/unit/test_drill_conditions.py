"""Whether what a drill waits for has come true, for all that can be seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mirrorforce.drills import conditions, words
from mirrorforce.drills.acts import Condition
from mirrorforce.drills.conditions import Counted, Seen
from mirrorforce.drills.history import Event, History

FIRST, OTHER = "east-na1", "west-na1"
FAULT, BEGAN = 100.0, 105.0


def event(
    at: float,
    outcome: str = "acknowledged",
    client: str = "appends-1",
    kind: str = "append",
    took: float = 0.1,
) -> Event:
    return Event(
        kind=kind,  # type: ignore[arg-type]
        client=client,
        way="dns",
        server="198.18.1.20",
        timeline=1,
        began=at - took,
        at=at,
        mono_began=at - took,
        mono_at=at,
        outcome=outcome,  # type: ignore[arg-type]
        row=1 if kind == "append" else None,
    )


def report(
    primary: str | None, *, problems: tuple[str, ...] = (), silent: tuple[str, ...] = ()
) -> dict[str, Any]:
    def role(host: str) -> str:
        return "unknown" if host in silent else "primary" if host == primary else "standby"

    members = [{"host": host, "role": role(host)} for host in (FIRST, OTHER, "legacy-na1")]
    site = primary and primary.partition("-")[0]
    cell = {
        "name": "na1",
        "preferred_site": "east",
        "primary": None if primary is None else {"host": primary, "site": site},
        "members": members,
    }
    return {"cells": [cell], "problems": list(problems)}


def seen(primary: str | None = FIRST, *events: Event, **more: Any) -> Seen:  # noqa: ANN401
    known = Seen("na1", FIRST, report(primary), History(events), History(()), FAULT, BEGAN, None)
    return replace(known, **more)


def test_every_condition_of_the_vocabulary_can_be_decided() -> None:
    assert set(words.CONDITIONS) == set(Condition)
    for condition in Condition:
        assert conditions.holds(condition, seen()) in {True, False}


@pytest.mark.parametrize(
    ("primary", "holding"),
    [
        (FIRST, {Condition.SAME_LEADS, Condition.ANY_LEADS}),
        (OTHER, {Condition.ANOTHER_LEADS, Condition.ANY_LEADS}),
        (None, set()),
    ],
)
def test_who_leads(primary: str | None, holding: set[Condition]) -> None:
    of_leading = {Condition.SAME_LEADS, Condition.ANOTHER_LEADS, Condition.ANY_LEADS}
    assert {one for one in of_leading if conditions.holds(one, seen(primary))} == holding


def test_writes_are_acknowledged_once_one_that_was_asked_for_since_then_is() -> None:
    asked_before = event(BEGAN + 1, took=2)
    assert not conditions.holds(Condition.WRITES_ACKNOWLEDGED, seen(FIRST, asked_before))
    assert conditions.holds(Condition.WRITES_ACKNOWLEDGED, seen(FIRST, asked_before, event(BEGAN + 1)))
    read = event(BEGAN + 1, kind="read")
    assert not conditions.holds(Condition.WRITES_ACKNOWLEDGED, seen(FIRST, read))


def test_writes_are_refused_once_every_writer_failed_since_the_last_acknowledgement() -> None:
    one, two = event(BEGAN + 2, "rejected"), event(BEGAN + 3, "unknown", "appends-2")
    assert not conditions.holds(Condition.WRITES_REFUSED, seen(FIRST, event(90, client="appends-2"), one))
    assert conditions.holds(Condition.WRITES_REFUSED, seen(FIRST, one, two))
    assert not conditions.holds(Condition.WRITES_REFUSED, seen(FIRST, one, two, event(BEGAN + 4)))
    again = event(BEGAN + 5, "rejected"), event(BEGAN + 6, "rejected", "appends-2")
    assert conditions.holds(Condition.WRITES_REFUSED, seen(FIRST, one, two, event(BEGAN + 4), *again))


def test_nobody_who_asks_is_nobody_who_is_refused() -> None:
    assert not conditions.holds(Condition.WRITES_REFUSED, seen(FIRST))
    assert not conditions.holds(Condition.EVERY_CLIENT_HAS_AN_ERROR, seen(FIRST, event(120, kind="read")))


def test_a_connection_that_failed_is_an_error_that_its_client_saw() -> None:
    before, failed = event(90), event(FAULT + 1, "rejected", kind="connect")
    assert conditions.holds(Condition.EVERY_CLIENT_HAS_AN_ERROR, seen(FIRST, before, failed))
    assert not conditions.holds(
        Condition.EVERY_CLIENT_HAS_AN_ERROR, seen(FIRST, before, event(99, "rejected"))
    )


def test_clients_at_the_primary_are_looked_at_by_themselves() -> None:
    theirs = History((event(FAULT + 9, "unknown"),))
    assert not conditions.holds(
        Condition.CLIENTS_AT_PRIMARY_HAVE_ERRORS, seen(FIRST, event(FAULT + 9, "unknown"))
    )
    assert conditions.holds(Condition.CLIENTS_AT_PRIMARY_HAVE_ERRORS, seen(FIRST, at_primary=theirs))


@pytest.mark.parametrize("lost", [(), ("legacy-na1",)])
def test_only_members_that_run_may_be_counted_on(lost: tuple[str, ...]) -> None:
    counted = Counted(frozenset({OTHER, "legacy-na1"}), frozenset({OTHER, "legacy-na1"}))
    found = seen(FIRST, report=report(FIRST, silent=lost), counted=counted)
    assert conditions.holds(Condition.LOST_NOT_COUNTED, found) is not bool(lost)
    assert conditions.holds(Condition.LOST_SLOTS_GONE, found) is not bool(lost)


def test_a_primary_that_cannot_be_asked_proves_nothing() -> None:
    assert not conditions.holds(Condition.LOST_NOT_COUNTED, seen(FIRST))


def test_whole_is_an_estate_without_troubles() -> None:
    troubled = seen(FIRST, report=report(FIRST, problems=("site east is down",)))
    assert conditions.holds(Condition.WHOLE, seen(FIRST))
    assert not conditions.holds(Condition.WHOLE, troubled)


def test_the_way_on_is_the_command_by_name() -> None:
    advice = "too much is lost: mirrorforce recover na1 --from legacy --accept-loss"
    found = seen(FIRST, report=report(FIRST, problems=(advice,)))
    assert conditions.holds(Condition.SAYS_HOW_TO_GO_ON, found)
    assert not conditions.holds(Condition.SAYS_HOW_TO_GO_ON, seen(FIRST))
