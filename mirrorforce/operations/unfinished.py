"""What an engine was making on AWS when it was killed, as by a power cut: told, since no stack knows of it.

An engine that is asked to end finishes what it is at. One that is killed leaves the operation in its state,
as pending, without the ID of what AWS may have made all the same; the next `up` makes a second one, or is
told by AWS that there is one. Only after that `up` no engine of before is at work on the stacks any more.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mirrorforce import engine
from mirrorforce.stack_names import INTERCONNECT, StackName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate
    from mirrorforce.workspace import Workspace

State = dict[str, Any]


def read(ws: Workspace, stacks: Sequence[StackName]) -> dict[StackName, State]:
    """The state of each of these stacks."""
    found = engine.side_by_side([partial(engine.exported, ws, str(stack)) for stack in stacks])
    return dict(zip(stacks, found, strict=True))


def forgotten(ws: Workspace, estate: Estate, stacks: Sequence[StackName]) -> list[str]:
    """What to tell of each stack whose engine was killed. It is told once: the stack forgets it."""
    if not any(site.aws for site in estate.sites):
        return []  # what a lab makes is found by its name
    told = []
    for stack, state in read(ws, stacks).items():
        if state["deployment"].get("pending_operations"):
            if making := creations(state):
                told.append(_advice(estate, stack, making))
            engine.forget_pending(ws, str(stack), state)
    return told


def creations(state: State) -> list[str]:
    """What an exported stack was making when its engine was killed, as `Vpc aws-east`. Pure."""
    operations = state["deployment"].get("pending_operations") or []
    urns = [each["resource"]["urn"] for each in operations if each["type"] == "creating"]
    return [f"{urn.split('::')[2].rpartition(':')[2]} {urn.split('::')[3]}" for urn in urns]


def holds_something(state: State) -> bool:
    """Whether an exported stack has any resource that could be lost. Pure."""
    return bool(state["deployment"].get("resources"))


def _advice(estate: Estate, stack: StackName, making: Sequence[str]) -> str:
    tags = f"--tag-filters Key=estate,Values={estate.name} Key=site,Values={stack.part}"
    lists = [
        f"aws resourcegroupstaggingapi get-resources --region {each} {tags}"
        for each in _regions(estate, stack)
    ]
    return (
        f"{stack}: an engine that was killed was making {', '.join(making)}. What AWS has made of it all the "
        f"same is in no stack, and is there twice, or in the way; delete the older one. To list them: "
        f"{'; '.join(lists)}"
    )


def _regions(estate: Estate, stack: StackName) -> list[str]:
    """The regions on AWS in which a stack makes something: one of a site, all of what joins them."""
    return sorted(
        {site.aws.region for site in estate.sites if site.aws and stack.part in {site.name, INTERCONNECT}}
    )
