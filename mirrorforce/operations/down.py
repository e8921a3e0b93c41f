"""`down`: take an environment down whole, also when it is half broken. Named caches stay."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from mirrorforce import aws_account, engine, inventory
from mirrorforce.errors import MirrorforceError
from mirrorforce.lock import only_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.engine_events import Step
    from mirrorforce.estate import Estate
    from mirrorforce.progress import Phases
    from mirrorforce.workspace import Workspace


def asks_first(estate: Estate) -> bool:
    """Whether a person is asked before: what is not a lab may hold data that somebody misses."""
    return any(site.platform != "lab" for site in estate.sites)


def down(ws: Workspace, estate: Estate, phases: Phases) -> None:
    """Delete hosts, networks, links, state and secrets. Machines that existed before are left as they are.

    A lab goes by what this machine shows, whatever Pulumi's state says or has lost. Elsewhere a stack that
    cannot be destroyed stops it, and its state stays. Protected resources go as well: whoever takes an
    environment down whole has said so.
    """
    with only_one(ws, f"down {ws.env}"):
        inventory.close_access(ws)
        aws_account.require(estate)
        if engine.is_prepared(ws):
            with phases.phase("stacks") as waits_for:
                _destroy(ws, estate, phases, waits_for)
        if _is_lab(estate):
            from mirrorforce.lab import estate as lab  # noqa: PLC0415 - only a lab needs the lab

            with phases.phase("sweep"):
                lab.sweep(estate.name)
        engine.forget(ws, estate)
        shutil.rmtree(ws.state, ignore_errors=True)
        ws.lock.unlink(missing_ok=True)


def _destroy(ws: Workspace, estate: Estate, phases: Phases, waits_for: Callable[[str], None]) -> None:
    *sites, interconnect = [str(stack) for stack in engine.stacks_of(estate)]

    def show(step: Step) -> None:
        waits_for(str(step))

    try:
        engine.destroy(ws, interconnect, on_event=show)
        engine.side_by_side(
            [partial(_destroy_site, ws, name, show, letting_go=not _is_lab(estate)) for name in sites]
        )
    except MirrorforceError as error:
        if not _is_lab(estate):
            raise
        phases.say(f"pulumi could not destroy all of it, so the rest is swept: {error.message}")


def _destroy_site(ws: Workspace, stack: str, show: Callable[[Step], None], *, letting_go: bool) -> None:
    if letting_go:
        engine.unprotect(ws, stack)
    engine.destroy(ws, stack, on_event=show)


def _is_lab(estate: Estate) -> bool:
    return any(site.platform == "lab" for site in estate.sites)
