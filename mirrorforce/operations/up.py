"""`up`: stand an environment up, or bring it back to what its estate file says.

Every phase looks at what is there and goes on from it; so does the whole, after Ctrl-C, `kill -9` or a
power cut. A host that was converged to exactly this and still verifies is not converged again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mirrorforce import aws_account, engine, inventory
from mirrorforce.errors import MirrorforceError
from mirrorforce.lock import only_one
from mirrorforce.operations import (
    adopt,
    converge,
    existing_links,
    plan,
    status,
    unfinished,
    verify,
    waiting,
)
from mirrorforce.stack_names import StackName, interconnect_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.progress import Phases
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.workspace import Workspace

TIMES_FILE = "up.json"
"""The phases' seconds of the last `up`, among the reports."""

SETTLED_WITHIN = 120.0
"""Seconds that replication and DNS may take to be whole after hosts came up or were converged."""


@dataclass(frozen=True, slots=True)
class Result:
    """What stands after `up`: the verify report and the status report."""

    verified: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def as_declared(self) -> bool:
        """Whether every check passed."""
        return bool(self.verified["as_declared"])


def up(
    ws: Workspace,
    estate: Estate,
    phases: Phases,
    *,
    converge_all: bool = False,
    consent: plan.Consent = plan.NOTHING,
) -> Result:
    """Stand the environment up; MirrorforceError where a phase fails. A failed check is a result.

    Nothing that holds data on AWS is deleted or replaced but what `consent` names.
    """
    with only_one(ws, f"up {ws.env}"):
        have_platforms(estate, phases)
        secrets = have_secrets(ws, estate, phases)
        sites = [site.name for site in estate.sites]
        hosts = have_sites(ws, estate, sites, secrets, phases, consent)
        with phases.phase("converge") as waits_for:
            converge.converge(ws, estate, only_stale=not converge_all, on_progress=waits_for)
        verified = _verified(ws, estate, hosts, phases)
        report = status.collect(ws, estate, hosts)
        _keep_times(ws, phases)
        return Result(verified, report)


def have_platforms(estate: Estate, phases: Phases) -> None:
    """What a platform needs before its first host: for the lab this machine's tools and the hosts' image.

    AWS has to know who asks.
    """
    aws_account.require(estate)
    if all(site.platform != "lab" for site in estate.sites):
        return
    from mirrorforce.lab import image, packages, requirements  # noqa: PLC0415 - only a lab needs the lab

    with phases.phase("image") as waits_for:
        requirements.checks()
        image.ensure(packages.declared(), waits_for)


def have_secrets(ws: Workspace, estate: Estate, phases: Phases) -> EstateSecrets:
    """The estate's secrets, made where there are none; machines that exist already are as declared."""
    with phases.phase("secrets"):
        secrets = engine.prepare(ws, estate)
    if adopt.machines_of(estate):
        with phases.phase("machines") as waits_for:
            adopt.require(ws, estate, secrets, waits_for)
    return secrets


def have_sites(
    ws: Workspace,
    estate: Estate,
    sites: Sequence[str],
    secrets: EstateSecrets,
    phases: Phases,
    consent: plan.Consent,
) -> Inventory:
    """Bring these sites' stacks up side by side, then what joins the sites; every host that there is."""
    stacks = [StackName(estate.name, site) for site in sites]
    plan.look_first(ws, estate, secrets.ssh_public_key, consent, phases, stacks)
    try:
        with phases.phase("sites") as waits_for:
            engine.side_by_side([_stack_up(ws, str(name), secrets, waits_for, consent) for name in stacks])
        with phases.phase("links") as waits_for:
            engine.up(ws, str(interconnect_stack(estate)), on_event=lambda step: waits_for(str(step)))
            found = inventory.read(ws, estate)
            inventory.write_access(ws, found, secrets)
            existing_links.require(ws, estate, found)
    except MirrorforceError:
        _tell_unfinished(ws, estate, stacks, phases)
        raise
    _tell_unfinished(ws, estate, stacks, phases)
    return found


def _tell_unfinished(ws: Workspace, estate: Estate, stacks: Sequence[StackName], phases: Phases) -> None:
    for advice in unfinished.forgotten(ws, estate, [*stacks, interconnect_stack(estate)]):
        phases.say(advice)


def _stack_up(
    ws: Workspace,
    stack: str,
    secrets: EstateSecrets,
    waits_for: Callable[[str], None],
    consent: plan.Consent,
) -> Callable[[], engine.Outcome]:
    return partial(
        engine.up,
        ws,
        stack,
        public_key=secrets.ssh_public_key,
        on_event=lambda step: waits_for(f"{stack}: {step}"),
        variables=consent.variables,
    )


def _verified(ws: Workspace, estate: Estate, hosts: Inventory, phases: Phases) -> Mapping[str, Any]:
    """Verify; where something is not as declared, converge every host once and look again."""
    report = look(ws, estate, hosts, phases)
    if report["as_declared"]:
        return report
    phases.say(f"{report['failed']} checks failed: every host is converged, then checked again")
    with phases.phase("converge") as waits_for:
        converge.converge(ws, estate, only_stale=False, on_progress=waits_for)
    return look(ws, estate, hosts, phases)


def look(ws: Workspace, estate: Estate, hosts: Inventory, phases: Phases) -> Mapping[str, Any]:
    """Wait until the estate is whole, then verify it."""
    with phases.phase("settle") as waits_for:
        waiting.until_whole(ws, estate, hosts, limit=SETTLED_WITHIN, on_progress=waits_for)
    with phases.phase("verify") as waits_for:
        return verify.verify(ws, estate, hosts, waits_for)


def _keep_times(ws: Workspace, phases: Phases) -> None:
    ws.reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps({"phases": [asdict(time) for time in phases.times]}, indent=2)
    (ws.reports / TIMES_FILE).write_text(text + "\n", encoding="utf-8")
    total = sum(time.seconds for time in phases.times)
    phases.say(f"{'total':<12} {total:6.1f} s")
