"""A host that exists already, as Pulumi and as the inventory are told of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorforce import estate as model


def spec_of(estate: model.Estate, host: model.Host) -> dict[str, object]:
    """What is declared of a machine: `static_providers.INPUTS`."""
    machine = machine_of(host)
    return {
        "estate": estate.name,
        "site": host.site,
        "name": host.name,
        "role": host.role,
        "address": str(machine.address),
        "port": machine.port,
        "user": machine.user,
        "proxy_command": machine.proxy_command,
        "host_key": machine.host_key,
    }


def inventory_entry(host: model.Host, host_key: str) -> dict[str, object]:
    """A host in the inventory."""
    machine = machine_of(host)
    return {
        "name": host.name,
        "site": host.site,
        "role": host.role,
        "cell": host.cell,
        "address": str(machine.address),
        "host_key": host_key,
        "ssh": {"user": machine.user, "port": machine.port, "proxy_command": machine.proxy_command},
        "volumes": [{"name": volume.name, "mount": volume.mount} for volume in host.volumes],
    }


def machine_of(host: model.Host) -> model.Machine:
    """The machine that the host is; ValueError for a host that some platform makes."""
    if host.machine is None:
        raise ValueError(f"{host.name} is no machine that exists already")
    return host.machine
