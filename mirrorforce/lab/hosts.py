"""Hosts of the lab: real systemd in a container of its own, over a shared image."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.estate import SSH_PORT
from mirrorforce.lab import cgroups, disks, host_plan, locks, loops, names, namespaces, networks, tools
from mirrorforce.lab.specs import HostSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

_BOOT = Path(__file__).with_name("scripts") / "boot-host.sh"
_START_DEADLINE_SECONDS = 120.0
_STOP_DEADLINE_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LISTENING = "0A"
_CONSOLE_TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class HostState:
    """A host as it is on the machine.

    `spec` holds what is really there: the address of the running host's interface (0.0.0.0 where it
    has none), the sizes of the volumes' files without the ones that are missing, the admin's key as
    it lies on the disk, the image under it. `running`: it has power and is plugged into its site's
    network. `host_key` is its public ssh key.
    """

    spec: HostSpec
    running: bool
    host_key: str


def ensure(spec: HostSpec) -> HostState:
    """Create the host, or bring it to the spec, or power it on; returns once its sshd answers.

    A host that exists keeps the image that it was made over. Changes of address, names or key
    restart it in good order; volumes grow in place. BadInputError for what cannot be done.
    """
    networks.require(spec.estate, spec.site)
    with _lock(spec.estate, spec.name):
        state = observe(spec.estate, spec.name)
        recorded = disks.recorded(spec.estate, spec.name)
        plan = host_plan.plan(
            spec, state.spec if state else None, recorded, running=state is not None and state.running
        )
        _carry_out(spec, plan)
        _wait_for_ssh(spec)
    found = observe(spec.estate, spec.name)
    if found is None:
        message = f"host {spec.name} was removed while it came up"
        raise MirrorforceError(message, "run the command again")
    return found


def _carry_out(spec: HostSpec, plan: host_plan.HostPlan) -> None:
    disk = disks.folder(spec.estate, spec.name)
    if plan.create:
        _cut_power(spec.estate, spec.site, [spec.name])
        disks.create(spec)
    else:
        kept = replace(spec, image=disks.image(spec.estate, spec.name))
        if plan.stop:
            _stop(spec)
        if plan.rewrite_identity:
            disks.rewrite_identity(kept)
        for volume in plan.make:
            disks.make_volume(disk, volume)
        for volume in plan.grow:
            disks.extend_volume(disk, volume)
            if not plan.start:
                _grow_mounted(spec, volume.name)
        disks.record(kept)
    if plan.start:
        _start(spec)


def observe(estate: str, name: str) -> HostState | None:
    """The host as it is on the machine; None where there is none."""
    spec = disks.recorded(estate, name)
    if spec is None:
        return None
    leader = _leader(estate, name)
    running = leader is not None and _is_plugged_in(spec)
    real = replace(
        spec,
        address=_real_address(leader) if running and leader else spec.address,
        authorized_key=disks.authorized_key(estate, name),
        image=disks.image(estate, name),
        volumes=disks.real_volumes(disks.folder(estate, name), spec.volumes),
    )
    return HostState(real, running, disks.host_key(estate, name))


def remove(estate: str, name: str) -> None:
    """Cut the host's power and remove its disk and all that runs for it."""
    with _lock(estate, name):
        spec = disks.recorded(estate, name)
        _cut_power(estate, spec.site if spec else None, [name])
        disks.remove(estate, name)


def power_off(estate: str, name: str) -> None:
    """As power loss: off the network at once, then every process killed at one stroke.

    What the host had handed to its kernel is not lost: the machine's page cache survives, so this
    is kinder to unsynced data than a real power loss. Returns when nothing of the host runs and no
    disk of it is in use. MirrorforceError where there is no such host.
    """
    spec = _known(estate, name)
    with _lock(estate, name):
        _cut_power(estate, spec.site, [name])


def power_on(estate: str, name: str) -> HostState:
    """Power the host on as it was last declared, also after the machine was restarted."""
    return ensure(_known(estate, name))


def power_off_together(estate: str, specs: Iterable[HostSpec]) -> None:
    """Power loss of many hosts at the same moment."""
    for site, chosen in _by_site(specs).items():
        _cut_power(estate, site, [spec.name for spec in chosen])


def power_on_together(specs: Iterable[HostSpec]) -> tuple[HostState, ...]:
    """Power many hosts on side by side."""
    chosen = tuple(specs)
    if not chosen:
        return ()
    with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
        return tuple(pool.map(ensure, chosen))


def _by_site(specs: Iterable[HostSpec]) -> dict[str, list[HostSpec]]:
    found: dict[str, list[HostSpec]] = {}
    for spec in specs:
        found.setdefault(spec.site, []).append(spec)
    return found


def _known(estate: str, name: str) -> HostSpec:
    if spec := disks.recorded(estate, name):
        return spec
    known = ", ".join(spec.name for spec in disks.all_recorded(estate)) or "none"
    message = f"estate {estate} has no host {name} in the lab; hosts: {known}"
    raise MirrorforceError(message, f"mirrorforce up {estate} makes the hosts that are declared")


def _lock(estate: str, name: str) -> locks.Held:
    return locks.held(locks.of(estate, "host", name))


def _leader(estate: str, name: str) -> int | None:
    """The host's systemd: the process that is number 1 in a namespace below the machine's."""
    for pid in cgroups.processes(cgroups.of_host(estate, name) / "payload"):
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(numbers) > 1 and numbers[-1] == "1":
                return pid
    return None


def _supervisors(estate: str, name: str) -> tuple[int, ...]:
    """The processes outside the host that hold it up: they live in its site's network."""
    group = cgroups.of_host(estate, name)
    payload = set(cgroups.processes(group / "payload"))
    return tuple(pid for pid in cgroups.processes(group) if pid not in payload)


def _is_plugged_in(spec: HostSpec) -> bool:
    namespace = names.namespace(spec.estate, spec.site)
    if not namespaces.exists(namespace):
        return False
    wanted = namespaces.inode(namespace)
    return any(namespaces.inode_of(pid) == wanted for pid in _supervisors(spec.estate, spec.name))


def _real_address(leader: int) -> str:
    with suppress(MirrorforceError):
        rows = namespaces.show_of(leader, "address", "show", "dev", names.HOST_INTERFACE)
        if found := namespaces.addresses(rows):
            return str(IPv4Interface(found[0]).ip)
    return "0.0.0.0"  # noqa: S104  no address, not an address to bind


def _start(spec: HostSpec) -> None:
    disk = disks.folder(spec.estate, spec.name)
    if not (disk / "image").is_dir():
        message = f"the image that {spec.name} lies over is gone: {disks.image(spec.estate, spec.name)}"
        raise MirrorforceError(message, f"mirrorforce down {spec.estate}, then mirrorforce up {spec.estate}")
    _cut_power(spec.estate, spec.site, [spec.name])
    loops.make_nodes()
    group = cgroups.of_host(spec.estate, spec.name)
    group.mkdir(parents=True, exist_ok=True)
    namespace = names.namespace(spec.estate, spec.site)
    volumes = [word for volume in spec.volumes for word in (volume.name, volume.mount)]
    subprocess.Popen(  # noqa: S603  lives on after us, in its own control group
        [_BOOT, group, namespace, disk, names.machine(spec.name), spec.name, names.BRIDGE, loops.LOCK, *volumes],
        stdin=subprocess.DEVNULL,
        stdout=(disk / "boot.log").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )


def _wait_for_ssh(spec: HostSpec) -> None:
    """Wait until sshd listens and shows the key that the host was given."""
    deadline = time.monotonic() + _START_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        leader = _leader(spec.estate, spec.name)
        if leader and _listens(leader) and _offered_key(spec) == disks.host_key(spec.estate, spec.name):
            return
        time.sleep(_POLL_SECONDS)
    disk = disks.folder(spec.estate, spec.name)
    message = f"host {spec.name} did not answer ssh within {_START_DEADLINE_SECONDS:g} s\n{_last_words(disk)}"
    raise MirrorforceError(message, f"read {disk / 'console.log'}, then run the command again")


def _listens(leader: int) -> bool:
    """Whether anything in the host listens on the ssh port: asked of the kernel, at no cost."""
    with suppress(OSError):
        for family in ("tcp", "tcp6"):
            for line in Path(f"/proc/{leader}/net/{family}").read_text(encoding="ascii").splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if state == _LISTENING and int(local.rpartition(":")[2], 16) == SSH_PORT:
                    return True
    return False


def _offered_key(spec: HostSpec) -> str:
    """The key that a client in the site sees, as `ssh-ed25519 AAAA…`; '' where nothing answers."""
    namespace = names.namespace(spec.estate, spec.site)
    scan = ["ssh-keyscan", "-T", "5", "-t", "ed25519", spec.address]
    try:
        answer = namespaces.run(namespace, scan)
    except MirrorforceError:
        return ""
    return " ".join(answer.split()[1:3])


def _last_words(disk: Path) -> str:
    texts = (path.read_text(errors="replace") for path in (disk / "boot.log", disk / "console.log") if path.exists())
    return "\n".join(line for text in texts for line in text.splitlines()[-_CONSOLE_TAIL_LINES:])


def _stop(spec: HostSpec) -> None:
    """Shut the host down in good order; cut its power if it does not go."""
    leader = _leader(spec.estate, spec.name)
    if leader:
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGRTMIN + 3)
        deadline = time.monotonic() + _STOP_DEADLINE_SECONDS
        while cgroups.populated(cgroups.of_host(spec.estate, spec.name)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    _cut_power(spec.estate, spec.site, [spec.name])


def _cut_power(estate: str, site: str | None, chosen: list[str]) -> None:
    """Unplug the hosts, kill all of them, and wait until neither port nor disk is in use.

    Unplugged first: the kernel says goodbye for killed processes, a host without power does not.
    """
    if site:
        _unplug(estate, site, chosen)
    cgroups.kill(cgroups.of_host(estate, name) for name in chosen)
    for name in chosen:
        loops.wait_until_free(disks.folder(estate, name))
    if site:
        _remove_ports(estate, site, chosen)


def _ports(estate: str, site: str, chosen: list[str]) -> tuple[str, ...]:
    namespace = names.namespace(estate, site)
    if not namespaces.exists(namespace):
        return ()
    wanted = {names.port(name) for name in chosen}
    present = (str(row.get("ifname")) for row in namespaces.show(namespace, "link", "show"))
    return tuple(name for name in present if name in wanted)


def _unplug(estate: str, site: str, chosen: list[str]) -> None:
    ports = _ports(estate, site, chosen)
    if ports:
        namespaces.ip(names.namespace(estate, site), [f"link set dev {port} down" for port in ports])


def _remove_ports(estate: str, site: str, chosen: list[str]) -> None:
    """The kernel removes the ports of a dead host some time later; the next start needs the names now."""
    for port in _ports(estate, site, chosen):
        with suppress(MirrorforceError):  # gone meanwhile
            namespaces.run(names.namespace(estate, site), ["ip", "link", "delete", port])

