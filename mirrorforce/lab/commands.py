"""`mirrorforce lab …`: power and wires of a lab, by hand. Arguments and printing, nothing else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mirrorforce import superuser
from mirrorforce.errors import BadInputError
from mirrorforce.lab import disk_speed, disks, estate, hosts, link_words, links, names, networks, targets
from mirrorforce.lock import only_one
from mirrorforce.workspace import Workspace

app = typer.Typer(
    name="lab",
    help="Power, wires and leftovers of a lab on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Env = Annotated[
    str,
    typer.Option(
        "--env",
        "-e",
        envvar="MIRRORFORCE_ENV",
        callback=names.checked_estate,
        help="The environment, as in stacks/ENV.yaml.",
    ),
]
HostOrSite = Annotated[str, typer.Argument(metavar="HOST|SITE", help="A host or a whole site.")]
SiteOrLink = Annotated[
    str, typer.Argument(metavar="SITE|LINK", help="A site, or a link by its two sites: east-west.")
]
OptionalSiteOrLink = Annotated[
    str | None, typer.Argument(metavar="[SITE|LINK]", help="A site, or a link by its two sites: east-west.")
]
Link = Annotated[str, typer.Argument(metavar="LINK", help="A link by its two sites: east-west.")]


@app.callback()
def lab() -> None:
    """Power, wires and leftovers of a lab on this machine."""
    if not _only_asks_for_help():
        superuser.become_root()


def _only_asks_for_help() -> bool:
    """Whether the command line is a question about the command line: that takes no rights."""
    return not {"--help", "-h"}.isdisjoint(sys.argv)


@app.command("power-off")
def power_off(target: HostOrSite, env: Env = "lab") -> None:
    """Take the power from a host or a site, without a goodbye. Disks survive."""
    kind = targets.host_or_site(env, target)
    if kind == "site":
        estate.power_off_site(env, target)
    else:
        hosts.power_off(env, target)
    _say(f"{kind} {target} has no power")


@app.command("power-on")
def power_on(target: HostOrSite, env: Env = "lab") -> None:
    """Give a host or a site its power back; returns once ssh answers."""
    kind = targets.host_or_site(env, target)
    if kind == "site":
        estate.power_on_site(env, target)
    else:
        hosts.power_on(env, target)
    _say(f"{kind} {target} has power")


@app.command()
def cut(
    target: OptionalSiteOrLink = None,
    env: Env = "lab",
    *,
    one_way: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--one-way", metavar="FROM TO", help="Lose only what goes from a site to another: east west."
        ),
    ] = None,
) -> None:
    """Cut a link, or a site off from all others. What is cut loses packets without a word."""
    if (target is None) == (one_way is None):
        message = "nothing to cut" if target is None else f"both {target} and --one-way"
        step = "name a site or a link (east-west), or one direction of a link: --one-way east west"
        raise BadInputError(message, step)
    if one_way:
        start, end = targets.direction(env, *one_way)
        links.cut_one_way(env, start, end)
        _say(f"nothing gets from {start} to {end}; from {end} to {start} all does")
        return
    match targets.site_or_link(env, str(target)):
        case str(site):
            estate.cut_site(env, site)
        case a, b:
            estate.cut_link(env, a, b)
    _say(f"{target} is cut")


@app.command()
def mend(target: SiteOrLink, env: Env = "lab") -> None:
    """Bring a link back as declared (ends, delay, loss), or mend the ends of all links at a site."""
    match targets.site_or_link(env, target):
        case str(site):
            estate.mend_site(env, site)
        case a, b:
            estate.mend_link(env, a, b)
    _say(f"{target} is mended")


@app.command()
def shape(
    link: Link,
    env: Env = "lab",
    *,
    delay_factor: Annotated[
        float, typer.Option(min=0, help="The round trip, as a multiple of the declared one.")
    ] = 1.0,
    loss: Annotated[
        float, typer.Option(min=0, max=100, help="Packets that each direction loses, in percent.")
    ] = 0.0,
) -> None:
    """Make a link slow or lossy, until it is shaped again or mended."""
    a, b = targets.link(env, link)
    now = estate.shape_link(env, a, b, delay_factor=delay_factor, loss_percent=loss)
    _say(f"{link} takes {now.round_trip_ms:g} ms there and back, and loses {loss:g} % each way")


@app.command()
def heal(env: Env = "lab") -> None:
    """Give back all power, mend all links, make slow disks fast again. What is in the hosts stays."""
    estate.heal(env)
    _say(f"every site and host of {env} has power, every link is as declared")


@app.command()
def check() -> None:
    """Say whether this machine can carry a lab, and what it lacks."""
    estate.checks()
    _say("this machine can carry a lab")


@app.command()
def sweep(
    env: Env = "lab", *, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove all that is left of a lab on this machine, also when it is half broken. Disks go too."""
    if not yes:
        typer.confirm(f"Remove every host of {env} with its disks?", abort=True)
    with only_one(Workspace(env), f"lab sweep -e {env}"):
        estate.sweep(env)
    _say(f"nothing of {env} is left on this machine")


@app.command()
def status(env: Env = "lab") -> None:
    """Show what of the lab has power and which links are up, as the machine itself sees it."""
    if not estate.exists(env):
        _say(f"nothing of {env} is on this machine")
        return
    console = Console()
    for table in (_sites(env), _hosts(env), _links(env)):
        console.print(table)


def _say(text: str) -> None:
    Console(highlight=False).print(text)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _sites(env: str) -> Table:
    table = _table("site", "network", "state")
    for spec in networks.all_recorded(env):
        state = networks.observe(env, spec.site)
        table.add_row(spec.site, spec.cidr, _power(state.running) if state else "gone")
    return table


def _hosts(env: str) -> Table:
    table = _table("host", "address", "state", "volumes")
    for spec in disks.all_recorded(env):
        state = hosts.observe(env, spec.name)
        if state:
            volumes = " ".join(f"{volume.name}={volume.size_mib}MiB" for volume in state.spec.volumes)
            slow = ", slow disk" if disk_speed.slowed(env, spec.name) else ""
            table.add_row(spec.name, state.spec.address, _power(state.running) + slow, volumes)
    for left in targets.unfinished_hosts(Workspace(env)):
        table.add_row(left, "", "unfinished", "")
    return table


def _links(env: str) -> Table:
    table = _table("link", "round trip", "state")
    for spec in links.all_recorded(env):
        state = links.observe(env, spec.a, spec.b)
        if state:
            table.add_row(spec.name, _round_trip(state, spec.round_trip_ms), link_words.state(state))
    return table


def _round_trip(state: links.LinkState, declared_ms: float) -> str:
    now = f"{state.spec.round_trip_ms:g} ms"
    return now if state.spec.round_trip_ms == declared_ms else f"{now} (declared {declared_ms:g})"


def _power(running: bool) -> str:  # noqa: FBT001  a state, in words
    return "running" if running else "off"
