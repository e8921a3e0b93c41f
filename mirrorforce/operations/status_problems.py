"""What is not as it should be in a status report, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from mirrorforce.estate import Estate

Document = dict[str, Any]
_SYNCHRONOUS = ("quorum", "sync")
_NOWHERE = {"site": "nowhere"}

NEARLY_FULL = 0.05
"""The share of a volume below which `status` warns of what is left. `verify` wants more room than that."""


def problems_of(estate: Estate, report: Mapping[str, Any]) -> list[str]:
    """Everything in the report that is not as declared, most serious first."""
    dead = {host["name"] for site in report["sites"] for host in site["hosts"] if not host["answers"]}
    return [
        *_too_much_lost(report),
        *(problem for cell in report["cells"] for problem in _primary(cell)),
        *_sites(report["sites"]),
        *_etcd(estate, report, dead),
        *(problem for cell in report["cells"] for problem in _replication(cell, dead)),
        *(problem for cell in report["cells"] for problem in _volumes(cell)),
        *(problem for cell in report["cells"] for problem in _agents(cell)),
        *(problem for cell in report["cells"] for problem in dns_problems(cell, dead)),
    ]


def troubles_of(report: Mapping[str, Any]) -> list[str]:
    """The report's problems but for cells away from their preferred site: those run as well as at home."""
    away = {problem for cell in report["cells"] for problem in _away(cell)}
    return [problem for problem in report["problems"] if problem not in away]


def summary_of(report: Mapping[str, Any], problems: Sequence[str]) -> str:
    """One sentence for a person."""
    hosts = [host for site in report["sites"] for host in site["hosts"]]
    answering = sum(host["answers"] for host in hosts)
    served = [f"{cell['name']} from {(cell['primary'] or _NOWHERE)['site']}" for cell in report["cells"]]
    count = len(problems)
    faults = "all as declared" if not count else f"{count} problem{'s' if count > 1 else ''}"
    return f"{answering} of {len(hosts)} hosts answer; {', '.join(served)}; {faults}"


def _primary(cell: Document) -> Iterator[str]:
    name = cell["name"]
    if cell["primary"] is None:
        yield f"{name} has no primary: none of its members says that it is one"
        return
    if len(cell["claims"]) > 1:
        yield f"{name}: more than one member says that it is the primary: {', '.join(cell['claims'])}"
    yield from _away(cell)


def _away(cell: Document) -> Iterator[str]:
    if cell["primary"] is None:
        return
    name, site, preferred = cell["name"], cell["primary"]["site"], cell["preferred_site"]
    if site != preferred:
        yield (
            f"{name} is served from {site}, not from its preferred site {preferred} "
            f"(mirrorforce switchover {name} --to {preferred})"
        )


def _too_much_lost(report: Mapping[str, Any]) -> Iterator[str]:
    """Most voters' hosts are silent and etcd does not run: nobody but the owner can decide to go on."""
    up = {host["name"] for site in report["sites"] for host in site["hosts"] if host["answers"]}
    voters = report["etcd"]["members"]
    left = [voter for voter in voters if voter["host"] in up]
    needed = len(voters) // 2 + 1
    if len(left) >= needed or any(voter["healthy"] for voter in left):
        return
    gone = ", ".join(sorted(voter["site"] for voter in voters if voter not in left))
    who = ", ".join(voter["host"] for voter in left) or "none"
    lost = (
        f"too much is lost: {len(left)} of {len(voters)} voters of etcd answers ({who}), {needed} are needed"
    )
    ways = [way for cell in report["cells"] for way in _way_on(cell, left, up, report["environment"])]
    if ways:
        yield (
            f"{lost}, so no cell may have a primary. Give {gone} power again, or, "
            f"if these sites are gone for good: {'; '.join(ways)}"
        )
    else:
        yield f"{lost}, and no site that answers holds both a voter and a member of a cell"


def _way_on(cell: Document, left: Sequence[Document], up: set[str], environment: str) -> Iterator[str]:
    """The command that lets the cell go on from a site that has a voter and a member of it."""
    sites = {member["site"] for member in cell["members"] if member["host"] in up}
    fit = [voter["site"] for voter in left if voter["site"] in sites]
    if fit:
        yield f"mirrorforce recover {cell['name']} --from {fit[0]} --accept-loss --env {environment}"


def _sites(sites: Sequence[Document]) -> Iterator[str]:
    for site in sites:
        silent = [host for host in site["hosts"] if not host["answers"]]
        if not site["up"]:
            yield f"site {site['name']} is down: none of its {len(silent)} hosts answers"
            continue
        for host in silent:
            yield f"{host['name']} does not answer: {host['reason']}"


def clusters_of(members: Iterable[Document]) -> dict[str, list[str]]:
    """The healthy voters by the cluster that they are part of: one cluster, if all is well."""
    found: dict[str, list[str]] = {}
    for member in members:
        if member["healthy"] and member["cluster"]:
            found.setdefault(member["cluster"], []).append(member["host"])
    return found


def _etcd(estate: Estate, report: Mapping[str, Any], dead: set[str]) -> Iterator[str]:
    members = report["etcd"]["members"]
    for member in members:
        if not member["healthy"] and member["host"] not in dead:
            yield f"etcd on {member['host']} is not healthy: {member['reason']}"
    if not members:
        return
    if len(clusters := clusters_of(members)) > 1:
        beside = " and ".join(", ".join(hosts) for hosts in clusters.values())
        yield (
            f"two clusters of etcd serve beside each other: {beside}. Cut those sites off at once that "
            "mirrorforce recover gave up, then mirrorforce take-back"
        )
    leader = report["etcd"]["leader"]
    if leader is None:
        yield "etcd has no leader that answers"
        return
    of_primaries = {cell["primary"]["site"] for cell in report["cells"] if cell["primary"]}
    voters = {site.name for site in estate.mirrored_sites}
    healthy = {member["site"] for member in members if member["healthy"]}
    better = sorted((voters & healthy) - of_primaries)
    if leader["site"] in of_primaries and better:
        beside = f"etcd is led from {leader['site']}, where a primary is too"
        yield f"{beside}; it could be led from {', '.join(better)}"


def _replication(cell: Document, dead: set[str]) -> Iterator[str]:
    name = cell["name"]
    for member in cell["members"]:
        if member["host"] not in dead:
            yield from _member(name, member)
    timelines = {member["timeline"] for member in cell["members"]} - {None}
    if len(timelines) > 1:
        yield f"{name}: members are on different timelines: {', '.join(map(str, sorted(timelines)))}"
    standbys = sum(member["sync"] in _SYNCHRONOUS for member in cell["members"])
    if cell["primary"] is not None and standbys < cell["synchronous_copies"]:
        yield f"{name}: {standbys} synchronous standbys, declared are {cell['synchronous_copies']} at least"


def _member(cell: str, member: Document) -> Iterator[str]:
    good = {"primary": "running", "standby": "streaming"}
    if member["role"] not in good:
        why = member["reason"] or member["state"]
        yield f"{cell}: {member['host']} does not say what it is: {why}"
    elif member["state"] != good[member["role"]]:
        yield f"{cell}: {member['host']} ({member['role']}) is {member['state']}, not {good[member['role']]}"


def _volumes(cell: Document) -> Iterator[str]:
    for member in cell["members"]:
        for volume in member["volumes"]:
            if volume["free_mib"] < NEARLY_FULL * volume["size_mib"]:
                left = f"{volume['free_mib']} of {volume['size_mib']} MiB left"
                yield f"{cell['name']}: {member['host']}'s {volume['mount']} is nearly full, {left}"


def _agents(cell: Document) -> Iterator[str]:
    """What failover agents refuse to do, and why: Patroni's own way applies meanwhile."""
    for member in cell["members"]:
        agent = member["failover_agent"]
        if agent and agent["refusal"]:
            yield f"{cell['name']}: {member['host']}'s failover agent: {agent['refusal']}"


def dns_problems(cell: Mapping[str, Any], dead: Collection[str]) -> Iterator[str]:
    """What is wrong with the answers to both names of a cell, those of `dead` hosts left out."""
    primary = cell["primary"]["host"] if cell["primary"] else None
    standbys = {member["host"] for member in cell["members"] if member["role"] == "standby"}
    good = {primary} if primary else set()
    # With no standby left, the primary is the only one that can be read from.
    for dns, wanted in ((cell["dns"], good), (cell["dns_read_only"], standbys or good)):
        for answer in (*dns["servers"], *dns["resolvers"]):
            if answer["host"] not in dead:
                yield from _answer(dns["name"], answer, wanted)


def _answer(name: str, answer: Document, wanted: set[str]) -> Iterator[str]:
    who = f"{answer['host']} on {name}"
    if answer["error"]:
        yield f"{who}: {answer['error']}"
        return
    if len(answer["addresses"]) != 1:
        yield f"{who}: {len(answer['addresses'])} addresses in one answer: {', '.join(answer['addresses'])}"
    if wanted and not wanted.issuperset(answer["hosts"]):
        yield f"{who}: answers {', '.join(answer['hosts'])}, it should be {' or '.join(sorted(wanted))}"
    if answer["ttl"] is not None and answer["ttl"] > 1:
        yield f"{who}: TTL {answer['ttl']} s, it should be 1"
