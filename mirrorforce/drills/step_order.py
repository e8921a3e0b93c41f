"""Whether each step stands in its right place: known without an estate, by the parts of phrases. Pure.

The rules: what is undone was done before; what is done is undone later; nothing is asked of a host without
power; nothing is waited for before something was done; the last step waits until the estate is whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirrorforce.drills import phrases
from mirrorforce.drills.acts import NEW_PRIMARY, Condition, Verb
from mirrorforce.drills.drill import ActStep, WaitUntilStep
from mirrorforce.drills.words import BREAKS, WAIT_UNTIL, WITHIN, WORDS, undoing
from mirrorforce.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.drills.drill import Step

LEADS = frozenset({Condition.ANOTHER_LEADS, Condition.SAME_LEADS, Condition.ANY_LEADS})

# These do not need the power of their hosts: they give it, or they act on what is around the host.
_WITHOUT_POWER = frozenset({Verb.POWER_ON, Verb.TAKE_BACK, Verb.POWER_OFF, Verb.ISOLATE, Verb.REJOIN})
_THE_CELL = frozenset({"cell"})


@dataclass(slots=True)
class _State:
    """What the steps so far have done: for each verb, the parts it stands for, each with its step's index."""

    standing: dict[Verb, dict[str, int]] = field(default_factory=lambda: {verb: {} for verb in BREAKS})
    acted: bool = False
    another_leads: bool = False
    recovered: bool = False

    @property
    def without_power(self) -> Mapping[str, int]:
        return self.standing[Verb.POWER_OFF]


def measured(steps: Sequence[Step]) -> int | None:
    """The index of the step to measure from; None where there is no fault among them.

    It is the last fault before a member is waited for that leads, or the first one where none is: what a
    drill breaks beforehand belongs to what is given.
    """
    faults = [i for i, step in enumerate(steps) if isinstance(step, ActStep) and WORDS[step.verb].fault]
    waits = [i for i, step in enumerate(steps) if isinstance(step, WaitUntilStep) and step.condition in LEADS]
    before = [i for i in faults if waits and i < waits[0]]
    return before[-1] if before else next(iter(faults), None)


def faults(steps: Sequence[tuple[int, Step]], *, clients_at_primary: bool) -> tuple[Fault, ...]:
    """Every step in a wrong place. `steps`: index in the file, and the step."""
    state, found = _State(), list[Fault]()
    for index, step in steps:
        found += _misplaced(state, index, step, clients_at_primary=clients_at_primary)
        _follow(state, index, step)
    found += _not_undone(state, steps)
    found += _end(steps)
    return tuple(found)


def _misplaced(state: _State, index: int, step: Step, *, clients_at_primary: bool) -> Iterator[Fault]:
    if isinstance(step, WaitUntilStep):
        yield from _early_wait(state, index, step)
        if step.condition == Condition.CLIENTS_AT_PRIMARY_HAVE_ERRORS and not clients_at_primary:
            allowed = "after `clients also at: the primary` under `given`"
            yield _fault(index, WAIT_UNTIL, step.condition, allowed)
    elif isinstance(step, ActStep):
        yield from _early_words(state, index, step)
        yield from _power(state, index, step)
        yield from _nothing_to_do(state, index, step)
        yield from _recovery(state, index, step)


def _early_wait(state: _State, index: int, step: WaitUntilStep) -> Iterator[Fault]:
    if not state.acted:
        found = f"{step.condition}, before anything was done"
        yield _fault(index, WAIT_UNTIL, found, "after the first thing done")


def _early_words(state: _State, index: int, step: ActStep) -> Iterator[Fault]:
    if NEW_PRIMARY in (step.target, step.origin) and not state.another_leads:
        found = f"{NEW_PRIMARY}, before there is one"
        allowed = f"after `{WAIT_UNTIL}: {Condition.ANOTHER_LEADS}`"
        yield _fault(index, step.verb, found, allowed)


def _power(state: _State, index: int, step: ActStep) -> Iterator[Fault]:
    """Something asked of a host that has no power."""
    if step.verb in _WITHOUT_POWER or WORDS[step.verb].value.role == "amount":
        return
    for phrase in filter(None, (step.target, step.origin)):
        off = sorted({at for part, at in state.without_power.items() if part in _parts(phrase)})
        if off:
            found = f"{phrase}, without power since steps[{off[0]}]"
            yield _fault(index, step.verb, found, f"after `{Verb.POWER_ON}: …`, or of a host that has power")


def _nothing_to_do(state: _State, index: int, step: ActStep) -> Iterator[Fault]:
    """Something undone that was not done, or done again while it lasts."""
    what, parts = _shown_target(step), _parts(_effect(step))
    undone = WORDS[step.verb].undoes
    if undone and not any(part in state.standing[verb] for verb in undone for part in parts):
        ways = " or ".join(f"`{verb}: {what}`" for verb in sorted(undone))
        yield _fault(index, step.verb, f"{what}, with nothing to undo there", f"after {ways}")
    if step.verb in BREAKS and all(part in state.standing[step.verb] for part in parts):
        again = f"{what}, a second time"
        yield _fault(index, step.verb, again, f"after `{undoing(step.verb)}: {what}`, or once")


def _recovery(state: _State, index: int, step: ActStep) -> Iterator[Fault]:
    what = _shown_target(step)
    if step.verb == Verb.RECOVER and not state.without_power:
        yield _fault(index, step.verb, f"{what}, with every site there", f"after `{Verb.POWER_OFF}: …`")
    if step.verb == Verb.TAKE_BACK and not state.recovered:
        allowed = f"after `{Verb.RECOVER}: …`; a site that was not given up needs `{Verb.POWER_ON}: {what}`"
        yield _fault(index, step.verb, f"{what}, which was not given up", allowed, Verb.POWER_ON)
    if step.verb == Verb.POWER_ON and state.recovered:
        found = f"{what}, which `{Verb.RECOVER}` gave up: with what it holds, two could acknowledge writes"
        yield _fault(index, step.verb, found, f"`{Verb.TAKE_BACK}: {what}`", Verb.TAKE_BACK)


def _follow(state: _State, index: int, step: Step) -> None:
    """What is so after the step."""
    if isinstance(step, WaitUntilStep):
        state.another_leads |= step.condition == Condition.ANOTHER_LEADS
    if not isinstance(step, ActStep):
        return
    state.acted = True
    state.recovered |= step.verb == Verb.RECOVER
    parts = _parts(_effect(step))
    for verb in WORDS[step.verb].undoes:
        for part in parts:
            state.standing[verb].pop(part, None)
    if step.verb in BREAKS:
        state.standing[step.verb] |= {part: index for part in parts if part not in state.standing[step.verb]}


def _not_undone(state: _State, steps: Sequence[tuple[int, Step]]) -> Iterator[Fault]:
    by_index = dict(steps)
    for verb, parts in state.standing.items():
        for index in sorted(set(parts.values())):
            step = by_index[index]
            if isinstance(step, ActStep):
                what = _shown_target(step)
                allowed = f"a later `{undoing(verb)}: {_effect(step)}`"
                yield _fault(index, verb, f"{what}, and nothing undoes it", allowed)


def _end(steps: Sequence[tuple[int, Step]]) -> Iterator[Fault]:
    if not any(isinstance(step, ActStep) and WORDS[step.verb].fault for _, step in steps):
        yield Fault(("steps",), "no fault", "one step at least that breaks or moves something")
    last_index, last = steps[-1]
    if not isinstance(last, WaitUntilStep) or last.condition != Condition.WHOLE:
        allowed = f"as the last step: {{{WAIT_UNTIL}: {Condition.WHOLE}, {WITHIN}: …}}"
        yield Fault(("steps", last_index), "an end that does not see the estate whole again", allowed)


def _parts(phrase: str) -> frozenset[str]:
    return phrases.BY_TEXT[phrase].parts


def _effect(step: ActStep) -> str:
    """The phrase of what the step has its effect on: without a target, the drilled cell."""
    return step.target or phrases.THE_CELL


def _shown_target(step: ActStep) -> str:
    if step.process:
        return f"{step.process} on {step.target}"
    return step.target or f"{step.amount:g}"


def _fault(index: int, key: str, found: str, allowed: str, meant: str = "") -> Fault:
    return Fault(("steps", index, str(key)), found, allowed, str(meant))
