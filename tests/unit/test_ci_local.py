"""`make ci-local`: the steps of workflows, read from their files, and what is left out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from mirrorforce.operations.bootstrap_names import GITHUB_ISSUER
from mirrorforce.workspace import ROOT
from toolchain import ci_local

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW = """
env: {ESTATE: "${{ vars.MIRRORFORCE_ENVIRONMENT || 'aws' }}"}
jobs:
  one:
    steps:
      - uses: actions/checkout@v1
      - {name: default, run: 'echo "$ESTATE" > out; echo x=1 >> "$GITHUB_OUTPUT"'}
      - {name: asks, run: 'echo ${{ github.sha }}'}
      - {name: asks by a variable, env: {SHA: "${{ github.sha }}"}, run: echo $SHA}
      - {name: does not use it, env: {SHA: "${{ github.sha }}"}, run: "true", if: always()}
      - {name: on a condition, if: "${{ inputs.whole }}", run: "true"}
      - {name: hides it as on GitHub, run: "false | true"}
      - {name: fails, run: "false | true", shell: bash}
      - {name: after it, run: touch after}
  two:
    environment: aws
    steps: [{run: touch deployed}]
  three:
    strategy: {matrix: {stack: [a]}}
    steps: [{run: touch matrix}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own.yml").write_text(WORKFLOW)
    monkeypatch.setattr(ci_local, "ROOT", tmp_path)
    monkeypatch.setattr(ci_local, "WORKFLOWS", tmp_path)
    monkeypatch.delenv("MIRRORFORCE_ENVIRONMENT", raising=False)
    return tmp_path


def test_what_needs_github_is_left_out_and_named(folder: Path) -> None:
    steps = {step.name: step.needs for step in ci_local.chosen(["own"], folder)}
    assert steps == {
        "actions/checkout": "the action actions/checkout",
        "default": "",
        "asks": "github.sha",
        "asks by a variable": "github.sha",
        "does not use it": "",
        "on a condition": "inputs.whole",
        "hides it as on GitHub": "",
        "fails": "",
        "after it": "",
        "touch deployed": "the credentials of a GitHub environment",
        "touch matrix": "a matrix",
    }


def test_steps_run_in_order_and_a_job_ends_at_its_first_that_fails(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ci_local.main(["own"]) == 1
    assert (folder / "out").read_text() == "aws\n"
    assert not {"after", "deployed", "matrix"} & {file.name for file in folder.iterdir()}
    said = capfd.readouterr()
    assert "own/one: fails ended with 1" in said.err
    assert "left out  own/one: after it: its job has failed" in said.out


def test_a_name_that_is_none_is_said_and_nothing_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ci_local.main(["own/four"]) == 2
    assert "workflows are own" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_every_step_of_ci_can_be_run_here() -> None:
    steps = [step for step in ci_local.chosen(["ci"], ci_local.WORKFLOWS) if "action" not in step.needs]
    assert len(steps) >= 5
    assert all(step.script.startswith("make ") and not step.needs for step in steps)


def test_actions_are_pinned_by_commit() -> None:
    for file in ci_local.WORKFLOWS.glob("*.yml"):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for job in document["jobs"].values():
            for used in [step["uses"] for step in job["steps"] if "uses" in step]:
                assert len(used.partition("@")[2]) == 40, f"{file.name}: {used}"


def test_only_jobs_of_an_environment_may_ask_for_a_token_that_aws_trusts() -> None:
    """The roles of bootstrap trust an environment's jobs alone, through GitHub's issuer."""
    assert GITHUB_ISSUER.endswith("githubusercontent.com")
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert document["permissions"] == {"contents": "read"}, file.name
        assert "pull_request_target" not in document[True], file.name
        for name, job in document["jobs"].items():
            if "id-token" in job.get("permissions", {}):
                assert "environment" in job, f"{file.name}: {name}"
