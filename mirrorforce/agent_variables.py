"""Variables of the role `failover_agent` for each database host. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import placement, timings
from mirrorforce.estate import ETCD_CLIENT_PORT
from mirrorforce.etcd_variables import agent_user

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirrorforce.estate import Estate, Host
    from mirrorforce.secrets import EstateSecrets

STREAM_SILENT_OF_TIMEOUT = 0.7
"""Part of wal_receiver_timeout after which a silent stream counts as failed: at half of it the walreceiver
asks for a sign of life, and a round trip later it has one."""

LOOK_S = 0.2
"""What a look at the primary may take beside its round trips. A server that is busier than that is not taken
for dead: its answers come late, and those count as well."""
ROUND_TRIPS_OF_A_LOOK = 4
"""TCP, TLS 1.3 and the request are three, and PostgreSQL's port answers after two."""


def variables(estate: Estate, hosts: Sequence[Host], host: Host, secrets: EstateSecrets) -> dict[str, object]:
    """The role's variables for one database host. ValueError for a host without a cell."""
    if host.cell is None:
        raise ValueError(f"{host.name} holds no cell")
    cell = estate.cell(host.cell)
    pace = timings.patroni(estate)
    members = placement.members_of_cell(estate, cell)
    voters = sorted(
        (each for each in hosts if each.role == "control"),
        key=lambda each: estate.round_trip_ms(host.site, each.site),
    )
    voter_of = {each.site: f"{each.address}:{ETCD_CLIENT_PORT}" for each in voters}
    return {
        "failover_agent_enabled": estate.fence_and_release,
        "failover_agent_cell": cell.name,
        "failover_agent_member": host.name,
        "failover_agent_members": {
            each.name: {"address": str(each.address), "site": each.site, "voter": voter_of.get(each.site, "")}
            for each in members
        },
        # The nearest voter first.
        "failover_agent_endpoints": [f"https://{each.address}:{ETCD_CLIENT_PORT}" for each in voters],
        "failover_agent_etcd_user": agent_user(cell.name, secrets),
        "failover_agent_etcd_password": secrets.cells[cell.name].etcd_agent_password,
        "failover_agent_ttl": pace.ttl,
        "failover_agent_look_limit": look_limit(estate, host.site, (each.site for each in members)),
        "failover_agent_stream_limit": round(
            STREAM_SILENT_OF_TIMEOUT * pace.wal_receiver_timeout_ms / 1000, 1
        ),
    }


def look_limit(estate: Estate, site: str, sites: Iterable[str]) -> float:
    """Seconds after which a look from this site at a member in the farthest of `sites` counts as failed."""
    return round(LOOK_S + ROUND_TRIPS_OF_A_LOOK * estate.longest_round_trip_ms(site, sites) / 1000, 2)
