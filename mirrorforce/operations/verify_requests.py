"""Which facts `verify` asks each host for. Pure; paths are those of the roles, ports those of `estate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorforce import expected, flows
from mirrorforce.estate import ETCD_CLIENT_PORT, PATRONI_PORT, POSTGRES_PORT
from mirrorforce.operations import requests
from mirrorforce.operations.status_report import RESOLVER_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirrorforce.estate import Estate, Host
    from mirrorforce.operations.requests import Request

WRONG_PASSWORD = "not-the-password"  # noqa: S105 (made up; it must be refused)
_POSTGRES_TIMEOUT = 8.0
_REPLICATION = {"user": "replicator", "replication": "true"}

# What the refusals have to say (regular expressions): a door that is shut for another reason proves nothing.
_NO_RULE = "no pg_hba.conf entry"
_CLOSED = "HTTP 400|[Rr]eset|closed|BadStatusLine|without response"


def for_verify(estate: Estate, hosts: Sequence[Host], host: Host) -> Request:
    """Everything that the checks of tests/hosts look at on this host."""
    common: Request = {
        "services": {
            "units": [unit.name for unit in (*expected.units(host), *expected.agent_units(estate, host))]
        },
        "sockets": {},
        "nftables": {},
        "sshd": {},
        "clock": {},
        "files": {
            "paths": [file.path for file in expected.secret_files(host)],
            "folders": list(expected.secret_folders(host)),
        },
        "certificates": {
            "paths": [expected.CA_CERTIFICATE, expected.HOST_CERTIFICATE],
            "ports": expected.tls_ports(host),
        },
        "unreachable": {"targets": forbidden_targets(estate, hosts, host), "seconds": 1.0},
        "refusals": {"attempts": list(attempts(estate, hosts, host))},
    }
    return common | _of_role(estate, hosts, host)


def _of_role(estate: Estate, hosts: Sequence[Host], host: Host) -> Request:
    servers = [str(one.address) for one in hosts if one.role == "control"]
    if host.role == "control":
        own = requests.dns(estate, str(host.address))
        return {
            "etcd": {**requests.etcd(host), "auth": True},
            "dns": own,
            "dns_tcp": {**own, "transport": "tcp"},
        }
    if host.role == "database":
        return {
            "patroni": requests.patroni(host),
            "patroni_config": requests.patroni(host),
            "postgres": {"timeout": _POSTGRES_TIMEOUT},
            "replication": {"timeout": _POSTGRES_TIMEOUT},
            "mounts": requests.mounts(host),
        }
    return {
        "dns": {**requests.dns(estate, ""), "servers": servers},
        "resolver": requests.dns(estate, RESOLVER_ADDRESS),
    }


def forbidden_targets(estate: Estate, hosts: Sequence[Host], host: Host) -> list[tuple[str, int]]:
    """Every TCP port of the table of flows, on every other host, that this host may not reach."""
    return [
        (str(other.address), port)
        for other in hosts
        if other != host
        for port in _tcp_ports(other)
        if not _allowed(estate, hosts, host, other, port)
    ]


def _tcp_ports(host: Host) -> list[int]:
    ports = (flows.port_of(flow, host) for flow in flows.FLOWS if flow.protocol == "tcp")
    return sorted({port for port in ports if port is not None})


def _allowed(estate: Estate, hosts: Sequence[Host], source: Host, target: Host, port: int) -> bool:
    return any(
        rule.protocol == "tcp" and rule.port == port and expected.admits(rule, source.address)
        for rule in flows.rules_for(estate, hosts, target)
    )


def attempts(estate: Estate, hosts: Sequence[Host], host: Host) -> Iterator[dict[str, Any]]:
    """What this host is to try, and fail at: each door that its flows lead to, without the key."""
    if host.role == "application":
        for member in (one for one in hosts if one.role == "database"):
            yield from _as_application(estate, member)
    elif host.role == "database":
        for member in (one for one in hosts if one.cell == host.cell and one != host):
            yield from _as_member(member)
    else:
        for voter in (one for one in hosts if one.role == "control"):
            yield from _as_control(voter)


def _as_application(estate: Estate, member: Host) -> Iterator[dict[str, Any]]:
    if member.cell is None:
        return
    own = {"dbname": estate.cell(member.cell).database, "user": "application"}
    yield _postgres("plain text", member, _NO_RULE, **own, sslmode="disable")
    # Of the two that take turns (mirrorforce.rotation) the one whose turn it is not has no line at all.
    denied = f"password authentication failed|{_NO_RULE}"
    for user in (
        "application",
        *(name for name, role in expected.TAKING_TURNS.items() if role == "application"),
    ):
        as_user = {**own, "user": user, "sslmode": "require"}
        yield _postgres(f"wrong password as {user}", member, denied, **as_user)
    yield _postgres("superuser", member, _NO_RULE, dbname="postgres", user="postgres", sslmode="require")
    yield _postgres("replication", member, _NO_RULE, **_REPLICATION, sslmode="require")


def _as_member(member: Host) -> Iterator[dict[str, Any]]:
    without = "replication without a certificate"
    yield _postgres(without, member, "valid client certificate", **_REPLICATION, sslmode="require")
    yield _postgres("plain-text replication", member, _NO_RULE, **_REPLICATION, sslmode="disable")
    url = f"{member.address}:{PATRONI_PORT}"
    yield {
        "id": f"plain-text REST of {member.name}",
        "kind": "http",
        "url": f"http://{url}/patroni",
        "because": _CLOSED,
    }
    # A reload changes nothing, should it ever be let through.
    order = {"kind": "https", "url": f"https://{url}/reload", "body": {}, "ca": expected.CA_CERTIFICATE}
    yield {"id": f"REST order without a certificate to {member.name}", **order, "because": "HTTP 403"}
    yield {
        "id": f"REST order without a password to {member.name}",
        **order,
        "certificate": expected.HOST_CERTIFICATE,
        "key": expected.HOST_KEY,
        "because": "HTTP 401",
    }


def _as_control(voter: Host) -> Iterator[dict[str, Any]]:
    url = f"{voter.address}:{ETCD_CLIENT_PORT}"
    read = {"kind": "https", "url": f"https://{url}/v3/kv/range", "body": {"key": "AA==", "limit": 1}}
    yield {
        "id": f"plain-text etcd on {voter.name}",
        "kind": "http",
        "url": f"http://{url}/health",
        "because": _CLOSED,
    }
    yield {
        "id": f"etcd without a certificate on {voter.name}",
        **read,
        "ca": expected.CA_CERTIFICATE,
        "because": "certificate required|bad certificate|Broken pipe|reset by peer",
    }
    yield {
        "id": f"etcd without a user on {voter.name}",
        **read,
        "ca": expected.CA_CERTIFICATE,
        "certificate": expected.HOST_CERTIFICATE,
        "key": expected.HOST_KEY,
        "refusals": ["user name is empty", "permission denied"],
        "because": "user name is empty|permission denied",
    }


def _postgres(what: str, member: Host, because: str, **parameters: str) -> dict[str, Any]:
    target = {"hostaddr": str(member.address), "port": str(POSTGRES_PORT), "gssencmode": "disable"}
    return {
        "id": f"{what} to {member.name}",
        "kind": "postgres",
        "parameters": {**target, **parameters},
        "password": WRONG_PASSWORD,
        "because": because,
    }
