"""A link's state in words, for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorforce.lab.links import LinkState

_ALL = 100.0


def state(found: LinkState) -> str:
    """`up`, `gone`, `cut at east and west`, `cut from east to west`, `loses 5 % each way`."""
    if found.down_at:
        return f"cut at {' and '.join(found.down_at)}"
    if found.condition is None:
        return "gone"
    there, back = found.condition.loss_there_percent, found.condition.loss_back_percent
    if there == back:
        return f"loses {there:g} % each way" if there else "up"
    ways = ((found.spec.a, found.spec.b, there), (found.spec.b, found.spec.a, back))
    return ", ".join(_one_way(*way) for way in ways if way[2])


def _one_way(start: str, end: str, loss: float) -> str:
    if loss == _ALL:
        return f"cut from {start} to {end}"
    return f"loses {loss:g} % from {start} to {end}"
