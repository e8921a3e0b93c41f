"""Links between sites: a wire with the round trip of the estate file, cut and mended at will.

Each end is a tap interface of a switch (`vde_switch`) in its site's namespace; `wirefilter` joins the
two switches and holds every packet for half the round trip. A cut link has a tap without power; a link
that is cut one way has a wire that loses every packet of that direction.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.lab import cgroups, files, link_ends, locks, names, networks, wire
from mirrorforce.lab.specs import LinkSpec
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_SCRIPT = Path(__file__).with_name("scripts") / "lay-link.sh"
_DEADLINE_SECONDS = 15.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link as it is. `running`: carried, up at both ends, and losing nothing on purpose.

    `down_at`: sites whose end is down. `spec` holds the round trip that the wire is set to, and `condition`
    (from `spec.a` to `spec.b`) all that it is set to, both asked of the wire itself.
    """

    spec: LinkSpec
    running: bool
    down_at: tuple[str, ...]
    condition: wire.Condition | None


def spec_file(estate: str, name: str) -> Path:
    """Where the spec of a link is kept."""
    return Workspace(estate).state / "links" / f"{name}.json"


def recorded(estate: str, name: str) -> LinkSpec | None:
    """The spec that the link was last brought to."""
    document = files.read_json(spec_file(estate, name))
    return LinkSpec.from_dict(document) if document else None


def all_recorded(estate: str) -> tuple[LinkSpec, ...]:
    """The specs of all links of the estate, by name."""
    folder = spec_file(estate, "any").parent
    found = (recorded(estate, file.stem) for file in sorted(folder.glob("[!.]*.json")))
    return tuple(spec for spec in found if spec)


def _runtime(estate: str, name: str) -> Path:
    """Where the link's sockets lie: short paths, for a socket's name holds 107 characters."""
    return locks.runtime(estate) / "links" / name


def ensure(spec: LinkSpec) -> LinkState:
    """Lay the link, or bring it to the spec, or mend it. A new round trip drops nothing on the way."""
    for site in (spec.a, spec.b):
        networks.require(spec.estate, site)
    with _lock(spec.estate, spec.name):
        files.private_folder(Workspace(spec.estate).state)
        files.write_json(spec_file(spec.estate, spec.name), spec.to_dict())
        if not is_laid(spec):
            _take_up(spec.estate, spec.name)
            _lay(spec)
        wire.set_condition(_management(spec), wire.even(spec.round_trip_ms))
        for end in link_ends.of(spec).values():
            link_ends.power_up(end)
    return _require_state(spec)


def _require_state(spec: LinkSpec) -> LinkState:
    if state := observe(spec.estate, spec.a, spec.b):
        return state
    message = f"link {spec.name} was removed while it was laid"
    raise MirrorforceError(message, "run the command again")


def observe(estate: str, a: str, b: str) -> LinkState | None:
    """The link as it is on the machine; None where there is none."""
    spec = recorded(estate, names.link(a, b))
    if spec is None:
        return None
    down = tuple(site for site, end in link_ends.of(spec).items() if not link_ends.is_up(end))
    condition = wire.condition(_management(spec)) if is_laid(spec) else None
    trip = condition.round_trip_ms if condition else spec.round_trip_ms
    running = condition is not None and condition.is_lossless and not down
    return LinkState(replace(spec, round_trip_ms=trip), running, down, condition)


def remove(estate: str, a: str, b: str) -> None:
    """Take the link up and forget it."""
    name = names.link(a, b)
    with _lock(estate, name):
        spec = recorded(estate, name)
        _take_up(estate, name)
        for end in link_ends.of(spec).values() if spec else ():
            link_ends.forget_routes(end)
        spec_file(estate, name).unlink(missing_ok=True)


def cut(estate: str, a: str, b: str, *, at: Sequence[str] = ()) -> None:
    """Take the ends at the sites down (both, where none is named): nothing passes in any direction."""
    spec = declared(estate, a, b)
    with _lock(estate, spec.name):
        for site, end in link_ends.of(spec).items():
            if site in (at or (a, b)):
                link_ends.power_down(end)


def mend(estate: str, a: str, b: str, *, at: Sequence[str] = ()) -> None:
    """Raise the ends at the sites (both, where none is named). Lays the link where it is gone."""
    spec = declared(estate, a, b)
    if not is_laid(spec):
        ensure(spec)
        return
    with _lock(estate, spec.name):
        for site, end in link_ends.of(spec).items():
            if site in (at or (a, b)):
                link_ends.power_up(end)


def cut_one_way(estate: str, a: str, b: str) -> None:
    """Lose all that goes from `a` to `b`; what goes back passes as before. Until the next `ensure`."""
    spec = declared(estate, a, b)
    with _lock(estate, spec.name):
        found = wire.condition(_management(spec)) or wire.even(spec.round_trip_ms)
        _set(spec, a, wire.losing_all_there(found if a == spec.a else found.reversed()))


def shape(estate: str, a: str, b: str, condition: wire.Condition) -> None:
    """Set delay and loss of each direction (from `a` to `b`, and back) until the next `ensure`."""
    spec = declared(estate, a, b)
    with _lock(estate, spec.name):
        _set(spec, a, condition)


def hold(estate: str, a: str, b: str, *, down_at: Collection[str], condition: wire.Condition) -> None:
    """Bring the whole link to this state, whatever it is in: who is down, delay and loss from `a` to `b`.

    Sites that `down_at` does not name have their end up. Lays the link where it is gone. Any number of
    times the same: whoever was killed in between does it again.
    """
    spec = declared(estate, a, b)
    if not is_laid(spec):
        ensure(spec)
    with _lock(estate, spec.name):
        _set(spec, a, condition)
        for site, end in link_ends.of(spec).items():
            (link_ends.power_down if site in down_at else link_ends.power_up)(end)


def _set(spec: LinkSpec, a: str, condition: wire.Condition) -> None:
    wire.set_condition(_management(spec), condition if a == spec.a else condition.reversed())


def declared(estate: str, a: str, b: str) -> LinkSpec:
    """The spec that the link was last brought to; BadInputError where there is none."""
    if spec := recorded(estate, names.link(a, b)):
        return spec
    known = ", ".join(spec.name for spec in all_recorded(estate)) or "none"
    message = f"estate {estate} has no link between {a} and {b} in the lab; links: {known}"
    raise BadInputError(message, f"mirrorforce up {estate} lays the links that are declared")


def _lock(estate: str, name: str) -> locks.Held:
    return locks.held(locks.of(estate, "link", name))


def _management(spec: LinkSpec) -> Path:
    return _runtime(spec.estate, spec.name) / "wire"


def _lay(spec: LinkSpec) -> None:
    runtime = files.private_folder(_runtime(spec.estate, spec.name))
    group = cgroups.of_link(spec.estate, spec.name)
    group.mkdir(parents=True, exist_ok=True)
    ends = [word for end in link_ends.of(spec).values() for word in (end.namespace, end.interface)]
    with (runtime / "log").open("wb") as log:
        process = subprocess.Popen(
            [_SCRIPT, group, runtime, *ends],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )  # fmt: skip
    try:
        process.wait(_DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not is_laid(spec):
        if process.returncode != 0 or time.monotonic() > deadline:
            words = (runtime / "log").read_text(errors="replace").strip()
            message = f"link {spec.name} could not be laid: {words or 'no word from its switches'}"
            raise MirrorforceError(
                message, "run the command again; mirrorforce lab check names what is missing"
            )
        time.sleep(_POLL_SECONDS)


def _take_up(estate: str, name: str) -> None:
    cgroups.kill([cgroups.of_link(estate, name)])
    files.remove_tree(_runtime(estate, name))


def is_laid(spec: LinkSpec) -> bool:
    """Whether the wire answers and both of its ends stick out in today's namespaces of the sites."""
    return (
        cgroups.populated(cgroups.of_link(spec.estate, spec.name))
        and all(link_ends.has_interface(end) for end in link_ends.of(spec).values())
        and wire.condition(_management(spec)) is not None
    )
