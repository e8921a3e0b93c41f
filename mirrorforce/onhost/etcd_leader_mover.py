"""Moves etcd's leadership away from the sites of primaries, so that one lost site costs one election.

Where the lost site holds a primary and etcd's leader, Patroni's race has to wait for etcd's election first
(0.8 to 1.6 s more were measured at 70 ms). Run by a timer on every voter; only the leader can act, the
others end at once. An order (`ORDER`) names a site that is to lead for a while, as drills need it; it ends
by itself. Standard library only: this runs on hosts.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.onhost.etcd import Client, EtcdError
from mirrorforce.onhost.watcher_config import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.onhost.watcher_config import Config, Voter

CONFIG = Path("/etc/mirrorforce/leader_watcher.json")
ORDER = Path("/run/etcd_leader_mover.json")
"""{"site": SITE, "until": wall clock, seconds}: where there is such a file, the site that is to lead."""

log = logging.getLogger("etcd_leader_mover")


def ordered_site(path: Path, now: float) -> str | None:
    """The site that an order names, while it holds; None without one, or with one that cannot be read."""
    try:
        order = json.loads(path.read_text(encoding="utf-8"))
        return str(order["site"]) if float(order["until"]) > now else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ordered_leaders(own: Voter, others: Sequence[Voter], site: str) -> tuple[Voter, ...]:
    """The voters of the ordered site; none where `own` is there. Pure."""
    return () if own.site == site else tuple(one for one in others if one.site == site)


def better_leaders(own: Voter, others: Sequence[Voter], primary_sites: Sequence[str]) -> tuple[Voter, ...]:
    """The voters that would lead better than `own` does, the best one first. Pure.

    Better means a site with fewer primaries; of equal ones, nearer to the primaries, which wait for the
    leader with every renewal. Nearness alone moves nothing: each move is an election of its own.
    """
    better = (one for one in others if _primaries(one, primary_sites) < _primaries(own, primary_sites))
    return tuple(
        sorted(
            better, key=lambda one: (_primaries(one, primary_sites), _distance(one, primary_sites), one.site)
        )
    )


def _primaries(voter: Voter, primary_sites: Sequence[str]) -> int:
    return primary_sites.count(voter.site)


def _distance(voter: Voter, primary_sites: Sequence[str]) -> float:
    return sum(voter.round_trips_ms[site] for site in primary_sites)


def sites_of_primaries(config: Config, client: Client) -> list[str]:
    """The site of each cell's leader; cells without one are left out."""
    keys = client.get_all(list(config.leader_keys.values()))
    held = [(cell, keys[key]) for cell, key in config.leader_keys.items()]
    return [
        config.member_sites[cell][key.value]
        for cell, key in held
        if key and key.value in config.member_sites[cell]
    ]


def move(config: Config) -> None:
    """Move the leadership if this host's member holds it and another one is to: ordered, or a better one."""
    own_url, *other_urls = config.endpoints
    own = Client([own_url], config.credentials, config.user)
    status = own.status()
    if status.get("leader") != status["header"]["member_id"]:
        return
    holder, others = config.voters[own_url], [config.voters[url] for url in other_urls]
    site = ordered_site(ORDER, time.time())
    if site is not None:
        wanted, why = ordered_leaders(holder, others, site), "as ordered"
    else:
        wanted = better_leaders(holder, others, sites_of_primaries(config, own))
        why = "a site with fewer primaries"
    for voter in wanted:
        target = Client([voter.url], config.credentials, config.user)
        try:
            # A member that is down, or belongs to another term, would stall writes for an election timeout.
            found = target.status()
            if found.get("leader") == status["leader"] and not found.get("isLearner"):
                own.move_leader(found["header"]["member_id"])
                log.warning("etcd is led from %s now, %s", voter.site, why)
                return
        except EtcdError as fault:
            log.warning("%s: %s", voter.site, fault)


def main() -> None:
    """Look once; an etcd that does not answer is left alone."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        move(load(CONFIG))
    except EtcdError as fault:
        log.warning("%s", fault)


if __name__ == "__main__":
    main()
