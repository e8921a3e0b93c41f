"""A whole estate in the lab: power and cuts of sites, what is there, and removing all of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError
from mirrorforce.lab import (
    cgroups,
    disk_speed,
    disks,
    hosts,
    image_uses,
    links,
    locks,
    loops,
    names,
    namespaces,
    networks,
    tools,
    wire,
)
from mirrorforce.lab.requirements import checks
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec

__all__ = [
    "checks", "cut_link", "cut_site", "exists", "heal", "mend_link", "mend_site",
    "power_off_site", "power_on_site", "shape_link", "sweep",
]  # fmt: skip

_MOUNT_POINT_FIELD = 4


def power_off_site(estate: str, site: str) -> None:
    """Power loss of a whole site: switch, router and every host at the same moment, without a goodbye."""
    _require_site(estate, site)
    networks.power_off(estate, site)
    hosts.power_off_together(estate, _hosts_of(estate, site))


def power_on_site(estate: str, site: str, *, cut_off: bool = False) -> None:
    """Power for a whole site as it was last declared, also after the machine was restarted.

    Links that were cut stay cut; links that are gone are laid again where the far site has its network.
    `cut_off` boots it cut off from all others, so that nothing of what it holds meets anybody.
    """
    networks.ensure(_require_site(estate, site))
    for link in _links_of(estate, site):
        far = link.b if site == link.a else link.a
        if namespaces.exists(names.namespace(estate, far)) and not links.is_laid(link):
            links.ensure(link)
    if cut_off:
        cut_site(estate, site)
    hosts.power_on_together(_hosts_of(estate, site))


def cut_site(estate: str, site: str) -> None:
    """Cut a site off from all others at its own ends; its hosts go on."""
    _require_site(estate, site)
    for link in _links_of(estate, site):
        links.cut(estate, link.a, link.b, at=[site])


def mend_site(estate: str, site: str) -> None:
    """Mend the site's own ends of its links. What was cut at a far end stays cut."""
    _require_site(estate, site)
    for link in _links_of(estate, site):
        links.mend(estate, link.a, link.b, at=[site])


def cut_link(estate: str, a: str, b: str) -> None:
    """Cut the link between two sites at both ends. No other link takes its traffic."""
    links.cut(estate, a, b)


def mend_link(estate: str, a: str, b: str) -> None:
    """Bring the link back as it was last declared, whatever was done to it: both ends, delay and loss."""
    links.ensure(links.declared(estate, a, b))


def shape_link(
    estate: str, a: str, b: str, *, delay_factor: float = 1.0, loss_percent: float = 0.0
) -> wire.Condition:
    """Multiply the declared round trip and lose packets of each direction; what the wire then is.

    Takes the place of an earlier shape or one-way cut. BadInputError for what a wire cannot be.
    """
    declared = links.declared(estate, a, b)
    wanted = wire.shaped(declared.round_trip_ms, delay_factor, loss_percent)
    links.shape(estate, a, b, wanted)
    return wanted


def heal(estate: str) -> None:
    """Bring back all that was taken from the lab: power, links, speed of disks. Files on disks stay.

    Hosts stay as they are inside: what a drill broke there, its own heal undoes.
    """
    for site in tuple(networks.all_recorded(estate)):
        networks.ensure(site)
    for link in links.all_recorded(estate):
        links.ensure(link)
    known = disks.all_recorded(estate)
    hosts.power_on_together(known)
    for host in known:
        disk_speed.restore(estate, host.name)


def _require_site(estate: str, site: str) -> NetworkSpec:
    if spec := networks.recorded(estate, site):
        return spec
    known = ", ".join(spec.site for spec in networks.all_recorded(estate)) or "none"
    message = f"estate {estate} has no site {site} in the lab; sites: {known}"
    raise BadInputError(message, f"mirrorforce up {estate} makes the sites that are declared")


def _hosts_of(estate: str, site: str) -> list[HostSpec]:
    return [spec for spec in disks.all_recorded(estate) if spec.site == site]


def _links_of(estate: str, site: str) -> list[LinkSpec]:
    return [spec for spec in links.all_recorded(estate) if site in (spec.a, spec.b)]


def exists(estate: str) -> bool:
    """Whether anything of the estate is left on the machine, whole or broken."""
    return bool(
        any(
            folder.exists()
            for folder in (*_folders(estate), locks.runtime(estate), cgroups.of_estate(estate))
        )
        or namespaces.of_estate(estate)
        or loops.below(Workspace(estate).hosts)
        or _mounts_below(Workspace(estate).hosts)
    )


def sweep(estate: str) -> None:
    """Remove every process, namespace, mount, loop device and file of the estate's lab.

    Goes by what the machine shows, not by any record, so that a half-built or half-removed lab goes
    as well. Can be killed and run again at any point. The estate's other state stays.
    """
    names.checked_estate(estate)
    place = Workspace(estate).hosts
    cgroups.kill([cgroups.of_estate(estate)])
    for namespace in namespaces.of_estate(estate):
        namespaces.remove(namespace)
    for mount in _mounts_below(place):
        tools.run(["umount", "--lazy", mount])
    loops.detach(place)
    loops.wait_until_free(place)
    for disk in place.glob("*"):
        image_uses.drop(disk)
    for folder in _folders(estate):
        shutil.rmtree(folder, ignore_errors=True)
    locks.forget(estate)
    _remove_if_empty(cgroups.of_estate(estate).parent)
    _remove_if_empty(Workspace(estate).state)


def _folders(estate: str) -> tuple[Path, ...]:
    state = Workspace(estate).state
    return (Workspace(estate).hosts, state / "networks", state / "links")


def _mounts_below(folder: Path) -> list[str]:
    """Mount points below the folder as this process sees them, inner ones first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    # The kernel writes blanks and the like as octal escapes.
    points = (line.split()[_MOUNT_POINT_FIELD].encode().decode("unicode_escape") for line in lines)
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
