"""Who this member follows; what Patroni's REST says, here and on members whose agent says nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost.https_json import HttpsError, exchange

if TYPE_CHECKING:
    from collections.abc import Collection

    from mirrorforce.onhost.failover_agent.settings import Settings

_LIMIT_S = 0.5
_HOST = re.compile(r"\bhost='?(?P<host>[^'\s]+)")


def source_in(conninfo: str) -> str | None:
    """The host that a primary_conninfo names. Pure."""
    found = _HOST.search(conninfo)
    return found["host"] if found else None


def failsafe(settings: Settings) -> bool:
    """Whether this member's Patroni hears from the primary that etcd is lost."""
    return bool(_asked(settings, settings.own.address).get("failsafe_mode_is_active"))


def patroni_runs(settings: Settings) -> bool:
    """Whether this member's Patroni answers, and has its PostgreSQL running."""
    return _asked(settings, settings.own.address).get("state") == "running"


def positions(settings: Settings, names: Collection[str]) -> dict[str, int]:
    """What these members have, of those that answer (an LSN)."""
    found = {}
    for name in names:
        held = _asked(settings, settings.members[name].address).get("xlog") or {}
        known = [held[key] for key in ("received_location", "replayed_location", "location") if held.get(key)]
        if known:
            found[name] = max(known)
    return found


def _asked(settings: Settings, address: str) -> dict[str, Any]:
    url = f"https://{address}:{settings.patroni_port}/patroni"
    try:
        body = exchange(url, settings.credentials, timeout=_LIMIT_S).body
    except HttpsError:
        return {}
    return body if isinstance(body, dict) else {}
