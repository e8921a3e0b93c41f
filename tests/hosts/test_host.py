"""What the operating system of every host shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mirrorforce import expected, packet_filter
from mirrorforce.flows import rules_for

if TYPE_CHECKING:
    from mirrorforce.estate import Host
    from mirrorforce.operations.checked import Checked, Found

MOST_CLOCK_DIFFERENCE = 1.0  # seconds
LEAST_FREE_SHARE = 0.1


def test_units_are_active_and_start_at_boot(any_host: Host, checked: Checked, found: Found) -> None:
    units = checked.of(any_host, "services")["units"]
    faults = []
    declared = (*expected.units(any_host), *expected.agent_units(checked.estate, any_host))
    for unit in declared:
        shown = units.get(unit.name, {})
        if shown.get("ActiveState") != "active":
            faults.append(f"{unit.name} is {shown.get('ActiveState', 'not there')} ({shown.get('SubState')})")
        if unit.at_boot and shown.get("UnitFileState") != "enabled":
            faults.append(f"{unit.name} does not start at boot: {shown.get('UnitFileState')}")
    assert not faults, "\n".join(faults)
    found(", ".join(unit.name for unit in declared))


def test_no_unit_has_failed(any_host: Host, checked: Checked) -> None:
    failed = checked.of(any_host, "services")["failed"]
    assert not failed, f"failed: {', '.join(failed)}"


def test_exactly_the_declared_sockets_listen(any_host: Host, checked: Checked, found: Found) -> None:
    seen = checked.of(any_host, "sockets")["listening"]
    listening, wanted = expected.listening(seen), expected.sockets(any_host)
    owners = {(one["protocol"], one["address"], one["port"]): one["process"] for one in seen}
    faults = [
        f"{socket} listens, but is not declared ({owners[(socket.protocol, socket.address, socket.port)]})"
        for socket in sorted(listening - wanted)
    ]
    faults += [f"{socket} is declared, but does not listen" for socket in sorted(wanted - listening)]
    assert not faults, "\n".join(faults)
    found(", ".join(map(str, sorted(listening))))


def test_the_packet_filter_is_the_table_of_flows(any_host: Host, checked: Checked, found: Found) -> None:
    rules = rules_for(checked.estate, checked.hosts, any_host)
    faults = packet_filter.faults(checked.of(any_host, "nftables")["ruleset"], rules)
    assert not faults, "\n".join(faults)
    found(f"everything dropped but {', '.join(rule.name for rule in rules)}")


def test_nothing_undeclared_can_be_reached_from_here(any_host: Host, checked: Checked, found: Found) -> None:
    tried = checked.of(any_host, "unreachable")
    names = {str(host.address): host.name for host in checked.hosts}
    opened = [f"{names[address]}:{port}" for address, port in tried["open"]]
    assert tried["tried"] > 0, "no door was tried"
    assert not opened, f"{any_host.name} can reach {', '.join(opened)}"
    found(f"{tried['tried']} doors of other hosts tried, all shut")


def test_sshd_lets_in_keys_alone(any_host: Host, checked: Checked, found: Found) -> None:
    said = checked.of(any_host, "ssh_without_key")["said"]
    settings = checked.of(any_host, "sshd")["settings"]
    wanted = {
        "passwordauthentication": "no",
        "kbdinteractiveauthentication": "no",
        "permitrootlogin": "no",
        "pubkeyauthentication": "yes",
        "allowtcpforwarding": "no",
        "x11forwarding": "no",
        "permitemptypasswords": "no",
    }
    faults = [
        f"{key} is {settings.get(key)}, not {value}"
        for key, value in wanted.items()
        if settings.get(key) != value
    ]
    assert not faults, "\n".join(faults)
    assert said.endswith("Permission denied (publickey)."), f"without a key: {said}"
    found("without a key: permission denied, public keys alone")


def test_secrets_are_for_their_owners_alone(any_host: Host, checked: Checked, found: Found) -> None:
    files = checked.of(any_host, "files")["files"]
    faults = [
        fault for secret in expected.secret_files(any_host) for fault in secret.faults(files.get(secret.path))
    ]
    faults += [
        f"{path} is writable by anyone: {shown['mode']}"
        for path, shown in files.items()
        if shown is not None and int(shown["mode"], 8) & 0o002
    ]
    assert not faults, "\n".join(faults)
    found(", ".join(secret.path for secret in expected.secret_files(any_host)))


def test_the_clock_agrees_with_the_controllers(any_host: Host, checked: Checked) -> None:
    shown = checked.of(any_host, "clock")["time"]
    early, late = checked.facts.asked - MOST_CLOCK_DIFFERENCE, checked.facts.answered + MOST_CLOCK_DIFFERENCE
    assert early <= shown <= late, f"the clock is {shown - checked.facts.answered:+.1f} s off"


def test_volumes_are_mounted_with_room(database: Host, checked: Checked, found: Found) -> None:
    if not database.volumes:
        pytest.skip("no volumes are declared")
    mounts = checked.of(database, "mounts")["mounts"]
    made_here = checked.estate.site(database.site).static is None
    faults = []
    for volume in database.volumes:
        shown = mounts[volume.mount]
        if shown is None:
            faults.append(f"nothing is mounted at {volume.mount}")
        elif shown["free_mib"] < LEAST_FREE_SHARE * shown["size_mib"]:
            faults.append(
                f"{volume.mount} is nearly full: {shown['free_mib']} of {shown['size_mib']} MiB left"
            )
        elif made_here and shown["size_mib"] > volume.size_mib:
            faults.append(f"{volume.mount} has {shown['size_mib']} MiB, {volume.size_mib} are declared")
    assert not faults, "\n".join(faults)
    found(", ".join(f"{mounts[v.mount]['free_mib']} MiB free at {v.mount}" for v in database.volumes))
