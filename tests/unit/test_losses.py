from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from mirrorforce import engine, estate_file, placement
from mirrorforce.engine import Outcome
from mirrorforce.engine_events import Account, Step
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import losses, plan
from mirrorforce.progress import Phases
from mirrorforce.stack_names import site_stacks
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirrorforce.estate import Estate

ESTATE = estate_file.load(ROOT / "stacks" / "aws.yaml")
HOSTS = placement.hosts(ESTATE)
LAB = estate_file.load(ROOT / "stacks" / "lab.yaml")


def urn(name: str, kind: str = "aws:ebs/volume:Volume") -> str:
    return f"urn:pulumi:aws-east::mirrorforce::mirrorforce:site:Site${kind}::{name}"


def event(
    key: str, operation: str, name: str, *, protect: bool | None, kind: str = "aws:ebs/volume:Volume"
) -> str:
    old: dict[str, Any] | None = None if protect is None else {"protect": protect}
    metadata = {"op": operation, "urn": urn(name, kind), "type": kind, "old": old, "diffs": ["size"]}
    return json.dumps({key: {"metadata": metadata}})


def refusal(name: str, words: str) -> str:
    text = f'resource "{urn(name)}" {words}'
    return json.dumps({"diagnosticEvent": {"severity": "error", "message": text, "urn": urn(name)}})


def account(lines: Iterable[str]) -> Account:
    found = Account("aws-east")
    for line in lines:
        found.take(line)
    return found


def outcome(*lost: tuple[str, str], changed: tuple[Step, ...] = (), stack: str = "aws-east") -> Outcome:
    steps = tuple(
        Step(stack, "replace", kind, name, "done", urn(name), protected=True) for kind, name in lost
    )
    return Outcome(stack, changed, 1.0, steps)


def stopped(name: str) -> Outcome:
    site = next(host.site for host in HOSTS if host.name == name)
    stack = f"aws-{site}"
    step = Step(stack, "update", "Instance", name, "done", urn(name), protected=True, diffs=("instanceType",))
    return Outcome(stack, (step,), 1.0)


def test_a_replacement_of_what_is_protected_is_one_loss() -> None:
    found = account(
        [
            event("resourcePreEvent", "delete-replaced", "east-na1-data", protect=True),
            event("resOutputsEvent", "delete-replaced", "east-na1-data", protect=True),
            event("resOutputsEvent", "replace", "east-na1-data", protect=True),
            event("resOutputsEvent", "create-replacement", "east-na1-data", protect=True),
            refusal("east-na1-data", "as it is currently marked for protection."),
        ]
    )
    assert [str(loss) for loss in found.losses] == ["replace Volume east-na1-data"]
    assert not found.errors
    assert len(found.refusals) == 1


def test_a_delete_that_the_engine_refuses_is_a_loss_though_it_never_ended() -> None:
    found = account(
        [
            event("resourcePreEvent", "delete", "east-na1-wal", protect=True),
            refusal("east-na1-wal", "cannot be deleted\nbecause it is protected. To unprotect …"),
        ]
    )
    assert [str(loss) for loss in found.losses] == ["delete Volume east-na1-wal"]
    assert not found.errors


@pytest.mark.parametrize(
    ("operation", "protect"), [("update", True), ("same", True), ("replace", False), ("create", None)]
)
def test_what_stays_or_was_never_protected_is_no_loss(operation: str, protect: bool | None) -> None:  # noqa: FBT001
    assert not account([event("resOutputsEvent", operation, "east-na1-data", protect=protect)]).losses


def test_another_error_beside_a_refusal_stays_an_error() -> None:
    found = account(
        [
            event("resourcePreEvent", "delete", "east-na1-wal", protect=True),
            json.dumps({"diagnosticEvent": {"severity": "error", "message": "no credentials", "urn": ""}}),
        ]
    )
    assert found.errors == ["no credentials"]


def test_losses_that_nobody_confirmed_are_all_told_with_the_words_that_confirm_them() -> None:
    outcomes = [outcome(("Volume", "east-na1-data"), ("Instance", "east-na1")), outcome(stack="aws-west")]
    with pytest.raises(MirrorforceError) as caught:
        losses.confirmed("aws", outcomes, {"east-na1"})
    assert "nothing was changed" in caught.value.message
    assert "aws-east: replace Volume east-na1-data" in caught.value.message
    assert "replace Instance east-na1\n" not in caught.value.message + "\n"
    assert "--accept-loss east-na1-data --accept-loss east-na1" in caught.value.next_step


def test_confirmed_losses_are_let_go_of_stack_by_stack() -> None:
    west = replace(outcome(("Volume", "west-na1-data")), stack="aws-west")
    west = replace(west, losses=tuple(replace(loss, stack="aws-west") for loss in west.losses))
    found = losses.confirmed(
        "aws", [outcome(("Instance", "east-na1")), west], {"east-na1", "west-na1-data", "more"}
    )
    assert found == {"aws-east": [urn("east-na1")], "aws-west": [urn("west-na1-data")]}


def test_without_losses_there_is_nothing_to_confirm() -> None:
    assert losses.confirmed("aws", [outcome()], ()) == {}


def test_members_of_a_cell_in_two_sites_are_not_stopped_at_the_same_time() -> None:
    with pytest.raises(MirrorforceError) as caught:
        losses.require_rolling(ESTATE, HOSTS, [stopped("east-na1"), stopped("west-na1")])
    assert "2 members of the cell na1" in caught.value.message
    assert "sites.east.aws.instance_types" in caught.value.next_step


def test_members_of_a_cell_are_not_replaced_at_the_same_time_though_each_is_confirmed() -> None:
    both = [outcome(("Instance", "east-na1")), outcome(("Instance", "west-na1"), stack="aws-west")]
    with pytest.raises(MirrorforceError, match="2 members of the cell na1"):
        losses.require_rolling(ESTATE, HOSTS, both)
    losses.require_rolling(ESTATE, HOSTS, both[:1])


def test_two_voters_are_not_stopped_at_the_same_time() -> None:
    with pytest.raises(MirrorforceError, match="2 voters of etcd"):
        losses.require_rolling(ESTATE, HOSTS, [stopped("west-control"), stopped("legacy-control")])


def test_hosts_that_do_not_stand_in_for_each_other_may_stop_at_the_same_time() -> None:
    losses.require_rolling(ESTATE, HOSTS, [stopped("east-na1"), stopped("east-na2"), stopped("east-control")])


def test_a_change_that_needs_no_stop_stops_nobody() -> None:
    step = Step("aws-east", "update", "Instance", "east-na1", "done", diffs=("tags",))
    other = replace(step, stack="aws-west", name="west-na1")
    losses.require_rolling(ESTATE, HOSTS, [Outcome("aws-east", (step,), 1), Outcome("aws-west", (other,), 1)])


def test_a_host_may_be_renewed_but_not_a_voter_nor_what_aws_does_not_have() -> None:
    plan.require_renewable(ESTATE, plan.Consent(renewed_images=("east-na1", "dev-app")))
    with pytest.raises(BadInputError, match="vote in etcd"):
        plan.require_renewable(ESTATE, plan.Consent(renewed_images=("east-control",)))
    with pytest.raises(BadInputError, match="no host 'east-na9'"):
        plan.require_renewable(ESTATE, plan.Consent(renewed_images=("east-na9",)))
    with pytest.raises(BadInputError, match="east-na1 is on lab"):
        plan.require_renewable(LAB, plan.Consent(renewed_images=("east-na1",)))


def test_the_program_is_told_whom_to_renew_and_of_nothing_else() -> None:
    assert plan.NOTHING.variables == {}
    assert plan.Consent(("x",), ("east-na1", "dev-app")).variables == {
        "MIRRORFORCE_RENEW_IMAGES": "east-na1,dev-app"
    }


class Engine:
    """The engine as a look at the plan uses it."""

    def __init__(self, *outcomes: Outcome, states: Mapping[str, dict[str, Any]] | None = None) -> None:
        self.outcomes = {each.stack: each for each in outcomes}
        self.states = states or {}
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.unprotected: list[tuple[str, list[str]]] = []

    def preview(
        self, _ws: Workspace, stack: str, *, public_key: str, variables: Mapping[str, str]
    ) -> Outcome:
        assert public_key == "key"
        self.asked.append((stack, variables))
        return self.outcomes.get(stack, Outcome(stack, (), 1.0))

    def exported(self, _ws: Workspace, stack: str) -> dict[str, Any]:
        return self.states.get(stack, {"deployment": {"resources": [{}]}})

    def unprotect(self, _ws: Workspace, stack: str, urns: Sequence[str]) -> None:
        self.unprotected.append((stack, list(urns)))


def look(
    monkeypatch: pytest.MonkeyPatch, fake: Engine, consent: plan.Consent, estate: Estate = ESTATE
) -> str:
    said = io.StringIO()
    monkeypatch.setattr(engine, "preview", fake.preview)
    monkeypatch.setattr(engine, "unprotect", fake.unprotect)
    monkeypatch.setattr(engine, "exported", fake.exported)
    phases = Phases(Console(file=said, width=1000))
    plan.look_first(Workspace(estate.name), estate, "key", consent, phases, site_stacks(estate))
    return said.getvalue()


def test_a_plan_is_looked_at_in_every_sites_stack_before_anything_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = Engine(outcome(("Volume", "east-na1-data"), ("Volume", "east-na1-wal")))
    with pytest.raises(MirrorforceError, match="east-na1-wal"):
        look(monkeypatch, fake, plan.Consent(("east-na1-data",)))
    assert sorted(stack for stack, _ in fake.asked) == ["aws-dev", "aws-east", "aws-legacy", "aws-west"]
    assert not fake.unprotected
    said = look(monkeypatch, fake, plan.Consent(("east-na1-data", "east-na1-wal", "west-na1-wal")))
    assert fake.unprotected == [("aws-east", [urn("east-na1-data"), urn("east-na1-wal")])]
    assert "west-na1-wal: nothing of it is lost" in said


def test_whoever_names_a_host_to_be_renewed_has_confirmed_that_it_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = Engine(outcome(("Instance", "east-na1")))
    look(monkeypatch, fake, plan.Consent(renewed_images=("east-na1",)))
    assert fake.unprotected == [("aws-east", [urn("east-na1")])]
    assert all(variables == {"MIRRORFORCE_RENEW_IMAGES": "east-na1"} for _, variables in fake.asked)


def test_a_lab_needs_no_look_at_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Engine()
    look(monkeypatch, fake, plan.NOTHING, LAB)
    assert not fake.asked


def test_a_stack_with_nothing_in_it_has_nothing_to_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Engine(states={"aws-east": {"deployment": {}}, "aws-dev": {"deployment": {"resources": []}}})
    look(monkeypatch, fake, plan.NOTHING)
    assert sorted(stack for stack, _ in fake.asked) == ["aws-legacy", "aws-west"]
