"""A lab that was killed, half built or half removed: it goes on, or goes, from what is there."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import cgroups, disks, hosts, links, loops, namespaces, networks
from mirrorforce.lab import estate as lab
from mirrorforce.workspace import Workspace
from tests.lab.small_lab import SmallLab, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

ESTATE = "tlab3"
BLOCK = 110

_MAKE = """
import json, sys
from mirrorforce.lab import hosts, networks, links
from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec
document = json.load(sys.stdin)
for network in document["networks"]:
    networks.ensure(NetworkSpec.from_dict(network))
links.ensure(LinkSpec.from_dict(document["link"]))
hosts.ensure(HostSpec.from_dict(document["host"]))
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> SmallLab:
    lab.checks()
    return prepare(ESTATE, BLOCK, tmp_path_factory.mktemp("access"))


@pytest.fixture
def small(prepared: SmallLab) -> Iterator[SmallLab]:
    lab.sweep(ESTATE)
    yield prepared
    lab.sweep(ESTATE)
    assert_nothing_left()


def assert_nothing_left() -> None:
    assert not lab.exists(ESTATE)
    assert not namespaces.of_estate(ESTATE)
    assert not cgroups.of_estate(ESTATE).exists()
    assert not loops.below(Workspace(ESTATE).hosts)
    assert not Workspace(ESTATE).state.exists()
    assert not Path("/run/mirrorforce", ESTATE).exists()
    assert f"/{ESTATE}/" not in Path("/proc/self/mountinfo").read_text()


def standing(small: SmallLab) -> SmallLab:
    small.stand_up([small.host("east", mib=32), small.host("west")], [small.link("east", "west", 10)])
    return small


@pytest.mark.parametrize("milliseconds", [5, 60, 120, 180, 240, 320, 400])
def test_a_creation_killed_at_any_moment_is_finished_by_the_next(small: SmallLab, milliseconds: int) -> None:
    import json  # noqa: PLC0415

    spec = small.host("east", mib=32)
    document = {
        "networks": [small.network(site).to_dict() for site in ("east", "west")],
        "link": small.link("east", "west", 10).to_dict(),
        "host": spec.to_dict(),
    }
    with subprocess.Popen([sys.executable, "-c", _MAKE], stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin
        process.stdin.write(json.dumps(document))
        process.stdin.close()
        deadline = time.monotonic() + 30
        while not namespaces.exists(f"mf-{ESTATE}-east") and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGKILL)
    standing(small)
    assert small.said(spec, "hostname; findmnt -no FSTYPE /srv/data") == "east-app\next4"
    assert len(small.round_trips(spec, small.host("west").address, 2)) == 2


def test_an_unfinished_namespace_and_volume_are_taken_up(small: SmallLab) -> None:
    namespaces.FOLDER.mkdir(exist_ok=True)
    namespaces.path(f"mf-{ESTATE}-east").touch()
    (Workspace(ESTATE).hosts / ".east-app.new/volumes").mkdir(parents=True)
    standing(small)
    assert small.said(small.host("east"), "hostname") == "east-app"


def test_a_removed_disk_under_a_running_host_is_seen_and_mended(small: SmallLab) -> None:
    standing(small)
    shutil.rmtree(disks.folder(ESTATE, "east-app"))
    assert hosts.observe(ESTATE, "east-app") is None
    assert hosts.ensure(small.host("east", mib=32)).running
    assert small.said(small.host("east"), "hostname") == "east-app"


def test_a_removed_volume_is_seen_and_made_anew(small: SmallLab) -> None:
    standing(small)
    disks.volume_file(disks.folder(ESTATE, "east-app"), "data").unlink()
    state = hosts.observe(ESTATE, "east-app")
    assert state
    assert state.spec.volumes == ()
    assert hosts.ensure(small.host("east", mib=32)).spec.volumes
    small.said(small.host("east"), "sudo touch /srv/data/x")


def test_a_removed_network_is_seen_and_its_hosts_are_plugged_in_again(small: SmallLab) -> None:
    standing(small)
    subprocess.run(["ip", "netns", "delete", f"mf-{ESTATE}-east"], check=True)
    assert networks.observe(ESTATE, "east") is None
    host, link = hosts.observe(ESTATE, "east-app"), links.observe(ESTATE, "east", "west")
    assert host
    assert link
    assert not host.running
    assert not link.running
    standing(small)
    assert len(small.round_trips(small.host("east"), small.host("west").address, 2)) == 2


def test_killed_switches_are_seen_and_the_link_is_laid_anew(small: SmallLab) -> None:
    standing(small)
    cgroups.kill([cgroups.of_link(ESTATE, "east-west")])
    link = links.observe(ESTATE, "east", "west")
    assert link
    assert not link.running
    assert links.ensure(small.link("east", "west", 10)).running
    assert len(small.round_trips(small.host("east"), small.host("west").address, 2)) == 2


def test_an_address_changed_by_hand_is_seen_and_put_back(small: SmallLab) -> None:
    standing(small)
    spec = small.host("west")
    change = "sleep 0.5; ip address flush dev host0; ip address add 198.18.112.99/24 dev host0"
    small.said(spec, f"sudo systemd-run --quiet sh -c '{change}'")
    deadline = time.monotonic() + 30
    while (state := hosts.observe(ESTATE, spec.name)) and time.monotonic() < deadline:
        if state.spec.address == "198.18.112.99":
            break
        time.sleep(0.1)
    assert state
    assert state.spec.address == "198.18.112.99"
    assert hosts.ensure(spec).spec.address == spec.address


def test_everything_comes_back_after_the_machine_was_restarted(small: SmallLab) -> None:
    standing(small)
    small.said(small.host("east"), "sudo sh -c 'echo kept > /srv/data/row'")
    # What a restart of the machine takes away: processes, namespaces, sockets and locks.
    cgroups.kill([cgroups.of_estate(ESTATE)])
    for namespace in namespaces.of_estate(ESTATE):
        namespaces.remove(namespace)
    shutil.rmtree(Path("/run/mirrorforce", ESTATE))
    assert hosts.power_on(ESTATE, "east-app").running
    lab.power_on_site(ESTATE, "west")
    lab.power_on_site(ESTATE, "east")
    assert small.said(small.host("east"), "cat /srv/data/row") == "kept"
    assert len(small.round_trips(small.host("east"), small.host("west").address, 2)) == 2


def test_a_sweep_finds_what_no_record_tells_of(small: SmallLab) -> None:
    standing(small)
    shutil.rmtree(Workspace(ESTATE).state)
    with subprocess.Popen([*namespaces.entering(f"mf-{ESTATE}-east"), "sleep", "600"]) as stray:
        assert lab.exists(ESTATE)
        lab.sweep(ESTATE)
        assert stray.wait(5) == -signal.SIGKILL
    assert_nothing_left()


def test_a_sweep_unmounts_what_somebody_mounted(small: SmallLab) -> None:
    standing(small)
    hosts.power_off(ESTATE, "east-app")
    disk = disks.folder(ESTATE, "east-app")
    file = disks.volume_file(disk, "data")
    subprocess.run(["mount", "-o", "loop", file, disk / "mounts"], check=True)
    lab.sweep(ESTATE)
    assert_nothing_left()


def test_a_killed_sweep_is_finished_by_the_next(small: SmallLab) -> None:
    standing(small)
    words = [sys.executable, "-c", f"from mirrorforce.lab import estate; estate.sweep('{ESTATE}')"]
    for seconds in (0.3, 0.4, 0.5):
        with subprocess.Popen(words) as process:
            time.sleep(seconds)
            process.kill()
    lab.sweep(ESTATE)
    assert_nothing_left()


def test_removing_one_thing_at_a_time_leaves_nothing(small: SmallLab) -> None:
    standing(small)
    with pytest.raises(MirrorforceError, match="still has hosts"):
        networks.remove(ESTATE, "east")
    for _ in range(2):
        links.remove(ESTATE, "west", "east")
        for site in ("east", "west"):
            hosts.remove(ESTATE, f"{site}-app")
            networks.remove(ESTATE, site)
    assert hosts.observe(ESTATE, "east-app") is None
    assert networks.observe(ESTATE, "east") is None
    assert links.observe(ESTATE, "east", "west") is None
    assert not namespaces.of_estate(ESTATE)


def test_many_engines_may_make_the_same_host_at_once(small: SmallLab) -> None:
    import json  # noqa: PLC0415

    document = {
        "networks": [small.network(site).to_dict() for site in ("east", "west")],
        "link": small.link("east", "west", 10).to_dict(),
        "host": small.host("east", mib=32).to_dict(),
    }
    running = [
        subprocess.Popen([sys.executable, "-c", _MAKE], stdin=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in running:
        process.communicate(json.dumps(document), timeout=120)
    assert [process.returncode for process in running] == [0, 0, 0]
    assert small.said(small.host("east"), "hostname") == "east-app"


def test_a_host_without_an_image_tells_how_to_get_one(small: SmallLab) -> None:
    from dataclasses import replace  # noqa: PLC0415

    networks.ensure(small.network("east"))
    with pytest.raises(MirrorforceError, match="no host image at /nowhere"):
        hosts.ensure(replace(small.host("east"), image="/nowhere"))
    assert hosts.observe(ESTATE, "east-app") is None
