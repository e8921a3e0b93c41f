"""The ends of a link: a tap interface in each site's namespace, with the route through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.lab import names, namespaces

if TYPE_CHECKING:
    from mirrorforce.lab.specs import LinkSpec

# Worse than any route through a link: what cannot pass a cut link is lost without a word, as on a real
# wide area network, where the near router would otherwise refuse it at once.
_LAST_RESORT_METRIC = 4096


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link, and what it has to know of the far one."""

    namespace: str
    interface: str
    own_address: str
    own_mac: str
    far_address: str
    far_mac: str
    far_cidr: str


def of(spec: LinkSpec) -> dict[str, End]:
    """Both ends of the link, by their sites. Pure."""

    def end(site: str, far: str, own_address: str, far_address: str, far_cidr: str) -> End:
        return End(
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


def _interfaces(end: End) -> list[dict[str, object]]:
    if not namespaces.exists(end.namespace):
        return []
    rows = namespaces.show(end.namespace, "link", "show")
    return [row for row in rows if row.get("ifname") == end.interface]


def has_interface(end: End) -> bool:
    """Whether the end sticks out in today's namespace of its site."""
    return bool(_interfaces(end))


def is_up(end: End) -> bool:
    """Whether the end has power and its route: taking an interface down forgets the routes through it."""
    rows = _interfaces(end)
    return bool(rows) and "UP" in str(rows[0].get("flags")) and _has_route(end)


def _has_route(end: End) -> bool:
    rows = namespaces.show(end.namespace, "route", "show", "dev", end.interface)
    return any((row.get("dst"), row.get("gateway")) == (end.far_cidr, end.far_address) for row in rows)


def power_up(end: End) -> None:
    """Raise the interface and lay the route through it; done before, it changes nothing."""
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


def power_down(end: End) -> None:
    """Take the interface down: what would pass it is lost without a word."""
    if has_interface(end):
        namespaces.ip(end.namespace, [f"link set dev {end.interface} down"])


def forget_routes(end: End) -> None:
    """Forget the way to the far site that a removed link leaves behind."""
    if namespaces.exists(end.namespace):
        found = namespaces.show(end.namespace, "route", "show", "type", "blackhole")
        if any(row.get("dst") == end.far_cidr for row in found):
            namespaces.ip(
                end.namespace, [f"route delete blackhole {end.far_cidr} metric {_LAST_RESORT_METRIC}"]
            )
