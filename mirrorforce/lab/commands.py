"""`mirrorforce lab …`: power and wires of a lab, by hand. Arguments and printing, nothing else."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mirrorforce.lab import disks, estate, hosts, links, names, networks, requirements, targets
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


@app.callback()
def lab() -> None:
    """Power, wires and leftovers of a lab on this machine."""
    requirements.require_root()


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
def cut(target: SiteOrLink, env: Env = "lab") -> None:
    """Cut a link, or a site off from all others. What is cut loses packets without a word."""
    match targets.site_or_link(env, target):
        case str(site):
            estate.cut_site(env, site)
        case a, b:
            estate.cut_link(env, a, b)
    _say(f"{target} is cut")


@app.command()
def mend(target: SiteOrLink, env: Env = "lab") -> None:
    """Mend a link, or the ends of all links at a site."""
    match targets.site_or_link(env, target):
        case str(site):
            estate.mend_site(env, site)
        case a, b:
            estate.mend_link(env, a, b)
    _say(f"{target} is mended")


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
            table.add_row(spec.name, state.spec.address, _power(state.running), volumes)
    for left in targets.unfinished_hosts(Workspace(env)):
        table.add_row(left, "", "unfinished", "")
    return table


def _links(env: str) -> Table:
    table = _table("link", "round trip", "state")
    for spec in links.all_recorded(env):
        state = links.observe(env, spec.a, spec.b)
        if state:
            down = " and ".join(state.down_at)
            text = "up" if state.running else f"cut at {down}" if down else "gone"
            table.add_row(spec.name, f"{state.spec.round_trip_ms:g} ms", text)
    return table


def _power(running: bool) -> str:  # noqa: FBT001  a state, in words
    return "running" if running else "off"
