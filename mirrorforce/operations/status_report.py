"""From probe answers to the status report: pure, so that every trouble can be rehearsed in a test.

The report is valid against schemas/status.schema.json. It says what was seen, from the hosts
themselves; where hosts contradict each other both claims are in it, and `problems` says so in words.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mirrorforce.errors import MirrorforceError
from mirrorforce.operations.status_problems import problems_of, summary_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirrorforce.estate import Cell, Estate, Host
    from mirrorforce.operations.probing import Probe

VERSION = 1
TTL_SECONDS = 1
"""What every name of the failover DNS is answered with (design: TTL 1)."""

AGENT_SILENT_S = 60.0
"""An agent whose report is older than this does not run, or hangs."""

RESOLVER_ADDRESS = "127.0.0.1"
"""Where an application host reaches its own caching resolver."""

Document = dict[str, Any]


def build(
    estate: Estate,
    hosts: Sequence[Host],
    probes: Mapping[str, Probe],
    *,
    environment: str,
    time: str,
    seconds: float,
) -> Document:
    """The status of the estate as its hosts tell it. `time` is ISO 8601 in UTC."""
    cells = [_cell(estate, cell, hosts, probes) for cell in estate.cells]
    report: Document = {
        "version": VERSION,
        "environment": environment,
        "estate": estate.name,
        "time": time,
        "seconds": round(seconds, 2),
        "sites": [_site(estate, site.name, hosts, probes) for site in estate.sites],
        "etcd": _etcd(hosts, probes),
        "cells": cells,
    }
    problems = problems_of(estate, report)
    return {
        **report,
        "as_declared": not problems,
        "summary": summary_of(report, problems),
        "problems": problems,
    }


def names_of(estate: Estate, cell: Cell) -> tuple[str, str]:
    """The DNS names of a cell: of its primary, and of its nearest standby."""
    return f"{cell.name}.{estate.domain}", f"{cell.name}-ro.{estate.domain}"


def _site(estate: Estate, name: str, hosts: Sequence[Host], probes: Mapping[str, Probe]) -> Document:
    site = estate.site(name)
    here = [
        {
            "name": host.name,
            "role": host.role,
            "address": str(host.address),
            "answers": probes[host.name].answered,
            "reason": probes[host.name].reason,
        }
        for host in hosts
        if host.site == name and host.name in probes
    ]
    return {
        "name": name,
        "failure_domain": site.failure_domain,
        "mirrored": site.mirrored,
        "up": any(host["answers"] for host in here) or not here,
        "hosts": here,
    }


def _etcd(hosts: Sequence[Host], probes: Mapping[str, Probe]) -> Document:
    members = [
        _etcd_member(host, probes[host.name])
        for host in hosts
        if host.role == "control" and host.name in probes
    ]
    leaders = [member for member in members if member["leader"]]
    # A voter that was cut off while leading goes on saying so until it notices: the newest term counts.
    leader = max(leaders, key=lambda member: member["term"] or 0, default=None)
    return {
        "leader": None if leader is None else {"host": leader["host"], "site": leader["site"]},
        "members": members,
    }


def _etcd_member(host: Host, probe: Probe) -> Document:
    facts = probe.section("etcd")
    status = facts.get("status") or {}
    header = status.get("header") or {}
    healthy = str((facts.get("health") or {}).get("health")).lower() == "true"
    identity = header.get("member_id")
    reason = None if healthy else probe.fault("etcd") or _etcd_trouble(facts)
    return {
        "host": host.name,
        "site": host.site,
        "healthy": healthy,
        "leader": identity is not None and status.get("leader") == identity,
        "term": int(status["raftTerm"]) if "raftTerm" in status else None,
        "version": status.get("version"),
        "cluster": header.get("cluster_id"),
        "reason": reason,
    }


def _etcd_trouble(facts: Mapping[str, Any]) -> str:
    health = facts.get("health") or {}
    return str(health.get("reason") or "says that it is not healthy")


def _cell(estate: Estate, cell: Cell, hosts: Sequence[Host], probes: Mapping[str, Probe]) -> Document:
    of_cell = [host for host in hosts if host.cell == cell.name and host.name in probes]
    members = [_member(host, probes[host.name]) for host in of_cell]
    claims = [member for member in members if member["role"] == "primary"]
    # Two claims: the higher timeline is the newer promotion; the other is demoting, or was frozen.
    primary = max(claims, key=lambda member: member["timeline"] or 0, default=None)
    if primary is not None:
        _add_view_of_primary(members, primary["host"], probes[primary["host"]])
    name, name_read_only = names_of(estate, cell)
    return {
        "name": cell.name,
        "preferred_site": cell.preferred_site,
        "primary": None if primary is None else {"host": primary["host"], "site": primary["site"]},
        "claims": [member["host"] for member in claims],
        "synchronous_copies": cell.synchronous_copies,
        "members": members,
        "dns": _dns(name, hosts, probes),
        "dns_read_only": _dns(name_read_only, hosts, probes),
    }


def _member(host: Host, probe: Probe) -> Document:
    member = probe.section("patroni").get("member") or {}
    role = {"primary": "primary", "master": "primary", "replica": "standby"}.get(
        str(member.get("role")), "unknown"
    )
    state = member.get("replication_state") if role == "standby" else None
    return {
        "host": host.name,
        "site": host.site,
        "role": role,
        "state": str(state or member.get("state") or "no answer"),
        "sync": None,
        "lag_bytes": None,
        "timeline": member.get("timeline") or (member.get("xlog") or {}).get("timeline"),
        "reason": probe.fault("patroni") if not member else None,
        "failover_agent": agent_report(probe),
        "volumes": [
            {"mount": mount, "size_mib": found["size_mib"], "free_mib": found["free_mib"]}
            for mount, found in (probe.section("mounts").get("mounts") or {}).items()
            if found is not None
        ],
    }


def agent_report(probe: Probe) -> Document | None:
    """What the member's failover agent says, newest decision last; None where it has none."""
    if "failover_agent" not in probe.sections:
        return None
    said = probe.section("failover_agent")
    if not said:
        return {"refusal": f"no report: {probe.fault('failover_agent')}", "decisions": []}
    decisions = [
        {"at": datetime.fromtimestamp(one["at"], UTC).isoformat(timespec="milliseconds"), "what": one["what"]}
        for one in said["decisions"]
    ]
    silent = said["age_s"] > AGENT_SILENT_S
    refusal = f"silent for {said['age_s']:.0f} s" if silent else said["refusal"]
    return {"refusal": refusal, "decisions": decisions}


def _add_view_of_primary(members: Iterable[Document], primary: str, probe: Probe) -> None:
    """How far each standby is behind, and whether its confirmation counts: only the primary knows."""
    standbys = {standby["name"]: standby for standby in probe.section("replication").get("standbys", ())}
    for member in members:
        if member["host"] == primary:
            member["lag_bytes"] = 0
        elif seen := standbys.get(member["host"]):
            member["sync"] = seen["sync"]
            member["lag_bytes"] = seen["lag_bytes"]


def _dns(name: str, hosts: Sequence[Host], probes: Mapping[str, Probe]) -> Document:
    by_address = {str(host.address): host.name for host in hosts}

    def answers(role: str) -> list[Document]:
        return [
            _answer(name, host, probes[host.name], by_address)
            for host in hosts
            if host.role == role and host.name in probes
        ]

    servers = answers("control")
    ttls = [answer["ttl"] for answer in servers if answer["ttl"] is not None]
    return {
        "name": name,
        "ttl": max(ttls, default=None),
        "servers": servers,
        "resolvers": answers("application"),
    }


def _answer(name: str, host: Host, probe: Probe, by_address: Mapping[str, str]) -> Document:
    found = next((one for one in probe.section("dns").get("answers", ()) if one["name"] == name), None)
    error = probe.fault("dns") if found is None else found.get("error")
    addresses = list((found or {}).get("addresses") or ())
    if found is not None and error is None and not addresses:
        error = str(found.get("rcode"))
    return {
        "host": host.name,
        "site": host.site,
        "addresses": addresses,
        "hosts": [by_address.get(address, "unknown") for address in addresses],
        "ttl": (found or {}).get("ttl"),
        "error": error or (None if found is not None else "no answer"),
    }


def cell_of(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A cell's part of a report; StopIteration where the report is not of it."""
    found: dict[str, Any] = next(cell for cell in report["cells"] if cell["name"] == name)
    return found


def primary_of(report: Mapping[str, Any], cell: str) -> str:
    """The host that leads a cell; MirrorforceError where none does."""
    primary = cell_of(report, cell)["primary"]
    if primary is None:
        raise MirrorforceError(f"{cell} has no primary", f"mirrorforce status {report['environment']}")
    return str(primary["host"])
