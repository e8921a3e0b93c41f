"""What has to happen to a host to bring it to its spec. Pure: `hosts` carries it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError

if TYPE_CHECKING:
    from mirrorforce.lab.specs import HostSpec, VolumeSpec


@dataclass(frozen=True, slots=True)
class HostPlan:
    """The steps, in this order: create, stop, rewrite identity, make and grow volumes, start."""

    create: bool = False
    stop: bool = False
    rewrite_identity: bool = False
    make: tuple[VolumeSpec, ...] = ()
    grow: tuple[VolumeSpec, ...] = ()
    start: bool = False


def plan(
    wanted: HostSpec,
    present: HostSpec | None,
    recorded: HostSpec | None,
    *,
    running: bool,
    grows_mounted: bool,
) -> HostPlan:
    """How to get from what is there to `wanted`.

    `present` is the host as the machine shows it, `recorded` the spec that it was last brought to;
    both None where there is no host. Where the machine does not let a mounted file system grow, a
    larger volume takes a restart. BadInputError for what cannot be done to a host that exists.
    """
    if present is None or recorded is None:
        return HostPlan(create=True, make=wanted.volumes, start=True)
    _refuse_a_move(wanted, recorded)
    _refuse_lost_volumes(wanted, present, recorded)
    sizes = {volume.name: volume.size_mib for volume in present.volumes}
    # A run killed between growing the file and its file system has not recorded the new size yet.
    known = {**sizes, **{volume.name: volume.size_mib for volume in recorded.volumes}}
    make = tuple(volume for volume in wanted.volumes if volume.name not in sizes)
    grow = tuple(
        volume
        for volume in wanted.volumes
        if volume.name in sizes and min(sizes[volume.name], known[volume.name]) < volume.size_mib
    )
    if present.authorized_key == wanted.authorized_key:
        # Role base put it there, while the host ran: nothing is left to do but to note it.
        recorded = replace(recorded, authorized_key=wanted.authorized_key)
    rewrite = _identity(wanted) != _identity(recorded) or _identity(wanted) != _identity(present)
    remount = bool(make) or _mounts(wanted) != _mounts(recorded)
    stop = running and (rewrite or remount or bool(grow and not grows_mounted))
    return HostPlan(stop=stop, rewrite_identity=rewrite, make=make, grow=grow, start=stop or not running)


def _identity(spec: HostSpec) -> HostSpec:
    """The spec without what is not written into the host: its image and its volumes."""
    return replace(spec, image="", volumes=())


def _mounts(spec: HostSpec) -> dict[str, str]:
    return {volume.name: volume.mount for volume in spec.volumes}


def _refuse_a_move(wanted: HostSpec, recorded: HostSpec) -> None:
    if wanted.site != recorded.site:
        message = f"host {wanted.name} is in site {recorded.site}; a host does not move (to {wanted.site})"
        raise BadInputError(message, "remove the host and create it in the other site")


def _refuse_lost_volumes(wanted: HostSpec, present: HostSpec, recorded: HostSpec) -> None:
    kept = {volume.name: volume for volume in wanted.volumes}
    lost = sorted({volume.name for volume in recorded.volumes} - kept.keys())
    if lost:
        message = f"host {wanted.name}: volume {', '.join(lost)} is no longer declared, and holds data"
        raise BadInputError(message, "declare it again, or remove the host and create it without")
    for volume in present.volumes:
        if kept[volume.name].size_mib < volume.size_mib:
            message = (
                f"host {wanted.name}: volume {volume.name} has {volume.size_mib} MiB;"
                f" it grows but never shrinks (to {kept[volume.name].size_mib} MiB)"
            )
            raise BadInputError(message, f"declare {volume.size_mib} MiB or more")
