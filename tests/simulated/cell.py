"""The simulated cell as a whole: steps by their names, random ones, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import floors
from tests.simulated.agents import AgentSteps
from tests.simulated.primary import PrimarySteps
from tests.simulated.standby import StandbySteps
from tests.simulated.world import LOST_STANDBY, OLD, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.simulated.world import Layout

Step = tuple[str, ...]
"""A step's name, and what it is done to or with: all that happens in a run follows from its steps."""
SETTLED_S = 240.0


class Simulation:
    """One run; LostRowError where a property breaks."""

    def __init__(self, layout: Layout) -> None:
        self.world = World(layout)
        self.agents = AgentSteps(self.world)
        self.steps: dict[str, Callable[..., bool]] = {
            "wait": self._wait,
            **PrimarySteps(self.world).steps,
            **StandbySteps(self.world).steps,
            **self.agents.steps,
        }

    def do(self, step: Step) -> bool:
        """Do it, and look at the properties; whether it did anything."""
        name, *given = step
        done = self.steps[name](*given)
        if done:
            self.world.look_at_leader()
            self.world.check()
        return done

    def run(self, schedule: Iterable[Step]) -> None:
        for step in schedule:
            self.do(step)

    def _wait(self, seconds: str) -> bool:
        self.world.passes(float(seconds))
        return True

    def settle(self) -> None:
        """No more faults, everybody acts in turn: until all is well, or for four minutes."""
        world = self.world
        world.late.clear()
        for member in world.members.values():
            member.suspicious = False
        until = world.now + SETTLED_S
        while world.now < until and not self.well:
            self.do(("wait", "0.2"))
            for step in (
                ("pause", "off"),
                ("sync-arrives",),
                ("read",),
                ("ask-no-more",),
                ("take-back",),
                ("renew",),
                ("floor",),
                *([("return",)] if self._old_is_waited_for else []),
            ):
                self.do(step)
            for name in world.members:
                for agent in (("starts", name), ("keeps-session", name), ("sees", name)):
                    self.do(agent)
                self.do(("acts", name, "sent"))
                self.do(("follow", name))
                self._race(name)

    @property
    def _old_is_waited_for(self) -> bool:
        """RULE 12: whoever lacks rows, or may, leads for nobody; it is the old primary that has them."""
        world = self.world
        return world.layout.hole == LOST_STANDBY or bool(floors.missing(world.view(world.members["s1"])))

    def _race(self, name: str) -> None:
        world = self.world
        self.do(("race", name))
        for voter in world.members:
            self.do(("vote", name, voter))
        self.do(("vote-of-old", name))
        self.do(("take", name))
        self.do(("promote", name))
        self.do(("give-up", name))

    @property
    def well(self) -> bool:
        """Somebody leads, and nobody is fenced off. An empty V elects nobody (`no-voters` in models/)."""
        world = self.world
        voters, _ = world.sync
        if world.leader is None:
            return not voters
        leads = world.old.up if world.leader == OLD else world.fork is not None
        return leads and not world.fenced
