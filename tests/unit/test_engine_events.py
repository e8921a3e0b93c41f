from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.engine_events import Account, Step

URN = (
    "urn:pulumi:lab-east::mirrorforce::mirrorforce:site:Site$pulumi-python:dynamic/mirrorforce:Host::east-na1"
)


def line(kind: str, operation: str, *, type_: str = "pulumi-python:dynamic/mirrorforce:Host") -> str:
    return json.dumps({"sequence": 1, kind: {"metadata": {"op": operation, "urn": URN, "type": type_}}})


def said(text: str, *, severity: str = "error", urn: str = "") -> str:
    return json.dumps({"diagnosticEvent": {"severity": severity, "message": text, "urn": urn}})


def test_a_step_names_the_operation_and_the_resource_by_its_last_names() -> None:
    step = Account("lab-east").take(line("resourcePreEvent", "create"))
    assert step == Step("lab-east", "create", "Host", "east-na1", "started")
    assert str(step) == "create Host east-na1"


def test_only_operations_that_ended_and_change_something_count_as_changes() -> None:
    account = Account("lab-east")
    for kind, operation in [
        ("resourcePreEvent", "create"),
        ("resOutputsEvent", "create"),
        ("resOutputsEvent", "same"),
        ("resOutputsEvent", "refresh"),
        ("resOpFailedEvent", "update"),
    ]:
        account.take(line(kind, operation))
    assert [str(step) for step in account.changed] == ["create Host east-na1"]


def stopped_instance() -> str:
    kind = "aws:ec2/instance:Instance"
    metadata = {
        "op": "same", "urn": URN, "type": kind,
        "old": {"outputs": {"instanceState": "running", "privateDns": "a"}},
        "new": {"outputs": {"instanceState": "stopped", "privateDns": "b"}},
    }  # fmt: skip
    return json.dumps({"resOutputsEvent": {"metadata": metadata}})


def test_a_refresh_tells_of_a_host_that_somebody_stopped_though_nobody_declares_that_it_runs() -> None:
    account = Account("aws-east", looks=True)
    account.take(stopped_instance())
    (found,) = account.changed
    assert (found.operation, found.diffs) == ("update", ("instanceState",))


def test_a_preview_does_not_since_up_would_not_start_it() -> None:
    account = Account("aws-east")
    account.take(stopped_instance())
    assert account.changed == ()


def test_the_stack_as_a_whole_is_no_step() -> None:
    assert Account("lab-east").take(line("resOutputsEvent", "create", type_="pulumi:pulumi:Stack")) is None


def test_an_error_names_its_resource_without_the_engines_own_words() -> None:
    account = Account("lab-east")
    account.take(said("Exception calling application: no space left\n  next: free some", urn=URN))
    account.take(said("update failed"))
    account.take(said("an unhandled error occurred: the program ended early: exit status 1"))
    account.take(said("registering", severity="debug"))
    assert account.errors == ["east-na1: no space left\n  next: free some"]


@given(st.one_of(st.text(), st.sampled_from(["null", "[]", "3", "{}", '"x"'])))
def test_lines_that_are_no_event_are_passed_over(text: str) -> None:
    account = Account("lab-east")
    assert account.take(text) is None
    assert not account.errors
    assert not account.steps


def test_what_breaks_a_guard_rail_is_an_error_and_what_only_warns_is_none() -> None:
    account = Account("aws-east")
    for level in ("mandatory", "advisory"):
        violation = {"policyName": level, "enforcementLevel": level, "message": "It is open.\nVolume v\n"}
        assert account.take(json.dumps({"policyEvent": violation})) is None
    assert account.errors == ["guard rail mandatory: It is open.\nVolume v"]
