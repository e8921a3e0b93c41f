"""Amounts as people write them in a drill: a whole number, a space, a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Quantity(StrEnum):
    """A kind of amount."""

    DURATION = "duration"
    SIZE = "size"
    SHARE = "share"
    FACTOR = "factor"


@dataclass(frozen=True, slots=True)
class Notation:
    """How an amount is written: the pattern (as JSON Schema has it), in words, and what a unit counts for."""

    pattern: str
    allowed: str
    units: Mapping[str, float]


# Seconds, MiB, per cent, times: the units of `Act.amount`.
NOTATIONS: Mapping[Quantity, Notation] = {
    Quantity.DURATION: Notation(
        "^[1-9][0-9]{0,3} (ms|s|min)$",
        "a duration: a whole number from 1 to 9999 and ms, s or min, as in 60 s",
        {"ms": 0.001, "s": 1, "min": 60},
    ),
    Quantity.SIZE: Notation(
        "^[1-9][0-9]{0,3} (MiB|GiB)$",
        "a size: a whole number from 1 to 9999 and MiB or GiB, as in 256 MiB",
        {"MiB": 1, "GiB": 1024},
    ),
    Quantity.SHARE: Notation(
        "^([1-9][0-9]?|100) %$",
        "a share: a whole number from 1 to 100 and %, as in 5 %",
        {"%": 1},
    ),
    Quantity.FACTOR: Notation(
        "^([2-9]|[1-9][0-9]) times$",
        "a factor: a whole number from 2 to 99 and times, as in 4 times",
        {"times": 1},
    ),
}


def parse(quantity: Quantity, value: object) -> float | None:
    """The amount in the unit of `Act.amount` (seconds, MiB, per cent, times); None where it is not one."""
    notation = NOTATIONS[quantity]
    if not isinstance(value, str) or not re.fullmatch(notation.pattern.removesuffix("$"), value):
        return None
    number, unit = value.split(" ")
    return int(number) * notation.units[unit]


def seconds(value: str) -> float:
    """The seconds of a duration that a reader has found to be one; ValueError where it is none."""
    amount = parse(Quantity.DURATION, value)
    if amount is None:
        raise ValueError(value)
    return amount
