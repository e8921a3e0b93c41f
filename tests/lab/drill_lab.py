"""A small lab as drills see it: an environment with an inventory, and hosts that run what drills break.

As a program (`python -m tests.lab.drill_lab ENV`) it breaks everything, says so and waits to be killed.
"""

from __future__ import annotations

import sys
import time
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from mirrorforce import inventory as inventories
from mirrorforce.drills.actions import Context, carry_out
from mirrorforce.drills.acts import Act, Verb
from mirrorforce.estate import Estate, Site
from mirrorforce.inventory import Inventory, InventoryHost, VolumeMount
from mirrorforce.lab import disks, hosts, names, networks
from mirrorforce.lab.specs import VolumeSpec
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.lab.specs import HostSpec

DATA, WAL = "/srv/postgres/data", "/srv/postgres/wal"
VOLUMES = (VolumeSpec("data", DATA, 128), VolumeSpec("wal", WAL, 64))
MEMBER, OTHER = "east-na1", "west-na1"
LINK = ("east", "west")
BROKEN = "all is broken"

# A member as far as faults can tell: a REST port and a real PostgreSQL below one unit; and a real etcd.
SETUP = f"""
install -d -o postgres -g postgres {DATA} {WAL}
runuser -u postgres -- /usr/lib/postgresql/17/bin/initdb --pgdata={DATA}/17 --waldir={WAL}/17 \
  --no-sync --auth=peer >/dev/null
cat > /etc/systemd/system/patroni.service <<'UNIT'
[Service]
User=postgres
RuntimeDirectory=postgresql
ExecStart=/bin/sh -c '/usr/lib/postgresql/17/bin/postgres -D {DATA}/17 & \
  exec python3 -m http.server 8008 --directory /usr/share/misc'
KillMode=process
Restart=always
RestartSec=0
UNIT
systemctl daemon-reload
systemctl start patroni.service etcd.service
until runuser -u postgres -- psql -Atc 'select 1' >/dev/null 2>&1; do sleep 0.1; done
"""

EVERYTHING = (
    Act(Verb.CUT_ONE_WAY, links=(LINK,)),
    Act(Verb.DELAY, links=(LINK,), amount=2),
    Act(Verb.ISOLATE, sites=("west",)),
    Act(Verb.PART, hosts=(MEMBER,)),
    Act(Verb.FREEZE, hosts=(MEMBER,)),
    Act(Verb.STOP_ETCD, hosts=(MEMBER,)),
    Act(Verb.FILL_WAL, hosts=(MEMBER,)),
    Act(Verb.SLOW_DISK, hosts=(MEMBER,), amount=0.02),
    Act(Verb.POWER_OFF, hosts=(OTHER,)),
)


def context(env: str) -> Context:
    """The environment of the lab that stands under that name."""
    specs = disks.all_recorded(env)
    found = Inventory(env, tuple(_host(spec) for spec in specs))
    sites = tuple(
        Site(spec.site, "lab", spec.site, IPv4Network(spec.cidr), mirrored=True, application_hosts=0)
        for spec in networks.all_recorded(env)
    )
    estate = Estate(env, f"{env}.test", "fast", {}, sites, (), (), (), (), fence_and_release=True)
    return Context(Workspace(env), estate, found)


def _host(spec: HostSpec) -> InventoryHost:
    state = hosts.observe(spec.estate, spec.name)
    assert state
    namespace = f"/run/netns/{names.namespace(spec.estate, spec.site)}"
    return InventoryHost(
        name=spec.name,
        site=spec.site,
        role="database",
        cell="na1",
        address=IPv4Address(spec.address),
        host_key=state.host_key,
        user=disks.ADMIN,
        proxy_command=f"nsenter --net={namespace} nc %h %p",
        volumes=tuple(VolumeMount(volume.name, volume.mount) for volume in spec.volumes),
    )


def write_access(ctx: Context, key: Path) -> None:
    """How hosts are reached, as `mirrorforce up` leaves it."""
    access = ctx.ws.access
    (access / "control").mkdir(parents=True, mode=0o700)
    (access / "id_ed25519").touch(mode=0o600)
    (access / "id_ed25519").write_bytes(key.read_bytes())
    known = "".join(f"{host.name} {host.host_key}\n" for host in ctx.inventory.hosts)
    (access / "known_hosts").write_text(known)
    ctx.ws.ssh_config.write_text(inventories.ssh_config(access, ctx.inventory))


if __name__ == "__main__":
    here = context(sys.argv[1])
    for step in EVERYTHING:
        carry_out(here, step)
    print(BROKEN, flush=True)  # noqa: T201
    time.sleep(600)
