"""Links between sites: a wire with the round trip of the estate file, cut and mended at will.

Each end is a tap interface of a switch (`vde_switch`) in its site's namespace; `wirefilter` joins the
two switches and holds every packet for half the round trip. A cut link has a tap without power.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import cgroups, files, locks, names, namespaces, networks, wire
from mirrorforce.lab.specs import LinkSpec
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCRIPT = Path(__file__).with_name("scripts") / "lay-link.sh"
_DEADLINE_SECONDS = 15.0
_POLL_SECONDS = 0.02
# Worse than any route through a link: what cannot pass a cut link is lost without a word, as on a real
# wide area network, where the near router would otherwise refuse it at once.
_LAST_RESORT_METRIC = 4096


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link as it is. `running`: carried, and up at both ends; `down_at`: sites whose end is down.

    `spec` holds the round trip that the wire is set to, asked of the wire itself.
    """

    spec: LinkSpec
    running: bool
    down_at: tuple[str, ...]
    condition: wire.Condition | None


@dataclass(frozen=True, slots=True)
class _End:
    namespace: str
    interface: str
    own_address: str
    own_mac: str
    far_address: str
    far_mac: str
    far_cidr: str


def _ends(spec: LinkSpec) -> dict[str, _End]:
    def end(site: str, far: str, own_address: str, far_address: str, far_cidr: str) -> _End:
        return _End(
            namespace=names.namespace(spec.estate, site),
            interface=names.tap(far),
            own_address=own_address,
            own_mac=names.tap_mac(spec.estate, site, far),
            far_address=far_address,
            far_mac=names.tap_mac(spec.estate, far, site),
            far_cidr=far_cidr,
        )

    return {
        spec.a: end(spec.a, spec.b, spec.a_address, spec.b_address, spec.b_cidr),
        spec.b: end(spec.b, spec.a, spec.b_address, spec.a_address, spec.a_cidr),
    }


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
        for end in _ends(spec).values():
            _raise_end(end)
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
    down = tuple(site for site, end in _ends(spec).items() if not _is_up(end))
    condition = wire.condition(_management(spec)) if is_laid(spec) else None
    trip = condition.round_trip_ms if condition else spec.round_trip_ms
    running = condition is not None and not down
    return LinkState(replace(spec, round_trip_ms=trip), running, down, condition)


def remove(estate: str, a: str, b: str) -> None:
    """Take the link up and forget it."""
    name = names.link(a, b)
    with _lock(estate, name):
        spec = recorded(estate, name)
        _take_up(estate, name)
        for end in _ends(spec).values() if spec else ():
            _forget_routes(end)
        spec_file(estate, name).unlink(missing_ok=True)


def cut(estate: str, a: str, b: str, *, at: Sequence[str] = ()) -> None:
    """Take the ends at the sites down (both, where none is named): nothing passes in any direction."""
    spec = _known(estate, a, b)
    with _lock(estate, spec.name):
        for site, end in _ends(spec).items():
            if site in (at or (a, b)) and _has_interface(end):
                namespaces.ip(end.namespace, [f"link set dev {end.interface} down"])


def mend(estate: str, a: str, b: str, *, at: Sequence[str] = ()) -> None:
    """Raise the ends at the sites (both, where none is named). Lays the link where it is gone."""
    spec = _known(estate, a, b)
    if not is_laid(spec):
        ensure(spec)
        return
    with _lock(estate, spec.name):
        for site, end in _ends(spec).items():
            if site in (at or (a, b)):
                _raise_end(end)


def shape(estate: str, a: str, b: str, condition: wire.Condition) -> None:
    """Set delay and loss of each direction (from `a` to `b`, and back) until the next `ensure`."""
    spec = _known(estate, a, b)
    with _lock(estate, spec.name):
        wire.set_condition(_management(spec), condition if a == spec.a else condition.reversed())


def _known(estate: str, a: str, b: str) -> LinkSpec:
    if spec := recorded(estate, names.link(a, b)):
        return spec
    known = ", ".join(spec.name for spec in all_recorded(estate)) or "none"
    message = f"estate {estate} has no link between {a} and {b} in the lab; links: {known}"
    raise MirrorforceError(message, f"mirrorforce up {estate} lays the links that are declared")


def _lock(estate: str, name: str) -> locks.Held:
    return locks.held(locks.of(estate, "link", name))


def _management(spec: LinkSpec) -> Path:
    return _runtime(spec.estate, spec.name) / "wire"


def _lay(spec: LinkSpec) -> None:
    runtime = files.private_folder(_runtime(spec.estate, spec.name))
    group = cgroups.of_link(spec.estate, spec.name)
    group.mkdir(parents=True, exist_ok=True)
    ends = [word for end in _ends(spec).values() for word in (end.namespace, end.interface)]
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
        and all(_has_interface(end) for end in _ends(spec).values())
        and wire.condition(_management(spec)) is not None
    )


def _interfaces(end: _End) -> list[dict[str, object]]:
    if not namespaces.exists(end.namespace):
        return []
    rows = namespaces.show(end.namespace, "link", "show")
    return [row for row in rows if row.get("ifname") == end.interface]


def _has_interface(end: _End) -> bool:
    return bool(_interfaces(end))


def _is_up(end: _End) -> bool:
    """Whether the end has power and its route: taking an interface down forgets the routes through it."""
    rows = _interfaces(end)
    return bool(rows) and "UP" in str(rows[0].get("flags")) and _has_route(end)


def _has_route(end: _End) -> bool:
    rows = namespaces.show(end.namespace, "route", "show", "dev", end.interface)
    return any((row.get("dst"), row.get("gateway")) == (end.far_cidr, end.far_address) for row in rows)


def _raise_end(end: _End) -> None:
    way = f"{end.far_cidr} via {end.far_address} dev {end.interface} onlink src {end.own_address}"
    namespaces.ip(
        end.namespace,
        [
            f"route replace blackhole {end.far_cidr} metric {_LAST_RESORT_METRIC}",
            f"link set dev {end.interface} address {end.own_mac} up",
            # A question for the far end's address would cost the first packet a whole round trip.
            f"neighbour replace {end.far_address} lladdr {end.far_mac} dev {end.interface} nud permanent",
            f"route replace {way}",
        ],
    )


def _forget_routes(end: _End) -> None:
    if namespaces.exists(end.namespace):
        found = namespaces.show(end.namespace, "route", "show", "type", "blackhole")
        if any(row.get("dst") == end.far_cidr for row in found):
            namespaces.ip(
                end.namespace, [f"route delete blackhole {end.far_cidr} metric {_LAST_RESORT_METRIC}"]
            )
