"""Which facts each host is asked for: requests to the probe of `mirrorforce.onhost`. Pure.

The paths are those of the roles (`role_variables`), the ports those of `estate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorforce.estate import ETCD_CLIENT_PORT, PATRONI_PORT
from mirrorforce.operations.status_report import RESOLVER_ADDRESS, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate, Host

AGENT_REPORT = "/run/failover_agent/report.json"
PKI_FOLDER = "/etc/mirrorforce/pki"

PATRONICTL = ("sudo", "-n", "runuser", "-u", "postgres", "--", "patronictl", "-c", "/etc/patroni/config.yml")

Request = dict[str, dict[str, Any]]


def credentials() -> dict[str, Any]:
    """The host's own certificate, with which it may ask its own services."""
    return {
        "ca": f"{PKI_FOLDER}/ca.crt",
        "certificate": f"{PKI_FOLDER}/host.crt",
        "key": f"{PKI_FOLDER}/host.key",
    }


def for_status(estate: Estate, hosts: Sequence[Host], host: Host) -> Request:
    """What `status` asks this host: little, since many are asked and a person waits."""
    del hosts
    if host.role == "control":
        return {"etcd": etcd(host), "dns": dns(estate, str(host.address))}
    if host.role == "database":
        agent = {"failover_agent": {"report": AGENT_REPORT}} if estate.fence_and_release else {}
        return {
            "patroni": patroni(host), "replication": {"timeout": 1.5}, "mounts": mounts(host), **agent
        }  # fmt: skip
    return {"dns": dns(estate, RESOLVER_ADDRESS)}


def etcd(host: Host) -> dict[str, Any]:
    """The host's own etcd member."""
    return {"url": f"https://{host.address}:{ETCD_CLIENT_PORT}", **credentials()}


def patroni(host: Host) -> dict[str, Any]:
    """The host's own Patroni."""
    return {"url": f"https://{host.address}:{PATRONI_PORT}", **credentials()}


def mounts(host: Host) -> dict[str, Any]:
    """The host's volumes."""
    return {"points": [volume.mount for volume in host.volumes]}


def dns(estate: Estate, server: str) -> dict[str, Any]:
    """Both names of every cell, from one server."""
    names = [name for cell in estate.cells for name in names_of(estate, cell)]
    return {"servers": [server], "names": names, "timeout": 1.5}
