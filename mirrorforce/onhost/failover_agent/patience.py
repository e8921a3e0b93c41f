"""How long the agent waits between two looks at etcd. Pure."""

from __future__ import annotations

IDLE_S = 1.0
"""Between two looks at etcd that nothing asked for."""
BUSY_S = 0.1
LONGEST_S = 8.0
_AN_ELECTION = 2
"""So many failures in a row are the business of an election, and are tried again at once."""


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failures of etcd in a row: the first two may be an election. Pure."""
    return min(LONGEST_S, IDLE_S * 2.0 ** (failures - 3)) if failures > _AN_ELECTION else BUSY_S
