"""Previews for tests: outcomes of stacks, a comparison of hosts, and the report of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import aws_cost, aws_prices, estate_file, placement
from mirrorforce.engine import Outcome
from mirrorforce.engine_events import Step
from mirrorforce.previews import report as reports
from mirrorforce.previews import weights
from mirrorforce.previews.configuration import Comparison, FileChange, Restart, RoleChange
from mirrorforce.previews.trees import Revision
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.previews.report import Document

ESTATE = estate_file.load(ROOT / "stacks" / "aws.yaml")
MAIN = Revision("main", "0123456789abcdef0123456789abcdef01234567")
COST = reports.Cost(aws_cost.estimate(ESTATE, aws_prices.load()))
HEADER = reports.Header("aws", "2026-11-28T03:00:00+00:00", 12.0)


def step(operation: str, kind: str, name: str, *diffs: str, protected: bool = False) -> Step:
    stack = f"aws-{name.partition('-')[0]}"
    return Step(stack, operation, kind, name, "done", f"urn::{name}", protected, diffs)


_HALVES = tuple(
    step(operation, "Volume", "east-na1-data", protected=True)
    for operation in ("delete-replaced", "replace", "create-replacement")
)
REPLACED_VOLUME = Outcome("aws-east", _HALVES, 1.0, (_HALVES[1],))

OVERRIDE = "/etc/systemd/system/etcd.service.d/mirrorforce.conf"
CONFIGURATION = reports.Configuration(
    MAIN,
    Comparison(
        roles=(RoleChange("etcd", ("templates/override.conf.j2",), (), ("east-control",)),),
        files=(FileChange(OVERRIDE, "etcd", "changed", ("east-control",), "-RestartSec=1\n+RestartSec=2"),),
        restarts=(
            Restart(
                "etcd.service",
                ("east-control",),
                (OVERRIDE,),
                weights.of_unit("etcd.service", deferred=False),
            ),
        ),
        gaps=("dev-app: a gap",),
    ),
)


def report(
    outcomes: Sequence[Outcome],
    configuration: reports.Configuration | None = None,
    cost: reports.Cost = COST,
) -> Document:
    found = configuration or reports.Configuration()
    return reports.build(HEADER, placement.hosts(ESTATE), outcomes, found, cost)
