"""Variables of the role `etcd` for each control host. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import rotation, timings

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
        # The one before, while it is being rotated: whoever converges users finds either in force.
        "etcd_root_password_before": rotation.other_value(secrets, rotation.ETCD_ROOT, "etcd_root_password")
        or "",
    }


def users(estate: Estate, secrets: EstateSecrets) -> list[dict[str, object]]:
    """Who may do what in etcd, beside root.

    Each cell its own keys; the watcher reads all cells'; an agent reads its cell's, writes the two that a
    release writes, and its own. While a password is being rotated both users are here that take turns; they
    share the role.
    """
    found: list[dict[str, object]] = []
    for cell in estate.cells:
        allowed = [_below(f"{SERVICE_PREFIX}{cell.name}/")]
        found += _users(secrets, cell.name, f"{cell.name}-etcd", "etcd_password", allowed, cell.name)
    reads = [_below(SERVICE_PREFIX, "READ")]
    found += _users(secrets, WATCHER, rotation.ETCD_WATCHER, "etcd_watcher_password", reads)
    for cell in estate.cells if estate.fence_and_release else ():
        name, password = f"{cell.name}-etcd-agent", "etcd_agent_password"
        found += _users(secrets, agent_role(cell.name), name, password, _of_agent(cell.name), cell.name)
    return found


def cell_user(cell: str, secrets: EstateSecrets) -> str:
    """The user of a cell's members."""
    return rotation.user(cell, f"{cell}-etcd", secrets)


def watcher_user(secrets: EstateSecrets) -> str:
    """The user that only reads."""
    return rotation.user(WATCHER, rotation.ETCD_WATCHER, secrets)


def agent_user(cell: str, secrets: EstateSecrets) -> str:
    """The user of a cell's failover agents."""
    return rotation.user(agent_role(cell), f"{cell}-etcd-agent", secrets)


def agent_role(cell: str) -> str:
    """The role of a cell's failover agents, and the first of its two users."""
    return f"{cell}_agent"


def _of_agent(cell: str) -> list[dict[str, str]]:
    return [
        _below(f"{SERVICE_PREFIX}{cell}/", "READ"),
        *({"key": f"{SERVICE_PREFIX}{cell}/{part}", "access": "READWRITE"} for part in ("leader", "sync")),
        _below(f"{AGENT_PREFIX}{cell}/"),
    ]


def _users(
    secrets: EstateSecrets,
    role: str,
    name: str,
    password: str,
    permissions: list[dict[str, str]],
    cell: str = "",
) -> list[dict[str, object]]:
    """The users of a role that are let in: the one in use, and the other one while both are."""
    values = {rotation.user(role, name, secrets): getattr(secrets.cells[cell] if cell else secrets, password)}
    if other := rotation.other_value(secrets, name, password):
        values[rotation.other_user(role, name, secrets)] = other
    return [
        {"name": user, "role": role, "password": value, "permissions": permissions}
        for user, value in sorted(values.items())
    ]


def _below(prefix: str, access: str = "READWRITE") -> dict[str, str]:
    return {"prefix": prefix, "access": access}
