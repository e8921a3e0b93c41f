"""A small lab for tests: sites with a host each, joined, reached as a person would. Its own estate."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mirrorforce.lab import hosts, image, links, names, namespaces, networks, packages
from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec, VolumeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SITES = {"east": 1, "west": 2, "legacy": 3}
_ROUND_TRIPS = re.compile(r"time=([0-9.]+) ms")


@dataclass(frozen=True)
class SmallLab:
    """One estate; `block` is the third octet of its first site's network, less one."""

    estate: str
    block: int
    tree: Path
    key: Path

    def network(self, site: str) -> NetworkSpec:
        return NetworkSpec(self.estate, site, f"198.18.{self.block + SITES[site]}.0/24")

    def host(self, site: str, name: str = "", *, last: int = 10, mib: int = 0) -> HostSpec:
        octets = f"198.18.{self.block + SITES[site]}"
        volumes = (VolumeSpec("data", "/srv/data", mib),) if mib else ()
        return HostSpec(
            estate=self.estate,
            site=site,
            name=name or f"{site}-app",
            domain=f"{self.estate}.test",
            address=f"{octets}.{last}",
            prefix_length=24,
            gateway=f"{octets}.1",
            image=str(self.tree),
            authorized_key=self.key.with_suffix(".pub").read_text(),
            volumes=volumes,
        )

    def link(self, a: str, b: str, round_trip_ms: float) -> LinkSpec:
        one, other = self.network(a), self.network(b)
        return LinkSpec(self.estate, a, b, one.cidr, other.cidr, one.gateway, other.gateway, round_trip_ms)

    def stand_up(self, specs: Iterable[HostSpec], joined: Iterable[LinkSpec]) -> None:
        chosen = tuple(specs)
        for site in {spec.site for spec in chosen}:
            networks.ensure(self.network(site))
        for link in joined:
            links.ensure(link)
        hosts.power_on_together(chosen)

    def ssh(self, spec: HostSpec, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on a host, over ssh, against the key that the host was given."""
        state = hosts.observe(self.estate, spec.name)
        assert state, f"{spec.name} is gone"
        known = self.key.with_name(f"known-{spec.name}")
        known.write_text(f"{spec.address} {state.host_key}\n")
        way = f"nsenter --net={namespaces.path(names.namespace(self.estate, spec.site))} nc %h %p"
        options = {
            "ProxyCommand": way, "UserKnownHostsFile": known, "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes", "BatchMode": "yes", "ConnectTimeout": "10", "LogLevel": "ERROR",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return subprocess.run(
            ["ssh", "-F", "none", "-i", self.key, *words, f"mirrorforce@{spec.address}", command],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def said(self, spec: HostSpec, command: str) -> str:
        done = self.ssh(spec, command)
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
        return done.stdout.strip()

    def round_trips(self, spec: HostSpec, address: str, count: int = 5) -> list[float]:
        """Milliseconds of the pings that came back."""
        answer = self.ssh(spec, f"ping -n -c {count} -i 0.2 -W 1 {address}").stdout
        return [float(text) for text in _ROUND_TRIPS.findall(answer)]


def prepare(estate: str, block: int, folder: Path) -> SmallLab:
    """The lab's image and the key of its administrator."""
    key = Ed25519PrivateKey.generate()
    private = folder / "id"
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private.with_suffix(".pub").write_bytes(public + b" test\n")
    tree = image.ensure(packages.declared(), lambda text: print(text, flush=True))  # noqa: T201
    return SmallLab(estate, block, tree, private)
