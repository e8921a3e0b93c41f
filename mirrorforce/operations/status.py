"""`status`: what the hosts of an environment say of themselves, right now.

Every host is asked once, all side by side, and no dead one may hold up the answer: with a whole site
dead it is there within 3 s, and names the hosts that did not answer. A host that is there and slow is
waited for (probing.PATIENCE).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mirrorforce import placement, remote
from mirrorforce.operations import probing, requests, status_report

if TYPE_CHECKING:
    from collections.abc import Collection

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

ANSWER_WITHIN = 2.2
"""Seconds in which a host is to be reached, of the 3 in which `status` answers."""

FOR_A_DECISION = 6.0
"""Seconds instead, where something is decided by one look: rather late than wrong."""


def collect(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory | None = None,
    *,
    only: Collection[str] | None = None,
    timeout: float = ANSWER_WITHIN,
) -> dict[str, Any]:
    """The status report, valid against schemas/status.schema.json.

    It takes about `timeout` seconds at most where no host is slow.
    Hosts that are not in the inventory are named as such; without one, those that the generated
    ssh_config leaves out are: reading the stacks' outputs takes longer than asking the hosts. `only` asks
    these hosts and leaves the others out of the report (of which `problems` then knows no more than was
    asked). MirrorforceError where the environment is not up.
    """
    hosts = placement.hosts(estate)
    known = {host.name for host in inventory.hosts} if inventory else remote.known_hosts(ws)
    asked = [host for host in hosts if host.name in known and (only is None or host.name in only)]
    moment, started = datetime.now(UTC), time.monotonic()
    probes = probing.ask(
        ws, {host.name: requests.for_status(estate, hosts, host) for host in asked}, timeout=timeout
    )
    missing = {
        host.name: probing.Probe(host.name, reason="it is not in the inventory: it does not exist")
        for host in hosts
        if host.name not in known and only is None
    }
    return status_report.build(
        estate,
        hosts,
        probes | missing,
        environment=ws.env,
        time=moment.isoformat(timespec="seconds"),
        seconds=time.monotonic() - started,
    )
