"""How much a change asks of whoever approves it: it touches data, needs a switchover, restarts. Pure.

What nobody can give back comes first. A rule that does not know says the heavier of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mirrorforce.operations.losses import STOPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.engine_events import Step
    from mirrorforce.estate import Host

Weight = Literal["data", "switchover", "restart", "none"]
ORDER: tuple[Weight, ...] = ("data", "switchover", "restart", "none")

HOLD_DATA = frozenset({"Bucket", "BucketV2", "Key", "Volume", "VolumeAttachment"})
"""Kinds of resources that hold data, or without which it cannot be read."""

HOSTS = frozenset({"Host", "Instance"})

RESTARTS_POSTGRES = frozenset({
    "archive_mode", "autovacuum_freeze_max_age", "autovacuum_max_workers",
    "autovacuum_multixact_freeze_max_age", "cluster_name", "commit_timestamp_buffers",
    "data_directory", "data_sync_retry", "dynamic_shared_memory_type", "hba_file", "hot_standby",
    "huge_page_size", "huge_pages", "ident_file", "ignore_invalid_pages", "jit_provider",
    "listen_addresses", "logging_collector", "max_connections", "max_files_per_process",
    "max_locks_per_transaction", "max_logical_replication_workers", "max_notify_queue_pages",
    "max_pred_locks_per_transaction", "max_prepared_transactions", "max_replication_slots",
    "max_wal_senders", "max_worker_processes", "min_dynamic_shared_memory",
    "multixact_member_buffers", "multixact_offset_buffers", "notify_buffers", "port",
    "reserved_connections", "serializable_buffers", "shared_buffers", "shared_memory_type",
    "shared_preload_libraries", "subtransaction_buffers", "superuser_reserved_connections",
    "track_activity_query_size", "track_commit_timestamp", "transaction_buffers",
    "unix_socket_directories", "unix_socket_group", "unix_socket_permissions", "wal_buffers",
    "wal_decode_buffer_size", "wal_level", "wal_log_hints",
})  # fmt: skip
"""Parameters of context `postmaster` in PostgreSQL 17: its documentation, "only be set at server start"."""

DURABILITY = frozenset({
    "failsafe_mode", "fsync", "full_page_writes", "maximum_lag_on_failover", "synchronous_commit",
    "synchronous_mode", "synchronous_mode_strict", "synchronous_node_count", "wal_level",
})  # fmt: skip
"""Settings that an acknowledged row stands on."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A weight, and why, in words for a reviewer; no words where it weighs nothing."""

    weight: Weight = "none"
    why: str = ""


def of_step(operation: str, step: Step, hosts: Mapping[str, Host]) -> Judgement:
    """Of one step of a plan. `operation`: create, update, replace, delete. `hosts`: all of the estate's."""
    if operation == "create":
        return Judgement()
    host = hosts.get(step.name)
    if step.kind in HOSTS:
        return _of_host(operation, step, host)
    if operation in {"delete", "replace"}:
        if step.kind == "VolumeAttachment":
            return Judgement("data", "a volume is taken off its host")
        if step.kind in HOLD_DATA or step.protected:
            return Judgement("data", "what it holds is lost")
    elif step.kind in HOLD_DATA:
        return Judgement("data", "what holds data is changed in place")
    return Judgement()


def _of_host(operation: str, step: Step, host: Host | None) -> Judgement:
    if operation in {"delete", "replace"}:
        return _of_lost_host(step, host)
    if "volumes" in step.diffs:
        return Judgement("data", "its volumes change")
    if "running" in step.diffs:
        return Judgement("restart", "the host has no power, and gets it back")
    # What of it changes is not always told.
    if step.kind == "Instance" and step.diffs and STOPS.isdisjoint(step.diffs):
        return Judgement()
    if host is not None and host.role == "database":
        return Judgement(
            "switchover", f"the host may stop: switch {host.cell} over first where it is the primary"
        )
    return Judgement("restart", "the host may stop and start again")


def _of_lost_host(step: Step, host: Host | None) -> Judgement:
    if step.kind == "Host":
        return Judgement("data", "the host's disks go with it")
    if step.protected or host is None or host.role != "application":
        return Judgement("data", "the host and its root volume are lost; its other volumes are told by name")
    return Judgement("restart", "the host is made anew; it holds no data")


def of_setting(name: str) -> Judgement:
    """Of a change of a cell's dynamic configuration, by the setting's own name."""
    if name in DURABILITY:
        return Judgement("data", "acknowledged rows stand on it")
    if name in RESTARTS_POSTGRES:
        return Judgement(
            "switchover",
            "it counts from PostgreSQL's next start: standbys first, then a switchover, then the old primary",
        )
    return Judgement()


def of_unit(unit: str, *, deferred: bool) -> Judgement:
    """Of a unit whose files change."""
    if unit == "patroni.service":
        return Judgement(
            "switchover",
            "standbys restart one after the other; the primary runs on as it was until a switchover",
        )
    if deferred:
        return Judgement("restart", "it counts from the host's next start")
    if unit == "etcd.service":
        return Judgement("restart", "voters restart one after the other")
    return Judgement("restart", "the service restarts")
