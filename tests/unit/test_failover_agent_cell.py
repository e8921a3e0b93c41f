"""The failover agent's decisions in a simulated cell: no acknowledged row is lost, and no fence is left.

Each schedule is a random order of what a primary, standbys, Patroni, etcd and agents may do, with late and
lost packets, agents that die, hosts that boot and a primary that takes its key back. Rules broken on purpose
lose rows; second lines, which hide that, are taken away for it. The rules that are not among them are not
found this way within a minute: test_failover_agent_rules.py looks at their transactions, and models/ breaks
each of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorforce.onhost.failover_agent import rules
from tests import simulated_cell
from tests.simulated_cell import LostRowError, Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mirrorforce.onhost.failover_agent.view import Leader, Local, Sync

STEPS = 250
MOST_SEEDS = 1500
"""Each broken rule is found within 500 of them."""


def run(seed: int, standbys: int = 2) -> Simulation:
    simulation = Simulation(seed, standbys)
    for _step in range(STEPS):
        simulation.act()
    return simulation


def run_all(seeds: range) -> None:
    for seed in seeds:
        run(seed)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([2, 3]))
def test_no_row_is_lost_and_no_fence_is_left(seed: int, standbys: int) -> None:
    simulation = run(seed, standbys)
    simulation.settle()
    assert not simulation.stuck


def test_schedules_get_somewhere() -> None:
    """A simulation in which nothing happens would lose no row either."""
    runs = [run(seed) for seed in range(100)]
    assert sum(one.acked for one in runs) > 100
    assert sum(one.released for one in runs) > 5
    assert sum(one.fork is not None for one in runs) > 5


def nobody(*_given: object) -> list[str]:
    return []


def fewer(sync: Sync, counted: Iterable[str]) -> bool:
    return len(sync.voters.intersection(counted)) >= sync.quorum


def too_soon(_me: str, leader: Leader | None, local: Local) -> bool:
    return leader is not None and leader.name not in local.blocked


def one_promise_less(patch: pytest.MonkeyPatch) -> None:
    """Rule 1."""
    patch.setattr(rules, "enough", fewer)


def lifted_before_it_follows(patch: pytest.MonkeyPatch) -> None:
    """Rule 8."""
    patch.setattr(rules, "may_lift", too_soon)


def a_block_shorter_than_the_promise(patch: pytest.MonkeyPatch) -> None:
    """Rule 9."""
    patch.setattr(simulated_cell, "PACE", replace(simulated_cell.PACE, block=2.0))


def a_boot_without_a_block(patch: pytest.MonkeyPatch) -> None:
    """Rule 10."""
    patch.setattr(rules, "boot_blocks", nobody)


@pytest.mark.parametrize(
    "without",
    [
        one_promise_less,
        lifted_before_it_follows,
        a_block_shorter_than_the_promise,
        a_boot_without_a_block,
    ],
)
def test_a_rule_that_is_broken_loses_a_row(
    without: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "awaited", nobody)
    monkeypatch.setattr(rules, "unlisted", nobody)
    without(monkeypatch)
    with pytest.raises(LostRowError):
        run_all(range(MOST_SEEDS))
