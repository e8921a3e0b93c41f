"""`converge`: bring hosts to the declared state."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from mirrorforce import engine, fingerprint, placement, playbook, remote, role_variables
from mirrorforce.errors import MirrorforceError
from mirrorforce.playbook import PlaybookResult
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirrorforce.estate import Estate
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.workspace import Workspace

MARKER = "/var/lib/mirrorforce/converged"
"""Where a host keeps the fingerprint of what it was converged to: role base's `base_marker`."""

_READ_SECONDS = 10.0


def converge(  # noqa: PLR0913 - what ansible-playbook itself is told, and who listens
    ws: Workspace,
    estate: Estate,
    *,
    limit: str | None = None,
    tags: str | None = None,
    only_stale: bool = False,
    check: bool = False,
    notes: Mapping[str, str] | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> PlaybookResult:
    """Run playbooks/site.yml; with `only_stale`, on the hosts alone whose fingerprint no longer holds.

    With both, `limit` is a list of hosts' names, separated by commas.

    `notes` are the fingerprints that hosts are left with after a run of some roles, by their names: for who
    knows that these roles are all that had to be done.

    `check` changes nothing and says what would change: then failures are part of the result. Otherwise
    MirrorforceError names every host and task that failed.
    """
    wanted = {} if tags and not only_stale else fingerprints(ws, estate)
    if only_stale:
        on_progress("what the hosts were converged to")
        among = limit.split(",") if limit else list(wanted)
        stale = stale_hosts(ws, {name: wanted[name] for name in among})
        if not stale:
            return PlaybookResult()
        limit = ",".join(stale)
    # A run of some roles only says nothing about the others: by itself it leaves no fingerprint.
    left = notes if tags else wanted
    variables = {} if check or left is None else {"fingerprints": left}
    result = playbook.run(
        ws,
        "site.yml",
        limit=limit,
        tags=tags,
        check=check,
        variables=variables,
        on_event=lambda progress: on_progress(str(progress)),
    )
    if result.failures and not check:
        raise failed(ws, result)
    return result


def fingerprints(ws: Workspace, estate: Estate) -> dict[str, str]:
    """The fingerprint that each host of the estate is to have, by its name."""
    return fingerprints_with(estate, engine.read_secrets(ws))


def fingerprints_with(estate: Estate, secrets: EstateSecrets) -> dict[str, str]:
    """The same, with these secrets."""
    hosts = placement.hosts(estate)
    code, today = fingerprint.of_code(ROOT), dt.datetime.now(dt.UTC).date()
    return {
        host.name: fingerprint.of_host(code, role_variables.for_host(estate, hosts, host, secrets), today)
        for host in hosts
    }


def stale_hosts(ws: Workspace, wanted: Mapping[str, str]) -> list[str]:
    """The hosts that do not bear their fingerprint; one that does not answer is among them."""
    found = remote.run_on_all(ws, wanted, ["sudo", "-n", "cat", MARKER], timeout=_READ_SECONDS)
    return [host for host, answer in found.items() if answer.stdout.strip() != wanted[host]]


def failed(ws: Workspace, result: PlaybookResult) -> MirrorforceError:
    """The error that names every failure of a run."""
    lines = [f"  {failure.host}: {failure.task}: {failure.message}" for failure in result.failures]
    hosts = len({failure.host for failure in result.failures})
    return MirrorforceError(
        f"converge failed on {hosts} of {len(result.hosts)} hosts; what was done stays:\n" + "\n".join(lines),
        f"mend what is named above, then: mirrorforce converge {ws.env}",
    )
