"""`take-back`: a site that `recover` gave up joins again, without anything it held.

What it held belongs to a cluster that is over. Two such sites that meet each other are a majority of that
cluster, and would begin to serve it again: so each comes back cut off from all others (in a lab by us,
elsewhere by its owner), loses etcd's data and its members' data there, and is connected and converged after
that. Run again it goes on from what is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorforce import remote
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import converge, names, status, survivor, waiting
from mirrorforce.operations.status_problems import clusters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

JOINED_WITHIN = 600.0
"""Seconds until the site's members have been copied and confirm commits; a large copy takes longer, and goes
on by itself."""

_ANSWERS_WITHIN = 120.0
_SYNCHRONOUS = ("quorum", "sync")


def take_back(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    site: str,
    on_progress: Callable[[str], None] = lambda _: None,
) -> bool:
    """Let it join again; returns once its voter votes and its members stream: whether anything was done.

    Raises BadInputError for a site that was not given up, MirrorforceError where the rest of the estate does
    not run without it or a step fails.
    """
    names.known("site", site, (each.name for each in estate.sites))
    report = status.collect(ws, estate, inventory, timeout=status.FOR_A_DECISION)
    missing = to_erase(report, site)
    if missing:
        _without_what_it_held(ws, estate, inventory, site, missing, on_progress)
        hosts = [host.name for host in inventory.of_site(site)]
        converge.converge(ws, estate, limit=",".join(hosts), on_progress=on_progress)
    joined = _until_joined(ws, estate, inventory, site, on_progress)
    # On the primaries alone: what they were allowed while they were alone is taken back.
    leading = [cell["primary"]["host"] for cell in joined["cells"]]
    converge.converge(ws, estate, limit=",".join(leading), tags="postgres", on_progress=on_progress)
    return bool(missing)


def to_erase(report: Mapping[str, Any], site: str) -> tuple[str, ...]:
    """The hosts of the site that have not joined the estate as it is now. Pure.

    Raises MirrorforceError where the rest of the estate does not run: then a recovery comes first.
    """
    _require_running(report, site)
    voters = report["etcd"]["members"]
    joined = clusters_of(one for one in voters if one["site"] != site)
    members = [
        *(
            (one["host"], one["healthy"] and one["cluster"] in joined)
            for one in voters
            if one["site"] == site
        ),
        *(
            (member["host"], member["role"] == "standby" and member["state"] == "streaming")
            for cell in report["cells"]
            for member in cell["members"]
            if member["site"] == site
        ),
    ]
    return tuple(host for host, joined in members if not joined)


def _require_running(report: Mapping[str, Any], site: str) -> None:
    leader = report["etcd"]["leader"]
    if leader is None or not any(one["healthy"] for one in report["etcd"]["members"] if one["site"] != site):
        raise MirrorforceError(
            "etcd has no majority, so there is nothing that a site could join",
            "mirrorforce status; where the others are gone for good: mirrorforce recover",
        )
    others = clusters_of(one for one in report["etcd"]["members"] if one["site"] != site)
    if len(others) > 1:
        raise MirrorforceError(
            "two clusters of etcd serve beside each other: "
            + " and ".join(", ".join(hosts) for hosts in others.values()),
            "cut the sites that were given up off from all others at once, then run this again",
        )
    for cell in report["cells"]:
        name, primary = cell["name"], cell["primary"]
        if primary is None:
            raise MirrorforceError(
                f"{name} has no primary that a member in {site} could be copied from",
                f"mirrorforce status; where it was lost with its sites: mirrorforce recover {name}",
            )
        if primary["site"] == site:
            raise BadInputError(
                f"{site} serves {name}: it was not given up, and nothing there may be removed",
                "mirrorforce status",
            )


def _without_what_it_held(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    site: str,
    missing: Sequence[str],
    on_progress: Callable[[str], None],
) -> None:
    """Have the site up, and nothing on its missing hosts that was there before."""
    # Once its voter is part of the majority, cutting the site off would take that away.
    isolates = estate.site(site).platform == "lab" and any(
        inventory.host(host).role == "control" for host in missing
    )
    if isolates:
        from mirrorforce.lab import estate as lab  # noqa: PLC0415 - only a lab needs the lab

        on_progress(f"{site} gets power, cut off from all others")
        lab.cut_site(estate.name, site)
        lab.power_on_site(estate.name, site, cut_off=True)
    _until_answering(ws, missing)
    on_progress(f"what {', '.join(missing)} held is removed")
    survivor.erase(ws, inventory, missing)
    if isolates:
        on_progress(f"{site} is connected again")
        lab.mend_site(estate.name, site)


def _until_answering(ws: Workspace, hosts: Sequence[str]) -> None:
    silent: list[str] = []

    def answering() -> bool | None:
        found = remote.run_on_all(ws, hosts, ["true"], timeout=15.0)
        silent[:] = [host for host, result in found.items() if not result.ok]
        return None if silent else True

    waiting.until(
        answering,
        limit=_ANSWERS_WITHIN,
        every=1.0,
        otherwise=lambda: MirrorforceError(
            f"{', '.join(silent)} did not answer within {_ANSWERS_WITHIN:.0f} s",
            "give the site's hosts power, cut off from other sites, or make new ones (mirrorforce up); then "
            "the same command again",
        ),
    )


def _until_joined(
    ws: Workspace, estate: Estate, inventory: Inventory, site: str, on_progress: Callable[[str], None]
) -> dict[str, Any]:
    said: list[str] = []

    def joined() -> dict[str, Any] | None:
        report = status.collect(ws, estate, inventory, timeout=status.FOR_A_DECISION)
        said[:] = not_joined(report, site)
        if said:
            on_progress(said[0])
        return None if said else report

    return waiting.until(
        joined,
        limit=JOINED_WITHIN,
        every=1.0,
        otherwise=lambda: MirrorforceError(
            f"{site} has not joined after {JOINED_WITHIN:.0f} s: {'; '.join(said)}",
            f"mirrorforce status {ws.env}; then the same command again",
        ),
    )


def not_joined(report: Mapping[str, Any], site: str) -> list[str]:
    """What the site still lacks to be part of the estate, in words. Pure."""
    voters = [
        f"etcd on {one['host']} is not healthy: {one['reason']}"
        for one in report["etcd"]["members"]
        if one["site"] == site and not one["healthy"]
    ]
    nobody = [f"{cell['name']} has no primary" for cell in report["cells"] if cell["primary"] is None]
    members = [
        f"{member['host']} is {member['state']}, not streaming"
        for cell in report["cells"]
        for member in cell["members"]
        if member["site"] == site and member["state"] != "streaming"
    ]
    waits = [
        f"no standby of {cell['name']} confirms commits yet"
        for cell in report["cells"]
        if any(member["site"] == site for member in cell["members"])
        and not any(member["sync"] in _SYNCHRONOUS for member in cell["members"])
    ]
    return [*voters, *nobody, *members, *waits]
