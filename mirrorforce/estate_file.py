"""`load`: an estate file, `stacks/<env>.yaml`, to an `Estate`; or all its faults at once."""

from __future__ import annotations

import datetime as dt
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Literal

from mirrorforce import (
    estate_aws,
    estate_checks,
    estate_drift,
    estate_networks,
    estate_schema,
    estate_static,
    timings,
    yaml_document,
)
from mirrorforce.errors import BadInputError
from mirrorforce.estate import AcceptedDrift, AcceptedRisk, Cell, Estate, Link, Site, Tenant, Volume
from mirrorforce.estate_reading import Reading, is_sound, mapping
from mirrorforce.faults import Fault, FileFaultsError, nearest, without_echoes
from mirrorforce.workspace import SharedState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mirrorforce.faults import FilePath

DATA_MOUNT = "/srv/postgres/data"
WAL_MOUNT = "/srv/postgres/wal"


def environments(folder: Path) -> tuple[str, ...]:
    """The environments that have an estate file in this folder."""
    files = (path for path in folder.glob("*.yaml") if not path.name.startswith("Pulumi."))
    return tuple(sorted(path.stem for path in files))


def load(path: Path) -> Estate:
    """The estate of this file.

    Raises FileFaultsError (a BadInputError) with every fault of the file, in its order, or BadInputError
    where there is no such file.
    """
    text = yaml_document.parse(_read(path))
    estate, faults = _examined(text, path.stem)
    if faults:
        raise FileFaultsError(
            str(path), text.in_order(faults), f"mend the file, then: mirrorforce validate {path.stem}"
        )
    return estate


def _examined(text: yaml_document.Document, stem: str) -> tuple[Estate, list[Fault]]:
    """The estate as far as it can be read, and all faults: of the text, of the schema, of the meaning."""
    faults = list(text.faults)
    if faults and text.value is None:
        return _estate({}, ()), faults
    faults += without_echoes(estate_schema.faults(text.value), faults)
    document = mapping(estate_schema.with_defaults(text.value))
    faults += without_echoes(estate_networks.cidr_faults(document), faults)
    faults += without_echoes(estate_static.value_faults(document), faults)
    faults += without_echoes(estate_aws.network_faults(document), faults)
    faults += without_echoes(estate_drift.faults(document), faults)
    # A static site whose machines are not all as they must be is no site yet: its hosts have no addresses.
    faults += estate_static.faults(_without_machines(document, faults, stem))
    reading = _reading(document, faults, stem)
    if isinstance(text.value, dict):
        faults += estate_checks.faults(reading)
    return reading.estate, faults


def _reading(document: Mapping[str, Any], faults: Iterable[Fault], stem: str) -> Reading:
    """What is sound of a document, given the faults that were found so far."""
    unsound = tuple(fault.path for fault in faults)
    return Reading(document, _estate(document, unsound), unsound, stem)


def _without_machines(document: Mapping[str, Any], faults: Iterable[Fault], stem: str) -> Reading:
    """The same, but sites are sound whatever is said of their machines: it tells which hosts they need."""
    unsound = tuple(fault.path for fault in faults)
    others = tuple(path for path in unsound if not estate_static.is_of_machines(path))
    estate = _estate(estate_static.without_machines(document), others)
    return Reading(document, estate, unsound, stem)


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
        next_step = "make it a UTF-8 text file that you may read"
        raise BadInputError(f"{path} cannot be read: {error}", next_step) from error


def _estate(document: Mapping[str, Any], unsound: tuple[FilePath, ...]) -> Estate:
    """The estate of a document with its defaults filled in, without the entries that have faults.

    What stands once (the name, the preset) gets a stand-in where it has a fault: the checks that use it
    ask first whether it is sound, and `load` gives out no estate of a file with faults.
    """

    def entries(part: str) -> Iterator[tuple[Any, Any]]:
        """Name (or index), and the sound entries of a part of the file."""
        value = document.get(part)
        pairs = enumerate(value) if isinstance(value, list) else mapping(value).items()
        return ((key, entry) for key, entry in pairs if is_sound(unsound, (part, key)))

    def single(key: str, stand_in: Any) -> Any:  # noqa: ANN401  (what YAML holds has no narrower type)
        return document[key] if key in document and is_sound(unsound, (key,)) else stand_in

    preset = single("preset", "default")
    slots = {name: slot for slot, name in enumerate(mapping(document.get("cells")))}
    return Estate(
        name=single("estate", ""),
        domain=single("domain", ""),
        preset=preset,
        timing_overrides=single("timings", {}),
        sites=tuple(_site(name, entry, document) for name, entry in entries("sites")),
        links=tuple(_link(entry) for _, entry in entries("links")),
        cells=tuple(_cell(name, entry, slots[name]) for name, entry in entries("cells")),
        tenants=tuple(Tenant(name, entry["cell"]) for name, entry in entries("tenants")),
        accepted_risks=tuple(
            AcceptedRisk(entry["risk"], entry.get("cell", ""), entry["reason"])
            for _, entry in entries("accepted_risks")
        ),
        aws=estate_aws.estate(single("aws", None)),
        state=_state(single("state", None)),
        accepted_drift=tuple(_accepted_drift(entry) for _, entry in entries("accepted_drift")),
        fence_and_release=single("failover", {}).get("fence_and_release", preset in timings.WITH_AGENTS),
    )


def _state(section: Mapping[str, Any] | None) -> SharedState | None:
    return SharedState(section["backend"], section["secrets_provider"]) if section else None


def _site(name: str, entry: Mapping[str, Any], document: Mapping[str, Any]) -> Site:
    return Site(
        name=name,
        platform=entry["platform"],
        failure_domain=entry["failure_domain"],
        cidr=IPv4Network(entry["cidr"]),
        mirrored=entry["mirrored"],
        application_hosts=entry["application_hosts"],
        static=estate_static.read(entry.get("static")),
        aws=estate_aws.site(entry, document),
    )


def _link(entry: Mapping[str, Any]) -> Link:
    one, other = entry["between"]
    return Link((one, other), float(entry["round_trip_ms"]))


def _cell(name: str, entry: Mapping[str, Any], position: int) -> Cell:
    volumes = entry["volumes"]
    return Cell(
        name=name,
        preferred_site=entry["preferred_site"],
        members=dict(entry["members"]),
        synchronous_copies=entry["synchronous_copies"],
        durable_failure_domains=entry["durable_failure_domains"],
        database=entry["database"],
        volumes=(_volume("data", DATA_MOUNT, volumes), _volume("wal", WAL_MOUNT, volumes)),
        slot=entry.get("slot", position),
    )


def _accepted_drift(entry: Mapping[str, Any]) -> AcceptedDrift:
    match = entry["match"]
    return AcceptedDrift(
        match["subject"],
        match["item"],
        match["layer"],
        entry["reason"],
        dt.date.fromisoformat(entry["until"]),
    )


def _volume(name: Literal["data", "wal"], mount: str, sizes: Mapping[str, int]) -> Volume:
    return Volume(name, mount, sizes[f"{name}_mib"], sizes[f"{name}_iops"], sizes[f"{name}_throughput_mib"])
