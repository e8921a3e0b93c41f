"""Looks for a counterexample to each broken rule, and keeps it: `python -m tests.simulated.search`.

With names of `broken.BROKEN`, for those alone. The folder `counterexamples` holds a schedule for each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.simulated.broken import BROKEN, NONE_FOUND, Broken, without_second_lines
from tests.simulated.schedules import as_text, from_text, loses, run, shrunk
from tests.simulated.world import LostRowError

if TYPE_CHECKING:
    from tests.simulated.cell import Step

KEPT = Path(__file__).parent / "counterexamples"
MOST_SEEDS = 3_000


def found(broken: Broken, most_seeds: int = MOST_SEEDS, *, first: int = 0) -> tuple[int, list[Step]] | None:
    """The first seed that breaks a property, and what its schedule needs; the rule is broken already."""
    for seed in range(first, first + most_seeds):
        done: list[Step] = []
        try:
            run(seed, broken.aim, done)
        except LostRowError:
            return seed, shrunk(done, lambda schedule: loses(broken.aim.layout, schedule))
    return None


def kept(broken: Broken) -> list[Step]:
    """The schedule that was found earlier."""
    return from_text((KEPT / f"{broken.name}.txt").read_text(encoding="utf-8"))


def main(names: list[str]) -> None:
    """Search, and write."""
    for broken in (*BROKEN, *NONE_FOUND):
        if names and broken.name not in names:
            continue
        began = time.process_time()
        with pytest.MonkeyPatch.context() as patch:
            without_second_lines(patch, broken.aim.layout)
            broken.breaks(patch)
            result = found(broken)
        spent = time.process_time() - began
        if result is None:
            print(f"{broken.name}: none in {MOST_SEEDS} schedules, {spent:.0f} s of CPU", flush=True)  # noqa: T201 a person watches
            continue
        seed, schedule = result
        KEPT.mkdir(exist_ok=True)
        text = f"# Rule {broken.rule}: {broken.says}.\n{as_text(schedule)}"
        (KEPT / f"{broken.name}.txt").write_text(text, encoding="utf-8")
        print(f"{broken.name}: seed {seed}, {len(schedule)} steps, {spent:.1f} s of CPU", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
