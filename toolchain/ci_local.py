"""Run the steps of GitHub workflows on this machine: `python -m toolchain.ci_local [WORKFLOW[/JOB] …]`.

The steps are read from .github/workflows, and told nowhere else. Left out, by name, is what needs GitHub
itself: steps that use an action, jobs of an environment or a matrix, and steps that ask for a value which
only GitHub has. A repository's variable that has a default is the environment variable of that name here.
`--list` runs nothing. Every step that can be run is run, in order; a job ends at its first that fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WORKFLOWS = ROOT / ".github" / "workflows"
DEFAULT = ("ci",)
"""What is run where nothing is named: what every change has to pass."""

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"\$\{\{ vars\.(\w+) \|\| '([^']*)' \}\}")
_FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
"""What GitHub reads after a step: files that go away here."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a job; `needs`: what of GitHub it asks for, '' where it can be run here."""

    workflow: str
    job: str
    name: str
    script: str
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()
    needs: str = ""

    def __str__(self) -> str:
        return f"{self.workflow}/{self.job}: {self.name}"


def steps_of(workflow: str, document: Mapping[str, Any]) -> Iterator[Step]:
    """The steps of a workflow, in order. Pure."""
    for job_name, job in document["jobs"].items():
        of_job = _needs_of_job(job)
        shared = {**(document.get("env") or {}), **(job.get("env") or {})}
        for step in job["steps"]:
            name = str(step.get("name") or step.get("run") or step.get("uses")).partition("@")[0]
            environment = {
                key: _known(str(value)) for key, value in {**shared, **(step.get("env") or {})}.items()
            }
            script = _known(str(step.get("run", "")))
            needs = of_job or _needs_of_step(step, script, environment)
            options = ("-o", "pipefail") if step.get("shell") == "bash" else ()
            yield Step(workflow, str(job_name), name, script, environment, options, needs)


def _needs_of_job(job: Mapping[str, Any]) -> str:
    if "environment" in job:
        return "the credentials of a GitHub environment"
    return "a matrix" if "matrix" in (job.get("strategy") or {}) else ""


def _needs_of_step(step: Mapping[str, Any], script: str, environment: Mapping[str, str]) -> str:
    if "uses" in step:
        return f"the action {str(step['uses']).partition('@')[0]}"
    if step.get("if", "always()") != "always()":
        return str(step["if"]).strip("${} ")
    asked = [script, *(value for name, value in environment.items() if f"${name}" in script)]
    found = _EXPRESSION.search("\n".join(asked))
    return " ".join(found[1].split()) if found else ""


def _known(text: str) -> str:
    """The text with each variable of the repository that has a default replaced by what holds here."""
    return _VARIABLE.sub(lambda found: os.environ.get(found[1]) or found[2], text)


def chosen(names: Sequence[str], folder: Path) -> list[Step]:
    """The steps of these workflows or jobs; KeyError with a name that there is not."""
    found: list[Step] = []
    for name in names:
        workflow, _, job = name.partition("/")
        file = folder / f"{workflow}.yml"
        if not file.exists():
            raise KeyError(name)
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        steps = [step for step in steps_of(workflow, document) if job in ("", step.job)]
        if not steps:
            raise KeyError(name)
        found += steps
    return found


def run(steps: Sequence[Step]) -> list[str]:
    """Run the steps that can be run; the jobs that failed, each with the step at which it ended."""
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="mirrorforce-") as folder:
        files = {name: str(Path(folder) / name) for name in _FILES}
        _run_each(steps, files, failed)
    return list(failed.values())


def _run_each(steps: Sequence[Step], files: Mapping[str, str], failed: dict[str, str]) -> None:
    for step in steps:
        job = f"{step.workflow}/{step.job}"
        if step.needs or job in failed:
            reason = f"needs {step.needs}" if step.needs else "its job has failed"
            print(f"left out  {step}: {reason}", flush=True)
            continue
        print(f"run       {step}", flush=True)
        # As GitHub runs a step: with pipefail only where it names its shell.
        shell = ["bash", "--noprofile", "--norc", "-e", *step.options, "-c", step.script]
        environment = {**os.environ, **files, **step.environment}
        done = subprocess.run(shell, cwd=ROOT, env=environment, check=False)
        if done.returncode != 0:
            failed[job] = f"{step} ended with {done.returncode}"


def main(arguments: Sequence[str]) -> int:
    """Run what is named. Exit codes as everywhere (mirrorforce/errors.py)."""
    only_list = "--list" in arguments
    names = [name for name in arguments if name != "--list"] or list(DEFAULT)
    try:
        steps = chosen(names, WORKFLOWS)
    except KeyError as missing:
        known = ", ".join(sorted(file.stem for file in WORKFLOWS.glob("*.yml")))
        print(f"error: there is no workflow or job {missing}; workflows are {known}", file=sys.stderr)
        print("  next: make ci-local JOBS=ci/check", file=sys.stderr)
        return 2
    if only_list:
        for step in steps:
            print(f"left out  {step}: needs {step.needs}" if step.needs else f"run       {step}")
        return 0
    failed = run(steps)
    for text in failed:
        print(f"failed    {text}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
