"""What a workload remembers, and what an error says of a row. Standard library only."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TextIO

REJECTIONS = frozenset({"25006", "57P03", "53300", "28000", "28P01", "3D000"})
"""SQLSTATEs after which an INSERT can not have been committed: read-only server, server that takes no
connections (yet, or any more of them), refused log-in, no such database."""


@dataclass(frozen=True)
class Limits:
    """How much a workload does at most: rows per writer, seconds; pause between rows in seconds."""

    rows: int
    seconds: float
    pause: float


class Log:
    """Appends events, one JSON document a line, each flushed before the next row is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def event(self, kind: str, writer: int, **facts: object) -> None:
        """Append one event with both clocks: monotonic for durations, wall to compare with others."""
        line = {"event": kind, "writer": writer, "monotonic": time.monotonic(), "wall": time.time(), **facts}
        with self._lock:
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()


def outcome_of(sqlstate: str | None) -> str:
    """What an INSERT's error says of its row: refused outright, or nobody can tell."""
    return "rejected" if sqlstate in REJECTIONS else "unknown"
