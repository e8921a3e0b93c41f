"""Marks out of hosts' journals: what Patroni, PostgreSQL, etcd, gdnsd and the leader watcher say. Pure.

The messages are those of Patroni 4.0.7, PostgreSQL 17, etcd 3.5 and gdnsd 3.8; watchers and agents are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mirrorforce.drills.stages import Mark, What
from mirrorforce.onhost.failover_agent import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PATRONI, ETCD, GDNSD, WATCHER, NAME, AGENT = (
    "patroni.service",
    "etcd.service",
    "gdnsd.service",
    "leader_watcher.service",
    "name_watcher.service",
    "failover_agent.service",
)

MOST_APART = 5.0
"""A line's own time is taken where it is within so many seconds of the journal's: else its clock, or its
time zone, is another. It is the better one: the journal stamps a line when it gets it, up to 0.2 s later."""

SAID_LENGTH = 160


def command(since: float) -> list[str]:
    """How to ask a host for what `marks` reads; `since` in seconds of the wall clock."""
    units = [f"--unit={unit}" for unit in (PATRONI, ETCD, GDNSD, WATCHER, NAME, AGENT)]
    return ["journalctl", "--output=json", "--all", "--no-pager", "--quiet", f"--since=@{since:.3f}", *units]


@dataclass(frozen=True)
class _Rule:
    """A message of a unit, and what it marks.

    The group `who` of the pattern is whom it is about, else it is the host itself (`of_host`), else nobody;
    the group `cell` is whose it is.
    """

    unit: str
    what: What
    pattern: re.Pattern[str]
    of_host: bool = False


def _rules(unit: str, what: What, *patterns: str, of_host: bool = False) -> tuple[_Rule, ...]:
    return tuple(_Rule(unit, what, re.compile(pattern), of_host) for pattern in patterns)


RULES = (
    # Patroni, and PostgreSQL below it.
    *_rules(
        PATRONI,
        What.NOTICED,
        r"received (switchover|failover) request",
        r"Postgresql is not running",
        r"Primary crashed\. Failing over",
        r"failed to update leader lock",
        r"Error communicating with DCS",
        r"Request failed to \S+: (GET|POST)",
        r"terminating walreceiver due to timeout",
        r"could not receive data from WAL stream",
        r"could not connect to the primary server",
        r"replication terminated by primary server",
        r"terminating walsender process due to replication timeout",
        r"was terminated by signal",
        r"No space left on device",
        r"Main process exited, code=(killed|dumped)",
    ),
    *_rules(PATRONI, What.DEMOTED, r"Demoting self \(", r"demoted self because", of_host=True),
    *_rules(PATRONI, What.LEASE_GONE, r"Leader key released", of_host=True),
    *_rules(
        PATRONI,
        What.ELECTED,
        r"Cleaning up failover key after acquiring leader lock",
        r"promoted self to leader (by acquiring|because I had the) session lock",
        r"acquired session lock as a leader",
        of_host=True,
    ),
    *_rules(PATRONI, What.PROMOTED, r"database system is ready to accept connections", of_host=True),
    *_rules(
        PATRONI,
        What.STREAMS,
        r'standby "(?P<who>[^"]+)" is now a (candidate for quorum )?synchronous standby',
    ),
    *_rules(
        ETCD,
        What.NOTICED,
        r"lost TCP streaming connection with remote peer",
        r"prober detected unhealthy status",
        r"peer became inactive",
        r"lost leader [0-9a-f]+ at term",
        r"Main process exited, code=(killed|dumped)",
    ),
    *_rules(ETCD, What.ETCD_ELECTED, r"elected leader (?P<who>[0-9a-f]+) at term"),
    *_rules(
        GDNSD, What.NOTICED, r"state of '[^']+/primary' changed from UP", r"Main process exited, code=killed"
    ),
    *_rules(WATCHER, What.NOTICED, r"Main process exited, code=killed"),
    *_rules(WATCHER, What.LEASE_GONE, r"(?P<cell>\S+): nobody holds the leader key"),
    *_rules(WATCHER, What.ELECTED, r"(?P<cell>\S+): (?P<who>\S+) holds the leader key"),
    *_rules(WATCHER, What.DNS_CHANGED, r"(?P<cell>\S+): now answered with (?P<who>[\d.]+)"),
    *_rules(WATCHER, What.DNS_CHANGED, r"(?P<cell>\S+): now answered with the dynamic record"),
    *_rules(AGENT, What.NOTICED, r"look 1 in a row"),
    *_rules(AGENT, What.AGREED, rf"^{report.OPENED} "),
    *_rules(AGENT, What.LEASE_GONE, rf"^{report.RELEASED} "),
    *_rules(NAME, What.RESOLVER_FOLLOWS, r"(?P<cell>[^.\s]+)\S*: (?P<who>\S+) instead of \S+"),
)


def marks(host: str, lines: Iterable[str], *, cell: str) -> tuple[Mark, ...]:
    """The marks of one host for one cell, out of the lines of `command`, by time.

    A line that says again what the line of marks before it said is no mark of its own. What is no journal
    line (cut off by a power loss) is passed over: the marks of other hosts are there.
    """
    found: list[Mark] = []
    for mark in sorted(_found(host, lines, cell), key=lambda mark: mark.at):
        if not found or (mark.what, mark.about) != (found[-1].what, found[-1].about):
            found.append(mark)
    return tuple(found)


def _found(host: str, lines: Iterable[str], cell: str) -> Iterator[Mark]:
    for line in lines:
        entry = _entry(line)
        if entry is None:
            continue
        unit, said, at = entry
        for rule in RULES:
            match = rule.pattern.search(said) if rule.unit == unit else None
            if match is None:
                continue
            groups = match.groupdict()
            if groups.get("cell", cell) == cell:
                about = groups.get("who") or (host if rule.of_host else None)
                yield Mark(at, host, rule.what, _shortened(said), about)
            break


def _entry(line: str) -> tuple[str, str, float] | None:
    """Unit, message and moment of a journal line; systemd's words on a unit count as the unit's."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, Mapping) or "__REALTIME_TIMESTAMP" not in fields:
        return None
    unit = fields.get("UNIT") or fields.get("_SYSTEMD_UNIT") or ""
    received = int(fields["__REALTIME_TIMESTAMP"]) / 1e6
    said, at = _without_time(_text(fields.get("MESSAGE")))
    return str(unit), said, at if at is not None and abs(at - received) <= MOST_APART else received


def _text(message: Any) -> str:  # noqa: ANN401 (whatever JSON holds)
    """The journal gives text that is not UTF-8 as a list of bytes, and null for what is too long."""
    if isinstance(message, list):
        return bytes(message).decode("utf-8", errors="replace")
    return message if isinstance(message, str) else ""


_OWN_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[.,](\d{3})(?: UTC)? (?:\[\d+\] )?(?:\S+@\S+ )?(.*)", re.DOTALL
)


def _without_time(message: str) -> tuple[str, float | None]:
    """A message without its own time, and this time: of Patroni and PostgreSQL, or in etcd's JSON."""
    if message.startswith('{"'):
        try:
            fields = json.loads(message)
            return str(fields["msg"]), datetime.fromisoformat(fields["ts"]).timestamp()
        except (ValueError, KeyError, TypeError):
            return message, None
    found = _OWN_TIME.match(message)
    if found is None:
        return message, None
    moment = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return found[3], moment.timestamp() + int(found[2]) / 1000


def _shortened(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= SAID_LENGTH else f"{line[: SAID_LENGTH - 1]}…"
