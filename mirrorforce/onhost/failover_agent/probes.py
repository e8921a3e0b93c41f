"""The edge to the primary: looks at its PostgreSQL and its Patroni, twice a second.

A look that is not answered within its limit has failed. It goes on listening for a while: an answer that
comes late is a sign of life all the same, and ends the row of failures that it stands in. So round trips that
grow beyond all that was declared are not taken for a death, nor is a server at the end of its strength: what
answered looks took is what the next ones may take, and more.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import logging
import socket
import struct
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from mirrorforce.onhost.failover_agent import suspicion
from mirrorforce.onhost.failover_agent.packets import PROBE_PORTS
from mirrorforce.onhost.failover_agent.suspicion import REMEMBERED, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mirrorforce.onhost.https_json import Credentials

EVERY_S = 0.5
GOODBYE_S = 0.3
LATE_S = 0.8
"""A look that begins so late, or takes so much longer than its limit, tells of this host alone."""
LISTENS_ON_S = 1.25
"""After its limit, for a late answer: by then the next two looks have failed too, and three are enough."""

_SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL protocol, message SSLRequest
_BUSY_PORT_TRIES = 8

log = logging.getLogger("failover_agent")


@dataclass(frozen=True)
class Target:
    """Whom to look at."""

    name: str
    address: str


class Prober:
    """Looks at whoever `target` names, and hands each sample on with the name it is of."""

    def __init__(
        self,
        own_address: str,
        ports: tuple[int, int],
        credentials: Credentials,
        limit: float,
        target: Callable[[], Target | None],
        take: Callable[[Target, Sample], None],
    ) -> None:
        self._own = own_address
        self._postgres, self._patroni = ports
        self._context = credentials.context()
        self._declared = limit
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._target = target
        self._take = take
        self._ports = itertools.cycle(PROBE_PORTS)
        self._pool = ThreadPoolExecutor(max_workers=32)

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if target := self._target():
                self._pool.submit(self._look, target, due)
            due = max(due + EVERY_S, now)
            time.sleep(max(0.0, due - time.monotonic()))

    def _look(self, target: Target, due: float) -> None:
        begun, limit = time.monotonic(), suspicion.limit(self._declared, tuple(self._took))
        until = begun + limit + LISTENS_ON_S
        asked = [self._pool.submit(self._answer, ask, target, until) for ask in (self._rest, self._port)]
        wait(asked, timeout=limit)
        late = begun - due > LATE_S or time.monotonic() - begun > limit + LATE_S
        in_time = _sample([one.result() if one.done() else None for one in asked], late=late)
        self._take(target, in_time)
        answers = [one.result() for one in asked]
        if in_time.fails and not (at_last := _sample(answers)).fails:
            self._take(target, at_last)
        if answered := [at - begun for at in answers if at is not None]:
            # Either is a sign of life: a slow REST beside a quick port makes no look wait.
            self._took.append(min(answered))

    def _answer(self, ask: Callable[[str, float], None], target: Target, until: float) -> float | None:
        """The moment of the answer; None where there is none until then."""
        try:
            ask(target.address, until)
        except (OSError, http.client.HTTPException) as fault:
            log.debug("%s: %s", target.name, fault)
            return None
        return time.monotonic()

    def _connected(self, address: str, port: int, deadline: float) -> socket.socket:
        """A connection from one of the ports that pass the fence."""
        for _attempt in range(_BUSY_PORT_TRIES):
            channel = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                channel.bind((self._own, next(self._ports)))
                channel.settimeout(max(0.01, deadline - time.monotonic()))
                channel.connect((address, port))
            except OSError as fault:
                channel.close()
                if fault.errno not in _BUSY:
                    raise
            else:
                return channel
        raise OSError("no free local port")

    def _port(self, address: str, deadline: float) -> None:
        """PostgreSQL answers: a process of its own was started for us. OSError."""
        channel = self._connected(address, self._postgres, deadline)
        try:
            channel.sendall(_SSL_REQUEST)
            if channel.recv(1) != b"S":
                raise ConnectionError("PostgreSQL closed the connection")
        except OSError:
            channel.close()
            raise
        self._pool.submit(self._take_leave, channel, address, deadline)

    def _take_leave(self, channel: socket.socket, address: str, deadline: float) -> None:
        """Go through with the handshake, or PostgreSQL would complain in its log of each look."""
        with channel, contextlib.suppress(OSError):
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            with self._context.wrap_socket(channel, server_hostname=address) as secured:
                # Whatever it sent is read: to close before would reset the connection, which it logs.
                secured.settimeout(GOODBYE_S)
                secured.unwrap()

    def _rest(self, address: str, deadline: float) -> None:
        """Patroni says that it is the primary; OSError or HTTPException where it does not."""
        with self._connected(address, self._patroni, deadline) as channel:
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            with self._context.wrap_socket(channel, server_hostname=address) as secured:
                secured.settimeout(max(0.01, deadline - time.monotonic()))
                connection = http.client.HTTPConnection(address)
                connection.sock = secured
                connection.request("HEAD", "/primary")
                status = connection.getresponse().status
        if status != HTTPStatus.OK:
            raise http.client.HTTPException(f"status {status}")


def _sample(answers: Sequence[float | None], *, late: bool = False) -> Sample:
    rest, port = (at is not None for at in answers)
    return Sample(rest=rest, port=port, stream=True, late=late)


_BUSY = {98, 99}  # EADDRINUSE, EADDRNOTAVAIL: this port is in use, or was a moment ago
