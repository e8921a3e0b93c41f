"""Asking hosts for their facts: the probe of `mirrorforce.onhost`, on many hosts side by side."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirrorforce import remote
from mirrorforce.onhost import PYTHON_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.remote import Result
    from mirrorforce.workspace import Workspace

COMMAND = f"sudo -n env {PYTHON_PATH} python3 -m mirrorforce.onhost.probe"
"""As root, since keys and packet filters are root's to read."""

PATIENCE = 8.0
"""Seconds more that a host has which was reached and is slow, as under a load that leaves it no processor."""

_OF_PATIENCE = 2.0
"""Seconds of it that are for the host's answers, each of which has a limit of its own below that."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one host answered: its sections, or the reason why there is no answer."""

    host: str
    reason: str | None = None
    sections: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """True if the host gave facts at all."""
        return self.reason is None

    def section(self, name: str) -> Mapping[str, Any]:
        """The facts of a section; empty where it failed or was not asked for."""
        found = self.sections.get(name) or {}
        return {} if "error" in found else found

    def fault(self, name: str) -> str | None:
        """Why a section has no facts; None where it has."""
        if not self.answered:
            return self.reason
        found = self.sections.get(name)
        if found is None:
            return "not asked"
        fault: str | None = found.get("error")
        return fault


def read(host: str, result: Result) -> Probe:
    """The probe's answer in what ssh gave."""
    if result.ok:
        try:
            return Probe(host, sections=json.loads(result.stdout)["sections"])
        except (ValueError, KeyError, TypeError):
            return Probe(host, reason="its answer is no probe's answer")
    return Probe(host, reason=result.reason)


def ask(ws: Workspace, requests: Mapping[str, Mapping[str, Any]], *, timeout: float) -> dict[str, Probe]:
    """Ask each host for the sections of its request, side by side.

    Done within `timeout` seconds where hosts are well or dead, and PATIENCE later where one is slow: it
    says with an empty line that it was reached, before the probe begins.
    """

    def one(host: str) -> Probe:
        request = json.dumps({"limit": round(timeout + _OF_PATIENCE, 2), "sections": requests[host]})
        answer = remote.run(
            ws, host, f"echo; exec {COMMAND}", stdin=request, timeout=timeout, patience=PATIENCE
        )
        return read(host, answer)

    if not requests:
        return {}
    with ThreadPoolExecutor(max_workers=min(32, len(requests))) as pool:
        return {probe.host: probe for probe in pool.map(one, requests)}
