from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.sites.lab_diff import difference, inputs_of, shrunk_volumes

DECLARED: dict[str, Any] = {
    "estate": "lab",
    "site": "east",
    "name": "east-na1",
    "domain": "lab.test",
    "address": "198.18.1.20",
    "prefix_length": 24.0,
    "gateway": "198.18.1.1",
    "authorized_key": "ssh-ed25519 AAAA",
    "volumes": [{"name": "data", "mount": "/srv/postgres/data", "size_mib": 2048.0}],
    "running": None,
    "image": None,
    "host_key": None,
    "__provider": "pickled",
}
FOUND: dict[str, Any] = {
    **DECLARED,
    "prefix_length": 24,
    "running": True,
    "image": "/cache/image/1",
    "host_key": "ssh-ed25519 BBBB",
}


def test_a_host_as_declared_has_no_difference() -> None:
    assert difference("Host", FOUND, DECLARED).changed == ()


@pytest.mark.parametrize("key", ["image", "host_key", "__provider"])
def test_what_is_found_and_never_declared_is_no_difference(key: str) -> None:
    assert difference("Host", {**FOUND, key: "other"}, DECLARED).changed == ()


def test_a_host_without_power_is_mended_in_place() -> None:
    found = difference("Host", {**FOUND, "running": False}, DECLARED)
    assert (found.changed, found.replaces) == (("running",), ())


@pytest.mark.parametrize("key", sorted(inputs_of(DECLARED)))
def test_only_another_identity_makes_another_host(key: str) -> None:
    found = difference("Host", {**FOUND, key: "other"}, DECLARED)
    assert found.changed == (key,)
    assert found.replaces == ((key,) if key in {"estate", "site", "name"} else ())


def test_a_lost_volume_is_a_difference() -> None:
    assert difference("Host", {**FOUND, "volumes": []}, DECLARED).changed == ("volumes",)


@given(st.integers(1, 1 << 20), st.integers(1, 1 << 20))
def test_a_volume_may_grow_and_never_shrink(before: int, after: int) -> None:
    sizes = [{"volumes": [{"name": "data", "mount": "/x", "size_mib": size}]} for size in (before, after)]
    assert bool(shrunk_volumes(*sizes)) == (after < before)


def test_a_new_volume_shrinks_nothing() -> None:
    assert shrunk_volumes({}, DECLARED) == ()
