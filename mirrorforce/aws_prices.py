"""What AWS asks for, from the table `aws_prices.json`, which says as of when and from where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("aws_prices.json")


@dataclass(frozen=True, slots=True)
class Prices:
    """A table of prices, in `currency`. A price that it does not have is None, never 0."""

    date: str
    currency: str
    regions: Mapping[str, Mapping[str, Any]]
    worldwide: Mapping[str, float]

    def of(self, region: str, what: str) -> float | None:
        """A price in one region; worldwide prices are the same in all."""
        found = self.regions.get(region, {}).get(what, self.worldwide.get(what))
        return None if found is None else float(found)

    def instance_hour(self, region: str, instance_type: str) -> float | None:
        """An hour of an instance, on demand, Linux."""
        found = self.regions.get(region, {}).get("instance_hour", {}).get(instance_type)
        return None if found is None else float(found)


@cache
def load() -> Prices:
    """The table of this version."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    return Prices(table["date"], table["currency"], table["regions"], table["global"])
