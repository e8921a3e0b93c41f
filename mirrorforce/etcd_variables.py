"""Variables of the role `etcd` for each control host. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import timings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate, Host
    from mirrorforce.secrets import EstateSecrets

SERVICE_PREFIX = "/service/"
"""Where Patroni keeps its keys: below it, a folder for each cell."""

AGENT_PREFIX = "/failover_agent/"
"""Where failover agents keep theirs: `mirrorforce.onhost.failover_agent.keys`."""

WATCHER = "watcher"
"""The user that only reads: leader watchers, and who moves etcd's leadership."""


def variables(estate: Estate, hosts: Sequence[Host], host: Host, secrets: EstateSecrets) -> dict[str, object]:
    """The role's variables for one control host."""
    voters = [each for each in hosts if each.role == "control"]
    pace = timings.etcd(estate)
    return {
        "etcd_voter": host.name,
        "etcd_voters": {voter.name: str(voter.address) for voter in voters},
        "etcd_cluster_token": estate.name,
        "etcd_heartbeat_ms": pace.heartbeat_ms,
        "etcd_election_ms": pace.election_ms,
        "etcd_converges_users": host == voters[0],
        "etcd_users": users(estate, secrets),
        "etcd_root_password": secrets.etcd_root_password,
    }


def users(estate: Estate, secrets: EstateSecrets) -> list[dict[str, object]]:
    """Who may do what in etcd, beside root.

    Each cell its own keys; the watcher reads all cells'; an agent reads its cell's, writes the two that a
    release writes, and its own.
    """
    cells = [
        _user(cell.name, secrets.cells[cell.name].etcd_password, _below(f"{SERVICE_PREFIX}{cell.name}/"))
        for cell in estate.cells
    ]
    watcher = _user(WATCHER, secrets.etcd_watcher_password, _below(SERVICE_PREFIX, "READ"))
    agents = [_agent(cell.name, secrets) for cell in estate.cells if estate.fence_and_release]
    return [*cells, watcher, *agents]


def agent_user(cell: str) -> str:
    """The user of a cell's failover agents."""
    return f"{cell}_agent"


def _agent(cell: str, secrets: EstateSecrets) -> dict[str, object]:
    return _user(
        agent_user(cell),
        secrets.cells[cell].etcd_agent_password,
        _below(f"{SERVICE_PREFIX}{cell}/", "READ"),
        *({"key": f"{SERVICE_PREFIX}{cell}/{part}", "access": "READWRITE"} for part in ("leader", "sync")),
        _below(f"{AGENT_PREFIX}{cell}/"),
    )


def _user(name: str, password: str, *permissions: dict[str, str]) -> dict[str, object]:
    return {"name": name, "password": password, "permissions": list(permissions)}


def _below(prefix: str, access: str = "READWRITE") -> dict[str, str]:
    return {"prefix": prefix, "access": access}
