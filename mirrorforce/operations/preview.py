"""`preview`: what `up` would create, change or delete, after a look at what really is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mirrorforce import aws_account, engine

if TYPE_CHECKING:
    from mirrorforce.engine import Outcome
    from mirrorforce.estate import Estate
    from mirrorforce.progress import Phases
    from mirrorforce.workspace import Workspace


def preview(ws: Workspace, estate: Estate, phases: Phases) -> tuple[Outcome, ...]:
    """What would change in each stack, in the stacks' order."""
    aws_account.require(estate)
    public_key = engine.prepare(ws, estate).ssh_public_key
    *sites, interconnect = [str(stack) for stack in engine.stacks_of(estate)]
    with phases.phase("preview"):
        looks = [partial(engine.preview, ws, name, public_key=public_key) for name in sites]
        return tuple(engine.side_by_side([*looks, partial(engine.preview, ws, interconnect)]))
