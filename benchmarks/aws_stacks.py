"""How long the stacks of stacks/aws.yaml take engine and provider; moto plays the account.

`python -m benchmarks.aws_stacks [RUNS]`: the estate is previewed, stood up, previewed and refreshed again,
and taken down, in an account that is emulated on this machine and gone afterwards. Previews are
`mirrorforce preview`, as a person types it, with the estimate of costs. What a real account takes longer for,
which is above all the making of hosts, is not in it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING
from unittest import mock

from benchmarks import report
from tests.aws import declared, life
from tests.aws.cloud import Cloud
from tests.aws.life import Life

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.estate import Estate

RUNS = 3


def main(runs: int) -> None:
    """Measure, and show; SystemExit where an operation fails or finds what is not there."""
    with tempfile.TemporaryDirectory() as home, Cloud() as cloud:
        for region in life.REGIONS:
            cloud.publish_images(region)
        emulated = {**cloud.in_place_of(os.environ), "MIRRORFORCE_HOME": home}
        with mock.patch.dict(os.environ, emulated, clear=True):
            try:
                report.show("stacks on the emulated AWS", "seconds", measured(Life(cloud), runs))
            finally:
                declared.clear(declared.ENV)


def measured(one: Life, runs: int) -> dict[str, report.Figures]:
    """Seconds by operation; a preview before anything is up is the first thing that an owner sees."""
    estate = one.declare()
    one.secrets(estate)
    before = previews(runs)
    up = taken(lambda: one.up(estate))
    standing = previews(runs)
    refreshed = taken(lambda: found_nothing(one, estate))
    down = taken(lambda: one.down(estate))
    return {
        "preview of all five, none up": before,
        "up": {"once": up},
        "preview of all five, all up": standing,
        "refresh of all five": {"once": refreshed},
        "down": {"once": down},
    }


def previews(runs: int) -> report.Figures:
    """Median and worst of so many previews."""
    found = [report.mirrorforce("preview", declared.ENV) for _ in range(runs)]
    return {"median": statistics.median(found), "worst": max(found)}


def found_nothing(one: Life, estate: Estate) -> None:
    """Refresh all stacks; SystemExit where any of them differs from what was made."""
    found = one.refresh(estate)
    changed = [str(step) for outcome in found.values() for step in outcome.changed]
    errors = [error for outcome in found.values() for error in outcome.errors]
    if changed or errors:
        raise SystemExit(f"a refresh of what nobody changed: {'; '.join([*errors, *changed])}")


def taken(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.monotonic()
    act()
    return round(time.monotonic() - started, 1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
