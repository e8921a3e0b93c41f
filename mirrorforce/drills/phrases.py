"""What a drill can be done to, as people say it: hosts, sites, links, cells.

A phrase says who is meant by the part it plays when a repetition begins: "the primary" goes on meaning the
host that was primary then. `binding` makes names out of it; here each phrase has only its parts, with which
`step_order` finds out, without an estate, whether one phrase is within another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mirrorforce.drills.acts import NEW_PRIMARY


class Kind(StrEnum):
    """What a phrase stands for."""

    MEMBER = "member"
    CONTROL = "control host"
    SITE = "site"
    LINKS = "links"
    CELL = "cell"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of drill files; `parts` are the same in two phrases where both mean the same thing."""

    text: str
    kind: Kind
    parts: frozenset[str]
    meaning: str


PRIMARY = "the primary"
STANDBY = "one standby"
OTHER_STANDBY = "the other standby"
EVERY_STANDBY = "every standby"
EVERY_MEMBER = "every member"
ETCD_LEADER = "the etcd leader"
PRIMARY_CONTROL = "the primary's control host"
EVERY_CONTROL = "every control host"
PRIMARY_SITE = "the primary's site"
STANDBY_SITE = "one standby's site"
OTHER_STANDBY_SITE = "the other standby's site"
EVERY_SITE = "every mirrored site"
LINK_TO_STANDBY = "the link between the primary and one standby"
LINK_TO_OTHER = "the link between the primary and the other standby"
LINK_OF_STANDBYS = "the link between the standbys"
LINKS_OF_PRIMARY = "every link of the primary's site"
EVERY_LINK = "every link"
THE_CELL = "the cell"
OTHER_CELLS = "every other cell"

# Parts: a member and the control host of the primary's site (P), of the two standbys' (S, O) and of further
# ones (M); the etcd leader's host (L), which is one of the control hosts, nobody knows here which; the member
# that leads after the first primary (N).
_STANDBYS = frozenset({"member S", "member O", "member M"})
_CONTROLS = frozenset({"control P", "control S", "control O", "control M", "control L"})
_AT_PRIMARY = frozenset({"link P-S", "link P-O", "link P-M"})


def _site(letter: str) -> frozenset[str]:
    return frozenset({f"member {letter}", f"control {letter}", f"rest {letter}"})


_EVERYWHERE = frozenset[str]().union(*(_site(letter) for letter in "PSOM"), _CONTROLS)

PHRASES: tuple[Phrase, ...] = (
    Phrase(PRIMARY, Kind.MEMBER, frozenset({"member P"}), "the host of the cell's primary"),
    Phrase(
        STANDBY,
        Kind.MEMBER,
        frozenset({"member S"}),
        "a standby outside of the primary's site: a synchronous one rather than another, then one whose site "
        "holds no primary of another cell, then in the order of the estate file",
    ),
    Phrase(
        OTHER_STANDBY,
        Kind.MEMBER,
        frozenset({"member O"}),
        "the next one by the same rule, in a third site",
    ),
    Phrase(EVERY_STANDBY, Kind.MEMBER, _STANDBYS, "all members of the cell but its primary"),
    Phrase(EVERY_MEMBER, Kind.MEMBER, _STANDBYS | {"member P"}, "all members of the cell"),
    Phrase(
        NEW_PRIMARY,
        Kind.MEMBER,
        frozenset({"member N"}),
        "the member that leads since the first primary does not; only after a step that waits for one. What "
        "is undone is what was done to whoever it was then",
    ),
    Phrase(
        ETCD_LEADER, Kind.CONTROL, frozenset({"control L"}), "the control host whose etcd leads the voters"
    ),
    Phrase(PRIMARY_CONTROL, Kind.CONTROL, frozenset({"control P"}), "the control host of the primary's site"),
    Phrase(EVERY_CONTROL, Kind.CONTROL, _CONTROLS, "the control hosts of all mirrored sites"),
    Phrase(PRIMARY_SITE, Kind.SITE, _site("P"), "the site of the cell's primary, with all of its hosts"),
    Phrase(STANDBY_SITE, Kind.SITE, _site("S"), "the site of `one standby`"),
    Phrase(OTHER_STANDBY_SITE, Kind.SITE, _site("O"), "the site of `the other standby`"),
    Phrase(EVERY_SITE, Kind.SITE, _EVERYWHERE, "all mirrored sites; clients in others live on"),
    Phrase(
        LINK_TO_STANDBY,
        Kind.LINKS,
        frozenset({"link P-S"}),
        "from the primary's site to that of `one standby`",
    ),
    Phrase(
        LINK_TO_OTHER,
        Kind.LINKS,
        frozenset({"link P-O"}),
        "from the primary's site to that of `the other standby`",
    ),
    Phrase(
        LINK_OF_STANDBYS,
        Kind.LINKS,
        frozenset({"link S-O"}),
        "from the site of `one standby` to that of `the other standby`",
    ),
    Phrase(LINKS_OF_PRIMARY, Kind.LINKS, _AT_PRIMARY, "all links that end in the primary's site"),
    Phrase(EVERY_LINK, Kind.LINKS, _AT_PRIMARY | {"link S-O", "link rest"}, "all links of the estate"),
    Phrase(THE_CELL, Kind.CELL, frozenset({"cell"}), "the cell that is drilled"),
    Phrase(OTHER_CELLS, Kind.CELL, frozenset({"other cells"}), "all cells but the one that is drilled"),
)

BY_TEXT = {phrase.text: phrase for phrase in PHRASES}


def of_kinds(kinds: frozenset[Kind]) -> tuple[str, ...]:
    """The phrases of these kinds, in the order of the vocabulary."""
    return tuple(phrase.text for phrase in PHRASES if phrase.kind in kinds)
