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


def users(estate: Estate, secrets: EstateSecrets) -> list[dict[str, str]]:
    """Who may do what in etcd, beside root: each cell its own keys, the watcher reads all cells'."""
    cells = [
        {
            "name": cell.name,
            "password": secrets.cells[cell.name].etcd_password,
            "prefix": f"{SERVICE_PREFIX}{cell.name}/",
            "access": "READWRITE",
        }
        for cell in estate.cells
    ]
    watcher = {
        "name": WATCHER,
        "password": secrets.etcd_watcher_password,
        "prefix": SERVICE_PREFIX,
        "access": "READ",
    }
    return [*cells, watcher]
