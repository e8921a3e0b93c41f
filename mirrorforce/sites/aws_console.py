"""A new host's public ssh key, as cloud-init shows it on the console.

docs/adr/0007-host-keys-on-aws.md says why it is read there.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Callable

WITHIN = 600.0
"""Seconds that a host may take from its first breath to its keys on the console; a minute is usual."""
EVERY = 5.0
"""Seconds between two looks."""

_BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
_END = "-----END SSH HOST KEY KEYS-----"
_KEY = re.compile(r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}=*(?![A-Za-z0-9+/=])")


def host_key(console: str) -> str | None:
    """The ed25519 key in the first whole block of keys; None where there is none yet. Pure.

    The first: cloud-init writes it before any service runs whose words could reach the console.
    """
    _, begin, rest = console.partition(_BEGIN)
    block, end, _ = rest.partition(_END)
    if not (begin and end):
        return None
    found = _KEY.search(block)
    return found.group(0) if found else None


def wait_for_host_key(
    instance: str,
    look: Callable[[], str],
    *,
    within: float = WITHIN,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """The key, as soon as the console shows it; `look` gives what the console shows now.

    MirrorforceError after `within` seconds.
    """
    deadline = clock() + within
    while True:
        if found := host_key(look()):
            return found
        if clock() >= deadline:
            message = f"the console of instance {instance} shows no ssh host key after {within:.0f} s"
            next_step = (
                f"aws ec2 get-console-output --latest --output text --instance-id {instance} shows it all; "
                "run the command again to go on waiting"
            )
            raise MirrorforceError(message, next_step)
        pause(EVERY)
