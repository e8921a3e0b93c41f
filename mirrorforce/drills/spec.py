"""`load`: a drill file, `drills/NAME.yaml`, to a `Drill`; or all that is wrong with it at once."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from mirrorforce import file_schema, yaml_document
from mirrorforce.drills import quantities, step_order, step_reading
from mirrorforce.drills.drill import WAYS, Drill, Expectation, Given
from mirrorforce.drills.quantities import Quantity
from mirrorforce.errors import BadInputError
from mirrorforce.estate_reading import is_sound, mapping, sequence
from mirrorforce.faults import Fault, FileFaultsError, nearest, without_echoes
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mirrorforce.drills.drill import Step, Way

FOLDER = ROOT / "drills"
SCHEMA_FILE = ROOT / "schemas" / "drill.schema.json"

_RUN = "mirrorforce drill run"
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_PRIMARY_KEY = "clients also at"


@cache
def schema() -> Mapping[str, Any]:
    """The schema of drill files."""
    document: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return document


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The drills that there are, in the order of their names."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def load(path: Path) -> Drill:
    """The drill of this file.

    Raises FileFaultsError (a BadInputError) with every fault of the file, in its order, or BadInputError
    where there is no such file.
    """
    text = yaml_document.parse(_read(path))
    drill, faults = _examined(text, path.stem)
    if drill is None:
        raise FileFaultsError(str(path), text.in_order(faults), f"mend the file, then: {_RUN} {path.stem}")
    return drill


def load_all(folder: Path = FOLDER) -> tuple[Drill, ...]:
    """Every drill of the folder, in the order of their names; BadInputError with the faults of all files."""
    drills, errors = [], []
    for name in names(folder):
        try:
            drills.append(load(folder / f"{name}.yaml"))
        except BadInputError as error:
            errors.append(error.message)
    if errors:
        raise BadInputError("\n\n".join(errors), "mend the files, then: mirrorforce drill list")
    return tuple(drills)


def _read(path: Path) -> str:
    known = names(path.parent)
    if path.stem not in known:
        near = nearest(path.stem, known)
        allowed = f"drills here: {', '.join(known) or 'none'}" + (f"; nearest: {near}" if near else "")
        raise BadInputError(f"There is no drill {path.stem!r}: no file {path}.", allowed)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        next_step = "make it a UTF-8 text file that you may read"
        raise BadInputError(f"{path} cannot be read: {error}", next_step) from error


def _examined(text: yaml_document.Document, name: str) -> tuple[Drill | None, list[Fault]]:
    """The drill, or None and all faults: of the text, of the schema, of the steps, of their places."""
    faults = list(text.faults)
    if faults and text.value is None:
        return None, faults
    if not _NAME.fullmatch(name):
        allowed = "lower-case letters, digits and hyphens, a letter first, before .yaml"
        faults.append(Fault((), f"the file's name {name!r}", allowed))
    faults += without_echoes(_outside_of_steps(text.value), faults)
    document = mapping(file_schema.with_defaults(schema(), text.value))
    steps, wrong = _steps(document)
    faults += without_echoes(wrong, faults)
    if steps and is_sound([fault.path for fault in faults if fault.path], ("steps",)):
        clients_at_primary = _PRIMARY_KEY in mapping(document.get("given"))
        placed = tuple(enumerate(steps))
        faults += step_order.faults(placed, clients_at_primary=clients_at_primary)
    measured = step_order.measured(steps)
    if faults or measured is None:
        return None, faults
    return _drill(name, document, steps, measured), faults


def _outside_of_steps(document: object) -> Sequence[Fault]:
    """Faults against the schema but for those in a step, which `step_reading` tells better."""
    definitions = {**schema()["$defs"], "step": True}
    return file_schema.faults({**schema(), "$defs": definitions}, document)


def _steps(document: Mapping[str, Any]) -> tuple[tuple[Step, ...], list[Fault]]:
    """The steps that can be read, and the faults of the others."""
    steps: list[Step] = []
    faults: list[Fault] = []
    for index, value in enumerate(sequence(document.get("steps"))):
        step, wrong = step_reading.read(value, ("steps", index))
        faults += wrong
        if step is not None:
            steps.append(step)
    return tuple(steps), faults


def _by_way(limits: object) -> dict[Way, float]:
    said = mapping(limits)
    return {way: quantities.seconds(said[way]) for way in WAYS if way in said}


def _drill(name: str, document: Mapping[str, Any], steps: tuple[Step, ...], fault: int) -> Drill:
    given, expect = document["given"], document["expect"]
    lost = expect["lost rows"]
    share = expect.get("WAL volume at most")
    return Drill(
        name=name,
        title=document["title"],
        why=document["why"].strip(),
        every_cell=document["cells"] == "each",
        nightly=document["nightly"],
        handful=document["handful"],
        given=Given(tuple(given["load"]), given.get("etcd leader"), given.get(_PRIMARY_KEY, "")),
        steps=steps,
        expect=Expectation(
            takeover=expect["takeover"],
            lost_rows=lost if isinstance(lost, int) else None,
            outage=_by_way(expect.get("outage at most")),
            writes=expect.get("writes"),
            wal_volume=quantities.parse(Quantity.SHARE, share),
            known_hole=lost == "any",
            outage_with_agents=_by_way(expect.get("outage at most with agents")),
        ),
        fault=fault,
    )
