"""What a bound drill consists of: acts on hosts, sites and links of one estate. Plain values.

`binding` makes them out of a drill's words, `actions` carries them out and undoes them, `run` waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NEW_PRIMARY = "the new primary"
"""Stands in `Act.hosts` for a host that is known only once it leads: `binding.met` puts it in."""


class Verb(StrEnum):
    """What can be done to an estate. The value is the key of a step in a drill file.

    Which fields of `Act` a verb uses (`mirrorforce.drills.words` has the grammar of the file):

    - POWER_OFF, POWER_ON: hosts; also sites, where whole sites are meant (hosts are then all of theirs).
    - KILL: hosts, process. SIGKILL. FREEZE: hosts. Patroni and every process of PostgreSQL. FREEZE_PATRONI:
      hosts. Patroni alone, PostgreSQL goes on. THAW: hosts. All of them.
    - LET_AGENT_DIE, FREEZE_AGENT: hosts, moment. SIGKILL to the failover agent as soon as that has happened
      to it, once and within the next minutes; its unit starts it again. Or SIGSTOP, until THAW.
    - RUN_FAST, RUN_SLOW: hosts. The failover agent's clock, `amount` times, until SET_RIGHT: hosts.
    - PART, JOIN: hosts. Between a member and the other members of its cell no packet passes; all others do.
    - ISOLATE, REJOIN: sites. No packet passes a link of theirs; ssh of ours does.
    - CUT, CUT_ONE_WAY, DELAY, LOSE, MEND: links. CUT_ONE_WAY stops what goes from the first site of a pair to
      the second; DELAY makes the declared round trip `amount` times as long; LOSE drops `amount` per cent of
      the packets of each direction; MEND brings the declared link back, whatever was done to it.
    - FILL_WAL, EMPTY_WAL: hosts. The WAL volume. SLOW_DISK, RESTORE_DISK: hosts. The data volume; each access
      to it takes `amount` seconds more.
    - STOP_ETCD, START_ETCD, STOP_DNS, START_DNS: hosts. DNS is failover DNS and leader watcher.
    - KEEP_SLOTS_FOR: cell; `amount` seconds is its member_slots_ttl. KEEP_SLOTS_AS_DECLARED: cell.
    - SWITCH_OVER: cell, hosts (the one to lead).
    - CONVERGE: hosts. Ansible on these alone.
    - RESTART: hosts, in this order, the next once the one before is whole again; also sites.
    - WRITE_WAL: cell (whoever is its primary by then), amount in MiB. While the primary's WAL volume is
      filled it may break off.
    - REINITIALISE: cell, hosts (the member). With an amount: only if it does not stream within so many
      seconds.
    - RECOVER: cell, sites (the survivor).
    - TAKE_BACK: sites that RECOVER gave up, and all their hosts. Off until then, they join again without
      anything they held.
    """

    POWER_OFF = "power off"
    POWER_ON = "power on"
    KILL = "kill"
    FREEZE = "freeze"
    FREEZE_PATRONI = "freeze Patroni alone on"
    LET_AGENT_DIE = "let the failover agent die on"
    FREEZE_AGENT = "freeze the failover agent on"
    THAW = "thaw"
    RUN_FAST = "run the failover agent's clock fast on"
    RUN_SLOW = "run the failover agent's clock slow on"
    SET_RIGHT = "set the failover agent's clock right on"
    PART = "cut off from other members"
    JOIN = "connect with other members"
    ISOLATE = "isolate"
    REJOIN = "rejoin"
    CUT = "cut"
    CUT_ONE_WAY = "cut one way"
    DELAY = "delay"
    LOSE = "lose packets on"
    MEND = "mend"
    FILL_WAL = "fill the WAL volume of"
    EMPTY_WAL = "empty the WAL volume of"
    SLOW_DISK = "slow down the data disk of"
    RESTORE_DISK = "restore the data disk of"
    STOP_ETCD = "stop etcd on"
    START_ETCD = "start etcd on"
    STOP_DNS = "stop DNS on"
    START_DNS = "start DNS on"
    KEEP_SLOTS_FOR = "keep slots for"
    KEEP_SLOTS_AS_DECLARED = "keep slots as declared for"
    SWITCH_OVER = "switch over to"
    CONVERGE = "converge"
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


class Moment(StrEnum):
    """What can have happened to a failover agent. The value is the word of a drill file."""

    FENCED = "its host is fenced off"
    PROMISED = "it has promised"
    OPENED = "it has opened a round"
    RELEASED = "it has released the leader key"
    LIFTED = "its fence is lifted"


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
    moment: Moment | None = None
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
