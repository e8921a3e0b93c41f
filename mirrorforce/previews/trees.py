"""Two trees of the project side by side: the work tree, and what git knows under a name. The edge.

The other tree is unpacked from `git archive` into a folder of its own that goes away: unlike a `git worktree`
that leaves nothing in the repository, whatever ends us, and needs no right to write there. Each tree is asked
by a process of its own (`declared.py`), since two versions of our code cannot be imported into one.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.previews.declared import Host

PROGRAM = Path(__file__).with_name("declared.py")
LIMIT = 300.0
"""Seconds that a tree may take: many times the 1.3 s for 10 hosts, of which 1 s is for reading Ansible."""

_SHORT = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """A name that git knows, and the commit that it names."""

    name: str
    commit: str

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:_SHORT]})"


def revision(name: str) -> Revision:
    """The commit of a name; BadInputError where git knows none."""
    # Never read as an option, whatever it is called.
    answer = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if answer.returncode != 0:
        said = answer.stderr.decode(errors="replace").strip()
        raise BadInputError(
            f"--against is {name!r}, which names no commit here{f': {said}' if said else ''}",
            "a branch, a tag or a commit; in a shallow clone: git fetch --depth 1 origin REF",
        )
    return Revision(name, answer.stdout.decode().strip())


@contextmanager
def unpacked(of: Revision) -> Iterator[Path]:
    """The files of a revision, in a folder that goes away."""
    answer = _git("archive", "--format=tar", of.commit)
    if answer.returncode != 0:
        said = answer.stderr.decode(errors="replace").strip()
        raise MirrorforceError(f"git cannot give the files of {of}: {said}", "git fsck")
    with tempfile.TemporaryDirectory(prefix="mirrorforce-") as folder:
        with tarfile.open(fileobj=io.BytesIO(answer.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def declared(tree: Path, env: str) -> dict[str, Host]:
    """What a tree declares for the hosts of an environment: nothing where it has no such environment.

    MirrorforceError with the last words of its code where that cannot say it.
    """
    if not (tree / "stacks" / f"{env}.yaml").exists():
        return {}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    try:
        answer = subprocess.run(
            [sys.executable, "-P", str(PROGRAM), env],
            cwd=tree,
            env=kept | {"PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise MirrorforceError(f"it did not say what it declares within {LIMIT:.0f} s") from None
    if answer.returncode != 0:
        lines = [line for line in answer.stderr.splitlines() if line.strip()]
        raise MirrorforceError("\n".join(lines[-3:]) or f"it ended with status {answer.returncode}")
    return cast("dict[str, Host]", json.loads(answer.stdout))


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise MirrorforceError("there is no git on PATH", "apt-get install git") from None
