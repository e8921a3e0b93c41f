"""Collecting what `verify` judges: every host asked once by testinfra, side by side.

Facts can be written to a file and judged again from there. That is how a test breaks them on purpose,
one by one, and sees the right check fail.
"""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import testinfra

from mirrorforce import engine, placement, rotation
from mirrorforce.operations.probing import COMMAND, Probe
from mirrorforce.operations.verify_requests import for_verify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mirrorforce.estate import Estate, Host
    from mirrorforce.workspace import Workspace

LIMIT = 12.0
"""Seconds that a host has for all of its sections."""

_WITHOUT_KEY = (
    "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "PubkeyAuthentication=no",
    "-o", "PreferredAuthentications=password,keyboard-interactive,gssapi-with-mic,hostbased",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What hosts said, what they should hold, and when they were asked (epoch seconds).

    ca_certificate: the authority that signs. trusted: what hosts are to trust; two while it is rotated.
    half_rotated: secrets that are between two values.
    """

    ca_certificate: str
    trusted: str
    half_rotated: tuple[str, ...]
    asked: float
    answered: float
    probes: Mapping[str, Probe]

    def write(self, path: Path) -> None:
        """Keep the facts as JSON; they hold no secret."""
        hosts = {p.host: {"reason": p.reason, "sections": p.sections} for p in self.probes.values()}
        document = {
            "ca_certificate": self.ca_certificate,
            "trusted": self.trusted,
            "half_rotated": self.half_rotated,
            "asked": self.asked,
            "answered": self.answered,
            "hosts": hosts,
        }
        path.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")


def read(path: Path) -> Facts:
    """The facts in a file."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    probes = {name: Probe(name, host["reason"], host["sections"]) for name, host in document["hosts"].items()}
    told = (document["ca_certificate"], document["trusted"], tuple(document["half_rotated"]))
    return Facts(*told, document["asked"], document["answered"], probes)


def collect(ws: Workspace, estate: Estate) -> Facts:
    """Ask every host of the estate; one that does not answer is a fact as well."""
    hosts = placement.hosts(estate)
    asked = time.time()
    with ThreadPoolExecutor(max_workers=len(hosts) + 1) as pool:
        asking = pool.submit(engine.read_secrets, ws)
        probes = list(pool.map(lambda host: _ask(ws, estate, hosts, host), hosts))
        known = asking.result()
        told = (known.ca_certificate, rotation.authorities(known), tuple(sorted(known.changes)))
        return Facts(*told, asked, time.time(), {probe.host: probe for probe in probes})


def _ask(ws: Workspace, estate: Estate, hosts: tuple[Host, ...], host: Host) -> Probe:
    request = json.dumps({"limit": LIMIT, "sections": for_verify(estate, hosts, host)})
    try:
        shell = testinfra.get_host(f"ssh://{host.name}", ssh_config=str(ws.ssh_config))
        done = shell.run("printf %%s %s | " + COMMAND, request)
    except RuntimeError as fault:  # testinfra's word for an ssh that did not get through
        return Probe(host.name, reason=_last_line(str(fault)))
    if done.rc != 0:
        return Probe(host.name, reason=_last_line(done.stderr))
    sections: dict[str, Any] = json.loads(done.stdout)["sections"]
    return Probe(host.name, sections=sections | {"ssh_without_key": {"said": _ssh_without_key(ws, host)}})


def _ssh_without_key(ws: Workspace, host: Host) -> str:
    """What sshd says to someone who has no key: the methods it would still take."""
    line = ["ssh", "-F", str(ws.ssh_config), *_WITHOUT_KEY, host.name, "true"]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=LIMIT, stdin=subprocess.DEVNULL
    )
    return "let in" if done.returncode == 0 else _last_line(done.stderr)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no answer"
