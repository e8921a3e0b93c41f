"""Looks at the primary, over real sockets: in time, late, never."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from mirrorforce import pki
from mirrorforce.onhost.failover_agent.probes import Prober, Target
from mirrorforce.onhost.failover_agent.suspicion import streak_after
from mirrorforce.onhost.https_json import Credentials
from tests.unit.tls import server_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from mirrorforce.onhost.failover_agent.suspicion import Sample

AUTHORITY = pki.new_authority("estate")
LIMIT_S = 0.4
POSTGRES, PATRONI = "postgres", "patroni"


class Primary:
    """A PostgreSQL and a Patroni as a look sees them, `pause` seconds slow; None: they say nothing at all."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.pause: float | None = 0.0
        self._context = context
        self.listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in (POSTGRES, PATRONI)}
        for name in self.listeners:
            threading.Thread(target=self._serve, args=[name], daemon=True).start()

    @property
    def ports(self) -> tuple[int, int]:
        postgres, patroni = (each.getsockname()[1] for each in self.listeners.values())
        return postgres, patroni

    def _serve(self, name: str) -> None:
        while True:
            try:
                channel, _ = self.listeners[name].accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[name, channel], daemon=True).start()

    def _answer(self, name: str, channel: socket.socket) -> None:
        with contextlib.suppress(OSError), channel:
            if self.pause is None:
                channel.recv(1)
                time.sleep(3.0)
                return
            time.sleep(self.pause)
            if name == POSTGRES:
                channel.recv(8)
                channel.sendall(b"S")
            with self._context.wrap_socket(channel, server_side=True) as secured:
                if name == PATRONI:
                    secured.recv(1000)
                    secured.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                else:
                    secured.recv(1)


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    one = Primary(server_context(AUTHORITY, tmp_path))
    yield one
    for listener in one.listeners.values():
        listener.close()


def samples(primary: Primary, folder: Path, count: int) -> list[Sample]:
    """The first `count` samples."""
    authority, client = folder / "ca.pem", folder / "client.pem"
    authority.write_text(AUTHORITY.certificate_pem)
    client.write_text(pki.client_of("", AUTHORITY, dt.datetime.now(dt.UTC)))
    credentials = Credentials(str(authority), str(client), str(client))
    seen: list[Sample] = []
    enough = threading.Event()
    target: list[Target | None] = [Target("primary", "127.0.0.1")]

    def take(_target: Target, sample: Sample) -> None:
        seen.append(sample)
        if len(seen) >= count:
            target[0] = None
            enough.set()

    Prober("127.0.0.1", primary.ports, credentials, LIMIT_S, lambda: target[0], take).start()
    assert enough.wait(30)
    return seen[:count]


def longest_streak(seen: list[Sample]) -> int:
    longest = streak = 0
    for one in seen:
        streak = streak_after(streak, one)
        longest = max(longest, streak)
    return longest


def test_a_primary_that_answers_in_time_is_seen_to_live(primary: Primary, tmp_path: Path) -> None:
    assert longest_streak(samples(primary, tmp_path, 3)) == 0


def test_answers_that_come_late_are_signs_of_life(primary: Primary, tmp_path: Path) -> None:
    primary.pause = LIMIT_S + 0.3
    seen = samples(primary, tmp_path, 8)
    assert any(one.fails for one in seen)
    assert longest_streak(seen) < 3


def test_a_primary_that_says_nothing_fails_each_time_and_once_for_each_look(
    primary: Primary, tmp_path: Path
) -> None:
    primary.pause = None
    begun = time.monotonic()
    assert longest_streak(samples(primary, tmp_path, 4)) == 4
    assert time.monotonic() - begun > 3 * 0.5
