"""Holds this member's Patroni still during a switchover to another member, until that one leads.

A Patroni that looks while nobody leads and `/failover` names somebody else sleeps for two seconds
(`ha.process_unhealthy_cluster`, 4.0.7), and follows the new primary so much later; where commits wait for a
standby, they wait for that. One that does not look sleeps for nothing.

Runs as a transient unit, which lets Patroni go on however this ends. Standard library only.
"""

from __future__ import annotations

import argparse
import time

from mirrorforce.onhost.commands import output_of
from mirrorforce.onhost.https_json import Credentials, says_yes
from mirrorforce.onhost.sd_notify import notify

PATRONI = "patroni.service"
_LOOK_EVERY = 0.03
_LIMIT = 1.0


def main() -> None:
    """Stop, wait; the unit's own end lets Patroni go on."""
    parser = argparse.ArgumentParser(prog="patroni_hold", description=__doc__)
    for name in ("url", "ca", "certificate", "key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    credentials = Credentials(given.ca, given.certificate, given.key)
    until = time.monotonic() + given.seconds
    output_of(["systemctl", "kill", "--kill-whom=main", "--signal=STOP", PATRONI])
    notify("READY=1")
    while time.monotonic() < until and not says_yes(f"{given.url}/leader", credentials, timeout=_LIMIT):
        time.sleep(_LOOK_EVERY)


if __name__ == "__main__":
    main()
