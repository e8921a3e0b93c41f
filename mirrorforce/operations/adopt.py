"""`adopt`: look at the machines that exist already, before anything is done to them. Nothing is changed.

`up` looks in the same way, first of all: where one machine is not what the file says, nothing is made at all.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce import engine, inventory, placement
from mirrorforce.errors import BadInputError
from mirrorforce.inventory import Inventory
from mirrorforce.lock import only_one
from mirrorforce.sites import static_check, static_probe
from mirrorforce.sites.static_check import Facts
from mirrorforce.sites.static_entry import inventory_entry, machine_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.estate import Estate, Host
    from mirrorforce.progress import Phases
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.sites.static_check import Complaint
    from mirrorforce.workspace import Workspace

_MOST_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Found:
    """A machine that can become the host; what it says of itself."""

    host: Host
    facts: Facts


@dataclass(frozen=True, slots=True)
class Result:
    """The machines that can become hosts; the key that opens them; all that is wrong with the others."""

    public_key: str
    machines: int
    found: tuple[Found, ...]
    complaints: tuple[Complaint, ...]


def machines_of(estate: Estate) -> tuple[Host, ...]:
    """The hosts that exist already."""
    return tuple(host for host in placement.hosts(estate) if host.machine is not None)


def adopt(ws: Workspace, estate: Estate, phases: Phases) -> Result:
    """Look at every machine; makes the estate's key on first use. BadInputError for an estate without any."""
    if not machines_of(estate):
        message = f"environment {ws.env} has no site of platform static: there is nothing to adopt"
        raise BadInputError(message, f"declare one in {ws.estate_file}, or mirrorforce up {ws.env}")
    with only_one(ws, f"adopt {ws.env}"):
        with phases.phase("secrets"):
            secrets = engine.prepare(ws, estate)
        with phases.phase("machines") as waits_for:
            return look(estate, secrets, waits_for)


def require(ws: Workspace, estate: Estate, secrets: EstateSecrets, waits_for: Callable[[str], None]) -> None:
    """MirrorforceError with all that is wrong with the estate's machines; nothing where it has none."""
    if machines_of(estate):
        result = look(estate, secrets, waits_for)
        if result.complaints:
            raise static_check.error(ws.env, result.complaints, result.machines)


def look(estate: Estate, secrets: EstateSecrets, waits_for: Callable[[str], None]) -> Result:
    """Look at all machines side by side: who answers, then what those say who are the right ones."""
    hosts = machines_of(estate)
    waits_for(f"{len(hosts)} machines")
    with tempfile.TemporaryDirectory(prefix="mirrorforce-") as folder:
        entries = (inventory_entry(host, machine_of(host).host_key) for host in hosts)
        known = Inventory(estate.name, tuple(inventory.host_of(entry) for entry in entries))
        config = inventory.write_access_into(Path(folder), known, secrets)
        looker = _Looker(estate, config, secrets.ssh_public_key, _owners(hosts))
        with ThreadPoolExecutor(max_workers=min(_MOST_AT_ONCE, len(hosts))) as pool:
            looks = list(pool.map(looker.look, hosts))
    return Result(
        public_key=secrets.ssh_public_key.strip(),
        machines=len(hosts),
        found=tuple(each for each in looks if isinstance(each, Found)),
        complaints=tuple(complaint for each in looks if isinstance(each, tuple) for complaint in each),
    )


@dataclass(frozen=True, slots=True)
class _Looker:
    """What looking at any of the machines needs."""

    estate: Estate
    config: Path
    public_key: str
    owners: dict[str, str]

    def look(self, host: Host) -> Found | tuple[Complaint, ...]:
        """The machine, or all that is wrong with it."""
        machine = machine_of(host)
        answer = static_probe.who_answers(machine)
        if complaint := static_check.of_answer(host, machine, answer, self.owners):
            return (complaint,)
        facts = static_probe.look(self.config, host.name, [volume.mount for volume in host.volumes])
        if not isinstance(facts, Facts):
            return (static_check.of_login(host, machine, facts, self.public_key),)
        return tuple(static_check.of_facts(self.estate, host, machine, facts)) or Found(host, facts)


def _owners(hosts: tuple[Host, ...]) -> dict[str, str]:
    """The declared keys, and whose they are."""
    return {machine_of(host).host_key: host.name for host in hosts}
