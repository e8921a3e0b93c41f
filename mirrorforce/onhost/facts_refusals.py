"""Attempts at doors, most of which must fail: they are tried, not only looked at. Runs on hosts.

Each attempt is `{"id", "kind", ...}`; its answer says whether it got in, and what was said.
Everything tried is harmless even where a door should be open.
"""

from __future__ import annotations

import errno
import http.client
import os
import selectors
import socket
import ssl
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mirrorforce.onhost import facts_system
from mirrorforce.onhost.https_json import Credentials, HttpsError, exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TIMEOUT = 2.0
_PSQL_TIMEOUT = 8.0  # it starts in tens of milliseconds, but many start at once
_REFUSALS = (401, 403)


def attempts(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Make every attempt, side by side: `{id: {"got_in": bool, "said": text}}`."""
    wanted = arguments["attempts"]
    with ThreadPoolExecutor(max_workers=16) as pool:
        return dict(zip((one["id"] for one in wanted), pool.map(_attempt, wanted), strict=True))


def unreachable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Knock at every door (`targets`: [address, port]) at once: the ones that open within `seconds`.

    A refusal by the packet filter and a silence are both closed; only an accepted connection is open.
    """
    selector = selectors.DefaultSelector()
    for address, port in arguments["targets"]:
        knock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        knock.setblocking(False)  # noqa: FBT003 (socket's own signature)
        if knock.connect_ex((address, port)) in (0, errno.EINPROGRESS):
            selector.register(knock, selectors.EVENT_WRITE, (address, port))
        else:
            knock.close()
    opened = []
    deadline = time.monotonic() + float(arguments.get("seconds", 1.0))
    while selector.get_map() and (left := deadline - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            knock = key.fileobj  # type: ignore[assignment]
            selector.unregister(knock)
            if knock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                opened.append(list(key.data))
            knock.close()
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return {"tried": len(arguments["targets"]), "open": sorted(opened)}


def _attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    got_in, said = _KINDS[attempt["kind"]](attempt)
    return {"got_in": got_in, "said": said}


def _http(attempt: Mapping[str, Any]) -> tuple[bool, str]:
    """Plain-text HTTP: any HTTP answer counts as having got in."""
    parts = urlsplit(attempt["url"])
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", parts.path)
        return True, f"HTTP {connection.getresponse().status}"
    except (OSError, http.client.HTTPException) as fault:
        return False, str(fault) or type(fault).__name__
    finally:
        connection.close()


def _https(attempt: Mapping[str, Any]) -> tuple[bool, str]:
    """HTTPS with the certificate given, or with none; 401 and 403 are refusals."""
    credentials = Credentials(attempt["ca"], attempt.get("certificate"), attempt.get("key"))
    limit = float(attempt.get("timeout", _TIMEOUT))
    headers = attempt.get("headers")
    try:
        reply = exchange(
            attempt["url"], credentials, body=attempt.get("body"), timeout=limit, headers=headers
        )
    except HttpsError as fault:
        return False, str(fault)
    said = str(reply.body)
    refused = reply.status in _REFUSALS or any(word in said for word in attempt.get("refusals", ()))
    return not refused, f"HTTP {reply.status} {reply.body}"[:300]


def _postgres(attempt: Mapping[str, Any]) -> tuple[bool, str]:
    """A connection of libpq by `parameters`, with the password given (made up: it must be wrong)."""
    target = " ".join(f"{name}='{value}'" for name, value in attempt["parameters"].items())
    environment = {**os.environ, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "6", "PGPASSWORD": attempt["password"]}
    question = "IDENTIFY_SYSTEM" if "replication" in attempt["parameters"] else "select 1"
    try:
        done = subprocess.run(
            ["psql", "-XAtqw", "-d", target, "-c", question],
            capture_output=True, text=True, errors="replace", check=False, timeout=_PSQL_TIMEOUT,
            env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, "no answer"
    said = (done.stderr or done.stdout).strip()
    return done.returncode == 0, said[-300:]


def _tls(attempt: Mapping[str, Any]) -> tuple[bool, str]:
    """A TLS handshake with a client's key and certificate (`pem`, text), and a first word.

    With TLS 1.3 a server that turns a client's certificate down says so after the handshake alone.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=attempt["trust"])
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        file.write(attempt["pem"])
        file.flush()
        context.load_cert_chain(file.name)
    try:
        with socket.create_connection((attempt["address"], attempt["port"]), timeout=_TIMEOUT) as channel:
            if attempt.get("starttls") == "postgres":
                channel.sendall(facts_system.SSL_REQUEST)
                channel.recv(1)
            with context.wrap_socket(channel) as secured:
                secured.sendall(_FIRST_WORD[attempt.get("starttls", "")])
                return True, secured.recv(64).decode(errors="replace") or "closed"
    except OSError as fault:
        return False, str(fault) or type(fault).__name__


# To PostgreSQL: a request of another protocol version, which it answers with an error.
_FIRST_WORD = {"": b"GET /health HTTP/1.0\r\n\r\n", "postgres": b"\0\0\0\x08\0\1\0\0"}

_KINDS: dict[str, Callable[[Mapping[str, Any]], tuple[bool, str]]] = {
    "http": _http,
    "https": _https,
    "postgres": _postgres,
    "tls": _tls,
}
