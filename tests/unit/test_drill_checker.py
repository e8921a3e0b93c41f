"""The checker finds every violation that is planted into a sound run, and none in a sound run itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mirrorforce.drills import checker
from mirrorforce.drills.checker import check
from mirrorforce.drills.history import History
from mirrorforce.drills.violation import MOST_NAMED, ViolationKind
from mirrorforce.errors import MirrorforceError
from tests.drill_histories import ACCOUNTS, MEMBERS, OPENING, Run, randoms, runs
from tests.drill_list_plants import LIST_PLANTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from mirrorforce.drills.history import Event, Kind

T = TypeVar("T")

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def kinds(run: Run) -> set[ViolationKind]:
    return {violation.kind for violation in check(run.history, run.finals)}


def chosen(random: Random, events: list[T]) -> T:
    assume(bool(events))
    return random.choice(events)


def acknowledged(run: Run, kind: Kind) -> list[Event]:
    return [event for event in run.history.of(kind) if event.acknowledged]


@given(runs())
@settings(max_examples=200, deadline=None)
def test_a_sound_run_holds_no_violation(run: Run) -> None:
    assert check(run.history, run.finals) == ()


@given(run=runs(), beyond=st.integers(1, 3))
@FEW
def test_a_killed_client_leaves_one_question_untold_and_no_more(run: Run, beyond: int) -> None:
    asked = [event.row or 0 for event in run.history.of("append") if event.client == "appends-1"]
    row = ("appends-1", max(asked, default=0) + beyond)
    assume(max((number for client, number in run.final.rows if client == "appends-1"), default=0) < row[1])
    found = kinds(run.with_final(rows=(*run.final.rows, row)))
    assert found == (set() if beyond == 1 else {ViolationKind.UNWRITTEN_ROW})


def lost_row(run: Run, random: Random) -> Run:
    gone = chosen(random, acknowledged(run, "append"))
    return run.with_final(rows=tuple(row for row in run.final.rows if row != (gone.client, gone.row)))


def rejected_row(run: Run, random: Random) -> Run:
    event = chosen(random, acknowledged(run, "append"))
    return run.with_event(event, replace(event, outcome="rejected"))


def unwritten_row(run: Run, random: Random) -> Run:
    foreign = chosen(random, [("appends-1", 1_000_000), ("nobody-1", 1)])
    return run.with_final(rows=(*run.final.rows, foreign))


def duplicated_row(run: Run, random: Random) -> Run:
    place = chosen(random, list(range(len(run.final.rows))))
    twice = (*run.final.rows[: place + 1], *run.final.rows[place:])
    return run.with_final(rows=twice)


def out_of_order(run: Run, random: Random) -> Run:
    """Swap two rows, one of which was asked for after the other had been acknowledged."""
    told = {(event.client, event.row): event for event in acknowledged(run, "append")}
    rows = list(run.final.rows)
    pairs = [
        (one, other)
        for one in range(len(rows))
        for other in range(one + 1, min(one + 8, len(rows)))
        if rows[one] in told and rows[other] in told
        and told[rows[one]].mono_at < told[rows[other]].mono_began
    ]  # fmt: skip
    one, other = chosen(random, pairs)
    rows[one], rows[other] = rows[other], rows[one]
    return run.with_final(rows=tuple(rows))


def total_in_the_end(run: Run, random: Random) -> Run:
    account = random.randint(1, ACCOUNTS)
    return run.with_final(balances={**run.final.balances, account: run.final.balances[account] + 1})


def total_as_read(run: Run, random: Random) -> Run:
    event = chosen(random, acknowledged(run, "read"))
    return run.with_event(event, replace(event, total=ACCOUNTS * OPENING - 1))


def half_transfer(run: Run, random: Random) -> Run:
    one, other = random.sample(range(1, ACCOUNTS + 1), 2)
    held = run.final.balances
    return run.with_final(balances={**held, one: held[one] + 1, other: held[other] - 1})


def lost_transfer(run: Run, random: Random) -> Run:
    """It is gone from the table of transfers and from both accounts alike."""
    gone = chosen(random, acknowledged(run, "transfer"))
    assert gone.transfer is not None
    kept = tuple(each for each in run.final.transfers if each != (gone.client, gone.transfer))
    held = dict(run.final.balances)
    held[gone.transfer.debit] += gone.transfer.amount
    held[gone.transfer.credit] -= gone.transfer.amount
    return run.with_final(transfers=kept, balances=held)


def succeeded_writer(run: Run, random: Random) -> Run:
    """A write goes to a server of an older timeline, though a newer one had been heard of before."""
    writes = [event for event in run.history.acknowledged_writes if event.timeline is not None]
    first = min(event.mono_at for event in writes) if writes else 0
    event = chosen(random, [event for event in writes if event.mono_began > first])
    return run.with_event(event, replace(event, timeline=1, server="198.18.9.20"))


def two_servers_on_a_timeline(run: Run, random: Random) -> Run:
    writes = list(run.history.acknowledged_writes)
    event = chosen(random, writes)
    assume(any(each.timeline == event.timeline for each in writes if each is not event))
    return run.with_event(event, replace(event, server="198.18.9.20"))


@given(run=runs(), random=randoms())
@FEW
def test_clients_elsewhere_tell_of_a_second_writer(run: Run, random: Random) -> None:
    """On the old primary's own host somebody still gets acknowledgements; each history alone is sound."""
    reigns = {event.timeline for event in run.history.acknowledged_writes}
    assume(len(reigns) > 1)
    first = min(timeline for timeline in reigns if timeline)
    example = next(e for e in run.history.acknowledged_writes if e.timeline == first)
    end = max(event.at for event in run.history.acknowledged_writes)
    elsewhere = replace(example, server=None, mono_began=5.0, mono_at=6.0, began=end + 1, at=end + 2)
    there = History((elsewhere,))
    assert checker.two_writers((run.history,)) == ()
    assert checker.two_writers((there,)) == ()
    (violation,) = checker.two_writers(random.sample([run.history, there], 2))
    assert violation.kind is ViolationKind.TWO_WRITERS
    early = replace(elsewhere, began=example.began, at=example.at)
    assert checker.two_writers((run.history, History((early,)))) == ()


@given(runs())
@FEW
def test_the_rpo_counts_each_row_and_transfer_that_any_member_lacks(run: Run) -> None:
    assert checker.lost_rows(run.history, run.finals.values()) == 0
    told = [*acknowledged(run, "append"), *acknowledged(run, "transfer")]
    empty = replace(run.final, rows=(), transfers=())
    assert checker.lost_rows(run.history, [run.final, empty]) == len(told)


PLANTS: list[tuple[ViolationKind, Callable[[Run, Random], Run]]] = [
    (ViolationKind.LOST_ROW, lost_row),
    (ViolationKind.LOST_ROW, lost_transfer),
    (ViolationKind.REJECTED_ROW, rejected_row),
    (ViolationKind.UNWRITTEN_ROW, unwritten_row),
    (ViolationKind.DUPLICATED_ROW, duplicated_row),
    (ViolationKind.OUT_OF_ORDER, out_of_order),
    (ViolationKind.TOTAL_CHANGED, total_in_the_end),
    (ViolationKind.TOTAL_CHANGED, total_as_read),
    (ViolationKind.HALF_TRANSFER, half_transfer),
    (ViolationKind.TWO_WRITERS, succeeded_writer),
    (ViolationKind.TWO_WRITERS, two_servers_on_a_timeline),
    *LIST_PLANTS,
]
OF_MEMBERS = {ViolationKind.MEMBERS_DIFFER}


def test_every_kind_of_violation_is_planted_here() -> None:
    assert {kind for kind, _ in PLANTS} | OF_MEMBERS == set(ViolationKind)


@pytest.mark.parametrize(("kind", "plant"), PLANTS, ids=[plant.__name__ for _, plant in PLANTS])
@given(run=runs(), random=randoms())
@FEW
def test_a_planted_violation_is_found(
    kind: ViolationKind, plant: Callable[[Run, Random], Run], run: Run, random: Random
) -> None:
    assert kind in kinds(plant(run, random))


@pytest.mark.parametrize("part", ["rows", "transfers", "lists", "balances", "openings"])
@given(run=runs(), member=st.sampled_from(sorted(MEMBERS)))
@FEW
def test_a_member_that_holds_something_else_is_found(part: str, run: Run, member: str) -> None:
    held = getattr(run.final, part)
    assume(bool(held))
    other: Any = held[:-1] if isinstance(held, tuple) else dict(list(held.items())[:-1])
    changed: dict[str, Any] = {part: other}
    finals = {**run.finals, member: replace(run.final, **changed)}
    found = [each for each in check(run.history, finals) if each.kind is ViolationKind.MEMBERS_DIFFER]
    assert found
    assert all(part in " ".join(violation.evidence) for violation in found)


@given(run=runs(), member=st.sampled_from(sorted(MEMBERS)))
@FEW
def test_what_is_lost_on_one_member_alone_names_it(run: Run, member: str) -> None:
    gone = next(iter(acknowledged(run, "append")), None)
    assume(gone is not None)
    rows = tuple(row for row in run.final.rows if gone is None or row != (gone.client, gone.row))
    finals = {**run.finals, member: replace(run.final, rows=rows)}
    lost = [each for each in check(run.history, finals) if each.kind is ViolationKind.LOST_ROW]
    assert [each.said for each in lost] == [f"1 rows acknowledged, not on {member}"]


@given(runs())
@settings(max_examples=5, deadline=None)
def test_evidence_is_what_a_person_reads_and_the_number_says_the_rest(run: Run) -> None:
    rows = len(acknowledged(run, "append"))
    assume(rows > MOST_NAMED)
    lost = next(
        each
        for each in check(run.history, run.with_final(rows=()).finals)
        if each.kind is ViolationKind.LOST_ROW
    )
    assert len(lost.evidence) == MOST_NAMED
    assert lost.said.startswith(f"{rows} rows")


@given(runs())
@settings(max_examples=3, deadline=None)
def test_without_any_member_nothing_can_be_said(run: Run) -> None:
    with pytest.raises(MirrorforceError, match="no member was read"):
        check(run.history, {})
