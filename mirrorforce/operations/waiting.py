"""Waiting for a condition of the estate: with a limit, and saying what is waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import status
from mirrorforce.operations.status_problems import troubles_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

T = TypeVar("T")

WHOLE_WITHIN = 300.0
"""Seconds; a rewind after a site came back took up to 57 s over 66 ms, a copy anew takes longer."""


def until(
    condition: Callable[[], T | None],
    *,
    limit: float,
    every: float = 0.5,
    otherwise: Callable[[], MirrorforceError],
) -> T:
    """The first value of `condition` that is not None; raises `otherwise()` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value is not None:
            return value
        if time.monotonic() >= deadline:
            raise otherwise()
        time.sleep(every)


def until_whole(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    *,
    limit: float = WHOLE_WITHIN,
    on_progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """The first status report in which everything runs, wherever the primaries are.

    Raises MirrorforceError with what is still wrong after `limit` seconds.
    """
    report: dict[str, Any] = {}

    def whole() -> dict[str, Any] | None:
        report.clear()
        report.update(status.collect(ws, estate, inventory))
        troubles = troubles_of(report)
        if not troubles:
            return report
        on_progress(troubles[0])
        return None

    return until(
        whole,
        limit=limit,
        every=3.0,
        otherwise=lambda: MirrorforceError(
            f"after {limit:.0f} s the estate is not whole: {'; '.join(troubles_of(report))}",
            f"mirrorforce status {ws.env}",
        ),
    )
