"""Running the machine's own tools. The only place of the lab that starts short-lived processes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEADLINE_SECONDS = 60.0


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str = "",
    deadline: float = DEADLINE_SECONDS,
    allowed: Sequence[int] = (0,),
) -> str:
    """Standard output of a command; MirrorforceError with its last words for any status not `allowed`."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, timeout=deadline, check=False, cwd="/"
        )
    except FileNotFoundError:
        message = f"{words[0]} is not installed"
        raise MirrorforceError(message, "mirrorforce lab check says which packages are missing") from None
    except subprocess.TimeoutExpired:
        message = f"{' '.join(words)}: no end after {deadline:g} s"
        raise MirrorforceError(
            message, "run the command again; mirrorforce down removes a broken lab"
        ) from None
    if done.returncode not in allowed:
        message = f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
        raise MirrorforceError(message, "run the command again; mirrorforce down removes a broken lab")
    return done.stdout


def answers(argv: Sequence[str | Path], *, deadline: float = DEADLINE_SECONDS) -> bool:
    """Whether the command succeeds."""
    try:
        run(argv, deadline=deadline)
    except MirrorforceError:
        return False
    return True
