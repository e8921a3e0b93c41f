"""Asked by Patroni before it promotes (`pre_promote`): ends with 0 where this member may.

The agent decides (`gate`). Where it does not run, or does not answer, Patroni's own rules are all there is,
as on a host without an agent. Standard library only, and little of it: clients wait meanwhile.
"""

from __future__ import annotations

import socket
import sys
import time

SOCKET = "/run/failover_agent/gate"
YES, NO = b"yes", b"no"
_WITHIN_S = 5.0
_STARTS_AGAIN_WITHIN_S = 3.0
"""An agent that died is back after a second (RestartSec); one that was stopped took its socket along."""


def answer() -> bytes:
    """What the agent says; OSError where it says nothing."""
    until = time.monotonic() + _STARTS_AGAIN_WITHIN_S
    while True:
        try:
            return _asked()
        except ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _asked() -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(_WITHIN_S)
        agent.connect(SOCKET)
        return agent.recv(len(YES))


def main() -> int:
    """The exit status for Patroni."""
    try:
        return 1 if answer() == NO else 0
    except OSError as fault:
        sys.stderr.write(f"failover agent: {fault}; Patroni's own rules apply\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
