"""The two ways of a switchover: by failover agents, and by Patroni with the other standbys held still."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mirrorforce import placement, remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.onhost import PYTHON_PATH
from mirrorforce.operations import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Cell, Estate
    from mirrorforce.workspace import Workspace

HELD_FOR = 6.0
"""Seconds for which other standbys' Patroni is held still at most: less than `patroni_watch` lets it hang."""

_HOLD_TIMEOUT = 5.0
_AGENTS_TIMEOUT = 120.0
_PATRONICTL_TIMEOUT = 60.0


class RefusedError(Exception):
    """Failover agents did not do it; why."""


def by_agents(ws: Workspace, old: str, new: str) -> float:
    """Have fences and a key that is handed over do it: seconds for which clients waited. RefusedError.

    It runs on the primary's host to its end, whether or not this command does.
    """
    command = [
        "sudo", "-n", "systemd-run", "--quiet", "--collect", "--wait", "--pipe",
        "--unit=failover_agent_hand_over", f"--property=RuntimeMaxSec={_AGENTS_TIMEOUT:.0f}",
        "--property=User=postgres", "--property=AmbientCapabilities=CAP_NET_ADMIN",
        "--property=CapabilityBoundingSet=CAP_NET_ADMIN",
        "--property=LoadCredential=etcd_password:/etc/mirrorforce/etcd_agent_password",
        f"--setenv={PYTHON_PATH}",
        "/usr/bin/python3", "-m", "mirrorforce.onhost.failover_agent", "hand-over", new,
    ]  # fmt: skip
    result = remote.run(ws, old, command, timeout=_AGENTS_TIMEOUT)
    return held_for(result.stdout, result.stderr.strip() or result.reason)


def held_for(answer: str, otherwise: str) -> float:
    """What the host said: seconds for which clients waited; RefusedError with its reason. Pure."""
    try:
        said = json.loads(answer)
        if "refused" not in said:
            return float(said["handed_over"])
        why = str(said["refused"])
    except (ValueError, TypeError, LookupError):
        why = (otherwise or "no answer").splitlines()[-1]
    raise RefusedError(why)


def hold(ws: Workspace, estate: Estate, members: Sequence[str], new: str) -> None:
    """Keep the Patroni of these members from looking while nobody leads (`onhost.patroni_hold`).

    It goes on when the new primary leads, and HELD_FOR seconds later at the latest. A host where that cannot
    be done does as Patroni does by itself.
    """
    candidate = next(host for host in placement.hosts(estate) if host.name == new)
    options = " ".join(f"--{name} {value}" for name, value in requests.patroni(candidate).items())
    again = "/usr/bin/systemctl kill --kill-whom=main --signal=CONT patroni.service"
    line = (
        "sudo -n systemd-run --quiet --collect --unit=patroni_hold --property=Type=notify "
        f"--property=TimeoutStartSec={HELD_FOR:.0f} --property=RuntimeMaxSec={HELD_FOR:.0f} "
        f"--property='ExecStopPost={again}' --setenv={PYTHON_PATH} "
        f"/usr/bin/python3 -m mirrorforce.onhost.patroni_hold {options} --seconds {HELD_FOR:.0f}"
    )
    remote.run_on_all(ws, members, line, timeout=_HOLD_TIMEOUT)


def order(ws: Workspace, cell: Cell, old: str, new: str) -> None:
    """Patroni's own switchover, given on the old primary; it checks the candidate once more."""
    command = [*requests.PATRONICTL, "switchover", cell.name, "--leader", old, "--candidate", new, "--force"]
    result = remote.run(ws, old, command, timeout=_PATRONICTL_TIMEOUT)
    # patronictl 4.0.7 ends well also where it says "Switchover failed, details: ...".
    if not result.ok or "failed, details" in result.stdout:
        said = (result.stderr.strip() or result.stdout.strip() or result.reason).splitlines()[-1]
        raise MirrorforceError(
            f"Patroni refused the switchover of {cell.name} from {old} to {new}: {said}",
            f"mirrorforce status {ws.env}; mirrorforce ssh {old} journalctl -u patroni -n 50",
        )
