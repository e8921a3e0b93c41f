"""What a bound drill consists of: acts on hosts, sites and links of one estate. Plain values.

`binding` makes them out of a drill's words, `actions` carries them out and undoes them, `run` waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NEW_PRIMARY = "the new primary"
"""Stands in `Act.hosts` for a host that is known only once it leads: `binding.met` puts it in."""


class Verb(StrEnum):
    """What can be done to an estate. The value is the word of a drill file.

    Which fields of `Act` a verb uses:

    - power off, power on: hosts; also sites, where whole sites are meant (hosts are then all of theirs).
    - kill: hosts, process. SIGKILL. freeze, thaw: hosts. Patroni and every process of PostgreSQL.
    - isolate, rejoin: sites. No packet passes a link of theirs; ssh of ours does.
    - cut, cut one way, delay, lose, mend: links. `cut one way` stops what goes from the first site of the pair
      to the second; `delay` multiplies the declared round trip by `amount`; `lose` drops `amount` per cent
      of the packets of each direction; `mend` brings the declared link back, whatever was done to it.
    - fill, empty: hosts. The WAL volume. slow down, speed up: hosts. The data volume; each access to it takes
      `amount` milliseconds more.
    - stop etcd, start etcd, stop DNS, start DNS: hosts (control hosts). DNS: failover DNS and leader watcher.
    - keep slots for: cell; `amount` seconds is the cell's member_slots_ttl. keep slots as declared: cell.
    - switch over to: cell, hosts (the one to lead). write WAL: cell, hosts (its primary), amount in MiB.
    - restart one by one: hosts, in this order; each orderly, and the next once the one before is whole.
    - reinitialise: cell, hosts (the member). With an amount: only if it does not stream within so many
      seconds.
    - recover: cell, sites (the survivor). take back: sites that `recover` gave up; their hosts. Off until
      then, they join again without anything they held.
    """

    POWER_OFF = "power off"
    POWER_ON = "power on"
    KILL = "kill"
    FREEZE = "freeze"
    THAW = "thaw"
    ISOLATE = "isolate"
    REJOIN = "rejoin"
    CUT = "cut"
    CUT_ONE_WAY = "cut one way"
    DELAY = "delay"
    LOSE = "lose"
    MEND = "mend"
    FILL_WAL = "fill"
    EMPTY_WAL = "empty"
    SLOW_DISK = "slow down"
    RESTORE_DISK = "speed up"
    STOP_ETCD = "stop etcd"
    START_ETCD = "start etcd"
    STOP_DNS = "stop DNS"
    START_DNS = "start DNS"
    KEEP_SLOTS_FOR = "keep slots for"
    KEEP_SLOTS_AS_DECLARED = "keep slots as declared"
    SWITCH_OVER = "switch over to"
    RESTART = "restart one by one"
    WRITE_WAL = "write WAL"
    REINITIALISE = "reinitialise"
    RECOVER = "recover"
    TAKE_BACK = "take back"


class Process(StrEnum):
    """What `kill` can kill. The value is the word of a drill file."""

    POSTMASTER = "postmaster"
    PATRONI = "Patroni"
    ETCD = "etcd"
    GDNSD = "gdnsd"
    LEADER_WATCHER = "leader watcher"


class Condition(StrEnum):
    """What can be waited for, of the drilled cell. The value is the word of a drill file.

    The new primary is the member that leads and was not the primary when the repetition began.
    """

    ANOTHER_LEADS = "another member leads"
    SAME_LEADS = "the first primary leads"
    ANY_LEADS = "a member leads"
    WHOLE = "the estate is whole"
    WRITES_ACKNOWLEDGED = "writes are acknowledged"
    WRITES_REFUSED = "writes are refused"
    EVERY_CLIENT_HAS_AN_ERROR = "every client has an error"
    CLIENTS_AT_PRIMARY_HAVE_ERRORS = "every client at the primary has an error"
    LOST_NOT_COUNTED = "no lost member is counted as synchronous"
    LOST_SLOTS_GONE = "no slot is kept for a lost member"
    SAYS_HOW_TO_GO_ON = "the estate says how to go on"


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do. Which fields count, and in which unit `amount` is, `Verb` says for each verb.

    links: pairs of sites; the order counts for `cut one way` alone (from, to).
    """

    verb: Verb
    hosts: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    cell: str | None = None
    process: Process | None = None
    amount: float | None = None


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Wait for a condition, `within` seconds at most."""

    condition: Condition
    within: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float


BoundStep = Act | WaitUntil | Wait
