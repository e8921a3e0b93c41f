from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrorforce import (
    dns_variables,
    estate_file,
    etcd_variables,
    placement,
    postgres_variables,
    role_variables,
    rotation,
    secrets,
)
from mirrorforce.drift import masks, rotating
from mirrorforce.errors import BadInputError
from mirrorforce.operations import secrets_list, secrets_rotate, secrets_trials
from mirrorforce.operations.probing import Probe
from mirrorforce.rotation import Kind
from mirrorforce.secrets import Stage
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from mirrorforce.rotation import Secret
    from mirrorforce.secrets import EstateSecrets

ESTATE = estate_file.load(Path(__file__).parents[2] / "stacks" / "lab.yaml")
HOSTS = placement.hosts(ESTATE)
APPLICATION = next(host for host in HOSTS if host.role == "application")
KNOWN = secrets.generate(ESTATE)
ALL = rotation.of(ESTATE)
NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
PRIMARIES = {"na1": "east-na1", "na2": "west-na2"}


def one(name: str) -> Secret:
    return next(each for each in ALL if each.name == name)


def stages(found: EstateSecrets, secret: Secret) -> list[EstateSecrets]:
    """The secrets at each stage of a rotation, from before it to after it."""
    path = [found]
    while secret.name in path[-1].changes or len(path) == 1:
        path.append(rotation.advanced(path[-1], secret, "lab", NOW))
    return path


def accepted(found: EstateSecrets, secret: Secret) -> set[Any]:
    """Who is let in: what every acceptor of the secret is told."""
    part = secret.name.removeprefix(f"{secret.cell}-")
    if secret.kind is Kind.SSH_KEY:
        return set(rotation.authorized_keys(found).splitlines())
    if secret.kind is Kind.AUTHORITY:
        return {
            text.strip() for text in rotation.authorities(found).split("-----END CERTIFICATE-----\n") if text
        }
    if "etcd" in secret.tags:
        role = {"etcd-watcher": "watcher", "etcd": secret.cell, "etcd-agent": f"{secret.cell}_agent"}[part]
        users = etcd_variables.users(ESTATE, found)
        return {(user["name"], user["password"]) for user in users if user["role"] == role}
    return {(each["user"], each["password"]) for each in postgres_variables.logins(secret.cell, part, found)}


def shown(found: EstateSecrets, secret: Secret) -> Any:  # noqa: ANN401 - as it is shown
    """What is shown to get in: by whoever uses the secret."""
    part = secret.name.removeprefix(f"{secret.cell}-")
    if secret.kind is Kind.SSH_KEY:
        return found.ssh_public_key.strip()
    if secret.kind is Kind.AUTHORITY:
        return found.ca_certificate.split("-----END CERTIFICATE-----\n")[0].strip()
    value = next(iter(rotation.value(found, secret).values()))
    users = {
        "etcd-watcher": etcd_variables.watcher_user(found),
        "etcd": etcd_variables.cell_user(secret.cell or "na1", found),
        "etcd-agent": etcd_variables.agent_user(secret.cell or "na1", found),
    }
    return users.get(part) or rotation.user(part, secret.name, found), value


OVERLAPPING = [each for each in ALL if not each.at_once and each.kind is not Kind.CERTIFICATES]


@pytest.mark.parametrize("secret", OVERLAPPING, ids=lambda each: each.name)
def test_nobody_ever_shows_what_somebody_one_stage_away_does_not_accept(secret: Secret) -> None:
    """Hosts are converged in any order: those of two stages that follow each other work together."""
    path = stages(KNOWN, secret)
    # And once more from there: with the second of two users in use.
    path += stages(path[-1], secret)[1:]
    for earlier, later in pairwise(path):
        assert shown(earlier, secret) in accepted(later, secret)
        assert shown(later, secret) in accepted(earlier, secret)
    assert len({str(shown(each, secret)) for each in (path[0], path[-1])}) == 2


@pytest.mark.parametrize("secret", ALL, ids=lambda each: each.name)
def test_after_a_rotation_only_the_new_value_is_left(secret: Secret) -> None:
    after = stages(KNOWN, secret)[-1]
    assert after.changes == {}
    old, new = rotation.value(KNOWN, secret), rotation.value(after, secret)
    assert all(old[name] != new[name] for name in secret.fields)
    text = secrets.to_json(after)
    assert not [value for value in old.values() if value in text]
    assert after.dates[secret.name] == NOW.isoformat(timespec="seconds")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
@given(order=st.lists(st.sampled_from(ALL), max_size=8))
def test_secrets_at_any_stages_are_a_document_a_declared_state_and_masked(order: list[Secret]) -> None:
    found = KNOWN
    for secret in order:
        found = rotation.advanced(found, secret, "lab", NOW)
    assert secrets.from_json(secrets.to_json(found)) == found
    for host in HOSTS:
        role_variables.for_host(ESTATE, HOSTS, host, found)
    hidden = set(masks.values_of(found))
    for change in found.changes.values():
        assert not [v for name, v in change.other.items() if name not in secrets.PUBLIC and v not in hidden]
        assert not [v for name, v in change.other.items() if name not in secrets.PUBLIC and v in repr(found)]
    assert {"offered", "switched", "dropped"}.isdisjoint(hidden)


def test_a_switch_changes_nothing_for_those_who_accept_both() -> None:
    secret = one("ca")
    offered, switched = stages(KNOWN, secret)[1:3]
    assert rotation.authorities(offered) == rotation.authorities(switched)
    for name in ("ssh-key", "na1-etcd", "na1-application"):
        offered, switched = stages(KNOWN, one(name))[1:3]
        host = next(each for each in HOSTS if each.role == ("control" if "etcd" in name else "database"))
        before, after = (role_variables.for_host(ESTATE, HOSTS, host, each) for each in (offered, switched))
        differing = {key for key in before if before[key] != after[key]}
        assert not differing, (name, differing)


def test_the_password_file_lists_both_users_before_the_service_names_the_new_one() -> None:
    before, offered, switched, *_rest = stages(KNOWN, one("na1-application"))
    told = [dns_variables.application(ESTATE, APPLICATION, each) for each in (before, offered, switched)]
    users = [
        next(service["user"] for service in each["application_services"] if service["name"] == "na1")  # type: ignore[attr-defined]
        for each in told
    ]
    assert users == ["application", "application", "application_2"]
    listed = [{login["user"] for login in each["application_passwords"]["na1"]} for each in told]  # type: ignore[index]
    assert listed == [{"application"}, {"application", "application_2"}, {"application", "application_2"}]


def test_a_plan_finishes_what_is_half_done_and_begins_nothing_twice() -> None:
    half = rotation.advanced(KNOWN, one("ca"), "lab", NOW)
    todo = secrets_rotate.plan(ESTATE, half, ["ca", "ssh-key"])
    assert [each.name for each in todo.taken_up] == ["ca"]
    assert [each.name for each in todo.new] == ["ssh-key"]


def test_a_cells_name_stands_for_its_secrets_and_no_name_for_all() -> None:
    assert {each.cell for each in secrets_rotate.chosen(ESTATE, ["na2"])} == {"na2"}
    assert secrets_rotate.chosen(ESTATE, []) == ALL


def test_an_unknown_name_gets_the_nearest_right_one() -> None:
    with pytest.raises(BadInputError) as refused:
        secrets_rotate.plan(ESTATE, KNOWN, ["na1-aplication"])
    assert refused.value.next_step == "did you mean 'na1-application'?"


def test_what_is_half_done_of_a_cell_that_is_gone_is_refused() -> None:
    half = rotation.advanced(KNOWN, one("na2-etcd"), "lab", NOW)
    fewer = replace(ESTATE, cells=ESTATE.cells[:1])
    with pytest.raises(BadInputError, match="na2-etcd is half rotated"):
        secrets_rotate.plan(fewer, half, [])


def test_drift_names_what_is_half_done() -> None:
    half = rotation.advanced(KNOWN, one("ssh-key"), "lab", NOW)
    (finding,) = rotating.findings("lab", half)
    assert (finding.item, finding.severity) == ("secret ssh-key", "serious")
    assert list(rotating.findings("lab", KNOWN)) == []


@pytest.mark.parametrize("secret", ALL, ids=lambda each: each.name)
def test_old_values_are_tried_and_have_to_be_refused_at_the_last_stage(secret: Secret) -> None:
    last = stages(KNOWN, secret)[-2]
    doors = list(secrets_trials.doors(ESTATE, HOSTS, last, secret, PRIMARIES))
    shut = [door for door in doors if not door.opens]
    # The ssh key and certificates are tried otherwise; the superuser comes in by no door at all.
    if secret.kind in {Kind.SSH_KEY, Kind.CERTIFICATES} or secret.name.endswith("-superuser"):
        assert doors == []
        return
    assert shut
    assert len({door.attempt["id"] for door in doors}) == len(doors)
    assert not [door for door in doors if door.fault(None) is None]


def test_a_door_that_is_shut_for_another_reason_proves_nothing() -> None:
    door = secrets_trials.Door("east-control", {"id": "x"}, opens=False, because="HTTP 401")
    assert door.fault({"got_in": False, "said": "HTTP 401 no"}) is None
    assert door.fault({"got_in": False, "said": "timed out"}) is not None
    assert door.fault({"got_in": True, "said": "HTTP 200"}) is not None


def test_the_list_is_valid_and_shows_no_value() -> None:
    half = rotation.advanced(KNOWN, one("ca"), "lab", NOW)
    probes = {
        "east-control": Probe(
            "east-control",
            sections={"certificates": {"files": {"/etc/mirrorforce/pki/host.crt": KNOWN.ca_certificate}}},
        ),
        "west-na1": Probe("west-na1", reason="no answer"),
    }
    found = secrets_list.report("lab", ESTATE, half, probes, NOW)
    schema = json.loads((ROOT / "schemas" / "secrets.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(found)
    assert [each["name"] for each in found["secrets"]] == [each.name for each in ALL]
    assert found["silent"] == ["west-na1"]
    rows = {each["name"]: each for each in found["secrets"]}
    assert rows["ca"]["half_rotated"] == {"stage": Stage.OFFERED, "since": half.changes["ca"].since}
    assert rows["certificates"]["days_left"] > 3000
    assert not [value for value in masks.values_of(half) if value in str(found)]


def test_secrets_written_before_there_were_rotations_are_read() -> None:
    document = json.loads(secrets.to_json(KNOWN))
    for new in ("changes", "dates", "second_logins", "certificates_since"):
        del document[new]
    found = secrets.from_json(json.dumps(document))
    assert rotation.made(found, "ca") == ""
    assert replace(found, dates=KNOWN.dates) == KNOWN
