"""Which facts a look asks each host for: in one round trip, the host's seal among them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import expected
from mirrorforce.operations import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate, Host
    from mirrorforce.operations.requests import Request

DATA = "/srv/postgres/data/17"
_POSTGRES_TIMEOUT = 8.0


def for_drift(estate: Estate, host: Host, packages: Sequence[str]) -> Request:
    """What a look asks this host. `packages`: those whose versions are to agree between hosts."""
    common: Request = {
        "seal": {},
        "sockets": {},
        "nftables": {},
        "packages": {"names": list(packages)},
        "certificates": {
            "paths": [expected.CA_CERTIFICATE, expected.HOST_CERTIFICATE],
            "ports": expected.tls_ports(host),
        },
    }
    if host.role == "control":
        return common | {
            "etcd": requests.etcd(host),
            "etcd_members": requests.etcd(host),
            "dns": requests.dns(estate, str(host.address)),
            "dns_admin": {},
        }
    if host.role == "database":
        return common | {
            "patroni": requests.patroni(host),
            "patroni_config": requests.patroni(host),
            "postgres": {"timeout": _POSTGRES_TIMEOUT},
            "overrides": {"timeout": _POSTGRES_TIMEOUT, "data": DATA},
            "member_data": {"data": DATA},
        }
    return common
