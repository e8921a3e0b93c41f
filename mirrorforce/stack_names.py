"""Names of stacks: `<env>-<site>` for each site, `<env>-interconnect` for what joins them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.workspace import PROJECT

if TYPE_CHECKING:
    from mirrorforce.estate import Estate

INTERCONNECT = "interconnect"


@dataclass(frozen=True, slots=True)
class StackName:
    """A stack: its environment, and a site's name or `interconnect`."""

    env: str
    part: str

    def __str__(self) -> str:
        return f"{self.env}-{self.part}"

    @property
    def reference(self) -> str:
        """How a program names another stack of this project in a file backend."""
        return f"organization/{PROJECT}/{self}"


def site_stacks(estate: Estate) -> tuple[StackName, ...]:
    """One stack per site, in the order of the estate file. They do not depend on each other."""
    return tuple(StackName(estate.name, site.name) for site in estate.sites)


def interconnect_stack(estate: Estate) -> StackName:
    """The stack that comes last: links between sites, and the estate's secrets."""
    return StackName(estate.name, INTERCONNECT)


def parse(stack: str) -> StackName:
    """A stack's name read: an estate's name has no hyphen, a site's may have some."""
    env, _, part = stack.partition("-")
    return StackName(env, part)
