"""A facility that existed before the estate did: hosts in a network of their own, reached by their own key.

It is made by the lab, but under another name: the estate that adopts its hosts neither made nor removes them.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mirrorforce.lab import disks, hosts, names, namespaces, networks
from mirrorforce.lab import estate as lab
from mirrorforce.lab.specs import VolumeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.lab.specs import HostSpec, NetworkSpec
    from tests.lab.small_lab import SmallLab

ESTATE = "testsh"
SITE = "legacy"
BLOCK = 60
LAST = {"legacy-control": 40, "legacy-na1": 41, "legacy-na2": 42}
"""The last octets of the machines: none is where a plan would put it."""

VOLUMES = (VolumeSpec("data", "/srv/postgres/data", 2048), VolumeSpec("wal", "/srv/postgres/wal", 1024))


@dataclass(frozen=True)
class Facility:
    """Its machines, as whoever runs the facility sees them."""

    small: SmallLab
    domain: str

    def spec(self, name: str) -> HostSpec:
        volumes = VOLUMES if "-na" in name else ()
        made = self.small.host(SITE, name, last=LAST[name])
        return replace(made, volumes=volumes, domain=self.domain)

    @property
    def network(self) -> NetworkSpec:
        return self.small.network(SITE)

    def open(self) -> None:
        """Have its machines, with nothing of any estate on them."""
        lab.sweep(ESTATE)
        self.small.stand_up([self.spec(name) for name in LAST], [])

    def close(self) -> None:
        lab.sweep(ESTATE)

    def run(self, name: str, command: str) -> str:
        return self.small.said(self.spec(name), command)

    def let_in(self, public_key: str) -> None:
        """Let a key into the account that converges, beside the facility's own."""
        line = f"echo {shlex.quote(public_key)} >> ~/.ssh/authorized_keys"
        for name in LAST:
            self.run(name, line)

    def power_off(self, name: str) -> None:
        hosts.power_off(ESTATE, name)

    def power_on(self, name: str) -> None:
        """Power a machine on as it is: the lab is not to put back the keys that it gave it once."""
        spec = hosts.known(ESTATE, name)
        disks.record(replace(spec, authorized_key=disks.authorized_key(spec)))
        hosts.power_on(ESTATE, name)

    def running(self) -> dict[str, bool]:
        """Which machines have power."""
        found = {name: hosts.observe(ESTATE, name) for name in LAST}
        return {name: bool(state and state.running) for name, state in found.items()}

    def static(self) -> dict[str, Any]:
        """What an estate file says of the site."""
        machines = {
            name: {"address": self.spec(name).address, "host_key": disks.host_key(ESTATE, name)}
            for name in LAST
        }
        way = f"nsenter --net={namespaces.path(names.namespace(ESTATE, SITE))} nc %h %p"
        return {
            "controllers": [f"{self.network.gateway}/32"],
            "own_kernel": False,
            "ssh": {"user": disks.ADMIN, "proxy_command": way},
            "hosts": machines,
        }

    def wire(self, others: Iterable[NetworkSpec]) -> None:
        """Lay a line to each of the sites, which somebody rents from a carrier."""
        for other in others:
            networks.ensure(other)
            here, there = names.namespace(ESTATE, SITE), names.namespace(other.estate, other.site)
            _ip(there, f"link add to-{SITE} type veth peer name to-{other.site} netns {here}")
            for namespace, far, end in ((there, self.network, SITE), (here, other, other.site)):
                _ip(namespace, f"link set to-{end} up")
                _ip(namespace, f"route replace {far.cidr} via {far.gateway} dev to-{end} onlink")

    def cut(self, site: str) -> None:
        """Cut the line to a site, at the facility's end."""
        _ip(names.namespace(ESTATE, SITE), f"link set to-{site} down")

    def mend(self, other: NetworkSpec) -> None:
        here = names.namespace(ESTATE, SITE)
        _ip(here, f"link set to-{other.site} up")
        _ip(here, f"route replace {other.cidr} via {other.gateway} dev to-{other.site} onlink")


def _ip(namespace: str, words: str) -> None:
    subprocess.run(["ip", "-n", namespace, *words.split()], check=True, capture_output=True, timeout=30)
