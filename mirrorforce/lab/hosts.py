"""Hosts of the lab: real systemd in a container of its own, over a shared image."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.lab import cgroups, disks, host_plan, host_power, locks, loops, networks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.lab.specs import HostSpec


_SETTLE_SECONDS = 10.0
_POLL_SECONDS = 0.1


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
        state = _observe_settled(spec.estate, spec.name)
        recorded = disks.recorded(spec.estate, spec.name)
        present = replace(state.spec, authorized_key=disks.authorized_key(spec)) if state else None
        plan = host_plan.plan(
            spec,
            present,
            recorded,
            running=state is not None and state.running,
            grows_mounted=host_power.grows_mounted(),
        )
        _carry_out(spec, plan)
        host_power.wait_for_ssh(spec)
    found = observe(spec.estate, spec.name)
    if found is None:
        message = f"host {spec.name} was removed while it came up"
        raise MirrorforceError(message, "run the command again")
    return found


def _carry_out(spec: HostSpec, plan: host_plan.HostPlan) -> None:
    disk = disks.folder(spec.estate, spec.name)
    if plan.create:
        host_power.cut(spec.estate, spec.site, [spec.name])
        disks.create(spec)
    else:
        kept = replace(spec, image=disks.image(spec.estate, spec.name))
        if plan.stop:
            host_power.stop(spec)
        if plan.rewrite_identity:
            disks.rewrite_identity(kept)
        for volume in plan.make:
            disks.make_volume(disk, volume)
        for volume in plan.grow:
            disks.extend_volume(disk, volume)
            if plan.start:
                disks.grow_unmounted(disk, volume)
            else:
                host_power.grow_mounted(spec, volume.name)
        disks.record(kept)
    if plan.start:
        host_power.start(spec)


def observe(estate: str, name: str) -> HostState | None:
    """The host as it is on the machine; None where there is none."""
    spec = disks.recorded(estate, name)
    if spec is None:
        return None
    pid = host_power.leader(estate, name)
    running = pid is not None and host_power.is_plugged_in(spec)
    real = replace(
        spec,
        address=host_power.real_address(pid) if running and pid else spec.address,
        authorized_key=disks.authorized_key(spec),
        image=disks.image(estate, name),
        volumes=disks.real_volumes(disks.folder(estate, name), spec.volumes),
    )
    return HostState(real, running, disks.host_key(estate, name))


def _observe_settled(estate: str, name: str) -> HostState | None:
    """As `observe`, but a host that is just booting gets the time to take its address."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        state = observe(estate, name)
        booting = state and state.running and state.spec.address == host_power.NO_ADDRESS
        if not booting or time.monotonic() > deadline:
            return state
        time.sleep(_POLL_SECONDS)


def remove(estate: str, name: str) -> None:
    """Cut the host's power and remove its disk and all that runs for it."""
    with _lock(estate, name):
        spec = disks.recorded(estate, name)
        host_power.cut(estate, spec.site if spec else None, [name])
        disks.remove(estate, name)


def power_off(estate: str, name: str) -> None:
    """As power loss: off the network at once, then every process killed at one stroke.

    What the host had handed to its kernel is not lost: the machine's page cache survives, so this
    is kinder to unsynced data than a real power loss. Returns when nothing of the host runs and no
    disk of it is in use. MirrorforceError where there is no such host.
    """
    spec = known(estate, name)
    with _lock(estate, name):
        host_power.cut(estate, spec.site, [name])


def power_on(estate: str, name: str) -> HostState:
    """Power the host on as it was last declared, also after the machine was restarted."""
    return ensure(known(estate, name))


def restart(estate: str, name: str) -> HostState:
    """Shut the host down in good order and start it again, as its administrator would."""
    spec = known(estate, name)
    with _lock(estate, name):
        host_power.stop(spec)
    return ensure(spec)


def remove_from_volume(estate: str, name: str, volume: str, file: str) -> None:
    """Remove a file from the top of a volume of a host that is off; nothing to do where there is none.

    MirrorforceError where the host runs: then the volume is its own.
    """
    spec = known(estate, name)
    with _lock(estate, name):
        if cgroups.populated(cgroups.of_host(estate, name)):
            message = f"host {name} runs: its volume {volume} is in use"
            raise MirrorforceError(message, f"remove {file} on the host itself")
        loops.make_nodes()
        disks.remove_from_volume(disks.folder(spec.estate, spec.name), volume, file)


def power_off_together(estate: str, specs: Iterable[HostSpec]) -> None:
    """Power loss of many hosts at the same moment."""
    by_site = _by_site(specs)
    with ExitStack() as held:
        # One order for everybody, so that two of us never wait for each other.
        for name in sorted(spec.name for chosen in by_site.values() for spec in chosen):
            held.enter_context(_lock(estate, name))
        for site, chosen in by_site.items():
            host_power.cut(estate, site, [spec.name for spec in chosen])


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


def known(estate: str, name: str) -> HostSpec:
    """The spec that the host was last brought to; BadInputError with the hosts that there are otherwise."""
    if spec := disks.recorded(estate, name):
        return spec
    others = ", ".join(spec.name for spec in disks.all_recorded(estate)) or "none"
    message = f"estate {estate} has no host {name} in the lab; hosts: {others}"
    raise BadInputError(message, f"mirrorforce up {estate} makes the hosts that are declared")


def _lock(estate: str, name: str) -> locks.Held:
    return locks.held(locks.of(estate, "host", name))
