"""Who is turned down by a TLS port says so, also where TLS 1.3 tells it after the handshake alone."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from mirrorforce import pki
from mirrorforce.onhost import facts_refusals
from tests.unit.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = dt.datetime.now(dt.UTC)
MINE, OTHER = pki.new_authority("mine"), pki.new_authority("other")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A port that takes clients of MINE alone, until the test ends."""
    context = server_context(MINE, tmp_path)
    context.load_verify_locations(cadata=MINE.certificate_pem)
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                channel, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(channel, server_side=True) as secured:
                secured.recv(100)
                secured.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.mark.parametrize(("authority", "got_in"), [(MINE, True), (OTHER, False)])
def test_a_certificate_opens_or_is_turned_down(port: int, authority: pki.Authority, got_in: bool) -> None:  # noqa: FBT001
    attempt = {
        "id": "x", "kind": "tls", "address": "127.0.0.1", "port": port,
        "pem": pki.client_of("", authority, NOW), "trust": MINE.certificate_pem,
    }  # fmt: skip
    found = facts_refusals.attempts({"attempts": [attempt]})["x"]
    assert found["got_in"] is got_in, found
    assert found["said"]
