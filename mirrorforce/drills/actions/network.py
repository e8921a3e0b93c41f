"""Links between sites: cut, cut one way, slow, lossy; and sites, or members, cut off.

What a link is to be follows from everything that is broken about it at the moment: faults of one link
are laid over each other, and undone in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.drills import ledger
from mirrorforce.drills.acts import Act, Verb
from mirrorforce.lab import links, wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mirrorforce.drills.actions.context import Context
    from mirrorforce.lab.specs import LinkSpec

_ALL = 100.0


@dataclass(frozen=True, slots=True)
class LinkFaults:
    """What a link is to be: sites whose end is down; delay and loss from the link's `a` to its `b`."""

    down_at: frozenset[str]
    condition: wire.Condition


def faults_of(link: LinkSpec, broken: Iterable[Act]) -> LinkFaults:
    """What the declared link becomes under everything that is broken. Pure.

    Delays multiply; of several losses in one direction the greatest counts.
    """
    down: set[str] = set()
    factor, there, back = 1.0, 0.0, 0.0
    for act in broken:
        if act.verb is Verb.ISOLATE:
            down |= {link.a, link.b} & set(act.sites)
        for start, end in act.links:
            if {start, end} != {link.a, link.b}:
                continue
            if act.verb is Verb.CUT:
                down |= {link.a, link.b}
            elif act.verb is Verb.DELAY:
                factor *= act.amount or 1.0
            elif act.verb is Verb.LOSE:
                there, back = max(there, act.amount or 0.0), max(back, act.amount or 0.0)
            elif act.verb is Verb.CUT_ONE_WAY and start == link.a:
                there = _ALL
            elif act.verb is Verb.CUT_ONE_WAY:
                back = _ALL
    delay = link.round_trip_ms * factor / 2
    return LinkFaults(frozenset(down), wire.Condition(delay, delay, there, back))


def damage(ctx: Context, act: Act) -> None:
    """Bring the act's links to what all outstanding faults, this one among them, make of them."""
    _apply(ctx, act, [entry.act for entry in ledger.outstanding(ctx.ws)])


def repair(ctx: Context, act: Act) -> None:
    """Bring the act's links to what is left of the faults when those are gone that this act undoes."""
    entries = ledger.outstanding(ctx.ws)
    gone = ledger.undone_by(act, entries)
    _apply(ctx, act, [entry.act for entry in entries if entry not in gone])


def _apply(ctx: Context, act: Act, broken: Sequence[Act]) -> None:
    for link in _touched(links.all_recorded(ctx.estate.name), act):
        wanted = faults_of(link, broken)
        links.hold(link.estate, link.a, link.b, down_at=wanted.down_at, condition=wanted.condition)


def _touched(known: Sequence[LinkSpec], act: Act) -> tuple[LinkSpec, ...]:
    pairs = {frozenset(link) for link in act.links}
    return tuple(
        link for link in known if {link.a, link.b} & set(act.sites) or frozenset((link.a, link.b)) in pairs
    )


_TABLE = "inet drill"


def parting(addresses: Iterable[str]) -> str:
    """A packet filter that lets nothing pass to and from these addresses, as a file of nft. Pure."""
    others = f"{{ {', '.join(sorted(addresses))} }}"
    lines = [f"table {_TABLE} {{"]
    for hook, end in (("input", "saddr"), ("output", "daddr")):
        lines += [
            f"  chain {hook} {{",
            f"    type filter hook {hook} priority -200;",
            f"    ip {end} {others} drop",
            "  }",
        ]
    return "\n".join([*lines, "}", ""])


def part(ctx: Context, act: Act) -> None:
    """In the host's own packet filter, in a table of its own: a reboot takes it away."""

    def command(host: str) -> str:
        cell = ctx.inventory.host(host).cell or ""
        others = [str(one.address) for one in ctx.inventory.of_cell(cell) if one.name != host]
        return f"nft -f - <<'FILTER'\n{parting(others)}FILTER"

    ctx.on_all(act.hosts, command, str(act.verb))


def join(ctx: Context, act: Act) -> None:
    """Whether or not it was parted."""
    ctx.on_all(
        ctx.with_power(act.hosts), f"nft add table {_TABLE} && nft delete table {_TABLE}", str(act.verb)
    )
