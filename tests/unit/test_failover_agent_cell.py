"""The failover agent's decisions in a simulated cell: no acknowledged row is lost, and no end is stuck.

Each schedule is a random order of what a primary, standbys, Patroni, etcd, an operator and agents may do,
with late, doubled and lost packets, members that freeze, agents that die, hosts that boot and a primary that
takes its key back. Rules broken on purpose lose rows, by the schedules in tests/simulated/counterexamples;
`make schedules` searches anew.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulated.broken import BROKEN, Broken, without_second_lines
from tests.simulated.cell import Simulation
from tests.simulated.schedules import WEIGHTS, Aim, as_text, from_text, loses, run
from tests.simulated.search import kept
from tests.simulated.world import LOST_STANDBY, Layout, LostRowError

LAYOUTS = (
    Layout(),
    Layout(copies=2),
    Layout(standbys=3),
    Layout(standbys=3, copies=2),
    Layout(hole="shrinking"),
    Layout(standbys=3, hole="shrinking"),
    Layout(hole="operator"),
    Layout(standbys=3, copies=2, hole="operator"),
    Layout(hole=LOST_STANDBY),
    Layout(standbys=3, hole=LOST_STANDBY),
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from(LAYOUTS))
def test_no_row_is_lost_and_no_end_is_stuck(seed: int, layout: Layout) -> None:
    simulation = run(seed, Aim(layout))
    simulation.settle()
    assert simulation.well


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from(LAYOUTS))
def test_no_row_is_lost_without_the_second_lines_either(seed: int, layout: Layout) -> None:
    with pytest.MonkeyPatch.context() as patch:
        without_second_lines(patch, layout)
        run(seed, Aim(layout))


def test_schedules_get_somewhere() -> None:
    """A simulation in which nothing happens would lose no row either."""
    happened = Counter[str]()
    runs = [
        run(seed, Aim(layout), happened=happened).world for seed in range(1000, 1015) for layout in LAYOUTS
    ]
    assert sum(one.old.acked for one in runs) > 20
    assert sum(one.released for one in runs) > 20
    assert sum(one.handed_over for one in runs) > 5
    assert sum(one.fork is not None for one in runs) > 20
    # Half a release is seen, and a lease revoked, only where rules 5 and 6 are broken.
    assert set(WEIGHTS) - set(happened) == {"read-half", "revocation"}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_rule_that_is_broken_loses_a_row(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = kept(broken)
    without_second_lines(monkeypatch, broken.aim.layout)
    assert not loses(broken.aim.layout, schedule), "it is the rule that keeps the row"
    broken.breaks(monkeypatch)
    with pytest.raises(LostRowError):
        Simulation(broken.aim.layout).run(schedule)


def test_schedules_are_kept_as_text() -> None:
    schedule = [("write",), ("sync", "", "0"), ("acts", "s1", "late")]
    assert from_text(f"# A remark.\n{as_text(schedule)}") == schedule
