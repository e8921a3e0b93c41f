"""The preview report: what of outcomes it tells, merging, and that no secret is in it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mirrorforce import engine, secrets
from mirrorforce.engine import Outcome
from mirrorforce.engine_cli import Answer
from mirrorforce.engine_events import Finding
from mirrorforce.errors import BadInputError
from mirrorforce.operations import preview as operation
from mirrorforce.previews import report
from mirrorforce.workspace import Workspace
from tests import preview_samples as samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPERATIONS = st.sampled_from(
    ["create", "update", "replace", "delete", "create-replacement", "delete-replaced", "import"]
)
STEPS = st.builds(
    samples.step,
    OPERATIONS,
    st.sampled_from(["Volume", "Instance", "Route", "Host", "Key"]),
    st.sampled_from(["east-na1", "east-na1-data", "west-control", "dev-app", "gone-na1"]),
    protected=st.booleans(),
)


def require_valid(document: object) -> None:
    schema = json.loads(operation.SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)


@given(st.lists(STEPS, max_size=12), st.lists(STEPS, max_size=3))
def test_any_outcome_makes_a_valid_report_in_which_each_resource_is_told_once(
    changed: list[Any], losses: list[Any]
) -> None:
    refused = tuple(replace(step, operation="delete") for step in losses)
    finding = Finding("aws-east", "rule", True, "", "text")  # noqa: FBT003
    outcome = Outcome("aws-east", tuple(changed), 1.0, refused[:1], (finding,), ("lost",))
    document = samples.report([outcome], samples.CONFIGURATION)
    require_valid(document)
    require_valid(json.loads(json.dumps(document)))
    (stack,) = document["stacks"]
    told = [
        (group, item["kind"], item["name"])
        for group in ("created", "updated", "replaced", "deleted")
        for item in stack[group]
    ]
    unrefused = [(kind, name) for _, kind, name in told]
    assert {(step.kind, step.name) for step in (*changed, *refused[:1])} >= set(unrefused)
    assert {step.name for step in (*changed, *refused[:1])} == {name for _, name in unrefused}
    assert len(told) == len(set(told))


def test_what_is_read_first_is_in_the_order_of_its_weight() -> None:
    outcome = Outcome(
        "aws-east",
        (
            samples.step("update", "Instance", "east-control", "instanceType"),
            samples.step("update", "Instance", "east-na1", "instanceType"),
            samples.step("delete", "Key", "east"),
        ),
        1.0,
    )
    first = samples.report([outcome], samples.CONFIGURATION)["first"]
    assert [each["weight"] for each in first] == ["data", "switchover", "restart", "restart"]


STACKS = ("aws-east", "aws-west")


def test_reports_of_single_stacks_make_the_report_of_all() -> None:
    west = Outcome("aws-west", (samples.step("create", "Route", "west-a"),), 9.0)
    outcomes = [samples.REPLACED_VOLUME, west]
    single = [samples.report([outcome]) for outcome in outcomes]
    compared = samples.report([], samples.CONFIGURATION)
    assert report.merged([*single, compared], STACKS) == samples.report(outcomes, samples.CONFIGURATION)
    assert report.merged([compared], STACKS) == compared
    other = report.Configuration(replace(samples.MAIN, commit="f" * 40))
    with pytest.raises(ValueError, match="revision"):
        report.merged([compared, samples.report([], other)], STACKS)
    with pytest.raises(ValueError, match="lab"):
        report.merged([single[0], single[1] | {"environment": "lab"}], STACKS)


def test_a_stack_of_which_no_report_came_in_counts_as_failed() -> None:
    merged = report.merged([samples.report([samples.REPLACED_VOLUME])], STACKS)
    require_valid(merged)
    assert [stack["stack"] for stack in merged["stacks"]] == list(STACKS)
    assert "no preview of it came in" in merged["stacks"][1]["errors"][0]
    assert report.failed(merged)


def test_merging_asks_for_reports_of_this_version(tmp_path: Path) -> None:
    file = tmp_path / "east.json"
    for text in ("{", '{"version": 1}'):
        file.write_text(text)
        with pytest.raises(BadInputError, match=r"east\.json is no preview"):
            operation.merge([file])
    file.write_text(json.dumps(samples.report([samples.REPLACED_VOLUME])))
    assert operation.merge([file])["stacks"][0]["stack"] == "aws-east"


def test_whatever_pulumi_says_no_secret_is_in_the_report() -> None:
    known = secrets.generate(samples.ESTATE)
    hidden = dict(operation.hidden(asdict(known), "secrets"))
    password = known.cells["na1"].rest_password
    told = (f"it has {password} and\n{known.ca_key}", known.ssh_private_key.splitlines()[2])
    document = samples.report([Outcome("aws-east", (), 1.0, errors=told)])
    text = json.dumps(report.without(document, hidden))
    for secret in (password, *known.ca_key.splitlines()[1:-1], *known.ssh_private_key.splitlines()[1:-1]):
        assert secret not in text
    assert "<secrets.cells.na1.rest_password>" in text
    assert known.ssh_public_key not in hidden


def test_stacks_are_chosen_by_name_in_their_order() -> None:
    assert operation.chosen(samples.ESTATE, ()) == tuple(map(str, engine.stacks_of(samples.ESTATE)))
    assert operation.chosen(samples.ESTATE, ("aws-interconnect", "aws-east")) == (
        "aws-east",
        "aws-interconnect",
    )
    with pytest.raises(BadInputError, match="did you mean 'aws-east'"):
        operation.chosen(samples.ESTATE, ("aws-eats",))


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        (Answer(0, "", ""), ()),
        (Answer(7, "", ""), ()),
        (Answer(6, "", "no stack"), ("there is no stack aws-east",)),
        (Answer(255, "", "error: no credentials"), ("pulumi preview of aws-east failed:\nno credentials",)),
    ],
)
def test_a_look_at_a_stack_tells_what_went_wrong_and_raises_nothing(
    answer: Answer, errors: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(_ws: Workspace, arguments: list[str], on_line: Callable[[str], object], **_: object) -> Answer:
        assert arguments[:3] == ["preview", "--stack", "aws-east"]
        on_line(json.dumps({"policyEvent": {"policyName": "rule", "enforcementLevel": "advisory"}}))
        return answer

    monkeypatch.setattr(engine, "call", call)
    found = engine.look(Workspace("aws"), "aws-east")
    assert found.errors == errors
    assert [finding.rule for finding in found.findings] == ["rule"]
