"""How long a preview of a large estate on AWS takes our program, by hosts; mocks play the engine.

`python -m benchmarks.aws_preview [FOLDER]` builds all stacks of generated estates of 40 sites and up to 400
hosts, as a preview before anything is up does, checks that the time grows linearly, and writes the curve into
FOLDER. What engine and provider take for each resource comes to it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml

from benchmarks import report
from mirrorforce import estate_file, placement
from mirrorforce.drills import svg
from mirrorforce.stack_names import interconnect_stack, site_stacks
from mirrorforce.workspace import Workspace
from tests.program_aws import build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate

SITES = 40
HOSTS = (40, 120, 200, 280, 360, 400)
REGIONS = {"us-east-1": "virginia", "us-west-2": "oregon", "us-west-1": "california"}
MIRRORED = 3
ENV = "large"
NAME = "preview-by-hosts"


BEND = 1.5
"""How much dearer a host may be in the upper half of the curve than in the lower one, to be called linear."""


@dataclass(frozen=True)
class Point:
    """What the previews of all stacks of one estate took: seconds of CPU, resources."""

    hosts: int
    sites_seconds: float
    interconnect_seconds: float
    resources: int

    @property
    def seconds(self) -> float:
        """All stacks together."""
        return self.sites_seconds + self.interconnect_seconds


def generated(hosts: int, sites: int = SITES) -> dict[str, Any]:
    """An estate file with so many hosts: a third of them members of cells in three mirrored sites."""
    names = [f"s{number}" for number in range(sites)]
    regions = list(REGIONS)
    cells = max(1, (hosts - MIRRORED) // 3 // MIRRORED)
    applications = Counter(names[turn % sites] for turn in range(hosts - MIRRORED - cells * MIRRORED))
    return {
        "estate": ENV,
        "domain": "db.example.com",
        "aws": {"owner": "database-team", "cost_centre": "databases"},
        "sites": {
            name: {
                "platform": "aws",
                "failure_domain": REGIONS[regions[number % len(regions)]],
                "cidr": f"10.{number}.0.0/20",
                "mirrored": number < MIRRORED,
                "application_hosts": applications[name],
                "aws": {"region": regions[number % len(regions)], "zones": ["a", "b"]},
            }
            for number, name in enumerate(names)
        },
        "links": [{"between": list(pair), "round_trip_ms": 70} for pair in combinations(names, 2)],
        "cells": {
            f"c{number}": {
                "preferred_site": names[number % MIRRORED],
                "members": dict.fromkeys(names[:MIRRORED], 1),
            }
            for number in range(cells)
        },
    }


def measured(estate: Estate) -> Point:
    """Preview every stack of the estate, the interconnect last."""
    sites = [_preview(str(stack)) for stack in site_stacks(estate)]
    interconnect = _preview(str(interconnect_stack(estate)))
    return Point(
        len(placement.hosts(estate)),
        sum(seconds for seconds, _ in sites),
        interconnect[0],
        sum(count for _, count in [*sites, interconnect]),
    )


def _preview(stack: str) -> tuple[float, int]:
    """Seconds of CPU, and the number of resources."""
    started = time.process_time()
    count = len(build(stack, preview=True).resources)
    return time.process_time() - started, count


def bend(points: Sequence[Point]) -> float:
    """How many times as dear a host is in the upper half of the curve as in the lower one; 1 for a line."""
    middle = len(points) // 2
    lower, upper = _slope(points[: middle + 1]), _slope(points[middle:])
    return upper / lower


def _slope(points: Sequence[Point]) -> float:
    """Seconds for each host, by least squares."""
    return statistics.linear_regression(
        [point.hosts for point in points], [point.seconds for point in points]
    ).slope


def plot(points: Sequence[Point]) -> str:
    """The curve, and the line that fits it."""
    hosts = [point.hosts for point in points]
    line = statistics.linear_regression(hosts, [point.seconds for point in points])
    with svg.drawing(2.6, NAME) as figure:
        axes = figure.subplots()
        fitted = [line.intercept + line.slope * each for each in hosts]
        axes.plot(
            hosts,
            fitted,
            color=svg.colour("muted"),
            lw=1,
            ls=(0, (4, 2)),
            label=f"{line.intercept:.0f} s + {1000 * line.slope:.0f} ms for each host",
        )
        for label, drawn, marker, values in (
            ("all 41 stacks", "multi_host", "o", [point.seconds for point in points]),
            ("of which the interconnect", "dns", "s", [point.interconnect_seconds for point in points]),
        ):
            axes.plot(hosts, values, color=svg.colour(drawn), marker=marker, ms=4, lw=1.4, label=label)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.grid(color=svg.colour("grid"), lw=0.7)
        axes.set_xlabel("hosts, in 40 sites that are all linked with each other")
        axes.set_ylabel("CPU seconds")
        figure.legend(loc="outside upper left", ncols=3, fontsize=8)
        return svg.inline(figure, "CPU seconds that a preview takes, by hosts")


def main(folder: Path) -> None:
    """Measure, say, draw; SystemExit where the time grows faster than the hosts."""
    warnings.simplefilter("ignore")  # the SDK warns of its own old names,
    sys.unraisablehook = lambda _: None  # and leaves event loops behind
    points = []
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{ENV}.yaml"
        with mock.patch.object(Workspace, "estate_file", property(lambda _: file)):
            for hosts in (HOSTS[0], *HOSTS):  # the first estate once more, as it pays for the imports
                file.write_text(yaml.safe_dump(generated(hosts), sort_keys=False), encoding="utf-8")
                points.append(measured(estate_file.load(file)))
    points = points[1:]
    groups = {
        f"{point.hosts} hosts": {
            "all stacks": round(point.seconds, 1),
            "interconnect": round(point.interconnect_seconds, 1),
            "resources": point.resources,
        }
        for point in points
    }
    report.show("preview of an estate on AWS, with mocks", "CPU seconds", groups)
    (folder / f"{NAME}.svg").write_text(svg.standalone(plot(points)), encoding="utf-8")
    if (found := bend(points)) > BEND:
        raise SystemExit(f"a host is {found:.1f} times as dear in the upper half: not linear")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd())
