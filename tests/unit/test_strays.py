from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.operations.strays import KINDS, Kind, creations_pending, unknown

VPC = "urn:pulumi:aws-east::mirrorforce::mirrorforce:aws:Site$aws:ec2/vpc:Vpc::aws-east"
IDS = st.integers(1, 999).map("x-{:03}".format)
TAGGED = st.lists(st.tuples(st.sampled_from(KINDS), IDS))


def exported(*operations: tuple[str, str]) -> dict[str, Any]:
    pending = [{"resource": {"urn": urn}, "type": kind} for kind, urn in operations]
    return {"deployment": {"pending_operations": pending}}


def test_what_was_being_made_is_named_by_its_type_and_name() -> None:
    assert creations_pending(exported(("creating", VPC))) == ["Vpc aws-east"]


def test_what_was_being_changed_or_deleted_has_an_id_and_is_known() -> None:
    assert creations_pending(exported(("updating", VPC), ("deleting", VPC))) == []


def test_a_stack_that_was_never_up_was_making_nothing() -> None:
    assert creations_pending({"deployment": {}}) == []


@given(TAGGED, st.sets(IDS))
def test_left_is_what_no_state_holds(tagged: list[tuple[Kind, str]], known: set[str]) -> None:
    state = json.dumps([{"outputs": {"rootBlockDevice": each}} for each in known])
    found = unknown("us-east-1", tagged, state)
    assert [(each.kind, each.id) for each in found] == [pair for pair in tagged if pair[1] not in known]


def test_a_command_deletes_what_is_left() -> None:
    subnet = next(kind for kind in KINDS if kind.name == "subnet")
    (stray,) = unknown("us-east-1", [(subnet, "subnet-1")], "{}")
    assert stray.deletion == "aws ec2 --region us-east-1 delete-subnet --subnet-id subnet-1"
    assert str(stray) == "subnet subnet-1 in us-east-1"
