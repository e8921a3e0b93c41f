"""One repetition of a drill in one cell: prepare, put load on, break, wait, heal, check, measure. The edge.

Whatever happens in between, what was broken is healed before this ends; where this process is killed, the
ledger holds what the next one has to heal.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mirrorforce import lock
from mirrorforce.drills import (
    actions,
    binding,
    checker,
    conditions,
    evidence,
    expectations,
    load,
    measure,
    preparation,
    words,
)
from mirrorforce.drills.actions import services
from mirrorforce.drills.acts import NEW_PRIMARY, Act, Condition, Verb, Wait, WaitUntil
from mirrorforce.drills.conditions import Seen
from mirrorforce.drills.expectations import Found, Leadership
from mirrorforce.drills.report import Repetition
from mirrorforce.drills.stages import Mark, What
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import status, waiting

if TYPE_CHECKING:
    from mirrorforce.drills.actions import Context
    from mirrorforce.drills.acts import BoundStep
    from mirrorforce.drills.binding import BoundDrill
    from mirrorforce.drills.cast import Facts
    from mirrorforce.drills.drill import Drill
    from mirrorforce.drills.history import History
    from mirrorforce.drills.load import Running
    from mirrorforce.drills.violation import Violation

STEADY_SECONDS = 6.0
"""Load before the first step: the picture of how it is without a fault."""

AFTER_SECONDS = 3.0
"""Load after the last step."""

WHOLE_WITHIN = 300.0
"""Seconds in which everything runs again after the last step; a member that is copied anew takes longest."""

_SPARE_SECONDS = 420.0
_LOOK_EVERY = 1.5
"""Seconds. Outages are told by the clients and the journals; looks only say when to go on, and cost the
processors of a lab that all hosts share."""

_OF_THE_ESTATE = frozenset({Condition.WHOLE, Condition.SAYS_HOW_TO_GO_ON})
_OF_COUNTS = frozenset({Condition.LOST_NOT_COUNTED, Condition.LOST_SLOTS_GONE})
_ENDS_REFUSAL = frozenset({*words.BREAKS, *(verb for verb, word in words.WORDS.items() if word.undoes)})


@dataclass
class Play:
    """A repetition under way: the bound drill, its load, `preparation.Home.steady_at`, and what was seen."""

    ctx: Context
    bound: BoundDrill
    facts: Facts
    running: Running
    found: Found
    steady_at: float
    fault_at: float = math.nan
    fault_said: str = ""
    mended_at: float = math.inf
    new_primary: str = ""

    @property
    def cell(self) -> str:
        """The drilled cell."""
        return self.bound.cell

    @property
    def first_primary(self) -> str:
        """Who led it when the repetition began."""
        return self.facts.primary[self.cell]

    def steps(self) -> None:
        """Carry the steps out, one after another; what is waited for in vain ends them."""
        for index, step in enumerate(self.bound.steps):
            if isinstance(step, Act):
                self._act(step, is_fault=index == self.bound.fault)
            elif isinstance(step, Wait):
                self.ctx.say(f"{step.seconds:g} s go by")
                time.sleep(step.seconds)
            elif not self._wait_until(step):
                return

    def _act(self, act: Act, *, is_fault: bool) -> None:
        if NEW_PRIMARY in act.hosts:
            # What is undone is what was done to whoever it was then, who may lead no more.
            if not (self.new_primary and words.WORDS[act.verb].undoes):
                self.new_primary = self._new_primary()
            act = binding.met(act, self.new_primary)
        self.ctx.say(in_words(act))
        if act.verb in _ENDS_REFUSAL:
            self._writes_may_go_on()
        if act.verb in words.WORDS and words.WORDS[act.verb].undoes and not math.isnan(self.fault_at):
            self.mended_at = min(self.mended_at, time.time())
        began = actions.carry_out(self.ctx, act)
        if is_fault:
            self.fault_at, self.fault_said = began, in_words(act)

    def _new_primary(self) -> str:
        seen = self._look(time.time(), Condition.ANOTHER_LEADS)
        if seen.leader is None or seen.leader == self.first_primary:
            raise MirrorforceError(f"no other member leads {self.cell} yet", "wait for it in the drill")
        return seen.leader

    def _wait_until(self, step: WaitUntil) -> bool:
        """Whether the condition came true in time; where it did not, that is an expectation not met."""
        began = time.time()
        deadline = began + step.within
        self.ctx.say(f"waiting until {step.condition}")
        while True:
            seen = self._look(began, step.condition)
            if conditions.holds(step.condition, seen):
                self._came_true(step.condition, time.time())
                self.ctx.say(f"{step.condition}: after {time.time() - began:.1f} s")
                return True
            if time.time() >= deadline:
                said = seen.report["summary"]
                self.found.missed.append(expectations.not_in_time(step.condition, step.within, said))
                self.ctx.say(f"{step.condition}: not within {step.within:g} s; {said}")
                return False
            time.sleep(_LOOK_EVERY)

    def _came_true(self, condition: Condition, at: float) -> None:
        if condition is Condition.WRITES_REFUSED:
            self.found.refused.append((at, math.inf))

    def _writes_may_go_on(self) -> None:
        """A step that may mend ends the time in which no write may be acknowledged."""
        now = time.time()
        self.found.refused = [(start, min(end, now)) for start, end in self.found.refused]

    def _look(self, began: float, condition: Condition) -> Seen:
        """What is to be seen for this condition: of the cell's members alone, where that is enough."""
        members = [host.name for host in self.ctx.inventory.of_cell(self.cell)]
        report = status.collect(
            self.ctx.ws,
            self.ctx.estate,
            self.ctx.inventory,
            only=None if condition in _OF_THE_ESTATE else members,
        )
        seen = Seen(
            cell=self.cell,
            first_primary=self.first_primary,
            report=report,
            history=self.running.history(),
            at_primary=self.running.history_at_primary(),
            fault_at=self.fault_at,
            began=began,
            counted=None,
        )
        return evidence.with_counted(self.ctx, seen) if condition in _OF_COUNTS else seen


def repetition(ctx: Context, drill: Drill, cell: str) -> Repetition:
    """Run the drill once in this cell, while no other lab on this machine is measured.

    Whoever calls holds the environment's lock. MirrorforceError where not even the heal went through.
    """
    with lock.machine_to_oneself(ctx.say):
        return _repetition(ctx, drill, cell)


def _repetition(ctx: Context, drill: Drill, cell: str) -> Repetition:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    clock = time.monotonic()

    def seconds() -> float:
        return round(time.monotonic() - clock, 1)

    try:
        home = preparation.bring_home(ctx)
        facts = preparation.place_etcd_leader(ctx, cell, drill.given.etcd_leader, home.report)
        preparation.outrun_timelines(ctx, facts.primary[cell])
        bound = binding.bind(drill, ctx.estate, cell, facts)
    except MirrorforceError as error:
        return Repetition(started, seconds(), error=str(error))
    if why := _refusal(ctx, bound):
        return Repetition(started, seconds(), skipped=why)
    leads = _leadership(home.report, cell)
    play = Play(ctx, bound, facts, _started(ctx, bound, facts), Found(leads, leads), home.steady_at)
    return _played(play, started, clock)


def _refusal(ctx: Context, bound: BoundDrill) -> str:
    """Why this drill cannot be carried out here; '' where it can."""
    acts = (step for step in bound.steps if isinstance(step, Act) and NEW_PRIMARY not in step.hosts)
    return next((why for act in acts if (why := actions.refusal(ctx, act))), "")


def _started(ctx: Context, bound: BoundDrill, facts: Facts) -> Running:
    kinds, primary = bound.drill.given.load, facts.primary[bound.cell]
    return load.start(ctx, bound.cell, kinds, bound.clients_also_at, primary, seconds=_longest(bound))


def _played(play: Play, started: str, clock: float) -> Repetition:
    watched = evidence.Watched(play.ctx, play.cell, _longest(play.bound))
    try:
        error = _broken_and_healed(play, watched)
        if error is None and math.isnan(play.fault_at):
            error = f"it came to no fault: {'; '.join(missed.said for missed in play.found.missed)}"
        if error is None:
            return _judged(play, watched, started, clock)
        return Repetition(started, round(time.monotonic() - clock, 1), error=error)
    finally:
        watched.stop()
        play.running.stop()
        _tidied(play)


def _tidied(play: Play) -> None:
    """Delete what the clients left. Where the cell takes no writes it stays, and harms no later drill."""
    try:
        play.running.forget()
    except MirrorforceError as fault:
        play.ctx.say(f"what the clients wrote is still there: {fault.message}")


def _broken_and_healed(play: Play, watched: evidence.Watched) -> str | None:
    """Steps, then heal, whatever came of the steps. Why it came to no end, or None."""
    error: str | None = None
    try:
        watched.start(play.bound.drill.expect.wal_volume is not None)
        time.sleep(max(STEADY_SECONDS, play.steady_at - time.monotonic()))
        play.steps()
    except MirrorforceError as fault:
        error = str(fault)
        play.ctx.say(f"stopped: {fault.message}")
    finally:
        actions.heal(play.ctx)
        preparation.release_etcd_leader(play.ctx)
        services.spare_agents(play.ctx)
    whole = waiting.until_whole(
        play.ctx.ws, play.ctx.estate, play.ctx.inventory, limit=WHOLE_WITHIN, on_progress=play.ctx.say
    )
    play.found.after = _leadership(whole, play.cell)
    time.sleep(AFTER_SECONDS)
    return error


def _judged(play: Play, watched: evidence.Watched, started: str, clock: float) -> Repetition:
    """Stop the load, read every member, and say what was lost, how long, and whether it is as expected."""
    ctx, bound = play.ctx, play.bound
    watched.stop()
    play.running.stop()
    ctx.say("every acknowledged row is looked for on every member")
    history = play.running.history()
    finals = evidence.finals(ctx, bound.cell, play.found.after.host, play.running.clients)
    violations = (
        *checker.check(history, finals),
        *_of_clients_at_primary(play, history),
        *evidence.differences(ctx, bound.cell, play.found.after.host),
    )
    measures = measure.measure(
        history, play.fault_at, lost_rows=checker.lost_rows(history, finals.values()), until=play.mended_at
    )
    play.found.fullest = watched.fullest
    fault = Mark(play.fault_at, None, What.FAULT, play.fault_said)
    marks = evidence.marks(ctx, bound.cell, history, fault, measures)
    return Repetition(
        started=started,
        seconds=round(time.monotonic() - clock, 1),
        fault_at=play.fault_at,
        measures=measures,
        marks=marks,
        stages=evidence.stages_by_way(marks, play.fault_at, measures),
        violations=violations,
        known_hole=bound.drill.expect.known_hole,
        expected=expectations.judge(
            bound.drill.expect, play.found, measures, history.acknowledged_writes, play.fault_at
        ),
    )


def _of_clients_at_primary(play: Play, others: History) -> tuple[Violation, ...]:
    """What was acknowledged there is to be on every member too, and never beside what others were told."""
    if not play.running.at_primary:
        return ()
    histories = [clients.history(play.ctx.ws) for clients in play.running.at_primary]
    found = list(checker.two_writers((others, *histories)))
    for clients, history in zip(play.running.at_primary, histories, strict=True):
        finals = evidence.finals(play.ctx, play.cell, play.found.after.host, clients)
        found += checker.check(history, finals)
    return tuple(found)


def _leadership(report: dict[str, Any], cell: str) -> Leadership:
    found = next(one for one in report["cells"] if one["name"] == cell)
    if found["primary"] is None:
        return Leadership(None, None)
    host = found["primary"]["host"]
    return Leadership(host, next(m["timeline"] for m in found["members"] if m["host"] == host))


def _longest(bound: BoundDrill) -> float:
    """Seconds that the load may be needed at most: every wait at its full length, acts, and the heal."""
    return _SPARE_SECONDS + WHOLE_WITHIN + sum(_longest_step(step) for step in bound.steps)


def _longest_step(step: BoundStep) -> float:
    if isinstance(step, WaitUntil):
        return step.within
    if isinstance(step, Wait):
        return step.seconds
    # A site of three hosts that are restarted one by one, each waited for, takes longest of all acts.
    return 300.0 if step.verb is Verb.RESTART else 30.0


def in_words(act: Act) -> str:
    """The act for a person who watches."""
    targets = act.sites or act.hosts or tuple("-".join(link) for link in act.links) or (act.cell or "",)
    process = f" {act.process} on" if act.process else ""
    amount = f" ({act.amount:g})" if act.amount is not None else ""
    once = f", once {act.moment}" if act.moment else ""
    return f"{act.verb}{process} {', '.join(targets)}{once}{amount}"
