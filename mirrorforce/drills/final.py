"""What a run left in the tables of one member. Pure; `mirrorforce.operations.final_state` reads it there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.drills.history import Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = tuple[str, int]
"""A row's key within its run: (client, number)."""


@dataclass(frozen=True, slots=True)
class FinalState:
    """All that a run wrote, on one member.

    rows: every row, in the order in which the server numbered them. transfers: every transfer with the client
    that asked for it, in that order too. openings, balances: what each account held at first, and holds.
    lists: the elements of each list, in their order.
    """

    rows: tuple[Row, ...]
    transfers: tuple[tuple[str, Transfer], ...]
    openings: Mapping[int, int]
    balances: Mapping[int, int]
    lists: Mapping[str, tuple[str, ...]]


def parse(text: str) -> FinalState:
    """The state in what psql printed for `final_state.SQL`: one JSON document."""
    found = json.loads(text)
    return FinalState(
        rows=tuple((client, number) for client, number in found["rows"]),
        transfers=tuple((client, Transfer(*numbers)) for client, *numbers in found["transfers"]),
        openings={account: opening for account, opening, _ in found["accounts"]},
        balances={account: balance for account, _, balance in found["accounts"]},
        lists={key: tuple(elements) for key, elements in found["lists"].items()},
    )
