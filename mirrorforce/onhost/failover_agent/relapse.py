"""Keeps a primary that was cut off from leading again by what it remembers.

A Patroni that demoted itself because etcd is out of reach keeps its lease, if that lives, and its view, in
which it leads. The first thing it does when etcd is back is to renew that lease and to promote itself (4.0.7:
"because I had the session lock"), and only then does it see that its key was released and another one leads.
Nothing is acknowledged by that: nobody streams from it. But it makes a timeline with the number of the other
one's, and follows nobody any more until it is copied anew. Started again it has neither lease nor view.

Runs in the agent. Standard library only.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from mirrorforce.onhost.commands import CommandError
from mirrorforce.onhost.patroni_watch import main_process

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY_S = 0.25

log = logging.getLogger("failover_agent")


def has_demoted(*, led: bool, etcd_answers: bool, primary: bool | None) -> bool:
    """Whether Patroni demoted itself without etcd: it led by what was last read there, and does not now."""
    return led and not etcd_answers and primary is False


class Relapse:
    """Looks while etcd does not answer. What it asks the agent: see `has_demoted`.

    primary: whether PostgreSQL runs as one; None where it does not answer.
    """

    def __init__(
        self, led: Callable[[], bool], etcd_answers: Callable[[], bool], primary: Callable[[], bool | None]
    ) -> None:
        self._led = led
        self._etcd_answers = etcd_answers
        self._primary = primary
        self._ended = False

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            with contextlib.suppress(CommandError, ProcessLookupError):
                self.look()

    def look(self) -> None:
        """End Patroni's process where it has demoted, once for each loss of etcd."""
        led, answers = self._led(), self._etcd_answers()
        lost = led and not answers
        self._ended = self._ended and lost
        primary = self._primary() if lost and not self._ended else None
        if has_demoted(led=led, etcd_answers=answers, primary=primary) and (main := main_process()):
            log.warning("Patroni demoted itself without etcd: it starts again, and forgets that it led")
            os.kill(main, signal.SIGKILL)
            self._ended = True
