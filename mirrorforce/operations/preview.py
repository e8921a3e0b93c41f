"""`preview`: what `up` would do, after a look at what really is. Nothing is changed.

What a stack would do is asked of Pulumi; what hosts would get is compared between the work tree and another
revision, without a host; what it costs is an estimate of both. `mirrorforce/previews/` makes a report of it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from mirrorforce import (
    aws_account,
    aws_cost,
    aws_prices,
    engine,
    estate_file,
    fingerprint,
    placement,
    stack_names,
)
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import names
from mirrorforce.previews import code_files, configuration, report, trees
from mirrorforce.secrets import PUBLIC
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mirrorforce.engine import Outcome
    from mirrorforce.estate import Estate
    from mirrorforce.previews.report import Document
    from mirrorforce.previews.trees import Revision
    from mirrorforce.progress import Phases
    from mirrorforce.secrets import EstateSecrets

SCHEMA = ROOT / "schemas" / "preview-report.schema.json"
POLICY_PACK = "PULUMI_OPTION_POLICY_PACK"
"""The variable by which the engine looks at every stack with a policy pack."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be looked at.

    stacks: by their names; none means all of them, None means that none is asked, and no credentials are
    needed. against: the revision that configuration and cost are compared with. guard_rails: whether the
    project's policy pack looks too.
    """

    stacks: tuple[str, ...] | None = ()
    against: Revision | None = None
    guard_rails: bool = False


def preview(ws: Workspace, estate: Estate, wanted: Wanted, phases: Phases) -> Document:
    """The report, valid against schemas/preview-report.schema.json. What a stack lacks is part of it."""
    started, moment = time.monotonic(), datetime.now(UTC)
    outcomes: tuple[Outcome, ...] = ()
    unseen: dict[str, str] = {}
    if wanted.stacks is not None:
        stacks = chosen(estate, wanted.stacks)
        aws_account.require(estate)
        secrets = engine.prepare(ws, estate)
        unseen = dict(hidden(asdict(secrets), "secrets"))
        with phases.phase("preview"):
            # Its rules are about AWS: elsewhere it has nothing to look at, and takes its time.
            pack = ROOT / "policy" if wanted.guard_rails and estate.aws else None
            outcomes = _look(ws, stacks, secrets, pack)
    compared, cost = report.Configuration(), report.Cost(aws_cost.estimate(estate, aws_prices.load()))
    if wanted.against:
        with phases.phase("configuration"):
            compared, cost = _compare(ws, estate, wanted.against, cost)
    header = report.Header(ws.env, moment.isoformat(timespec="seconds"), round(time.monotonic() - started, 1))
    document = report.build(header, placement.hosts(estate), outcomes, compared, cost)
    found: Document = report.without(document, unseen)
    return found


def chosen(estate: Estate, stacks: Sequence[str]) -> tuple[str, ...]:
    """The stacks of these names, all where there are none; BadInputError for a name that is not known."""
    known = [str(stack) for stack in engine.stacks_of(estate)]
    for name in stacks:
        names.known("stack", name, known)
    return tuple(name for name in known if name in stacks or not stacks)


def merge(paths: Sequence[Path]) -> Document:
    """One report of those in these files. BadInputError where one is none, or they do not go together."""
    reports = [_read(path) for path in paths]
    estate = estate_file.load(Workspace(str(reports[0]["environment"])).estate_file)
    try:
        return report.merged(reports, chosen(estate, ()))
    except ValueError as fault:
        raise BadInputError(f"these previews do not go together: {fault}", "name those of one run") from fault


def _look(
    ws: Workspace, stacks: Sequence[str], secrets: EstateSecrets, pack: Path | None
) -> tuple[Outcome, ...]:
    variables = {POLICY_PACK: str(pack)} if pack and POLICY_PACK not in os.environ else {}

    def look(name: str) -> engine.Outcome:
        key = "" if stack_names.parse(name).part == stack_names.INTERCONNECT else secrets.ssh_public_key
        return engine.look(ws, name, public_key=key, variables=variables)

    return tuple(engine.side_by_side([partial(look, name) for name in stacks]))


def _compare(
    ws: Workspace, estate: Estate, against: Revision, cost: report.Cost
) -> tuple[report.Configuration, report.Cost]:
    """Configuration and cost against a revision; where that cannot be read, the reason in their place."""
    with trees.unpacked(against) as tree:
        try:
            before, after = engine.side_by_side(
                [partial(trees.declared, each, ws.env) for each in (tree, ROOT)]
            )
            changed = code_files.changed(tree, ROOT, fingerprint.CODE)
            compared = report.Configuration(against, configuration.compare(before, after, changed))
        except MirrorforceError as fault:
            compared = report.Configuration(against, reason=fault.message)
        file = tree / "stacks" / f"{ws.env}.yaml"
        if not estate.aws and not file.exists():
            return compared, cost
        try:
            estimate = aws_cost.estimate(estate_file.load(file), aws_prices.load()) if file.exists() else None
        except MirrorforceError as fault:
            return compared, report.Cost(cost.after, reason=fault.message)
        return compared, report.Cost(cost.after, estimate or replace(cost.after, parts=()))


def hidden(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - dataclasses as plain values
    """Each secret text and its name."""
    if isinstance(value, str) and value:
        yield value, path
        yield from ((line, path) for line in value.splitlines()[1:-1] if line)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in PUBLIC:
                yield from hidden(inner, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from hidden(inner, f"{path}.{index}")


def _read(path: Path) -> Document:
    try:
        found: Document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise BadInputError(f"{path} is no preview: {fault}") from fault
    if wrong := next(_validator().iter_errors(found), None):
        raise BadInputError(
            f"{path} is no preview of this version: {wrong.json_path}: {wrong.message[:200]}",
            "mirrorforce preview ENV --json FILE writes one",
        )
    return found


def _validator() -> Draft202012Validator:
    schema: Mapping[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return Draft202012Validator(schema)
