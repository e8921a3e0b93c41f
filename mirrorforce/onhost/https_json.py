"""One JSON request over TLS with a client certificate. Standard library only: this runs on hosts."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


class HttpsError(Exception):
    """No usable answer; the text says why."""


@dataclass(frozen=True)
class Credentials:
    """PEM files: the authority that signed the server, and our own certificate and key."""

    ca: str
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """A TLS context that checks the server's chain and name, and shows our certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True)
class Reply:
    """An HTTP status and the body as JSON values; as text where it is no JSON."""

    status: int
    body: Any


def exchange(
    url: str,
    credentials: Credentials,
    *,
    body: object = None,
    timeout: float = 1.0,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """GET `url`, or POST `body` to it as JSON; `timeout` in seconds. HttpsError: no answer at all.

    Any HTTP status is an answer: Patroni says 503 for what it is not.
    """
    parts = urlsplit(url)
    try:
        context = credentials.context()
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout, context=context
        )
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(
                "GET" if body is None else "POST", parts.path or "/", payload, dict(headers or {})
            )
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as fault:
        raise HttpsError(f"{url}: {fault or type(fault).__name__}") from fault
    return Reply(response.status, _json(text))


def says_yes(url: str, credentials: Credentials, *, timeout: float) -> bool:
    """Whether `url` answers with 200: Patroni's REST says yes and no by its status. No answer is no yes."""
    try:
        return exchange(url, credentials, timeout=timeout).status == HTTPStatus.OK
    except HttpsError:
        return False


def _json(text: bytes) -> Any:  # noqa: ANN401 (whatever the server said)
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace").strip()
