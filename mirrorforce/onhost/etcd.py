"""A client of etcd's JSON gateway (v3) over TLS. Standard library only: this runs on hosts.

Every call asks the endpoints in turn, the first one first, and keeps its connection; one that gave no answer
is asked last for a while. Reads are linearizable: a member that lost the majority gives an error, never an
old value.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mirrorforce.onhost.https_json import Credentials

Answer = TypeVar("Answer")

AUTHENTICATION_S = 8.0
RESTS_S = 10.0
"""An endpoint that gave no answer is asked after the others for so long: each time takes a timeout."""
UNAUTHENTICATED = 16
_INVALID_ARGUMENT = 3
_STALE_AUTH = ("user name is empty", "revision in header is old", "invalid auth token")


class EtcdError(Exception):
    """No endpoint gave a usable answer; the text says why."""


class TokenError(EtcdError):
    """The token is not, or no longer, good: authenticate and ask again."""


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class KeyValue:
    """One key, its value, the revision of the store at which it got it, and how often it was written."""

    key: str
    value: str
    mod_revision: int
    version: int = 0


def encoded(text: str) -> str:
    """Text as the gateway wants bytes: base64."""
    return base64.b64encode(text.encode()).decode("ascii")


def decoded(text: str) -> str:
    """The text in the gateway's base64."""
    return base64.b64decode(text).decode(errors="replace")


def end_of_prefix(prefix: str) -> str:
    """The first key behind all keys that begin with `prefix` (ASCII, not empty)."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def key_values(body: Mapping[str, Any]) -> list[KeyValue]:
    """The keys of a range's answer; the gateway leaves out what is empty."""
    return [
        KeyValue(
            decoded(one["key"]),
            decoded(one.get("value", "")),
            int(one.get("mod_revision", 0)),
            int(one.get("version", 0)),
        )
        for one in body.get("kvs", [])
    ]


def refusal(status: int, body: object) -> EtcdError | None:
    """The error in an answer; None in a good one. Bad tokens come under more than one code."""
    if status == http.client.OK and isinstance(body, dict):
        return None
    said = body if isinstance(body, dict) else {}
    text = str(said.get("message") or said.get("error") or f"HTTP status {status}")
    stale = said.get("code") == UNAUTHENTICATED or (
        said.get("code") == _INVALID_ARGUMENT and any(sign in text for sign in _STALE_AUTH)
    )
    return TokenError(text) if stale else EtcdError(text)


def end_of_watch(message: Mapping[str, Any]) -> str:
    """Why this message of a watch is its last one; '' where more follow."""
    if "error" in message:
        return str(message["error"].get("message", message["error"]))
    result = message.get("result", {})
    return str(result.get("cancel_reason") or "canceled") if result.get("canceled") else ""


class Connection:
    """One kept connection to one endpoint."""

    def __init__(self, endpoint: str, context: ssl.SSLContext, timeout: float) -> None:
        parts = urlsplit(endpoint)
        self.endpoint = endpoint
        self._http = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout, context=context
        )

    def post(self, path: str, body: object, token: str | None) -> dict[str, Any]:
        """POST and read the whole answer; EtcdError."""
        response = self.send(path, [body], token)
        return _checked(response.status, response.read())

    def send(self, path: str, messages: Iterable[object], token: str | None) -> http.client.HTTPResponse:
        """POST these messages, one after the other; the answer's body is the caller's to read."""
        # The second header: a member that loses the majority ends its streams instead of going quiet.
        headers = {"Grpc-Metadata-hasleader": "true"} | ({"Authorization": token} if token else {})
        self._http.request("POST", path, "\n".join(json.dumps(one) for one in messages), headers)
        return self._http.getresponse()

    def authenticate(self, user: User) -> str:
        """A token. The server takes its time over it, on purpose (bcrypt): it gets AUTHENTICATION_S.

        Who gives up sooner and asks again only keeps a busy server busy; that brought one down.
        """
        limit = self._http.timeout
        if self._http.sock is None:
            self._http.connect()
        self.be_patient(AUTHENTICATION_S)
        found = self.post("/v3/auth/authenticate", {"name": user.name, "password": user.password}, None)
        if limit is not None:
            self.be_patient(limit)
        return str(found["token"])

    def be_patient(self, seconds: float) -> None:
        """Wait so long for the next byte; until the connection is closed."""
        if self._http.sock:
            self._http.sock.settimeout(seconds)

    def close(self) -> None:
        """Close; the next request opens it again."""
        self._http.close()


def _checked(status: int, text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    fault = refusal(status, body)
    if fault:
        raise fault
    return dict(body)


class Client:
    """Several endpoints, one user. For one thread; `timeout` in seconds for each endpoint and step."""

    def __init__(
        self, endpoints: Sequence[str], credentials: Credentials, user: User | None, *, timeout: float = 1.0
    ) -> None:
        context = credentials.context()
        self._connections = [Connection(one, context, timeout) for one in endpoints]
        self._tokens: dict[Connection, str] = {}
        self._rests_until: dict[Connection, float] = {}
        self._user = user

    def call(self, path: str, body: object) -> dict[str, Any]:
        """POST `body` to `path` of the first endpoint that answers; EtcdError says why each did not."""
        return self._first(lambda connection: connection.post(path, body, self._token(connection)))

    def range(self, key: str, *, end: str | None = None) -> list[KeyValue]:
        """The key, or all keys from it up to (not with) `end`."""
        return key_values(self.call("/v3/kv/range", range_request(key, end)))

    def get_all(self, keys: Sequence[str]) -> dict[str, KeyValue | None]:
        """These keys as they were at one moment."""
        operations = [{"request_range": range_request(key)} for key in keys]
        responses = self.txn(compare=[], success=operations)["responses"]
        found = [key_values(one.get("response_range", {})) for one in responses]
        return {key: values[0] if values else None for key, values in zip(keys, found, strict=True)}

    def put(self, key: str, value: str) -> None:
        """Set a key."""
        self.call("/v3/kv/put", {"key": encoded(key), "value": encoded(value)})

    def txn(
        self, *, compare: Sequence[object], success: Sequence[object], failure: Sequence[object] = ()
    ) -> dict[str, Any]:
        """One transaction, in the gateway's own words."""
        body = {"compare": list(compare), "success": list(success), "failure": list(failure)}
        return self.call("/v3/kv/txn", body)

    def members(self) -> dict[str, str]:
        """Name by id (decimal text, as the gateway writes 64-bit numbers)."""
        found = self.call("/v3/cluster/member/list", {"linearizable": True})
        return {one["ID"]: one.get("name", "") for one in found.get("members", [])}

    def status(self) -> dict[str, Any]:
        """Maintenance status of the first endpoint that answers: `header.member_id`, `leader` and more."""
        return self.call("/v3/maintenance/status", {})

    def move_leader(self, target: str) -> None:
        """Make the member of that id the leader; only the leader itself can do this."""
        self.call("/v3/maintenance/transfer-leadership", {"targetID": target})

    def watch(
        self, keys: Sequence[str], *, quiet: float, prefixes: Sequence[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """Messages of one watch on these keys, and on all that begin with a prefix, from now on.

        EtcdError when it ends or `quiet` seconds pass. The first message of each says that it is watched.
        The member ends the watch when it loses the majority.
        """
        ranges = [range_request(key) for key in keys]
        ranges += [range_request(prefix, end_of_prefix(prefix)) for prefix in prefixes]
        requests = [{"create_request": one} for one in ranges]
        connection, response = self._first(
            lambda connection: (connection, self._begin_watch(connection, requests))
        )
        try:
            yield from _messages(connection, response, quiet)
        finally:
            # A bad token ends a watch from within the stream: the next watch begins with a new one.
            self._tokens.pop(connection, None)
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()

    def _begin_watch(self, connection: Connection, requests: list[Any]) -> http.client.HTTPResponse:
        response = connection.send("/v3/watch", requests, self._token(connection))
        if response.status != http.client.OK:
            _checked(response.status, response.read())
        return response

    def _first(self, ask: Callable[[Connection], Answer]) -> Answer:
        reasons, now = [], time.monotonic()
        for connection in sorted(self._connections, key=lambda one: self._rests_until.get(one, now) > now):
            try:
                return self._asked(connection, ask)
            except (EtcdError, OSError, http.client.HTTPException) as fault:
                # What is left of a broken exchange must not be read as the answer to the next one.
                connection.close()
                self._rests_until[connection] = time.monotonic() + RESTS_S
                reasons.append(f"{connection.endpoint}: {fault or type(fault).__name__}")
        raise EtcdError("; ".join(reasons))

    def _asked(self, connection: Connection, ask: Callable[[Connection], Answer]) -> Answer:
        """Ask; and once more where the token had run out, or the kept connection had been closed."""
        try:
            return ask(connection)
        except TokenError:
            self._tokens.pop(connection, None)
        except (ConnectionError, http.client.CannotSendRequest):
            connection.close()
        return ask(connection)

    def _token(self, connection: Connection) -> str | None:
        if self._user is None:
            return None
        if connection not in self._tokens:
            self._tokens[connection] = connection.authenticate(self._user)
        return self._tokens[connection]


def range_request(key: str, end: str | None = None) -> dict[str, str]:
    """A linearizable read of one key, or of all keys from it up to `end`."""
    return {"key": encoded(key)} | ({"range_end": encoded(end)} if end else {})


def _messages(
    connection: Connection, response: http.client.HTTPResponse, quiet: float
) -> Iterator[dict[str, Any]]:
    """The lines of a streaming answer; EtcdError at its end."""
    try:
        connection.be_patient(quiet)
        for line in response:
            message = json.loads(line)
            if reason := end_of_watch(message):
                raise EtcdError(f"the watch ended: {reason}")
            yield message["result"]
        raise EtcdError("the watch ended")
    except (OSError, ValueError, KeyError, http.client.HTTPException) as fault:
        raise EtcdError(f"the watch broke: {fault or type(fault).__name__}") from fault
