"""`mirrorforce validate`: what a sound estate file promises, as sections of rows. Printing is the CLI's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import durability, placement, timings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.durability import Statement
    from mirrorforce.estate import Cell, Estate, Site


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the report: each row has a text for each column; `note` stands below it, may be ''."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a person sees of a sound estate file."""

    headline: str
    sections: tuple[Section, ...]


def report(estate: Estate) -> Report:
    """The report of an estate that `estate_file.load` accepted."""
    hosts = placement.hosts(estate)
    counts = f"{len(estate.sites)} sites, {len(estate.cells)} cells, {len(hosts)} hosts"
    headline = f"Estate {estate.name} is sound: {counts}, domain {estate.domain}."
    return Report(headline, tuple(_sections(estate)))


def _sections(estate: Estate) -> Iterator[Section]:
    yield _sites(estate)
    yield _links(estate)
    yield _cells(estate)
    for cell in estate.cells:
        yield _durability(estate, cell)
    yield _timings(estate)
    if estate.accepted_risks:
        yield _accepted_risks(estate)


def _sites(estate: Estate) -> Section:
    voters = len(estate.mirrored_sites)
    return Section(
        "Sites",
        ("site", "platform", "failure domain", "network", "etcd voter, failover DNS", "hosts"),
        tuple(_site(estate, site) for site in estate.sites),
        f"A cell fails over while {durability.majority(voters)} of {voters} etcd voters reach each other.",
    )


def _site(estate: Estate, site: Site) -> tuple[str, ...]:
    names = ", ".join(host.name for host in placement.hosts_of_site(estate, site)) or "none"
    mirrored = "yes" if site.mirrored else "no"
    return (site.name, site.platform, site.failure_domain, str(site.cidr), mirrored, names)


def _links(estate: Estate) -> Section:
    rows = tuple((*link.between, f"{link.round_trip_ms:g} ms") for link in estate.links)
    return Section("Links", ("between", "and", "round trip"), rows, "")


def _cells(estate: Estate) -> Section:
    return Section(
        "Cells",
        ("cell", "preferred site", "members", "copies", "failure domains", "DNS names", "tenants"),
        tuple(_cell(estate, cell) for cell in estate.cells),
        "Copies: standbys that have a commit on disk when it is acknowledged. Failure domains: as declared.",
    )


def _cell(estate: Estate, cell: Cell) -> tuple[str, ...]:
    tenants = ", ".join(tenant.name for tenant in estate.tenants if tenant.cell == cell.name)
    return (
        cell.name,
        cell.preferred_site,
        ", ".join(f"{site} {count}" for site, count in cell.members.items()),
        str(cell.synchronous_copies),
        str(cell.durable_failure_domains),
        f"{cell.name}.{estate.domain}, {cell.name}-ro.{estate.domain}",
        tenants or "none",
    )


def _durability(estate: Estate, cell: Cell) -> Section:
    statements = durability.statements_of_cell(estate, cell)
    return Section(
        f"What {cell.name} promises",
        ("primary", "lost", "an acknowledged row", "if the primary's failure domain is lost"),
        tuple(_statement(statement) for statement in statements),
        _worst(cell, statements),
    )


def _statement(statement: Statement) -> tuple[str, ...]:
    promise = statement.promise.removeprefix("an acknowledged row ")
    if statement.acknowledges and not statement.holds:
        promise += f" (declared: {statement.declared}; accepted risk)"
    return (statement.primary, statement.lost or "none", promise, statement.loss)


def _worst(cell: Cell, statements: tuple[Statement, ...]) -> str:
    """The cell's promise in one sentence: the least that any of its statements promises."""
    least = min(statement.failure_domains for statement in statements if statement.acknowledges)
    stops = any(not statement.acknowledges for statement in statements)
    return (
        f"{cell.name}: whoever leads, with any one member lost, an acknowledged row is in "
        f"{durability.domains(least)} at least.{' Where no standby is left, writes stop.' if stops else ''}"
    )


def _timings(estate: Estate) -> Section:
    patroni, etcd = timings.patroni(estate), timings.etcd(estate)
    overridden = ", ".join(estate.timing_overrides)
    return Section(
        "Timings",
        ("timing", "value", "what it does"),
        (
            ("ttl", f"{patroni.ttl} s", "the leader key lives so long without its primary"),
            ("loop_wait", f"{patroni.loop_wait} s", "between two looks of Patroni at the cell"),
            ("retry_timeout", f"{patroni.retry_timeout} s", "a primary without etcd for so long steps down"),
            (
                "primary_start_timeout",
                f"{patroni.primary_start_timeout} s",
                "a primary whose PostgreSQL died has so long to restart it",
            ),
            ("etcd heartbeat", f"{etcd.heartbeat_ms} ms", "of etcd's leader to the other voters"),
            ("etcd election", f"{etcd.election_ms} ms", "without heartbeat, a voter stands for election"),
        ),
        f"Preset {estate.preset}{f', with its own {overridden}' if overridden else ''}; "
        f"the largest round trip between voters is {timings.largest_round_trip_ms(estate):g} ms.",
    )


def _accepted_risks(estate: Estate) -> Section:
    rows = tuple((risk.risk, risk.subject or "the estate", risk.reason) for risk in estate.accepted_risks)
    return Section("Accepted risks", ("risk", "of", "reason"), rows, "")
