"""How long a client waits for an answer. Standard library only.

Keepalives end a connection to a host that is gone. They do not end one to a server that is frozen: its kernel
goes on answering for it. An application has a limit of its own for that, so these clients have one too.

psycopg2 has no such limit, and its asynchronous mode would switch off libpq's connect_timeout. So a thread
of its own shuts the socket of whoever has waited too long; libpq then sees its connection end.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOKS_EVERY_SECONDS = 0.1


class Patience:
    """Ends connections whose statement has had no answer for `seconds`. Use as a context manager."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._deadlines: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look after connections."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of them."""
        self._over.set()
        self._thread.join()

    @contextlib.contextmanager
    def limit(self, descriptor: int) -> Iterator[None]:
        """For the time of the body, the socket with this file descriptor is looked after."""
        # A descriptor of our own: libpq may close its one in the body, and the next socket get its number.
        own = os.dup(descriptor)
        with self._lock:
            self._deadlines[own] = time.monotonic() + self._seconds
        try:
            yield
        finally:
            with self._lock:
                self._deadlines.pop(own, None)
                os.close(own)

    def _look(self) -> None:
        while not self._over.wait(_LOOKS_EVERY_SECONDS):
            with self._lock:
                now = time.monotonic()
                for own in [one for one, deadline in self._deadlines.items() if deadline < now]:
                    del self._deadlines[own]
                    _shut(own)


def _shut(descriptor: int) -> None:
    """End both directions of the connection; the descriptor stays open."""
    same = socket.socket(fileno=descriptor)
    with contextlib.suppress(OSError):  # it ended by itself meanwhile
        same.shutdown(socket.SHUT_RDWR)
    same.detach()
