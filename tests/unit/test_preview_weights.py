"""What weighs how much, for whoever approves a change."""

from __future__ import annotations

import pytest

from mirrorforce import placement
from mirrorforce.previews import weights
from tests.preview_samples import ESTATE, step

HOSTS = {host.name: host for host in placement.hosts(ESTATE)}


@pytest.mark.parametrize(
    ("operation", "kind", "name", "diffs", "weight"),
    [
        ("create", "Volume", "east-na1-data", (), "none"),
        ("delete", "Volume", "east-na1-data", (), "data"),
        ("replace", "Volume", "east-na1-data", (), "data"),
        ("update", "Volume", "east-na1-data", ("size",), "data"),
        ("delete", "VolumeAttachment", "east-na1-data", (), "data"),
        ("delete", "Key", "east", (), "data"),
        ("replace", "Instance", "east-na1", (), "data"),
        ("delete", "Instance", "east-control", (), "data"),
        ("replace", "Instance", "dev-app", (), "restart"),
        ("delete", "Instance", "gone-na1", (), "data"),
        ("update", "Instance", "east-na1", ("instanceType",), "switchover"),
        ("update", "Instance", "east-control", ("instanceType",), "restart"),
        ("update", "Instance", "east-na1", ("tags",), "none"),
        ("replace", "Host", "east-na1", (), "data"),
        ("update", "Host", "east-na1", ("volumes",), "data"),
        ("update", "Host", "east-na1", ("running",), "restart"),
        ("update", "Host", "east-na1", ("address",), "switchover"),
        ("update", "Instance", "east-na1", (), "switchover"),
        ("update", "SecurityGroup", "east-control", ("description",), "none"),
        ("delete", "Route", "east-a", (), "none"),
    ],
)
def test_a_step_weighs_by_what_it_does_to_what(
    operation: str, kind: str, name: str, diffs: tuple[str, ...], weight: str
) -> None:
    judgement = weights.of_step(operation, step(operation, kind, name, *diffs), HOSTS)
    assert judgement.weight == weight
    assert bool(judgement.why) == (weight != "none")


def test_what_is_protected_holds_data_whatever_it_is() -> None:
    unknown = step("delete", "Novelty", "east-novelty", protected=True)
    assert weights.of_step("delete", unknown, HOSTS).weight == "data"
    assert weights.of_step("delete", step("delete", "Novelty", "east-novelty"), HOSTS).weight == "none"


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("synchronous_mode_strict", "data"),
        ("fsync", "data"),
        ("wal_level", "data"),
        ("max_connections", "switchover"),
        ("shared_buffers", "switchover"),
        ("work_mem", "none"),
        ("loop_wait", "none"),
    ],
)
def test_a_setting_weighs_by_what_it_takes(name: str, weight: str) -> None:
    assert weights.of_setting(name).weight == weight


def test_patroni_asks_for_a_switchover_and_a_deferred_unit_for_a_start() -> None:
    assert weights.of_unit("patroni.service", deferred=True).weight == "switchover"
    assert weights.of_unit("srv-postgres-data.mount", deferred=True).weight == "restart"
    assert "one after the other" in weights.of_unit("etcd.service", deferred=False).why
