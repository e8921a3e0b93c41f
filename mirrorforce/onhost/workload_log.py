"""What clients remember, and what an error says of a transaction. Standard library only.

One JSON document a line; `mirrorforce.drills.history` reads it back.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any, TextIO

REJECTIONS = frozenset({"25006", "57P03", "53300", "28000", "28P01", "3D000"})
"""SQLSTATEs after which nothing can have been committed: read-only server, server that takes no connections
(yet, or any more of them), refused log-in, no such database."""


@dataclass(frozen=True)
class Answer:
    """What a client was told, and when: wall clock and monotonic clock, in seconds."""

    outcome: str
    said: str
    began: float
    at: float
    mono_began: float
    mono_at: float


class Question:
    """The moment at which something was asked, by both clocks."""

    def __init__(self) -> None:
        self._began = time.time()
        self._mono_began = time.monotonic()

    def answered(self, outcome: str, said: str = "") -> Answer:
        """The answer, as of now."""
        return Answer(outcome, said, self._began, time.time(), self._mono_began, time.monotonic())


class Log:
    """Appends events, each flushed before its client asks for anything else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def event(
        self, kind: str, client: str, way: str, server: str | None, timeline: int | None, answer: Answer,
        **asked: Any,  # noqa: ANN401 (whatever JSON can say)
    ) -> None:  # fmt: skip
        """Append one event: who asked for what, of whom, and the answer."""
        line = {
            "kind": kind, "client": client, "way": way, "server": server, "timeline": timeline,
            **vars(answer), **asked,
        }  # fmt: skip
        with self._lock:
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()


def outcome_of(sqlstate: str | None, severity: str | None, *, commit_asked: bool) -> str:
    """What an error says of the transaction that met it: `rejected`, or `unknown`.

    sqlstate, severity: the server's words (not translated), None where the connection ended without any.
    An ERROR ends a transaction that is not committed, always: PostgreSQL treats one after the commit as
    PANIC. FATAL may come while a commit that is already durable waits for a standby.
    """
    refused = not commit_asked or severity == "ERROR" or sqlstate in REJECTIONS
    return "rejected" if refused else "unknown"
