"""The estate's secrets: none is left between two values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorforce.estate import Cell
    from mirrorforce.operations.checked import Checked


def test_no_secret_is_half_rotated(cell: Cell, checked: Checked) -> None:
    """Those that all cells share count for each of them."""
    others = tuple(f"{each.name}-" for each in checked.estate.cells if each != cell)
    found = [name for name in checked.facts.half_rotated if not name.startswith(others)]
    assert not found, f"{', '.join(found)}: the old value is accepted still; next: mirrorforce secrets rotate"
