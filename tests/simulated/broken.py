"""Rules broken on purpose: what an agent would be that does not keep one of them.

Second lines that hide that are taken away along with it: not to begin where `/sync` does not list everybody,
and to wait for the promise of everybody whose agent lives. The latter is half of rule 4 (such a member says
by its promise alone what it has), so it stays where Patroni's hole A is open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import fencing, floors, rules
from mirrorforce.onhost.failover_agent.keys import Cell, Transaction
from mirrorforce.onhost.failover_agent.view import Promise
from tests.simulated import world
from tests.simulated.agents import AgentSteps
from tests.simulated.schedules import Aim
from tests.simulated.world import CELL, FAILOVER, LEADER, LOST_STANDBY, SYNC, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

    from mirrorforce.onhost.failover_agent.view import Leader, Local, Pace, Round, Sync, View
    from tests.simulated.world import Standby

    Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Broken:
    """A rule without which rows are lost: how it is broken, and what schedules find it."""

    rule: int
    says: str
    breaks: Callable[[Patch], None]
    aim: Aim = Aim()  # noqa: RUF009 (frozen)

    @property
    def name(self) -> str:
        return f"{self.rule}-{self.breaks.__name__.strip('_').replace('_', '-')}"


def nobody(*_given: object) -> list[str]:
    return []


def nothing(*_given: object) -> str:
    return ""


def without_second_lines(patch: Patch, layout: Layout) -> None:
    patch.setattr(rules, "unlisted", nobody)
    if layout.hole != LOST_STANDBY:
        no_floor(patch)
    if layout.hole != "shrinking":
        patch.setattr(rules, "awaited", nobody)


# Rule 1.


def fewer(sync: Sync, counted: Iterable[str]) -> bool:
    return len(sync.voters.intersection(counted)) >= max(1, sync.quorum)


def one_promise_less(patch: Patch) -> None:
    patch.setattr(rules, "enough", fewer)


# Rule 2.


def walreceiver_there(patch: Patch) -> None:
    kept = fencing.next_step

    def unlinked(me: str, view: View, local: Local) -> fencing.FenceStep | None:
        return kept(me, view, replace(local, linked=frozenset()))

    patch.setattr(fencing, "next_step", unlinked)


def promise_first(patch: Patch) -> None:
    kept = fencing.next_step

    def unblocked(me: str, view: View, local: Local) -> fencing.FenceStep | None:
        step = kept(me, view, local)
        if isinstance(step, fencing.Block) and me not in view.promises:
            return fencing.Give(Promise(*step.of_round, position=local.position or 0))
        return step

    patch.setattr(fencing, "next_step", unblocked)


def late_put(patch: Patch) -> None:
    """The promise does not compare its own key."""
    kept = Cell.promise

    def careless(self: Cell, me: str, view: View, given: Promise) -> Transaction:
        return less(kept(self, me, view, given), self.of_member("promise", me))

    patch.setattr(Cell, "promise", careless)


def less(wanted: Transaction, *keys: str) -> Transaction:
    """The transaction without its compares of these keys."""
    return replace(wanted, compares=tuple(one for one in wanted.compares if one.key not in keys))


# Rule 3.


def sync_read_at_any_time(patch: Patch) -> None:
    def always(*_given: object) -> bool:
        return True

    for rule in ("may_fence", "may_open", "unchanged"):
        patch.setattr(rules, rule, always)


# Rule 4.


def member_ahead(patch: Patch) -> None:
    patch.setattr(rules, "ahead", nobody)


def handed_over_to_any(patch: Patch) -> None:
    def able(promises: Mapping[str, Promise], counted: Iterable[str]) -> list[str]:
        return sorted(name for name in counted if promises[name].heir)

    patch.setattr(rules, "heirs", able)


# Rule 5, and the brakes in its transaction.


def release_without(patch: Patch, change: Callable[[Transaction], Transaction]) -> None:
    kept = Cell.release

    def careless(
        self: Cell, view: View, now: Round, counted: Mapping[str, Promise], text: str, heir: str | None
    ) -> Transaction:
        return change(kept(self, view, now, counted, text, heir))

    patch.setattr(Cell, "release", careless)


def leader_not_compared(patch: Patch) -> None:
    release_without(patch, lambda wanted: less(wanted, LEADER))


def sync_not_compared(patch: Patch) -> None:
    release_without(patch, lambda wanted: less(wanted, SYNC))


def promises_not_compared(patch: Patch) -> None:
    everybody = [CELL.of_member("promise", f"s{number}") for number in range(1, 4)]
    release_without(patch, lambda wanted: less(wanted, *everybody))


def sync_not_rewritten(patch: Patch) -> None:
    def change(wanted: Transaction) -> Transaction:
        kept = tuple(one for one in wanted.operations if one.key != SYNC)
        return replace(wanted, operations=kept)

    release_without(patch, change)


def sync_put_first(patch: Patch) -> None:
    def change(wanted: Transaction) -> Transaction:
        delete, put, *rest = wanted.operations
        return replace(wanted, operations=(put, delete, *rest))

    release_without(patch, change)


def switchover_not_compared(patch: Patch) -> None:
    release_without(patch, lambda wanted: less(wanted, FAILOVER))


# Rule 6.


def revoked_after(patch: Patch) -> None:
    """The old primary's lease is revoked after the release; that compares nothing, and may be late."""
    kept = AgentSteps.carry_out

    def and_revokes(self: AgentSteps, wanted: Transaction, lease: int | None) -> bool:
        released = self.world.released
        done = kept(self, wanted, lease)
        if self.world.released > released:
            self.world.revocations.append(self.world.old.lease)
        return done

    patch.setattr(AgentSteps, "carry_out", and_revokes)


# Rule 7.


def withdrawn_whoever_leads(patch: Patch) -> None:
    kept = Cell.withdraw

    def careless(self: Cell, me: str, view: View, leader: str) -> Transaction:
        return less(kept(self, me, view, leader), LEADER)

    patch.setattr(Cell, "withdraw", careless)


def unblocked_first(patch: Patch) -> None:
    kept = AgentSteps.withdraw

    def lifts_first(self: AgentSteps, member: Standby, view: View, step: fencing.Withdraw, fate: str) -> None:
        for one in step.members:
            member.blocked.pop(one, None)
        kept(self, member, view, step, fate)

    patch.setattr(AgentSteps, "withdraw", lifts_first)


# Rule 8.


def lifted_before_it_follows(patch: Patch) -> None:
    def too_soon(_me: str, leader: Leader | None, local: Local) -> bool:
        return leader is not None and leader.name not in local.blocked

    patch.setattr(rules, "may_lift", too_soon)


# Rule 9.


def block_shorter_than_the_promise(patch: Patch) -> None:
    patch.setattr(world, "PACE", replace(world.PACE, block=2.0))


# Rule 10.


def boot_without_a_block(patch: Patch) -> None:
    patch.setattr(rules, "boot_blocks", nobody)


# Rule 11.


def no_guard_time(patch: Patch) -> None:
    def over(_pace: Pace, _seen_for: float) -> bool:
        return True

    patch.setattr(rules, "guard_over", over)


# Rule 12.


def no_floor(patch: Patch) -> None:
    patch.setattr(floors, "against", nothing)


_THREE = Aim(Layout(standbys=3))
_SHRINKING = Aim(Layout(hole="shrinking"))
_LOST_STANDBY = Aim(Layout(hole=LOST_STANDBY))
_OPERATOR = Aim(Layout(hole="operator"), {"ask": 3})
BROKEN = (
    Broken(1, "quorum promises instead of quorum + 1", one_promise_less),
    Broken(2, "the promise before the block", promise_first),
    Broken(2, "the promise before the walreceiver is gone", walreceiver_there),
    Broken(2, "a promise that its agent gave up arrives late", late_put),
    Broken(4, "a member that is ahead of all that promised", member_ahead, _SHRINKING),
    Broken(4, "the key handed over to any that can lead, behind or not", handed_over_to_any),
    Broken(5, "`leader` not compared", leader_not_compared),
    Broken(5, "`/sync` not compared", sync_not_compared),
    Broken(5, "promises not compared", promises_not_compared),
    Broken(5, "`/sync` not rewritten", sync_not_rewritten),
    Broken(5, "`/sync` put before `leader` is deleted", sync_put_first),
    Broken(5, "`/failover` not compared", switchover_not_compared, _OPERATOR),
    Broken(6, "the lease revoked after the release", revoked_after),
    Broken(7, "the promise deleted whoever leads", withdrawn_whoever_leads),
    Broken(7, "unblocked first, withdrawn then", unblocked_first),
    Broken(8, "lifted before the new leader is followed", lifted_before_it_follows),
    Broken(9, "a timer shorter than the promise's lease", block_shorter_than_the_promise),
    Broken(10, "a boot without a block", boot_without_a_block),
    Broken(11, "no guard time", no_guard_time),
    Broken(12, "whoever Patroni elects leads, whatever it lacks", no_floor, _LOST_STANDBY),
)
NONE_FOUND = (
    Broken(3, "`/sync` read at any time, and fences of earlier rounds count", sync_read_at_any_time),
)
"""No schedule is known that loses a row: neither by search, nor to the model (`3-read-when-counting`)."""
