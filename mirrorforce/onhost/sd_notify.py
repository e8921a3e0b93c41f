"""Telling systemd how a service fares (sd_notify). Standard library only: this runs on hosts."""

from __future__ import annotations

import os
import socket


def notify(*lines: str) -> None:
    """Send lines such as `READY=1`; nothing happens where systemd does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A leading "@" stands for the zero byte of an abstract socket.
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto("\n".join(lines).encode(), target)
