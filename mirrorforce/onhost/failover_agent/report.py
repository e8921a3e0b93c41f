"""What the agent decided, and what it refused and why: in the journal, and in a file for `status`."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from pathlib import Path

FILE = Path("/run/failover_agent/report.json")
FENCED = "fenced off from"
PROMISED = "promised against"
OPENED = "opened a round against"
TAKEN_OVER = "took over the round against"
RELEASED = "released"
LIFTED = "fence lifted"
"""How the steps of a failover begin in the journal."""

_KEPT = 20
_AFRESH_S = 15.0

log = logging.getLogger("failover_agent")


def leader_since(revision: int, file: Path = FILE) -> float | None:
    """Since when (CLOCK_MONOTONIC) this host's agent has seen the leader key at `revision`; None: unknown."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return float(said["leader_since"]) if said["leader_revision"] == revision else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


class Report:
    """The last decisions, and the refusal that stands."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._decisions: deque[dict[str, object]] = deque(maxlen=_KEPT)
        self._refusal = ""
        self._written = ""
        self._at = 0.0

    def say(self, what: str) -> None:
        """A decision."""
        log.warning("%s", what)
        self._decisions.append({"at": round(time.time(), 3), "what": what})

    def refuse(self, why: str) -> None:
        """Why nothing is done; '' where there is nothing to do. Told when it changes."""
        if why != self._refusal and why:
            self.say(f"refused: {why}")
        self._refusal = why

    def write(self, leader_revision: int | None, leader_since: float) -> None:
        """Bring the file up to date. leader_since: when the leader key got that revision, CLOCK_MONOTONIC."""
        text = json.dumps(
            {
                "refusal": self._refusal,
                "decisions": list(self._decisions),
                "leader_revision": leader_revision,
                "leader_since": leader_since,
            }
        )
        now = time.monotonic()
        # Also where nothing is new: a file that grows old is an agent that hangs.
        if text != self._written or now - self._at > _AFRESH_S:
            staged = self._file.with_suffix(".new")
            staged.write_text(text, encoding="utf-8")
            staged.replace(self._file)
            self._written, self._at = text, now
