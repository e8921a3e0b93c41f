"""The program on AWS, run once for all tests of a process: it takes seconds a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mirrorforce.workspace import Workspace
from tests.program_aws import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.program_engine import Run
from tests.aws_runs import FILE, SITE_STACKS, outputs_of


@pytest.fixture(scope="session")
def runs() -> dict[str, Run]:
    """Every stack of the estate, the interconnect over the sites' outputs."""
    built = {stack: build(stack) for stack in SITE_STACKS}
    built["aws-interconnect"] = build("aws-interconnect", up=outputs_of(built))
    return built


@pytest.fixture(scope="session")
def previews() -> dict[str, Run]:
    """Every stack before anything is up."""
    return {stack: build(stack, preview=True) for stack in [*SITE_STACKS, "aws-interconnect"]}


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the program read an estate file with these changes."""

    def change(*changes: Callable[[dict[str, Any]], object]) -> None:
        document = yaml.safe_load(FILE.read_text())
        for each in changes:
            each(document)
        (tmp_path / "aws.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        monkeypatch.setattr(Workspace, "estate_file", property(lambda ws: tmp_path / f"{ws.env}.yaml"))

    return change
