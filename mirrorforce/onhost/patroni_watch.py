"""Kills a Patroni that hangs, before its lease runs out; systemd starts it again, and PostgreSQL goes on.

Where no watchdog resets the machine, a primary whose Patroni hangs would outlive its lease: another member
leads, and clients still read what is old here. Runs as PostgreSQL's user. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass

from mirrorforce.onhost.commands import CommandError, output_of
from mirrorforce.onhost.https_json import Credentials, says_yes
from mirrorforce.onhost.sd_notify import notify

PATRONI = "patroni.service"
LOOK_EVERY = 2.0
"""Seconds; each look may take as long."""

log = logging.getLogger("patroni_watch")


@dataclass
class Judge:
    """Since when Patroni has said nothing, by the monotonic clock; `limit` and times in seconds.

    good_at: None until it has answered once: one that only starts is waited for.
    """

    limit: float
    good_at: float | None = None
    looked_at: float | None = None
    suspect: int = 0

    def hangs(self, now: float, *, answers: bool, main: int) -> bool:
        """Whether `main` (0: the unit does not run, or ends) is to be killed, by this look. Once each.

        A look that comes late says that this host stood still, and Patroni with it.
        """
        late = self.looked_at is not None and now - self.looked_at > self.limit / 2 + LOOK_EVERY
        self.looked_at = now
        if answers or (late and self.good_at is not None):
            self.good_at, self.suspect = now, 0
            return False
        if self.good_at is None or not main or self.suspect not in {0, main}:
            self.good_at, self.suspect = None, 0
            return False
        self.suspect = main
        if now - self.good_at < self.limit:
            return False
        self.good_at, self.suspect = None, 0
        return True


def main_process() -> int:
    """Patroni's process; 0 where its unit does not run, or is being stopped: PostgreSQL may take its time."""
    shown = output_of(["systemctl", "show", "--property=ActiveState,MainPID", PATRONI])
    found = dict(line.split("=", 1) for line in shown.splitlines())
    return int(found["MainPID"]) if found["ActiveState"] == "active" else 0


def main() -> None:
    """Look for ever."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="patroni_watch", description=__doc__)
    for name in ("url", "ca", "certificate", "key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, required=True, help="for so long it may say nothing")
    given = parser.parse_args()
    credentials = Credentials(given.ca, given.certificate, given.key)
    judge = Judge(given.seconds)
    notify("READY=1")
    while True:
        with contextlib.suppress(CommandError):
            # Its loop ran within the ttl.
            alive = says_yes(f"{given.url}/liveness", credentials, timeout=LOOK_EVERY)
            process = 0 if alive else main_process()
            if judge.hangs(time.monotonic(), answers=alive, main=process):
                log.warning("Patroni has said nothing for %g s: killed (process %d)", given.seconds, process)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        notify("WATCHDOG=1")
        time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main()
