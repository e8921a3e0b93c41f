"""Clocks of failover agents that run too fast or too slow, by libfaketime; hosts keep theirs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mirrorforce.drills.actions.services import AGENT
from mirrorforce.drills.acts import Verb
from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from mirrorforce.drills.actions.context import Context
    from mirrorforce.drills.acts import Act

_LIBRARY = "/usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1"
"""Where Debian's libfaketime has it."""

_FOLDER = f"/run/systemd/system/{AGENT}.d"
_FILE = f"{_FOLDER}/drill_clock.conf"
"""Gone with the host's power, as the agent's process is."""

_AGAIN = f"systemctl daemon-reload; systemctl restart {AGENT}"


def run_wild(ctx: Context, act: Act) -> None:
    """Start the agents anew, with a monotonic clock that runs `amount` times as fast, or as slow."""
    if not act.amount:
        raise MirrorforceError("the act does not say how many times as fast or slow")
    rate = act.amount if act.verb is Verb.RUN_FAST else 1 / act.amount
    lines = f"[Service]\nEnvironment=LD_PRELOAD=%s 'FAKETIME=+0 x{rate:.4f}' FAKETIME_NO_CACHE=1\n"
    write = f"printf {shlex.quote(lines)} {_LIBRARY} > {_FILE}"
    command = f"ls {_LIBRARY} >/dev/null; mkdir -p {_FOLDER}; {write}; {_AGAIN}"
    ctx.on_all(act.hosts, command, "run clocks wild")


def set_right(ctx: Context, act: Act) -> None:
    """Start those agents anew, with their host's clock."""
    again = f"if test -e {_FILE}; then rm {_FILE}; {_AGAIN}; fi"
    ctx.on_all(ctx.with_power(act.hosts), again, "set clocks right")
