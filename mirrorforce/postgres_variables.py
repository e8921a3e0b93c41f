"""Variables of the role `postgres` for each database host. Pure.

`dynamic_configuration` is what Patroni keeps in etcd for the whole cell; verify compares it with what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import placement, rotation, timings
from mirrorforce.estate import ETCD_CLIENT_PORT
from mirrorforce.etcd_variables import cell_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.estate import Cell, Estate, Host
    from mirrorforce.secrets import EstateSecrets

MAX_CONNECTIONS = 200
MOST_MEMBERS = 10
"""Senders and slots: every member, a base backup for each that joins, and room for a person."""

HANGS_FOR_OF_TTL = 0.4
"""Part of the ttl after which a silent Patroni is killed: with 4 s for a look and 3 s to start again it still
has its lease, at the shortest ttl too."""

_WAL_SHARE_OF_CHECKPOINTS = 8
_WAL_SHARE_OF_REWINDS = 4
_WAL_SHARE_OF_SLOTS = 2
"""Parts of the WAL volume: what is left is room for what comes in faster than checkpoints free it."""


def variables(estate: Estate, hosts: Sequence[Host], host: Host, secrets: EstateSecrets) -> dict[str, object]:
    """The role's variables for one database host. ValueError for a host without a cell."""
    if host.cell is None:
        raise ValueError(f"{host.name} holds no cell")
    cell = estate.cell(host.cell)
    passwords = secrets.cells[cell.name]
    members = placement.members_of_cell(estate, cell)
    return {
        "postgres_cell": cell.name,
        "postgres_member": host.name,
        "postgres_site": host.site,
        "postgres_address": str(host.address),
        "postgres_members": [str(member.address) for member in members],
        "postgres_applications": [str(each.address) for each in hosts if each.role == "application"],
        "postgres_initialises": host.name == first_primary(estate, cell).name,
        "postgres_etcd_hosts": [
            f"{each.address}:{ETCD_CLIENT_PORT}" for each in hosts if each.role == "control"
        ],
        "postgres_asks_agent": estate.fence_and_release,
        "postgres_hang_seconds": round(HANGS_FOR_OF_TTL * timings.patroni(estate).ttl),
        "postgres_watchdog": "required" if estate.site(host.site).own_kernel else "off",
        "postgres_dynamic_configuration": dynamic_configuration(estate, cell),
        "postgres_database": cell.database,
        "postgres_roles": [
            {"name": name, "owns_database": name == "application", **_open_and_shut(cell.name, name, secrets)}
            for name in ("application", "reader")
        ],
        # Patroni makes these; their passwords are kept as they are declared.
        "postgres_member_roles": [
            {"name": "postgres", "password": passwords.superuser_password},
            {"name": "replicator", "password": passwords.replication_password},
            {"name": "rewinder", "password": passwords.rewind_password},
        ],
        "postgres_superuser_password": passwords.superuser_password,
        "postgres_replication_password": passwords.replication_password,
        "postgres_rewind_password": passwords.rewind_password,
        "postgres_rest_password": passwords.rest_password,
        "postgres_etcd_user": cell_user(cell.name, secrets),
        "postgres_etcd_password": passwords.etcd_password,
    }


def logins(cell: str, role: str, secrets: EstateSecrets) -> list[dict[str, str]]:
    """Users and passwords that come in as `role`: the one in use, and while it is rotated the other one."""
    name, field = f"{cell}-{role}", f"{role}_password"
    values = {rotation.user(role, name, secrets): getattr(secrets.cells[cell], field)}
    if other := rotation.other_value(secrets, name, field):
        values[rotation.other_user(role, name, secrets)] = other
    return [{"user": user, "password": password} for user, password in sorted(values.items())]


def _open_and_shut(cell: str, role: str, secrets: EstateSecrets) -> dict[str, object]:
    """Who comes in as the role, and who does not: of the two users that take turns."""
    let_in = logins(cell, role, secrets)
    other = rotation.other_user(role, f"{cell}-{role}", secrets)
    return {"logins": let_in, "shut": [] if other in {each["user"] for each in let_in} else [other]}


def first_primary(estate: Estate, cell: Cell) -> Host:
    """The member that initialises the cell: the first of its preferred site."""
    return next(
        member for member in placement.members_of_cell(estate, cell) if member.site == cell.preferred_site
    )


def dynamic_configuration(estate: Estate, cell: Cell) -> dict[str, object]:
    """What Patroni keeps in etcd for the cell: timings, synchronous replication, parameters."""
    pace = timings.patroni(estate)
    return {
        "ttl": pace.ttl,
        "loop_wait": pace.loop_wait,
        "retry_timeout": pace.retry_timeout,
        "primary_start_timeout": pace.primary_start_timeout,
        "member_slots_ttl": pace.member_slots_ttl,
        "synchronous_mode": "quorum",
        "synchronous_mode_strict": True,
        "synchronous_node_count": cell.synchronous_copies,
        "failsafe_mode": True,
        "check_timeline": True,
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": _parameters(estate, cell),
        },
    }


def _parameters(estate: Estate, cell: Cell) -> Mapping[str, object]:
    """PostgreSQL's parameters, but those that Patroni governs itself (synchronous standbys)."""
    pace = timings.patroni(estate)
    wal_mib = next(volume.size_mib for volume in cell.volumes if volume.name == "wal")
    return {
        # Durability, said outright: verify looks for whoever lowers it.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        # Replication and rewind. Slots may hold back half of the WAL volume: a site that stays away for
        # longer is copied anew rather than fills the primary's volume.
        "wal_level": "replica",
        "hot_standby": "on",
        "hot_standby_feedback": "on",
        "wal_log_hints": "on",
        "max_wal_senders": MOST_MEMBERS,
        "max_replication_slots": MOST_MEMBERS,
        "max_wal_size": f"{wal_mib // _WAL_SHARE_OF_CHECKPOINTS}MB",
        "max_slot_wal_keep_size": f"{wal_mib // _WAL_SHARE_OF_SLOTS}MB",
        # For pg_rewind: a lost primary starts again at the redo point of the last checkpoint it shares with
        # its successor, up to max_wal_size before the fork. Its slot there stands at the fork, so nothing
        # else keeps that WAL, and pg_rewind drops its own copies. No more than twice that: pg_rewind of
        # PostgreSQL 17 copies all of pg_wal, which is most of the time that a lost site takes to come back.
        "wal_keep_size": f"{wal_mib // _WAL_SHARE_OF_REWINDS}MB",
        "checkpoint_timeout": "5min",
        # Peers that went away without a word are noticed in seconds.
        "wal_sender_timeout": f"{pace.wal_sender_timeout_ms}ms",
        "wal_receiver_timeout": f"{pace.wal_receiver_timeout_ms}ms",
        "wal_receiver_status_interval": "1s",
        # A standby whose first try at a new primary is too early tries again soon: strict mode waits for it.
        "wal_retrieve_retry_interval": "200ms",
        "tcp_keepalives_idle": 2,
        "tcp_keepalives_interval": 1,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": f"{pace.tcp_user_timeout_ms}ms",
        # Who may come in, and how.
        "max_connections": MAX_CONNECTIONS,
        "password_encryption": "scram-sha-256",
        "ssl": "on",
        "ssl_min_protocol_version": "TLSv1.2",
        "ssl_ca_file": "/etc/mirrorforce/pki/ca.crt",
        "ssl_cert_file": "/etc/mirrorforce/pki/host.crt",
        "ssl_key_file": "/etc/mirrorforce/pki/host.key",
        # The journal keeps the log.
        "logging_collector": "off",
        "log_checkpoints": "on",
        "log_lock_waits": "on",
        "log_line_prefix": "%m [%p] %q%u@%d ",
    }
