"""Links that exist already, with an end in a static site: nothing is built for them, but they must answer.

The estate's timings are derived from the declared round trips, so a link that is slower than declared is a
fault of the estate file, found here before PostgreSQL and etcd find it.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.sites.static_check import Complaint, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate, Link
    from mirrorforce.inventory import Inventory, InventoryHost
    from mirrorforce.workspace import Workspace

ECHOES = 5
_SECONDS = 15.0
_SLACK_FACTOR = 1.25
_SLACK_MS = 5.0
"""A link may be so much slower than declared: what a busy host and a busy line add."""

_TIME = re.compile(r"time=([0-9.]+) ms")


@dataclass(frozen=True, slots=True)
class Ends:
    """A link that exists, its place in the file, and a host at each end."""

    index: int
    link: Link
    near: InventoryHost
    far: InventoryHost


def ends(estate: Estate, hosts: Inventory) -> tuple[Ends, ...]:
    """Every link with an end in a static site, and hosts in both of its sites. Pure."""
    static = {site.name for site in estate.sites if site.platform == "static"}
    return tuple(
        Ends(index, link, near[0], far[0])
        for index, link in enumerate(estate.links)
        if static.intersection(link.between)
        and (near := hosts.of_site(link.between[0]))
        and (far := hosts.of_site(link.between[1]))
    )


def require(ws: Workspace, estate: Estate, hosts: Inventory) -> None:
    """MirrorforceError that tells every link which does not answer, or answers late."""
    wanted = ends(estate, hosts)
    if not wanted:
        return
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        answers = list(pool.map(lambda each: _echo(ws, each), wanted))
    looked = zip(wanted, answers, strict=True)
    if complaints := [found for each, answer in looked if (found := complaint(each, answer))]:
        raise error(ws.env, complaints)


def _echo(ws: Workspace, each: Ends) -> remote.Result:
    echo = ["ping", "-n", "-c", str(ECHOES), "-i", "0.2", "-W", "2", str(each.far.address)]
    return remote.run(ws, each.near.name, echo, timeout=_SECONDS)


def complaint(each: Ends, answer: remote.Result) -> Complaint | None:
    """What is wrong with a link whose echoes gave this. Pure."""
    times = [float(text) for text in _TIME.findall(answer.stdout)]
    names = f"{each.near.name} to {each.far.name}, {each.far.address}"
    if not times:
        return Complaint(
            ("links", each.index),
            names,
            f"no echo comes back: {_reason(answer)}",
            "a way between the two sites, there and back, for what the table of flows lets through",
            f"mend the routes and what filters on the way; {each.near.name} needs ping (iputils-ping)",
        )
    declared = each.link.round_trip_ms
    most = declared * _SLACK_FACTOR + _SLACK_MS
    if min(times) <= most:
        return None
    return Complaint(
        ("links", each.index, "round_trip_ms"),
        names,
        f"{min(times):.1f} ms, the best of {len(times)}",
        f"{most:g} ms at most: {declared:g} as declared, from which timings are derived, and some slack",
        "mend the link, or put what you measure into the file: mirrorforce validate says what it asks for",
    )


def error(env: str, complaints: Sequence[Complaint]) -> MirrorforceError:
    """The error that tells all of them."""
    count = "1 link" if len(complaints) == 1 else f"{len(complaints)} links"
    head = f"{count} to static sites not as stacks/{env}.yaml says; no host was changed."
    return MirrorforceError(f"{head}\n{text(complaints)}", f"then: mirrorforce up {env}")


def _reason(answer: remote.Result) -> str:
    if not answer.reached or answer.stderr.strip():
        return answer.reason
    return "all of them are lost"
