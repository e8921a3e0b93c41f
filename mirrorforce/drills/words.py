"""The grammar of a drill's steps: which verb takes what, with which options, and what undoes it.

The one place that says so: the reader, the schema (`step_schema`) and the reference's tables follow it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from mirrorforce.drills import phrases
from mirrorforce.drills.acts import NEW_PRIMARY, Condition, Moment, Process, Verb
from mirrorforce.drills.phrases import Kind
from mirrorforce.drills.quantities import NOTATIONS, Quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT = "wait"
WAIT_UNTIL = "wait until"
WITHIN = "within"

Role = Literal["target", "origin", "process", "moment", "amount"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A value that a key takes: words to choose from, or an amount. `role` says what it is for the act."""

    role: Role
    words: tuple[str, ...] = ()
    quantity: Quantity | None = None
    required: bool = True

    @property
    def allowed(self) -> str:
        """What the key takes, in words."""
        return NOTATIONS[self.quantity].allowed if self.quantity else ", ".join(self.words)


@dataclass(frozen=True, slots=True)
class Word:
    """What a verb's key takes.

    value: of the key itself. options: of the further keys of the step. undoes: the verbs whose effect on the
    same target it ends; so those have to be undone. fault: whether a repetition may be measured from it.
    """

    value: Slot
    meaning: str
    options: Mapping[str, Slot] = field(default_factory=lambda: MappingProxyType({}))
    undoes: frozenset[Verb] = frozenset()
    fault: bool = True


def _target(*kinds: Kind) -> Slot:
    return Slot("target", phrases.of_kinds(frozenset(kinds)))


def _amount(quantity: Quantity, *, required: bool = True) -> Slot:
    return Slot("amount", quantity=quantity, required=required)


def _undo(slot: Slot, meaning: str, *undone: Verb) -> Word:
    return Word(slot, meaning, undoes=frozenset(undone), fault=False)


_MEMBERS, _CONTROLS, _SITES = _target(Kind.MEMBER), _target(Kind.CONTROL), _target(Kind.SITE)
_LINKS, _CELLS = _target(Kind.LINKS), _target(Kind.CELL)
_HOSTS, _POWERED = _target(Kind.MEMBER, Kind.CONTROL), _target(Kind.MEMBER, Kind.CONTROL, Kind.SITE)
_ORIGIN = Slot("origin", _SITES.words)
_ONE_MEMBER = Slot(
    "target",
    (phrases.PRIMARY, phrases.STANDBY, phrases.OTHER_STANDBY, NEW_PRIMARY),
)
_ONCE: Mapping[str, Slot] = {"once": Slot("moment", tuple(Moment))}
_SURVIVOR = Slot("origin", (phrases.PRIMARY_SITE, phrases.STANDBY_SITE, phrases.OTHER_STANDBY_SITE))

RUNS_ON: Mapping[Process, Kind] = {
    Process.POSTMASTER: Kind.MEMBER,
    Process.PATRONI: Kind.MEMBER,
    Process.ETCD: Kind.CONTROL,
    Process.GDNSD: Kind.CONTROL,
    Process.LEADER_WATCHER: Kind.CONTROL,
}

WORDS: Mapping[Verb, Word] = {
    Verb.POWER_OFF: Word(
        _POWERED, "takes the power away: every process ends at once, nothing more is written"
    ),
    Verb.POWER_ON: _undo(_POWERED, "gives the power back; the hosts boot", Verb.POWER_OFF),
    Verb.KILL: Word(
        Slot("process", tuple(Process)),
        "kills a process with SIGKILL; what starts it again is part of what is drilled",
        {"of": _HOSTS},
    ),
    Verb.FREEZE: Word(_MEMBERS, "stops Patroni and all of PostgreSQL where they stand; sockets stay open"),
    Verb.FREEZE_PATRONI: Word(
        _MEMBERS, "stops Patroni where it stands; PostgreSQL runs on with nobody's eye on it"
    ),
    Verb.LET_AGENT_DIE: Word(
        _MEMBERS,
        "kills the failover agent as soon as that has happened to it, once; skipped where there are none",
        _ONCE,
        fault=False,
    ),
    Verb.FREEZE_AGENT: Word(
        _MEMBERS,
        "stops the failover agent as soon as that has happened to it; skipped where there are none",
        _ONCE,
        fault=False,
    ),
    Verb.THAW: _undo(
        _MEMBERS, "lets the frozen processes go on", Verb.FREEZE, Verb.FREEZE_PATRONI, Verb.FREEZE_AGENT
    ),
    Verb.RUN_FAST: Word(
        _MEMBERS,
        "starts the failover agent anew, its clock so many times as fast; skipped where there are none",
        {"by": _amount(Quantity.FACTOR)},
        fault=False,
    ),
    Verb.RUN_SLOW: Word(
        _MEMBERS, "the same, so many times as slow", {"by": _amount(Quantity.FACTOR)}, fault=False
    ),
    Verb.SET_RIGHT: _undo(_MEMBERS, "starts it anew with its host's clock", Verb.RUN_FAST, Verb.RUN_SLOW),
    Verb.PART: Word(
        _MEMBERS,
        "lets no packet pass between the member and the others of its cell; to etcd and clients all do",
    ),
    Verb.JOIN: _undo(_MEMBERS, "lets them pass again", Verb.PART),
    Verb.ISOLATE: Word(_SITES, "lets no packet pass between the site and any other; inside it all goes on"),
    Verb.REJOIN: _undo(_SITES, "connects the site again", Verb.ISOLATE),
    Verb.CUT: Word(_LINKS, "lets no packet pass the link in either direction"),
    Verb.CUT_ONE_WAY: Word(
        _LINKS,
        "lets no packet pass that comes from that end of the link; the other direction works",
        {"from": _ORIGIN},
    ),
    Verb.DELAY: Word(
        _LINKS,
        "makes the link's round trip so many times as long as declared",
        {"by": _amount(Quantity.FACTOR)},
    ),
    Verb.LOSE: Word(
        _LINKS,
        "loses that share of the packets, at random, in each direction",
        {"share": _amount(Quantity.SHARE)},
    ),
    Verb.MEND: _undo(
        _LINKS,
        "makes the link as declared again, whatever was done to it",
        Verb.CUT,
        Verb.CUT_ONE_WAY,
        Verb.DELAY,
        Verb.LOSE,
    ),
    Verb.FILL_WAL: Word(_MEMBERS, "fills the volume that holds the WAL, to its last byte"),
    Verb.EMPTY_WAL: _undo(_MEMBERS, "removes what filled it", Verb.FILL_WAL),
    Verb.SLOW_DISK: Word(
        _MEMBERS,
        "makes each access to the data volume take so much longer; skipped where that cannot be done",
        {"by": _amount(Quantity.DURATION)},
    ),
    Verb.RESTORE_DISK: _undo(_MEMBERS, "makes the data volume as quick as before", Verb.SLOW_DISK),
    Verb.STOP_ETCD: Word(_CONTROLS, "stops etcd in good order, and lets nothing start it"),
    Verb.START_ETCD: _undo(_CONTROLS, "starts etcd", Verb.STOP_ETCD),
    Verb.STOP_DNS: Word(_CONTROLS, "stops failover DNS and the leader watcher, and lets nothing start them"),
    Verb.START_DNS: _undo(_CONTROLS, "starts failover DNS and the leader watcher", Verb.STOP_DNS),
    Verb.KEEP_SLOTS_FOR: Word(
        _amount(Quantity.DURATION),
        "makes the cell keep the slot (and so the WAL) of a member that is gone for so long",
        fault=False,
    ),
    Verb.KEEP_SLOTS_AS_DECLARED: _undo(
        Slot("target", (phrases.THE_CELL,)), "keeps them for as long as declared again", Verb.KEEP_SLOTS_FOR
    ),
    Verb.SWITCH_OVER: Word(_ONE_MEMBER, "a planned switchover to that member"),
    Verb.CONVERGE: Word(
        _MEMBERS, "runs Ansible on that host, as `mirrorforce converge --limit`", fault=False
    ),
    Verb.RESTART: Word(
        _SITES, "restarts the site's hosts in good order, the next when all is whole after the one before"
    ),
    Verb.WRITE_WAL: Word(
        _amount(Quantity.SIZE),
        "makes whoever is the cell's primary write so much WAL; into a filled volume, what fits",
        fault=False,
    ),
    Verb.REINITIALISE: Word(
        _ONE_MEMBER,
        "copies a member anew, as `mirrorforce reinit`; with the option, only if it does not catch up",
        {"unless it streams within": _amount(Quantity.DURATION, required=False)},
    ),
    Verb.RECOVER: Word(
        _CELLS,
        "gives up the sites that are off: etcd and the cell go on from that site, as `mirrorforce recover`",
        {"from": _SURVIVOR},
        fault=False,
    ),
    Verb.TAKE_BACK: _undo(
        _SITES,
        "lets a site that was given up join again without what it held: members are copied anew",
        Verb.POWER_OFF,
    ),
}

CONDITIONS: Mapping[Condition, str] = {
    Condition.ANOTHER_LEADS: "a member other than the first primary leads and says that it is primary",
    Condition.SAME_LEADS: "the first primary leads and says that it is primary",
    Condition.ANY_LEADS: "some member leads and says that it is primary",
    Condition.WHOLE: "`mirrorforce status` is content, but for cells away from their preferred sites",
    Condition.WRITES_ACKNOWLEDGED: "a write that was asked for since this step began has been acknowledged",
    Condition.WRITES_REFUSED: "no write that was asked for since this step began was acknowledged, and every "
    "writing client was refused or timed out at least once",
    Condition.EVERY_CLIENT_HAS_AN_ERROR: "each writing client has seen an error since the fault",
    Condition.CLIENTS_AT_PRIMARY_HAVE_ERRORS: "the same, of the clients on the primary's own host",
    Condition.LOST_NOT_COUNTED: "Patroni's list of synchronous standbys names only members that run",
    Condition.LOST_SLOTS_GONE: "the primary holds no replication slot of a member that does not run",
    Condition.SAYS_HOW_TO_GO_ON: "`mirrorforce status` says that too much is lost, and what to do",
}

BREAKS: frozenset[Verb] = frozenset(undone for word in WORDS.values() for undone in word.undoes)
"""The verbs whose effect lasts until a later step ends it."""


def undoing(verb: Verb) -> Verb:
    """The verb that ends the effect of this one, which is one of `BREAKS`."""
    return next(undoes for undoes, word in WORDS.items() if verb in word.undoes)
