"""Running a program on a host, with a limit. Standard library only."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CommandError(Exception):
    """A program failed; the text is its last line on stderr."""


def output_of(
    command: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float = 5.0,
    environment: Mapping[str, str] | None = None,
) -> str:
    """The program's stdout; CommandError where it fails or takes longer than `timeout` seconds."""
    try:
        done = subprocess.run(
            list(command),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]}: no answer within {timeout} s") from None
    except OSError as fault:
        raise CommandError(f"{command[0]}: {fault.strerror}") from fault
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise CommandError(f"{command[0]}: {lines[-1]}")
    return done.stdout
