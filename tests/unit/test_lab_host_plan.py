"""What has to happen to a host to bring it to its spec."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.errors import BadInputError
from mirrorforce.lab.host_plan import HostPlan, plan
from mirrorforce.lab.specs import HostSpec, VolumeSpec

DATA = VolumeSpec("data", "/srv/data", 64)
WAL = VolumeSpec("wal", "/srv/wal", 32)
SPEC = HostSpec(
    "lab", "east", "east-na1", "lab.test", "198.18.1.11", 24, "198.18.1.1", "/image", "key", (DATA, WAL)
)


def steps(
    wanted: HostSpec,
    present: HostSpec = SPEC,
    recorded: HostSpec = SPEC,
    *,
    running: bool = True,
    grows_mounted: bool = True,
) -> HostPlan:
    return plan(wanted, present, recorded, running=running, grows_mounted=grows_mounted)


def test_a_host_as_declared_is_left_alone() -> None:
    assert steps(SPEC) == HostPlan()


def test_a_host_that_is_gone_is_created_and_started() -> None:
    found = plan(SPEC, None, None, running=False, grows_mounted=True)
    assert found == HostPlan(create=True, make=(DATA, WAL), start=True)


def test_a_host_without_power_is_only_started() -> None:
    assert steps(SPEC, running=False) == HostPlan(start=True)


def test_a_newer_image_leaves_a_host_that_exists_alone() -> None:
    assert steps(replace(SPEC, image="/newer")) == HostPlan()


@pytest.mark.parametrize(
    "change", [{"address": "198.18.1.12"}, {"authorized_key": "other"}, {"domain": "other.test"}]
)
def test_another_identity_takes_a_restart_in_good_order(change: dict[str, str]) -> None:
    found = steps(replace(SPEC, **change))  # type: ignore[arg-type]
    assert found == HostPlan(stop=True, rewrite_identity=True, start=True)


def test_a_key_that_role_base_wrote_while_the_host_ran_takes_no_restart() -> None:
    rotated = replace(SPEC, authorized_key="other")
    assert steps(rotated, present=rotated) == HostPlan()
    assert steps(rotated, present=rotated, running=False) == HostPlan(start=True)


def test_an_address_that_somebody_changed_by_hand_is_put_back() -> None:
    found = steps(SPEC, present=replace(SPEC, address="0.0.0.0"))  # noqa: S104  no address
    assert found == HostPlan(stop=True, rewrite_identity=True, start=True)


def test_a_larger_volume_grows_without_a_restart() -> None:
    larger = replace(DATA, size_mib=128)
    assert steps(replace(SPEC, volumes=(larger, WAL))) == HostPlan(grow=(larger,))


def test_a_larger_volume_takes_a_restart_where_mounted_ones_cannot_grow() -> None:
    larger = replace(DATA, size_mib=128)
    found = steps(replace(SPEC, volumes=(larger, WAL)), grows_mounted=False)
    assert found == HostPlan(stop=True, grow=(larger,), start=True)


def test_growth_that_was_interrupted_after_the_file_had_grown_is_finished() -> None:
    larger = replace(SPEC, volumes=(replace(DATA, size_mib=128), WAL))
    assert steps(larger, present=larger, recorded=SPEC).grow == larger.volumes[:1]


def test_a_lost_volume_is_made_anew() -> None:
    found = steps(SPEC, present=replace(SPEC, volumes=(WAL,)))
    assert found == HostPlan(stop=True, make=(DATA,), start=True)


def test_another_mount_point_takes_a_restart() -> None:
    moved = replace(SPEC, volumes=(replace(DATA, mount="/data"), WAL))
    assert steps(moved) == HostPlan(stop=True, start=True)


def test_a_volume_never_shrinks() -> None:
    with pytest.raises(BadInputError, match="never shrinks"):
        steps(replace(SPEC, volumes=(replace(DATA, size_mib=32), WAL)))


def test_a_volume_that_holds_data_is_not_dropped() -> None:
    with pytest.raises(BadInputError, match="wal is no longer declared"):
        steps(replace(SPEC, volumes=(DATA,)))


def test_a_host_does_not_move_to_another_site() -> None:
    with pytest.raises(BadInputError, match="does not move"):
        steps(replace(SPEC, site="west"))


@given(st.booleans(), st.booleans(), st.integers(64, 256), st.sampled_from(["198.18.1.11", "198.18.1.12"]))
def test_after_any_plan_the_host_runs(running: bool, mounted: bool, size: int, address: str) -> None:  # noqa: FBT001
    wanted = replace(SPEC, address=address, volumes=(replace(DATA, size_mib=size), WAL))
    found = steps(wanted, running=running, grows_mounted=mounted)
    assert found.start == (found.stop or not running)
    assert not (found.stop and not running)
