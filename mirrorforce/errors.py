"""The one table of exit codes, and the error that carries one of them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status says. Every command uses this table and no other."""

    AS_DECLARED = 0
    ERROR = 1
    BAD_INPUT = 2
    DRIFT_FOUND = 3
    OBJECTIVE_MISSED = 4


class MirrorforceError(Exception):
    """Something went wrong that a person can act on.

    `message` says what was found and what is allowed; `next_step` says what to do about it.
    """

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.next_step}" if self.next_step else self.message


class BadInputError(MirrorforceError):
    """An argument, a name or a file is not as it should be; nothing was changed."""

    exit_code = ExitCode.BAD_INPUT
