"""What Patroni and etcd say; standard library only, runs on hosts."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost.https_json import Credentials, HttpsError, exchange

if TYPE_CHECKING:
    from collections.abc import Mapping


def _credentials(arguments: Mapping[str, Any]) -> Credentials:
    return Credentials(arguments["ca"], arguments.get("certificate"), arguments.get("key"))


def patroni(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Patroni's own view of this member (`/patroni`) and of its cell (`/cluster`)."""
    credentials = _credentials(arguments)
    url = arguments["url"]
    return {
        "member": exchange(f"{url}/patroni", credentials).body,
        "cluster": exchange(f"{url}/cluster", credentials).body,
    }


def patroni_config(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The dynamic configuration that Patroni keeps in etcd (`/config`)."""
    reply = exchange(f"{arguments['url']}/config", _credentials(arguments))
    return {"status": reply.status, "config": reply.body}


def etcd(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Health and maintenance status of this host's own etcd member."""
    credentials = _credentials(arguments)
    url = arguments["url"]
    health = exchange(f"{url}/health", credentials)
    status = exchange(f"{url}/v3/maintenance/status", credentials, body={})
    if status.status != HTTPStatus.OK:
        raise HttpsError(f"{url}/v3/maintenance/status: HTTP {status.status} {status.body}")
    found = {"health": health.body, "status": status.body}
    if arguments.get("auth"):
        # Refused once authentication is on: the answer itself is the fact.
        refused = exchange(f"{url}/v3/kv/range", credentials, body={"key": "AA==", "limit": 1})
        found["range_without_user"] = {"status": refused.status, "body": refused.body}
    return found
