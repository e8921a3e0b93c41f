from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mirrorforce.lab import hosts, image
from mirrorforce.sites import engine_life
from mirrorforce.sites.lab_providers import HostProvider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.lab.specs import HostSpec

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


class Lab:
    """The lab as the host provider meets it: at most one host, and an image of the day."""

    def __init__(self) -> None:
        self.state: hosts.HostState | None = None
        self.images_built = 0

    def ensure(self, spec: HostSpec) -> hosts.HostState:
        self.state = hosts.HostState(spec, running=True, host_key="ssh-ed25519 BBBB")
        return self.state

    def observe(self, _estate: str, _name: str) -> hosts.HostState | None:
        return self.state

    def newest(self, _packages: Sequence[str], _on_progress: object) -> str:
        self.images_built += 1
        return f"/image/{self.images_built}"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    stand_in = Lab()
    monkeypatch.setattr(hosts, "ensure", stand_in.ensure)
    monkeypatch.setattr(hosts, "observe", stand_in.observe)
    monkeypatch.setattr(image, "ensure", stand_in.newest)
    return stand_in


def test_a_host_that_was_made_is_read_without_a_difference(lab: Lab) -> None:
    assert lab.state is None
    provider = HostProvider()
    made = provider.create(DECLARED)
    read = provider.read(made.id, made.outs or {})
    assert read.outs == made.outs
    assert provider.diff(made.id, read.outs or {}, DECLARED).changes is False


def test_a_host_that_is_gone_is_read_as_gone(lab: Lab) -> None:
    assert lab.state is None
    assert HostProvider().read("host", DECLARED).id == ""


def test_mending_a_host_builds_no_image(lab: Lab) -> None:
    provider = HostProvider()
    made = provider.create(DECLARED)
    mended = provider.update(made.id, made.outs or {}, {**DECLARED, "domain": "other.test"})
    assert lab.images_built == 1
    assert (mended.outs or {})["image"] == "/image/1"
    assert (mended.outs or {})["domain"] == "other.test"


def test_a_shrinking_volume_is_refused_before_anything_is_touched(lab: Lab) -> None:
    small = {**DECLARED, "volumes": [{"name": "data", "mount": "/srv/postgres/data", "size_mib": 100.0}]}
    answer = HostProvider().check(DECLARED, small)
    assert "only grows" in answer.failures[0].reason
    assert lab.state is None


def test_a_providers_process_ends_when_the_engine_closes_its_standard_input() -> None:
    program = (
        f"import {engine_life.__name__} as p, threading; p.end_with_the_engine(); threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, env=os.environ) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 1
