"""What an engine was making when it was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirrorforce import engine, estate_file
from mirrorforce.operations import unfinished
from mirrorforce.stack_names import interconnect_stack, site_stacks
from mirrorforce.workspace import Workspace

STACKS = Path(__file__).parents[2] / "stacks"
AWS = estate_file.load(STACKS / "aws.yaml")
LAB = estate_file.load(STACKS / "lab.yaml")


def killed(*making: str, kind: str = "creating") -> dict[str, Any]:
    urns = [f"urn:pulumi:x::mirrorforce::site:Site$aws:ec2/vpc:{each}" for each in making]
    return {"deployment": {"pending_operations": [{"resource": {"urn": urn}, "type": kind} for urn in urns]}}


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The states of stacks; one that was given back says so by its name."""
    found: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(engine, "exported", lambda _, stack: found.get(stack, {"deployment": {}}))
    monkeypatch.setattr(engine, "forget_pending", lambda _, stack, state: found[stack].update(again=state))
    return found


def told() -> list[str]:
    return unfinished.forgotten(Workspace("aws"), AWS, [*site_stacks(AWS), interconnect_stack(AWS)])


@pytest.mark.parametrize(
    ("stack", "regions"),
    [("aws-west", ["us-west-2"]), ("aws-interconnect", ["us-east-1", "us-west-1", "us-west-2"])],
)
def test_what_it_was_making_is_told_with_where_to_look_and_forgotten(
    stack: str, regions: list[str], states: dict[str, dict[str, Any]]
) -> None:
    states[stack] = killed("Vpc::one", "Subnet::two")
    (said,) = told()
    assert f"{stack}: an engine that was killed was making Vpc one, Subnet two" in said
    assert [each for each in ("us-east-1", "us-west-1", "us-west-2") if f"--region {each}" in said] == regions
    assert "again" in states[stack]


def test_what_it_was_changing_is_known_by_its_id(states: dict[str, dict[str, Any]]) -> None:
    states["aws-east"] = killed("Vpc::one", kind="updating")
    assert told() == []
    assert "again" in states["aws-east"]


def test_states_without_anything_pending_are_left_as_they_are(states: dict[str, dict[str, Any]]) -> None:
    states["aws-east"] = {"deployment": {"resources": [{}]}}
    assert told() == []
    assert "again" not in states["aws-east"]


def test_what_a_lab_makes_is_found_by_its_name(states: dict[str, dict[str, Any]]) -> None:
    states["lab-east"] = killed("Host::east-na1")
    assert unfinished.forgotten(Workspace("lab"), LAB, site_stacks(LAB)) == []
