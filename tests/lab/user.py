"""What a user does, for tests: commands of the estate `test`, run and timed as a person would run them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mirrorforce.errors import ExitCode
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ENV = "test"
LIMIT = 900.0


@dataclass(frozen=True)
class Done:
    """A command that ended: exit status, both outputs, seconds."""

    line: tuple[str, ...]
    status: int
    out: str
    err: str
    seconds: float

    def __str__(self) -> str:
        return f"$ {' '.join(self.line)}\n{self.out}{self.err}exit status {self.status}, {self.seconds:.1f} s"


@dataclass
class User:
    """Someone who works on the environment; `seconds` remembers how long each command took."""

    env: str = ENV
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def ws(self) -> Workspace:
        """The files of the environment."""
        return Workspace(self.env)

    def mirrorforce(self, *arguments: str, limit: float = LIMIT) -> Done:
        """`mirrorforce ARGUMENTS`, with the environment's name where a verb takes it from there."""
        environment = {**os.environ, "MIRRORFORCE_ENV": self.env}
        return self._run([sys.executable, "-m", "mirrorforce", *arguments], environment, limit)

    def plain(self, *line: str, limit: float = LIMIT) -> Done:
        """A tool of its own (pulumi, ansible-playbook, pytest) in what `mirrorforce env` prints."""
        exports = self.mirrorforce("env", self.env).out
        shell = f'{exports}\nexport PATH="{Path(sys.executable).parent}:$PATH"\nexec "$@"'
        return self._run(["bash", "-c", shell, "plain", *line], dict(os.environ), limit)

    def checks(self, facts: Path, report: Path) -> Done:
        """The checks of hosts over facts in a file: what `verify` would say if hosts said this."""
        line = [sys.executable, "-m", "pytest", "tests/hosts", "-q", "-p", "no:cacheprovider", "--tb=no"]
        line += [f"--facts-from={facts}", f"--report={report}"]
        return self._run(line, {**os.environ, "MIRRORFORCE_ENV": self.env}, LIMIT)

    def _run(self, line: list[str], environment: dict[str, str], limit: float) -> Done:
        started = time.monotonic()
        done = subprocess.run(
            line,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            stdin=subprocess.DEVNULL,
        )
        shown = tuple(line[line.index("plain") + 1 :] if "plain" in line else line[3:])
        found = Done(shown, done.returncode, done.stdout, done.stderr, time.monotonic() - started)
        self.seconds[" ".join(shown)] = round(found.seconds, 1)
        return found


def declare_test_estate(env: str = ENV, *, cells: Collection[str] | None = None, agents: bool = True) -> None:
    """Write stacks/ENV.yaml: the lab under another name, so that a lab in use is never touched.

    `cells`: these alone, with their tenants; without, all that the lab has. `agents`: with failover agents,
    as the preset has it.
    """
    text = (ROOT / "stacks" / "lab.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert document["estate"] == "lab"
    document["estate"] = env
    if not agents:
        document["failover"] = {"fence_and_release": False}
    if cells is not None:
        document["cells"] = {name: cell for name, cell in document["cells"].items() if name in cells}
        tenants = document.get("tenants", {}).items()
        document["tenants"] = {name: tenant for name, tenant in tenants if tenant["cell"] in cells}
    written = yaml.safe_dump(document, sort_keys=False)
    (ROOT / "stacks" / f"{env}.yaml").write_text(written, encoding="utf-8")


@contextmanager
def standing_estate(env: str, *, cells: Collection[str] | None = None) -> Iterator[User]:
    """Who works on a test's own estate, which is up; down again at the end. Parameters as above."""
    declare_test_estate(env, cells=cells)
    someone = User(env=env)
    someone.mirrorforce("down", env, "--yes")
    done = someone.mirrorforce("up", env)
    assert done.status == ExitCode.AS_DECLARED, done
    yield someone
    someone.mirrorforce("down", env, "--yes")
