"""Random schedules, what is left of one without all that it does not need, and schedules as text."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from tests.simulated.cell import Simulation
from tests.simulated.world import Layout, LostRowError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from tests.simulated.cell import Step

STEPS = 160
_TRIES = 30
_MOOD = 20
"""So many steps long some kinds of steps are rare or frequent, and some members slow or as good as frozen."""
WEIGHTS: Mapping[str, float] = {
    "wait": 3, "write": 3, "crash": 0.1, "stop": 0.1, "return": 1, "renew": 4, "read": 0.7, "read-half": 2,
    "take-back": 1.5, "names": 0.5, "sync": 0.4, "sync-arrives": 2, "sync-lost": 0.3,
    "pause": 0.2, "ask": 0.4, "ask-no-more": 0.3, "hand-over": 1,
    "arrive": 3, "flush": 3, "reply": 4, "hear": 4, "drop": 0.4, "connect": 4, "follow": 2, "reboot": 0.25,
    "race": 6, "vote": 12, "vote-of-old": 2, "give-up": 0.4, "take": 3, "promote": 8, "die-as-leader": 0.4,
    "sees": 2, "acts": 30, "keeps-session": 6, "dies": 0.3, "starts": 1.5, "doubts": 0.3, "late": 2,
    "may-lead": 1.5, "plan": 0.3, "floor": 3,
    "revocation": 1,
}  # fmt: skip
"""How often each step is tried; one that can do nothing is passed over."""


@dataclass(frozen=True)
class Aim:
    """What schedules are made of: a layout, and weights that differ from the usual ones."""

    layout: Layout = field(default_factory=Layout)
    weights: Mapping[str, float] = field(default_factory=dict)


class Generator:
    """Steps at random."""

    def __init__(self, seed: int, aim: Aim) -> None:
        self._random = random.Random(seed)  # noqa: S311 (a schedule is no secret)
        self._usual = {**WEIGHTS, **aim.weights}
        self._names = list(self._usual)
        self._members = [f"s{number}" for number in range(1, aim.layout.standbys + 1)]
        self._copies = aim.layout.copies
        self._sets = [
            ",".join(some)
            for size in range(len(self._members) + 1)
            for some in combinations(self._members, size)
        ]
        self.mood()

    def beginning(self) -> Iterable[Step]:
        """Half of the runs begin with an open round, and most of its fences up: more happens after it."""
        if self._random.random() < 0.5:
            return
        coordinator, *_ = mixed = self._random.sample(self._members, len(self._members))
        for who in (*mixed, coordinator):
            yield ("sees", who)
        yield ("acts", coordinator, "sent")
        for who in mixed:
            for _step in range(self._random.choice((0, 2, 3, 3, 3))):
                yield ("sees", who)
                yield ("acts", who, "sent")

    def mood(self) -> None:
        """Another one."""
        self._weights = [each * self._random.choice((0, 0.2, 1, 1, 3)) for each in self._usual.values()]
        self._speeds = [self._random.choice((0.02, 1, 1)) for _member in self._members]

    def steps(self) -> Iterable[Step]:  # noqa: PLR0911 (one kind a line)
        """One step, or a few of one party that make sense together; the rest of it may come to nothing."""
        pick = self._random.choice
        name = self._random.choices(self._names, self._weights)[0]
        who = self._random.choices(self._members, self._speeds)[0]
        match name:
            case "wait":
                return [(name, pick(("0.1", "0.1", "0.5", "0.5", "1", "1", "2", "7")))]
            case "names":
                return [(name, pick(self._sets), str(self._random.randint(1, self._copies)))]
            case "sync":
                chosen = pick(self._sets)
                return [(name, chosen, str(self._random.randint(0, chosen.count(","))))]
            case "pause" | "doubts" | "may-lead":
                on = pick(("on", "off"))
                return [(name, on) if name == "pause" else (name, who, on)]
            case "vote":
                return [(name, who, pick(self._members))]
            case "acts":
                fate = self._random.choices(("sent", "late", "twice", "lost"), (17, 2, 1, 1))[0]
                # On what it has just seen, mostly.
                return [*([("sees", who)] if self._random.random() < 0.8 else []), (name, who, fate)]
            case "late":
                return [(name, str(self._random.randrange(3)))]
            case _ if name in _OF_A_MEMBER:
                return [(name, who)]
            case _:
                return [(name,)]


_OF_A_MEMBER = {
    "ask", "arrive", "flush", "reply", "hear", "drop", "connect", "follow", "reboot", "race", "vote-of-old",
    "give-up", "take", "promote", "die-as-leader", "sees", "keeps-session", "dies", "starts", "plan",
}  # fmt: skip


def run(
    seed: int, aim: Aim, done: list[Step] | None = None, happened: Counter[str] | None = None
) -> Simulation:
    """One random schedule. LostRowError where it breaks a property.

    done: is given its steps, also those that came to nothing. happened: counts those that did not, by name.
    """
    simulation = Simulation(aim.layout)
    generator = Generator(seed, aim)
    begun = [*generator.beginning()]
    simulation.run(begun)
    if done is not None:
        done += begun
    for number in range(STEPS):
        if number and number % _MOOD == 0:
            generator.mood()
        for _try in range(_TRIES):
            did = False
            for step in generator.steps():
                if done is not None:
                    done.append(step)
                effect = simulation.do(step)
                did = did or effect
                if happened is not None and effect:
                    happened[step[0]] += 1
            if did:
                break
    return simulation


def loses(layout: Layout, schedule: Iterable[Step]) -> bool:
    """Whether the schedule breaks a property."""
    try:
        Simulation(layout).run(schedule)
    except LostRowError:
        return True
    return False


def shrunk(schedule: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """The schedule without whatever it fails without, down to single steps."""
    size = len(schedule) // 2
    while size:
        at = 0
        while at < len(schedule):
            without = schedule[:at] + schedule[at + size :]
            if fails(without):
                schedule = without
            else:
                at += size
        size //= 2
    return schedule


def as_text(schedule: Iterable[Step]) -> str:
    """A line a step."""
    return "".join(" ".join(part or "-" for part in step) + "\n" for step in schedule)


def from_text(text: str) -> list[Step]:
    """Steps of such a text; lines with # are remarks."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return [tuple("" if part == "-" else part for part in line) for line in lines if line]
