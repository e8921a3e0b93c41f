"""Every search of the failover model, and what it must come to; models/README.md shows their figures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum

NIGHTLY = os.environ.get("MIRRORFORCE_MODELS") == "nightly"
"""Whether the searches that take long, the bounded ones among them, run as well."""
SAMPLE_SECONDS = 1800 if NIGHTLY else 60
"""Of CPU, for a bounded search."""


class Verdict(Enum):
    """What a search must come to."""

    HOLDS = "holds"
    """Every reachable state was seen, and no property fails in any."""
    NONE_FOUND = "none found"
    """No counterexample within the bounds."""
    BROKEN = "counterexample"
    """A run in which a property fails."""


@dataclass(frozen=True)
class Check:
    """One search: `options` of the model, and what the verdict says in words."""

    name: str
    options: str
    verdict: Verdict
    says: str
    nightly: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """The options as spin takes them."""
        return tuple(f"-D{option}" for option in self.options.split())


def _holds(name: str, options: str, says: str, *, nightly: bool = False) -> Check:
    return Check(name, options, Verdict.HOLDS, says, nightly)


def _broken(name: str, options: str, says: str) -> Check:
    return Check(name, options, Verdict.BROKEN, says)


def _none(name: str, options: str, says: str) -> Check:
    return Check(name, options, Verdict.NONE_FOUND, says)


_PROTOCOL = (
    _holds("protocol", "TERMS AGENTS_DIE", "any number of failovers, agents that die, hosts that restart"),
    _holds("two-copies", "TERMS AGENTS_DIE COPIES=2", "the same, with n = 2"),
    _holds("switchover", "SWITCHOVER KEEPS_KEY", "asked for at any time, while the primary has its key"),
    _none("three-standbys", "STANDBYS=3 TERMS AGENTS_DIE", "three standbys, n = 1"),
    _none("three-standbys-two-copies", "STANDBYS=3 COPIES=2 TERMS AGENTS_DIE", "n = 2"),
    _holds("two-coordinators", "AGENTS_DIE COORDINATORS=2", "as if the lock kept nobody out", nightly=True),
    _holds("pause", "PAUSE KEEPS_KEY", "at any time, while the primary has its key", nightly=True),
    _holds("ends-well", "CALM=1 AGENTS_DIE", "no stuck end", nightly=True),
    _holds("ends-well-primary-gone", "CALM=2 AGENTS_DIE", "without the old primary", nightly=True),
    _holds("ends-well-agents-gone", "CALM=3 AGENTS_DIE", "nor all agents", nightly=True),
    _holds("pause-primary-fails", "PAUSE BLAME_RELEASE", "paused at any time", nightly=True),
    _holds("switchover-primary-fails", "SWITCHOVER BLAME_RELEASE", "asked for at any time", nightly=True),
    _holds("frozen", "FREEZE BLAME_RELEASE", "Patroni hangs, PostgreSQL runs, no watchdog", nightly=True),
    _holds("floor", "AGENTS_DIE HOLE_A=1 FLOOR", "Patroni shrinks `/sync`, a floor for who may lead"),
    _holds("floor-terms", "TERMS AGENTS_DIE HOLE_A=1 FLOOR", "the same, any number of times", nightly=True),
    _holds("shrinking", "HOLE_A=1 BLAME_RELEASE", "Patroni shrinks `/sync` as 4.0.7 does", nightly=True),
    _holds("two-rows", "ROWS=2 AGENTS_DIE", "more than one row changes nothing", nightly=True),
)

_RULES = (
    _broken("1-one-promise-less", "AGENTS_DIE NO_RULE_1", "quorum promises instead of quorum + 1"),
    _broken("2-promise-first", "AGENTS_DIE NO_RULE_2_BLOCK", "the promise before the block"),
    _broken("2-walreceiver-there", "AGENTS_DIE NO_RULE_2_GONE WIRE", "it precedes the walreceiver's end"),
    _broken("2-3-any-target", "TERMS NO_RULE_2_TARGET NO_RULE_3", "promises against a former primary count"),
    _broken("2-late-put", "AGENTS_DIE LATE_PROMISE", "a put that its agent gave up arrives late"),
    _holds("3-read-when-counting", "NO_RULE_3 AGENTS_DIE", "`/sync` read after the fences", nightly=True),
    _broken("4-member-ahead", "HOLE_A=2 BLAME_RELEASE NO_RULE_4", "a member outside V is ahead"),
    _broken("4-any-heir", "AGENTS_DIE ANY_HEIR", "handed over to a member that another is ahead of"),
    _broken("5-leader", "AGENTS_DIE NO_RULE_5_LEADER", "`leader` not compared"),
    _broken("5-sync", "NO_RULE_5_SYNC", "`/sync` not compared"),
    _broken("5-promises", "NO_RULE_5_PROMISES", "promises not compared"),
    _broken("5-no-rewrite", "NO_RULE_5_REWRITE", "`/sync` not rewritten"),
    _broken("5-order", "NO_RULE_5_ORDER", "`/sync` put before `leader` is deleted"),
    _broken("6-revoked-before", "REVOKE=4", "the lease revoked before the transaction"),
    _broken("6-revoked-after", "REVOKE=1", "the lease revoked right after it"),
    _broken("6-revoked-and-waited-for", "REVOKE=2", "the same, and no fence lifted before that is known"),
    _holds("6-revoked-late", "REVOKE=3", "revoked once another member runs as primary: sound", nightly=True),
    _broken("7-not-compared", "AGENTS_DIE NO_RULE_7_COMPARE", "the promise deleted whoever leads"),
    _broken("7-unblock-first", "AGENTS_DIE NO_RULE_7_ORDER", "unblock first, withdraw then"),
    _broken(
        "8-not-followed",
        "AGENTS_DIE NO_RULE_8_FOLLOW",
        "lifted before the new leader is followed",
    ),
    _broken("8-vacant", "AGENTS_DIE NO_RULE_8_VACANT", "lifted while nobody leads"),
    _broken("9-promise-stands", "AGENTS_DIE NO_RULE_9_PROMISE", "the timer fires while the promise stands"),
    _broken("9-no-ttl", "AGENTS_DIE NO_RULE_9_TTL", "the timer fires before the old primary has demoted"),
    _broken("10-boot", "AGENTS_DIE NO_RULE_10", "a host boots without its block"),
    _broken("11-no-guard", "NO_RULE_11", "no guard time"),
    _broken("11-from-releases", "GUARD_FROM_RELEASE", "the guard time counted from releases only"),
    _broken("brakes-read-once", "SWITCHOVER BLAME_RELEASE NO_BRAKES", "`/failover` not compared"),
    _broken("pause-read-once", "AGENTS_DIE PAUSE BLAME_RELEASE NO_BRAKES", "`/config` not compared"),
)

_LIMITS = (
    _broken("switchover-request-late", "SWITCHOVER BLAME_RELEASE LATE_REQUEST", "applied after the release"),
    _broken("stop-after-take-back", "STOP_IN_GUARD", "a clean stop while a candidate sleeps since a release"),
    _broken("handover-by-failover-key", "HANDOVER=1", "the release names its candidate in `/failover`"),
    _broken("handover-key-withdrawn", "HANDOVER=2", "the same, and whoever withdraws deletes that key"),
    _broken("no-voters", "CALM=2 STRICT_END", "fences make Patroni empty V, then the primary is gone: stuck"),
)

_PATRONI = (
    _holds("patroni", "TERMS PATRONI_ALONE", "with the holes below closed", nightly=True),
    _broken("patroni-shrinks", "PATRONI_ALONE HOLE_A=1", "A: `/sync` shrinks to one that lacks a row"),
    _holds("patroni-floor", "PATRONI_ALONE HOLE_A=1 FLOOR", "A, closed by a floor for who may promote"),
    _broken("patroni-late-write", "PATRONI_ALONE HOLE_B", "B: a write of `/sync` taken for lost is applied"),
    _broken("patroni-frozen", "PATRONI_ALONE FREEZE", "Patroni hangs, PostgreSQL runs, no watchdog"),
    _broken("patroni-paused", "PATRONI_ALONE PAUSE", "paused, cut off from etcd, resumed"),
    _broken("patroni-switchover", "PATRONI_ALONE SWITCHOVER", "asked for, then the primary dies"),
)

CHECKS = (*_PROTOCOL, *_RULES, *_LIMITS, *_PATRONI)
