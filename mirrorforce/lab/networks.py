"""The network of a site: a bridge and a router in a network namespace without a way out."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import cgroups, files, locks, names, namespaces
from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No answer from a site without power, not even a refusal: refusals would tell peers too early.
_POWER = {"net.ipv4.ip_forward": 1, "net.ipv4.icmp_echo_ignore_all": 0}
_NO_POWER = {"net.ipv4.ip_forward": 0, "net.ipv4.icmp_echo_ignore_all": 1}
_ROUTER = {
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
}


@dataclass(frozen=True, slots=True)
class NetworkState:
    """A site's network as it is. `running`: bridge up and router forwarding."""

    spec: NetworkSpec
    running: bool


def spec_file(estate: str, site: str) -> Path:
    """Where the spec of a site's network is kept."""
    return Workspace(estate).state / "networks" / f"{site}.json"


def recorded(estate: str, site: str) -> NetworkSpec | None:
    """The spec that the network was last brought to."""
    document = files.read_json(spec_file(estate, site))
    return NetworkSpec.from_dict(document) if document else None


def all_recorded(estate: str) -> Iterator[NetworkSpec]:
    """The specs of all networks of the estate."""
    folder = spec_file(estate, "any").parent
    found = (recorded(estate, file.stem) for file in sorted(folder.glob("*.json")))
    return (spec for spec in found if spec)


def ensure(spec: NetworkSpec) -> NetworkState:
    """Create the network, or bring it to the spec, or give it power again."""
    namespace = names.namespace(spec.estate, spec.site)
    with locks.held(locks.of(spec.estate, "network", spec.site)):
        files.private_folder(Workspace(spec.estate).state)
        files.write_json(spec_file(spec.estate, spec.site), spec.to_dict())
        namespaces.create(namespace)
        namespaces.set_kernel(namespace, {**_ROUTER, **_POWER})
        namespaces.ip(namespace, _bridge_commands(spec, namespaces.show(namespace, "address", "show")))
    return NetworkState(spec, running=True)


def _bridge_commands(spec: NetworkSpec, interfaces: list[dict[str, object]]) -> list[str]:
    bridge = next((row for row in interfaces if row.get("ifname") == names.BRIDGE), None)
    wanted = f"{spec.gateway}/{spec.prefix_length}"
    present = namespaces.addresses([bridge] if bridge else [])
    kind = f"link add {names.BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
    return [
        *([] if bridge else [kind]),
        *(f"address delete {address} dev {names.BRIDGE}" for address in present if address != wanted),
        f"link set dev {names.BRIDGE} address {names.bridge_mac(spec.estate, spec.site)} up",
        "link set dev lo up",
        *([] if wanted in present else [f"address add {wanted} dev {names.BRIDGE}"]),
    ]


def observe(estate: str, site: str) -> NetworkState | None:
    """The network as it is on the machine; None where there is none."""
    namespace = names.namespace(estate, site)
    if recorded(estate, site) is None or not namespaces.exists(namespace):
        return None
    rows = [row for row in namespaces.show(namespace, "address", "show") if row.get("ifname") == names.BRIDGE]
    found = namespaces.addresses(rows)
    if not found:
        return None
    up = all("UP" in row.get("flags", ()) for row in rows)
    running = up and namespaces.kernel(namespace, "net.ipv4.ip_forward") == 1
    return NetworkState(NetworkSpec(estate, site, str(IPv4Interface(found[0]).network)), running)


def remove(estate: str, site: str) -> None:
    """Remove the network, and stop the links that end in it. MirrorforceError while hosts are in it."""
    if left := _hosts_in(estate, site):
        message = f"the network of {site} still has hosts: {', '.join(left)}"
        raise MirrorforceError(message, "remove the hosts first; mirrorforce down removes everything")
    with locks.held(locks.of(estate, "network", site)):
        folder = Workspace(estate).state / "links"
        documents = filter(None, (files.read_json(file) for file in sorted(folder.glob("*.json"))))
        links = (link for link in map(LinkSpec.from_dict, documents) if site in (link.a, link.b))
        cgroups.kill(cgroups.of_link(estate, link.name) for link in links)
        namespaces.remove(names.namespace(estate, site))
        spec_file(estate, site).unlink(missing_ok=True)


def _hosts_in(estate: str, site: str) -> tuple[str, ...]:
    documents = filter(None, (files.read_json(file) for file in Workspace(estate).hosts.glob("*/spec.json")))
    return tuple(sorted(host.name for host in map(HostSpec.from_dict, documents) if host.site == site))


def power_off(estate: str, site: str) -> None:
    """Take power from the site's switch and router: at once nothing passes, and nothing answers."""
    namespace = names.namespace(estate, site)
    if namespaces.exists(namespace):
        namespaces.set_kernel(namespace, _NO_POWER)
        namespaces.ip(namespace, [f"link set dev {names.BRIDGE} down"])


def require(estate: str, site: str) -> None:
    """Bring the site's network up from its record; MirrorforceError where it never was."""
    if namespaces.exists(names.namespace(estate, site)):
        return
    spec = recorded(estate, site)
    if spec is None:
        message = f"site {site} of estate {estate} has no network"
        raise MirrorforceError(message, f"bring the site's stack up: mirrorforce up {estate}")
    ensure(spec)
