"""What may be lost where a cell goes on from one site, told from the last known positions. Pure.

The words of the primary come from the copy of Patroni's keys that the surviving voter holds: as old as the
moment at which the majority was lost.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class LastWords:
    """What a voter last heard of a cell. None and '' where it does not know.

    primary: who led. position: its WAL position, in bytes. synchronous: the standbys that Patroni counted on;
    `unconfirmed` of them could lack an acknowledged commit at any moment (Patroni's `quorum` in `/sync`).
    """

    primary: str = ""
    position: int | None = None
    synchronous: tuple[str, ...] = ()
    unconfirmed: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far a member got: WAL received and replayed, in bytes; when its last transaction was committed."""

    host: str
    site: str
    received: int
    replayed: int
    replayed_at: str
    timeline: int

    @property
    def reached(self) -> int:
        """What it can go on from: all that it holds."""
        return max(self.received, self.replayed)


def lsn(position: int) -> str:
    """A WAL position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def last_words(document: Mapping[str, Any], cell: str) -> LastWords:
    """The words in what `etcdctl get --prefix /service/<cell>/ --write-out json` prints."""
    keys = {_text(one["key"]): _text(one.get("value", "")) for one in document.get("kvs", [])}
    sync = _json(keys.get(f"/service/{cell}/sync"))
    status = _json(keys.get(f"/service/{cell}/status"))
    optime, unconfirmed = status.get("optime"), sync.get("quorum")
    return LastWords(
        primary=str(sync.get("leader") or keys.get(f"/service/{cell}/leader", "")),
        position=int(optime) if optime is not None else None,
        synchronous=tuple(name for name in str(sync.get("sync_standby") or "").split(",") if name),
        unconfirmed=int(unconfirmed) if unconfirmed is not None else None,
    )


def _text(value: str) -> str:
    return base64.b64decode(value).decode(errors="replace")


def _json(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def best(positions: Sequence[Position]) -> Position:
    """The member that holds most; ValueError where there is none."""
    return max(positions, key=lambda one: (one.timeline, one.reached, one.host))


def holds_everything(words: LastWords, member: Position) -> bool:
    """Whether no acknowledged commit can be missing: it led, or every commit waited for it too."""
    if member.host == words.primary:
        return True
    return member.host in words.synchronous and words.unconfirmed == 0


def statement(
    cell: str, words: LastWords, positions: Sequence[Position], site: str, lost: Sequence[str]
) -> tuple[str, ...]:
    """What is known, what may be lost, and what it means to go on from this site; a sentence each.

    positions: of all members that answer; one at least is in `site`. lost: the sites that are given up.
    """
    here = best([one for one in positions if one.site == site])
    gone = ", ".join(lost)
    return (
        _known(cell, here),
        *_primary(words, here),
        *_better(cell, positions, here),
        _risk(words, here, gone),
        _alone(cell),
        _given_up(gone),
    )


def _alone(cell: str) -> str:
    return (
        f"{cell} acknowledges writes with this one copy, synchronous_mode_strict off, until a member of "
        "another site streams from it: a loss of this site in the meantime is a loss of all"
    )


def _given_up(gone: str) -> str:
    return (
        f"{gone}: given up. What is held there counts no more, and must not come back as it was: "
        "mirrorforce take-back brings a site back without it"
    )


def _known(cell: str, here: Position) -> str:
    last = f"its last transaction was committed at {here.replayed_at}" if here.replayed_at else (
        "it has replayed no transaction since it started"
    )  # fmt: skip
    return (
        f"{cell} goes on from {here.host}: WAL received up to {lsn(here.received)}, replayed up to "
        f"{lsn(here.replayed)}, timeline {here.timeline}; {last}"
    )


def _primary(words: LastWords, here: Position) -> Iterator[str]:
    if here.host == words.primary:
        return
    if words.position is None:
        yield "where the primary was last is not known here"
        return
    missing = words.position - here.reached
    said = f"{missing} bytes of WAL are known to be missing" if missing > 0 else "none of that is missing"
    yield (
        f"the last that was heard here of the primary, {words.primary or 'unknown'}: {lsn(words.position)}; "
        f"{said}; what it wrote later is not known here"
    )


def _better(cell: str, positions: Sequence[Position], here: Position) -> Iterator[str]:
    top = best(positions)
    if (top.timeline, top.reached) > (here.timeline, here.reached):
        yield (
            f"{top.host} answers too and has received more, up to {lsn(top.reached)}: from there less is "
            f"lost (mirrorforce recover {cell} --from {top.site})"
        )


def _risk(words: LastWords, here: Position, gone: str) -> str:
    if here.host == words.primary:
        return f"nothing that was acknowledged is lost, if {here.host} was the last primary: it led itself"
    if holds_everything(words, here):
        return (
            f"nothing that was acknowledged is lost, as far as is known: every commit waited for {here.host}"
        )
    if not words.synchronous or words.unconfirmed is None:
        return f"whether commits waited for {here.host} is not known: any acknowledged row may be lost"
    others = ", ".join(name for name in words.synchronous if name != here.host) or gone
    return (
        f"acknowledged rows may be lost: a commit did not have to wait for {here.host}; those of the last "
        f"moments may be on {words.primary} and {others} alone"
    )
