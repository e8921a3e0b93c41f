"""`load`: an estate file, `stacks/<env>.yaml`, to an `Estate`; or all its faults at once."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from mirrorforce import estate_schema, estate_yaml
from mirrorforce.errors import BadInputError
from mirrorforce.estate import AcceptedRisk, Cell, Estate, Link, Site, Tenant, Volume
from mirrorforce.faults import FileFaultsError, nearest

if TYPE_CHECKING:
    from pathlib import Path

DATA_MOUNT = "/srv/postgres/data"
WAL_MOUNT = "/srv/postgres/wal"


def environments(folder: Path) -> tuple[str, ...]:
    """The environments that have an estate file in this folder."""
    files = (path for path in folder.glob("*.yaml") if not path.name.startswith("Pulumi."))
    return tuple(sorted(path.stem for path in files))


def load(path: Path) -> Estate:
    """The estate of this file.

    Raises FileFaultsError (a BadInputError) with every fault of the file, or BadInputError where there is
    no such file.
    """
    document = estate_yaml.parse(_read(path))
    faults = [*document.faults, *estate_schema.faults(document.value)] if not document.faults else document.faults
    if faults:
        raise FileFaultsError(str(path), faults, f"mend the file, then: mirrorforce validate {path.stem}")
    return build(estate_schema.with_defaults(document.value))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = environments(path.parent)
        near = nearest(path.stem, known)
        message = f"There is no environment {path.stem!r}: no file {path}."
        allowed = f"environments here: {', '.join(known) or 'none'}" + (f"; nearest: {near}" if near else "")
        raise BadInputError(message, allowed) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read: {error}", "make it a readable UTF-8 text file") from error


def build(document: dict[str, Any]) -> Estate:
    """The estate of a document that holds to the schema and has its defaults filled in."""
    return Estate(
        name=document["estate"],
        domain=document["domain"],
        preset=document["preset"],
        timing_overrides=document["timings"],
        sites=tuple(site(name, entry) for name, entry in document["sites"].items()),
        links=tuple(link(entry) for entry in document["links"]),
        cells=tuple(cell(name, entry, slot) for slot, (name, entry) in enumerate(document["cells"].items())),
        tenants=tuple(Tenant(name, entry["cell"]) for name, entry in document["tenants"].items()),
        accepted_risks=tuple(accepted_risk(entry) for entry in document["accepted_risks"]),
    )


def site(name: str, entry: dict[str, Any]) -> Site:
    """A site of its entry in the file."""
    return Site(
        name=name,
        platform=entry["platform"],
        failure_domain=entry["failure_domain"],
        cidr=IPv4Network(entry["cidr"]),
        mirrored=entry["mirrored"],
        application_hosts=entry["application_hosts"],
    )


def link(entry: dict[str, Any]) -> Link:
    """A link of its entry in the file."""
    one, other = entry["between"]
    return Link((one, other), float(entry["round_trip_ms"]))


def cell(name: str, entry: dict[str, Any], position: int) -> Cell:
    """A cell of its entry in the file; `position` is its slot where the entry names none."""
    volumes = entry["volumes"]
    return Cell(
        name=name,
        preferred_site=entry["preferred_site"],
        members=dict(entry["members"]),
        synchronous_copies=entry["synchronous_copies"],
        durable_failure_domains=entry["durable_failure_domains"],
        database=entry["database"],
        volumes=(
            Volume("data", DATA_MOUNT, volumes["data_mib"]),
            Volume("wal", WAL_MOUNT, volumes["wal_mib"]),
        ),
        slot=entry.get("slot", position),
    )


def accepted_risk(entry: dict[str, Any]) -> AcceptedRisk:
    """An accepted risk of its entry in the file."""
    return AcceptedRisk(entry["risk"], entry.get("cell", ""), entry["reason"])
