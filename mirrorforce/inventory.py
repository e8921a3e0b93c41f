"""The inventory: the stacks' outputs, checked against their schema. Nothing else describes hosts.

Ansible, testinfra, ssh and every verb use the same one, through `ansible_document` or `write_access`.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Literal

from mirrorforce import engine
from mirrorforce.errors import MirrorforceError
from mirrorforce.estate import SSH_PORT
from mirrorforce.stack_names import INTERCONNECT, StackName, interconnect_stack, site_stacks
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jsonschema import Draft202012Validator

    from mirrorforce.estate import Estate, Role
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.workspace import Workspace

ROLES: tuple[Role, ...] = ("control", "database", "application")
SCHEMA = ROOT / "schemas" / "inventory.schema.json"
CONTROL_PERSIST_SECONDS = 600
CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A file system of its own on a host. `device`: what the host is to mount; '' where the platform does."""

    name: str
    mount: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class InventoryHost:
    """A host that exists. `host_key` is its public ssh key; `proxy_command` '' where ssh needs none."""

    name: str
    site: str
    role: Role
    cell: str | None
    address: IPv4Address
    host_key: str
    user: str
    proxy_command: str
    volumes: tuple[VolumeMount, ...]
    port: int = SSH_PORT


@dataclass(frozen=True, slots=True)
class Inventory:
    """The hosts of an environment, site by site."""

    estate: str
    hosts: tuple[InventoryHost, ...]

    def host(self, name: str) -> InventoryHost:
        """The host of that name; KeyError where there is none."""
        return {host.name: host for host in self.hosts}[name]

    def of_role(self, role: Role) -> tuple[InventoryHost, ...]:
        """The hosts of a role."""
        return tuple(host for host in self.hosts if host.role == role)

    def of_cell(self, cell: str) -> tuple[InventoryHost, ...]:
        """The member hosts of a cell."""
        return tuple(host for host in self.hosts if host.cell == cell)

    def of_site(self, site: str) -> tuple[InventoryHost, ...]:
        """The hosts of a site."""
        return tuple(host for host in self.hosts if host.site == site)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        hosts = [asdict(host) | {"address": str(host.address)} for host in self.hosts]
        return {"version": 1, "estate": self.estate, "hosts": hosts}


def read(ws: Workspace, estate: Estate) -> Inventory:
    """The inventory of an environment; MirrorforceError where one of its stacks is not up."""
    if not ws.shared and not ws.backend.exists():
        raise MirrorforceError(f"environment {ws.env} is not up: it has no state", f"mirrorforce up {ws.env}")
    return from_outputs(estate, engine.outputs(ws, estate))


def from_outputs(estate: Estate, outputs: Mapping[str, Mapping[str, Any]]) -> Inventory:
    """The inventory in the outputs of an estate's stacks, by the stacks' names. Pure."""
    interconnect = interconnect_stack(estate)
    needed = dict.fromkeys(site_stacks(estate), "inventory") | {interconnect: INTERCONNECT}
    missing = [stack for stack, output in needed.items() if output not in outputs.get(str(stack), {})]
    if missing:
        message = f"environment {estate.name} is not up: no hosts are known of {', '.join(map(str, missing))}"
        raise MirrorforceError(message, f"mirrorforce up {estate.name}")
    documents = {stack: outputs[str(stack)][output] for stack, output in needed.items()}
    for stack, document in documents.items():
        kind: Literal["site", "interconnect"] = "interconnect" if stack == interconnect else "site"
        _require_valid(stack, kind, document)
    hosts = [host for stack in site_stacks(estate) for host in documents[stack]["hosts"]]
    return Inventory(estate.name, tuple(host_of(host) for host in hosts))


def ansible_document(estate: Estate, inventory: Inventory, secrets: EstateSecrets) -> dict[str, Any]:
    """The inventory as Ansible's dynamic inventory, with every role variable of every host. Pure."""
    from mirrorforce import placement, role_variables  # noqa: PLC0415 - only Ansible needs them

    declared = {host.name: host for host in placement.hosts(estate)}
    groups: dict[str, list[str]] = {}
    variables: dict[str, dict[str, object]] = {}
    for host in inventory.hosts:
        for group in groups_of(host):
            groups.setdefault(group, []).append(host.name)
        if host.name in declared:
            known = tuple(declared.values())
            of_roles = role_variables.for_host(estate, known, declared[host.name], secrets)
            variables[host.name] = of_roles | attached_volumes(host)
    children = {name: {"hosts": members} for name, members in sorted(groups.items())}
    return {"all": {"children": sorted(children)}, **children, "_meta": {"hostvars": variables}}


def attached_volumes(host: InventoryHost) -> dict[str, object]:
    """The variables of the role `volumes`; none where the platform mounts a host's volumes itself."""
    attached = [asdict(volume) for volume in host.volumes if volume.device]
    return {"volumes_attached": attached} if attached else {}


def groups_of(host: InventoryHost) -> tuple[str, ...]:
    """The Ansible groups of a host: its role, `site_<site>`, `cell_<cell>`; hyphens become underscores."""
    cell = (f"cell_{host.cell}",) if host.cell else ()
    return tuple(group.replace("-", "_") for group in (host.role, f"site_{host.site}", *cell))


def write_access(ws: Workspace, inventory: Inventory, secrets: EstateSecrets) -> None:
    """Write how the environment's hosts are reached: `write_access_into` its folder."""
    write_access_into(ws.access, inventory, secrets)


def write_access_into(access: Path, inventory: Inventory, secrets: EstateSecrets) -> Path:
    """Write `ssh_config`, `id_ed25519` and `known_hosts`: each whole or not at all, for the owner alone.

    The path of the ssh_config.
    """
    for folder in (access, access / "control"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(access / "id_ed25519", secrets.ssh_private_key)
    known = "".join(f"{host.name} {host.host_key}\n" for host in inventory.hosts)
    _write_private(access / "known_hosts", known)
    _write_private(access / "ssh_config", ssh_config(access, inventory))
    return access / "ssh_config"


def close_access(ws: Workspace) -> None:
    """End the ssh connections that are kept open; each holds on to its site's network namespace."""
    for socket in ws.control.glob("*"):
        exit_master = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", socket.name]
        subprocess.run(exit_master, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=10)


def ssh_config(access: Path, inventory: Inventory) -> str:
    """The ssh_config that ssh, Ansible and testinfra share. Pure.

    A host's key is looked up by the host's name, so an address that changes hands fools nobody.
    """
    common = {
        "IdentityFile": f'"{access}/id_ed25519"',
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{access}/known_hosts"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "PasswordAuthentication": "no",
        "BatchMode": "yes",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(CONNECT_SECONDS),
        "ServerAliveCountMax": "2",
        "ControlMaster": "auto",
        "ControlPersist": str(CONTROL_PERSIST_SECONDS),
        "ControlPath": f'"{access}/control/%n"',
        "LogLevel": "ERROR",
    }
    blocks = [_block(host.name, _host_lines(host)) for host in inventory.hosts]
    return "\n".join([*blocks, _block("*", common)])


def _host_lines(host: InventoryHost) -> dict[str, str]:
    lines = {"HostName": str(host.address), "HostKeyAlias": host.name, "User": host.user}
    port = {"Port": str(host.port)} if host.port != SSH_PORT else {}
    return lines | port | ({"ProxyCommand": host.proxy_command} if host.proxy_command else {})


def _block(pattern: str, lines: Mapping[str, str]) -> str:
    return "".join([f"Host {pattern}\n", *(f"  {key} {value}\n" for key, value in lines.items())])


def _write_private(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.new")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    staging.replace(path)


def host_of(document: Mapping[str, Any]) -> InventoryHost:
    """The host of an entry of `hosts` in a site's document (`schemas/inventory.schema.json`). Pure."""
    return InventoryHost(
        name=document["name"],
        site=document["site"],
        role=document["role"],
        cell=document["cell"],
        address=IPv4Address(document["address"]),
        host_key=document["host_key"],
        user=document["ssh"]["user"],
        proxy_command=document["ssh"]["proxy_command"],
        volumes=tuple(
            VolumeMount(volume["name"], volume["mount"], volume.get("device", ""))
            for volume in document["volumes"]
        ),
        port=int(document["ssh"].get("port", SSH_PORT)),
    )


def _require_valid(stack: StackName, kind: Literal["site", "interconnect"], document: object) -> None:
    errors = sorted(_validator(kind).iter_errors(document), key=lambda error: error.json_path)
    if errors:
        faults = "\n".join(f"  {error.json_path.removeprefix('$.')}: {error.message}" for error in errors)
        message = f"the outputs of stack {stack} are not as schemas/{SCHEMA.name} says:\n{faults}"
        raise MirrorforceError(message, f"mirrorforce up {stack.env}, which writes them anew")


@cache
def _validator(kind: Literal["site", "interconnect"]) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 0.1 s that not every verb needs

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return Draft202012Validator({**schema, "oneOf": [{"$ref": f"#/$defs/{kind}"}]})
