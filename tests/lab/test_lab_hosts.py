"""Two sites with real hosts on this machine: reached, measured, cut, powered off, grown, swept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mirrorforce.errors import BadInputError
from mirrorforce.lab import commands, disks, hosts, image_uses, links, loops, namespaces, networks
from mirrorforce.lab import estate as lab
from mirrorforce.lab.wire import Condition
from tests.lab.small_lab import SmallLab, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

ESTATE = "tlab1"
BLOCK = 100
TOLERANCE_MS = 2.0
OUTSIDE = "192.0.2.1"
TRANSFER_MIB = 32
BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLab]:
    lab.checks()
    lab.sweep(ESTATE)
    made = prepare(ESTATE, BLOCK, tmp_path_factory.mktemp("access"))
    made.stand_up(
        [made.host("east", mib=64), made.host("west"), made.host("legacy")],
        [made.link("east", "west", 70), made.link("west", "legacy", 16), made.link("east", "legacy", 66)],
    )
    yield made
    lab.sweep(ESTATE)


def measured(small: SmallLab, a: str, b: str) -> float:
    times = small.round_trips(small.host(a), small.host(b).address)
    assert times, f"nothing came back from {b} to {a}"
    return median(times)


def test_a_host_is_a_whole_system_that_knows_its_name(small: SmallLab) -> None:
    east = small.host("east")
    assert small.said(east, "systemctl is-system-running --wait") == "running"
    assert small.said(east, "hostname -f") == f"east-app.{ESTATE}.test"
    assert small.said(east, "sudo id -un") == "root"
    assert small.said(east, "locale charmap") == "UTF-8"
    assert small.said(east, "ps -p 1 -o comm=") == "systemd"


def test_hosts_are_strangers_to_each_other(small: SmallLab) -> None:
    east, west = small.host("east"), small.host("west")
    ids = {small.said(spec, "cat /etc/machine-id") for spec in (east, west)}
    keys = {state.host_key for spec in (east, west) if (state := hosts.observe(ESTATE, spec.name))}
    assert len(ids) == len(keys) == 2
    assert "west" not in small.said(east, "cat /etc/hosts")


def test_no_service_runs_before_a_role_asks_for_it(small: SmallLab) -> None:
    units = small.said(small.host("east"), "systemctl list-units --type=service --state=running --plain")
    assert not [name for name in ("postgresql", "patroni", "etcd", "gdnsd", "unbound") if name in units]
    assert small.said(small.host("east"), "sudo pg_lsclusters --no-header") == ""


def test_nothing_of_this_machine_stays_in_the_image(small: SmallLab) -> None:
    own = [
        line.split()[1]
        for line in Path("/etc/resolv.conf").read_text().splitlines()
        if line[:10] == "nameserver"
    ]
    kept = "\n".join(
        path.read_text(errors="replace")
        for path in (small.tree / "etc").rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    assert not [address for address in own if address in kept.split()]
    assert not list((small.tree / "etc/ssh").glob("ssh_host_*"))
    assert not list((small.tree / "var/lib/apt/lists").iterdir())
    assert not list((small.tree / "var/cache/apt/archives").iterdir())


def test_a_password_opens_no_door(small: SmallLab) -> None:
    settings = small.said(small.host("east"), "sudo sshd -T")
    assert "passwordauthentication no" in settings
    assert "permitrootlogin no" in settings


@pytest.mark.parametrize(
    ("a", "b", "round_trip"), [("east", "west", 70), ("west", "legacy", 16), ("east", "legacy", 66)]
)
def test_round_trips_are_those_declared(small: SmallLab, a: str, b: str, round_trip: float) -> None:
    assert measured(small, a, b) == pytest.approx(round_trip, abs=TOLERANCE_MS)
    assert measured(small, b, a) == pytest.approx(round_trip, abs=TOLERANCE_MS)


def test_a_round_trip_changes_in_place_and_drift_is_seen_and_mended(small: SmallLab) -> None:
    declared = small.link("east", "west", 70)
    pid = next(iter(namespaces.inhabitants(f"mf-{ESTATE}-east")))
    assert links.ensure(replace(declared, round_trip_ms=30)).spec.round_trip_ms == 30
    assert measured(small, "east", "west") == pytest.approx(30, abs=TOLERANCE_MS)
    links.shape(ESTATE, "west", "east", Condition(5, 50, 0, 0))
    state = links.observe(ESTATE, "east", "west")
    assert state
    assert state.condition == Condition(50, 5, 0, 0)
    assert state.spec.round_trip_ms == 55
    assert links.ensure(declared).spec == declared
    assert namespaces.inode_of(pid), "the link was laid anew"


def test_one_direction_alone_can_lose_everything(small: SmallLab) -> None:
    declared = small.link("east", "west", 70)
    links.shape(ESTATE, "east", "west", Condition(35, 35, 100, 0))
    assert small.round_trips(small.host("west"), small.host("east").address, 2) == []
    links.ensure(declared)
    assert len(small.round_trips(small.host("west"), small.host("east").address, 3)) == 3


def test_a_transfer_between_sites_arrives_whole(small: SmallLab) -> None:
    east, west = small.host("east"), small.host("west")
    serve = (
        "import socket; s=socket.create_server(('',9000)); s.settimeout(30)\n"
        "c=s.accept()[0]; d=b'x'*65536\n"
        f"for _ in range({TRANSFER_MIB * 16}): c.sendall(d)\n"
        "c.close()"
    )
    fetch = (
        f"import socket; s=socket.create_connection(('{west.address}',9000),20); s.settimeout(60); n=0\n"
        "while (d := s.recv(1 << 20)): n += len(d)\n"
        "print(n)"
    )
    small.said(west, f'sudo systemd-run --quiet --unit=transfer python3 -c "{serve}"')
    assert int(small.said(east, f'sleep 0.5; python3 -c "{fetch}"')) == TRANSFER_MIB << 20


@pytest.mark.parametrize("address", [OUTSIDE, "8.8.8.8"])
def test_a_host_reaches_no_address_outside(small: SmallLab, address: str) -> None:
    done = small.ssh(small.host("east"), f"ping -n -c 1 -W 2 {address}")
    assert done.returncode == 1
    assert "Unreachable" in done.stdout


@pytest.mark.usefixtures("small")
def test_a_site_has_no_way_out_of_its_namespace() -> None:
    for site in ("east", "west", "legacy"):
        namespace = f"mf-{ESTATE}-{site}"
        assert namespaces.show(namespace, "route", "show", "default") == []
        rows = namespaces.show(namespace, "-details", "link", "show")
        kinds = {str(row["ifname"]): row.get("linkinfo", {}).get("info_kind") for row in rows}
        veths = [name for name, kind in kinds.items() if kind == "veth"]
        assert veths == [f"vb-{site}-app"]
        assert {kind for kind in kinds.values() if kind} == {"bridge", "tun", "veth"}


def test_a_host_does_not_reach_the_machine_that_carries_it(small: SmallLab) -> None:
    import socket  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    shown = subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    own = [line.split()[3].split("/")[0] for line in shown.splitlines() if "127.0.0.1" not in line]
    own.append("127.0.0.1")
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        for address in own:
            tried = small.ssh(small.host("east"), f"timeout 3 bash -c '</dev/tcp/{address}/{port}'")
            assert tried.returncode != 0, f"{address} was reached"


def test_a_second_ensure_changes_nothing(small: SmallLab) -> None:
    east = small.host("east", mib=64)
    booted = small.said(east, "cat /proc/1/stat | cut -d' ' -f22")
    assert hosts.ensure(east).running
    assert networks.ensure(small.network("east")).running
    assert links.ensure(small.link("east", "west", 70)).running
    assert small.said(east, "cat /proc/1/stat | cut -d' ' -f22") == booted


def test_a_cut_link_is_silent_and_no_other_link_takes_its_traffic(small: SmallLab) -> None:
    lab.cut_link(ESTATE, "east", "west")
    state = links.observe(ESTATE, "west", "east")
    assert state
    assert not state.running
    assert set(state.down_at) == {"east", "west"}
    assert small.round_trips(small.host("east"), small.host("west").address, 2) == []
    assert (
        "Unreachable"
        not in small.ssh(small.host("east"), f"ping -c1 -W1 {small.host('west').address}").stdout
    )
    assert measured(small, "east", "legacy") == pytest.approx(66, abs=TOLERANCE_MS)
    assert measured(small, "west", "legacy") == pytest.approx(16, abs=TOLERANCE_MS)
    lab.mend_link(ESTATE, "west", "east")
    assert measured(small, "east", "west") == pytest.approx(70, abs=TOLERANCE_MS)


def test_a_site_that_is_cut_off_is_still_reached_by_its_owner(small: SmallLab) -> None:
    lab.cut_site(ESTATE, "east")
    assert small.said(small.host("east"), "hostname") == "east-app"
    assert small.round_trips(small.host("legacy"), small.host("east").address, 2) == []
    lab.mend_site(ESTATE, "east")
    assert measured(small, "legacy", "east") == pytest.approx(66, abs=TOLERANCE_MS)


def test_a_disk_survives_power_loss(small: SmallLab) -> None:
    east = small.host("east", mib=64)
    small.said(east, "sudo sh -c 'echo kept > /srv/data/row; echo kept > /etc/row; sync'")
    identity, boot = (small.said(east, f"cat {file}") for file in ("/etc/machine-id", BOOT_ID))
    hosts.power_off(ESTATE, east.name)
    state = hosts.observe(ESTATE, east.name)
    assert state
    assert not state.running
    assert not loops.below(disks.folder(ESTATE, east.name))
    ports = [row["ifname"] for row in namespaces.show(f"mf-{ESTATE}-east", "link", "show")]
    assert "vb-east-app" not in ports
    assert hosts.power_on(ESTATE, east.name).running
    assert small.said(east, "cat /srv/data/row /etc/row") == "kept\nkept"
    assert small.said(east, "cat /etc/machine-id") == identity
    assert small.said(east, f"cat {BOOT_ID}") != boot


def test_a_full_volume_is_that_host_s_alone(small: SmallLab) -> None:
    east = small.host("east", mib=64)
    done = small.ssh(east, "sudo dd if=/dev/zero of=/srv/data/fill bs=1M count=200")
    assert "No space left on device" in done.stderr
    small.said(east, "sudo rm /srv/data/fill")
    small.said(small.host("west"), "sudo sh -c 'dd if=/dev/zero of=/var/tmp/x bs=1M count=80; rm /var/tmp/x'")


def test_a_volume_grows_and_keeps_its_data(small: SmallLab) -> None:
    small.said(small.host("east"), "sudo sh -c 'echo old > /srv/data/before; sync'")
    larger = small.host("east", mib=128)
    assert hosts.ensure(larger).spec.volumes == larger.volumes
    assert small.said(larger, "cat /srv/data/before") == "old"
    assert int(small.said(larger, "df --output=size -m /srv/data | tail -1")) > 100
    with pytest.raises(BadInputError, match="never shrinks"):
        hosts.ensure(small.host("east", mib=64))
    state = hosts.observe(ESTATE, "east-app")
    assert state
    assert state.running


def test_a_site_loses_power_without_a_word_and_comes_back(small: SmallLab) -> None:
    lab.power_off_site(ESTATE, "west")
    network, host = networks.observe(ESTATE, "west"), hosts.observe(ESTATE, "west-app")
    assert network
    assert host
    assert not network.running
    assert not host.running
    for address in (small.host("west").address, small.network("west").gateway):
        answer = small.ssh(small.host("east"), f"ping -n -c 4 -W 1 {address}").stdout
        assert "Unreachable" not in answer
        assert " 0 received" in answer
    assert measured(small, "east", "legacy") == pytest.approx(66, abs=TOLERANCE_MS)
    lab.power_on_site(ESTATE, "west")
    assert measured(small, "east", "west") == pytest.approx(70, abs=TOLERANCE_MS)


def test_a_host_at_another_address_is_there_and_no_longer_here(small: SmallLab) -> None:
    moved = small.host("legacy", last=77)
    assert hosts.ensure(moved).spec.address == moved.address
    assert small.round_trips(small.host("east"), small.host("legacy").address, 2) == []
    assert len(small.round_trips(small.host("east"), moved.address, 2)) == 2
    assert hosts.ensure(small.host("legacy")).spec.address == small.host("legacy").address


def command(*words: str) -> str:
    done = CliRunner().invoke(commands.app, [*words, "--env", ESTATE], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("small")
def test_the_command_line_pulls_plugs_and_shows_what_is_left() -> None:
    assert "host west-app has no power" in command("power-off", "west-app")
    assert "west-east is cut" in command("cut", "west-east")
    shown = [line.split() for line in command("status").splitlines()]
    assert ["west-app", f"198.18.{BLOCK + 2}.10", "off"] in shown
    assert ["east-west", "70", "ms", "cut", "at", "east", "and", "west"] in shown
    command("mend", "west-east")
    command("power-on", "west-app")
    assert not {"off", "cut", "gone"} & set(command("status").split())


def test_the_command_line_cuts_one_way_slows_down_and_heals(small: SmallLab) -> None:
    assert "nothing gets from west to east" in command("cut", "--one-way", "west", "east")
    assert "cut from west to east" in command("status")
    assert small.round_trips(small.host("east"), small.host("west").address, 2) == []
    assert "140 ms there and back, and loses 0 %" in command("shape", "west-east", "--delay-factor", "2")
    assert "140 ms (declared 70)" in command("status")
    assert measured(small, "east", "west") == pytest.approx(140, abs=TOLERANCE_MS)
    command("shape", "east-west", "--loss", "50")
    assert "loses 50 % each way" in command("status")
    command("power-off", "legacy")
    command("heal")
    assert not {"off", "cut", "gone", "loses", "(declared"} & set(command("status").split())
    assert measured(small, "east", "west") == pytest.approx(70, abs=TOLERANCE_MS)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "words", [("cut",), ("cut", "east", "--one-way", "east", "west"), ("shape", "east-west", "--loss", "101")]
)
def test_a_cut_of_nothing_or_of_two_things_is_no_cut(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(commands.app, [*words, "--env", ESTATE])
    assert done.exit_code != 0
    assert not {"cut", "loses"} & set(command("status").split())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("words", [("power-off", "west-ap"), ("cut", "west-eas"), ("mend", "eastwest")])
def test_a_misspelt_target_changes_nothing_and_is_put_right(words: tuple[str, str]) -> None:
    with pytest.raises(BadInputError, match="there is no") as error:
        command(*words)
    assert "did you mean" in error.value.next_step
    assert "off" not in command("status").split()


def test_an_image_is_kept_while_a_host_lies_over_it(small: SmallLab) -> None:
    assert image_uses.used(small.tree)


def test_a_tight_umask_makes_hosts_like_any_other(small: SmallLab) -> None:
    other = replace(small, estate="tlab2")
    lab.sweep("tlab2")
    before = os.umask(0o077)
    try:
        made = other.host("east", mib=16)
        other.stand_up([made], [])
        open_to_all = "sudo -u nobody sh -c 'cat /etc/hostname && ls / /etc/ssh /home /srv/data >/dev/null'"
        assert other.said(made, open_to_all) == "east-app"
        assert other.said(made, "stat -c %a / /etc /etc/ssh /home").split() == ["755"] * 4
    finally:
        os.umask(before)
        lab.sweep("tlab2")


def test_two_labs_with_the_same_names_know_nothing_of_each_other(small: SmallLab) -> None:
    other = replace(small, estate="tlab2")
    lab.sweep("tlab2")
    try:
        other.stand_up([other.host("east", last=20)], [])
        assert small.round_trips(small.host("east"), other.host("east", last=20).address, 1) == []
        lab.sweep("tlab2")
        assert not lab.exists("tlab2")
        assert small.said(small.host("east"), "hostname") == "east-app"
    finally:
        lab.sweep("tlab2")
