"""Checks of an estate that no schema can make: whether its parts fit each other.

Each check asks the reading whether what it needs is sound, so it runs on a file that has faults elsewhere
and never repeats one of them in other words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import estate_aws, estate_networks, estate_references, estate_risks, timings
from mirrorforce.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.estate import Cell, Estate
    from mirrorforce.estate_reading import Reading

_LEAST_VOTERS = 3
_LEAST_MEMBERS = 2


def faults(reading: Reading) -> tuple[Fault, ...]:
    """All faults of a file that holds to the schema, or of those parts of it that do.

    Risks come last: what a cell promises can be told only where its declarations are possible at all.
    """
    first = (
        *estate_references.faults(reading),
        *estate_networks.faults(reading),
        *estate_aws.faults(reading),
        *_voters(reading),
        *_cells(reading),
    )
    undecided = {name for fault in first for name in _cell_in_doubt(fault)}
    return (*first, *_timings(reading), *estate_risks.faults(reading, undecided))


def _cell_in_doubt(fault: Fault) -> Iterator[str]:
    """The cell whose durability cannot be told because of this fault, if it is one of that kind."""
    match fault.path:
        case ("cells", str(name), "members" | "synchronous_copies" | "durable_failure_domains", *_):
            yield name


def _voters(reading: Reading) -> Iterator[Fault]:
    """Voters of etcd stand in the mirrored sites, one in each."""
    if not reading.sound("sites"):
        return
    count = len(reading.estate.mirrored_sites)
    if count < _LEAST_VOTERS:
        yield Fault(
            ("sites",),
            f"{count} mirrored {'site' if count == 1 else 'sites'}, each with an etcd voter",
            f"{_LEAST_VOTERS} mirrored sites or more: fewer voters keep no majority when one is lost",
        )
    elif count % 2 == 0:
        yield Fault(
            ("sites",),
            f"{count} mirrored sites, each with an etcd voter",
            f"an odd number: {count} voters outlive no more losses than {count - 1}",
        )


def _cells(reading: Reading) -> Iterator[Fault]:
    for cell in reading.estate.cells:
        yield from _sites_of_cell(reading, cell)
        impossible = tuple(_copies(cell))
        yield from impossible
        if not impossible and all(_is_known(reading, site) for site in cell.members):
            yield from _spread(reading.estate, cell)


def _is_known(reading: Reading, site: str) -> bool:
    return site in reading.names("sites") and reading.sound("sites", site)


def _sites_of_cell(reading: Reading, cell: Cell) -> Iterator[Fault]:
    site_of = {site.name: site for site in reading.estate.sites}
    members = ", ".join(cell.members)
    if cell.preferred_site in reading.names("sites") and cell.preferred_site not in cell.members:
        found = f"{cell.preferred_site}, where the cell has no member"
        yield Fault(("cells", cell.name, "preferred_site"), found, f"a site of its members: {members}")
    for name in cell.members:
        if name in site_of and not site_of[name].mirrored:
            mirrored = ", ".join(site.name for site in reading.estate.mirrored_sites)
            found = f"{name}, which is not mirrored: no etcd voter, no failover DNS"
            yield Fault(("cells", cell.name, "members", name), found, f"mirrored sites: {mirrored}")


def _copies(cell: Cell) -> Iterator[Fault]:
    """Declarations that no placement of the members could hold."""
    members = sum(cell.members.values())
    copies, domains = cell.synchronous_copies, cell.durable_failure_domains
    if members < _LEAST_MEMBERS:
        yield Fault(
            ("cells", cell.name, "members"),
            f"{members} member",
            f"{_LEAST_MEMBERS} or more: without a standby no write is ever acknowledged",
        )
    elif copies > members - 1:
        yield Fault(
            ("cells", cell.name, "synchronous_copies"),
            f"{copies}, with {members - 1} standbys at most",
            f"{members - 1} or less: Patroni would lower it without asking",
        )
    elif domains > copies + 1:
        yield Fault(
            ("cells", cell.name, "durable_failure_domains"),
            f"{domains}, while synchronous_copies {copies} puts a row on {copies + 1} hosts",
            f"{copies + 1} or less, or synchronous_copies {domains - 1} or more",
        )


def _spread(estate: Estate, cell: Cell) -> Iterator[Fault]:
    domains = sorted({estate.site(site).failure_domain for site in cell.members})
    if cell.durable_failure_domains > len(domains):
        yield Fault(
            ("cells", cell.name, "durable_failure_domains"),
            f"{cell.durable_failure_domains}, while members stand in {len(domains)}: {', '.join(domains)}",
            f"{len(domains)} or less, or members in more failure domains",
        )


def _timings(reading: Reading) -> Iterator[Fault]:
    """Timings that Patroni would change, and those too short for the estate's round trips.

    Links and sites that could not be read only make the largest round trip larger, so what is found
    without them is true.
    """
    if not (reading.sound("preset") and reading.sound("timings")):
        return
    estate = reading.estate
    pace = timings.pace(estate.preset, estate.timing_overrides)
    if complaint := timings.patroni_complaint(pace):
        yield Fault(("timings",), complaint, "loop_wait + 2 * retry_timeout of ttl or less")
    round_trip = timings.largest_round_trip_ms(estate)
    least = timings.least_retry_timeout(round_trip, len(estate.mirrored_sites))
    if pace.retry_timeout < least:
        path = ("timings", "retry_timeout") if "retry_timeout" in estate.timing_overrides else ("preset",)
        found = f"retry_timeout {pace.retry_timeout} s, too short for {round_trip:g} ms between voters"
        yield Fault(path, found, _fitting(least))


def _fitting(least: int) -> str:
    """What to choose where retry_timeout must be `least` seconds."""
    presets = [name for name, pace in timings.PRESETS.items() if pace.retry_timeout >= least]
    presets_in_words = f"preset {' or '.join(presets)}, or " if presets else ""
    return f"{presets_in_words}timings with retry_timeout {least} or more and ttl {2 * least + 1} or more"
