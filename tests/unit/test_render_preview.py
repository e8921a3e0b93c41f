"""What a preview prints: size and cost, steps, what would be refused."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from mirrorforce import aws_prices, estate_file
from mirrorforce.engine import Outcome
from mirrorforce.operations import render_cost, render_preview
from mirrorforce.workspace import ROOT
from tests import preview_samples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

ESTATE = estate_file.load(ROOT / "stacks" / "aws.yaml")


def printed(parts: Iterable[RenderableType]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200, no_color=True)
    for part in parts:
        console.print(part)
    return out.getvalue()


def test_size_and_cost_are_told_site_by_site_with_the_date_of_the_prices() -> None:
    text = printed(render_cost.size_and_cost(ESTATE))
    for site in ("east", "west", "legacy", "dev", "interconnect", "total"):
        assert site in text
    assert "3 hosts, 312 GiB of volumes" in text
    assert "1 host, 16 GiB of volumes" in text
    assert "2 x data volume, 100 GiB, 6000 IOPS, 250 MiB/s" in text
    assert "1 x NAT gateway" in text
    assert aws_prices.load().date in text
    assert "traffic" in text


def test_what_has_no_price_shows_a_question_mark_and_is_named() -> None:
    site = ESTATE.site("legacy")
    assert site.aws is not None
    rare = replace(
        site, aws=replace(site.aws, instance_types={**site.aws.instance_types, "database": "x8g.large"})
    )
    estate = replace(ESTATE, sites=tuple(rare if each == site else each for each in ESTATE.sites))
    text = printed(render_cost.size_and_cost(estate))
    assert "no price is known of: database host, x8g.large (us-west-1)" in text
    assert "?" in text


def test_more_rules_than_the_quota_are_told_before_aws_refuses_them() -> None:
    assert "quota" not in printed(render_cost.size_and_cost(ESTATE))
    cells = tuple(
        replace(ESTATE.cells[0], name=f"c{number}", slot=number, members={"east": 4, "west": 4, "legacy": 4})
        for number in range(8)
    )
    assert "quota L-0EA8095F" in printed(render_cost.size_and_cost(replace(ESTATE, cells=cells)))


def test_an_estate_off_aws_has_no_cost_to_tell() -> None:
    assert printed(render_cost.size_and_cost(estate_file.load(ROOT / "stacks" / "lab.yaml"))) == ""


def test_a_replacement_is_told_once_and_what_holds_data_is_shown_as_refused() -> None:
    text = printed(render_preview.preview(preview_samples.report([preview_samples.REPLACED_VOLUME])))
    assert text.count("east-na1-data") == 4  # what is read first, the step, the refusal, what confirms it
    assert "refused" in text
    assert "--accept-loss east-na1-data" in text


def test_what_went_wrong_with_a_stack_is_told_beside_the_others() -> None:
    outcomes = [Outcome("aws-east", (), 1.0, errors=("no [credentials]",)), Outcome("aws-west", (), 1.0)]
    text = printed(render_preview.preview(preview_samples.report(outcomes)))
    assert "aws-east: no [credentials]" in text
    assert "aws-west: nothing would change" in text
    assert "aws-east: nothing would change" not in text


def test_configuration_is_told_with_its_differences() -> None:
    text = printed(render_preview.preview(preview_samples.report([], preview_samples.CONFIGURATION)))
    for said in ("role etcd on east-control", "-RestartSec=1", "+RestartSec=2", "not told: dev-app: a gap"):
        assert said in text
