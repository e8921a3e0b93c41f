"""`secrets list`: which secrets there are, how old they are, who uses them. Never a value."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from cryptography import x509

from mirrorforce import engine, expected, remote, rotation
from mirrorforce.operations import probing
from mirrorforce.rotation import AUTHORITY, CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Estate
    from mirrorforce.operations.probing import Probe
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.workspace import Workspace

ANSWER_WITHIN = 5.0
"""Seconds that a host has to show its certificate."""

_SECONDS_OF_A_DAY = 86400.0


def collect(ws: Workspace, estate: Estate) -> dict[str, Any]:
    """The list, valid against schemas/secrets.schema.json. A host that does not answer is named in it."""
    secrets = engine.read_secrets(ws)
    request = {"certificates": {"paths": [expected.HOST_CERTIFICATE]}}
    hosts = sorted(remote.known_hosts(ws))
    probes = probing.ask(ws, dict.fromkeys(hosts, request), timeout=ANSWER_WITHIN)
    return report(ws.env, estate, secrets, probes, dt.datetime.now(dt.UTC))


def report(
    env: str, estate: Estate, secrets: EstateSecrets, probes: Mapping[str, Probe], now: dt.datetime
) -> dict[str, Any]:
    """The list, of what is written down and of what hosts showed. Pure."""
    ends, silent = _ends(probes)
    authority = x509.load_pem_x509_certificate(secrets.ca_certificate.encode("ascii"))
    last = {AUTHORITY: authority.not_valid_after_utc}
    if ends:
        last[CERTIFICATES] = min(ends)
    rows = []
    for each in rotation.of(estate):
        made = rotation.made(secrets, each.name)
        change = secrets.changes.get(each.name)
        age = (now - dt.datetime.fromisoformat(made)).total_seconds() / _SECONDS_OF_A_DAY if made else None
        end = last.get(each.name)
        rows.append(
            {
                "name": each.name,
                "kind": str(each.kind),
                "made": made or None,
                "age_days": max(0, int(age)) if age is not None else None,
                "ends": end.isoformat(timespec="seconds") if end else None,
                "days_left": (end - now).days if end else None,
                "users": each.users,
                "half_rotated": {"stage": str(change.stage), "since": change.since} if change else None,
            }
        )
    return {"version": 1, "environment": env, "secrets": rows, "silent": silent}


def _ends(probes: Mapping[str, Probe]) -> tuple[list[dt.datetime], list[str]]:
    """When hosts' certificates end; and the hosts that did not show theirs."""
    found, silent = [], []
    for name, probe in sorted(probes.items()):
        pem = (probe.section("certificates").get("files") or {}).get(expected.HOST_CERTIFICATE)
        if pem:
            found.append(x509.load_pem_x509_certificate(pem.encode("ascii")).not_valid_after_utc)
        else:
            silent.append(name)
    return found, silent
