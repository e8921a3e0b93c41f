"""A member under Patroni, as modules on its host see it: its REST API, and whether it can start."""

from __future__ import annotations

import base64
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request


class Rest:
    """The member's REST API over TLS, with the host's certificate and the password."""

    def __init__(self, place):
        self.url = place["url"]
        self.certificate = place["certificate"]
        self.context = ssl.create_default_context(cafile=place["ca"])
        self.context.load_cert_chain(place["certificate"], place["key"])
        token = base64.b64encode(f"patroni:{place['password']}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def call(self, path, body=None):
        """Status and document of a GET, or of a PATCH where there is a body; None where none answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  (always https)
            self.url + path, data=data, headers=self.headers, method="PATCH" if data else "GET"
        )
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.context) as reply:  # noqa: S310
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text.decode(errors="replace")
        except (OSError, ValueError) as error:
            return None, str(error)

    def shows_its_certificate(self):
        """Whether the API shows the certificate on disk."""
        parts = urllib.parse.urlsplit(self.url)
        with open(self.certificate, encoding="ascii") as file:
            kept = ssl.PEM_cert_to_DER_cert(file.read().strip())
        try:
            shown = ssl.get_server_certificate((parts.hostname, parts.port), timeout=10)
        except OSError:
            return False
        return ssl.PEM_cert_to_DER_cert(shown) == kept


def lacks_wal(directory):
    """Whether a data directory is there whose WAL is not: its volume was lost. It never starts again."""
    return os.path.isfile(os.path.join(directory, "PG_VERSION")) and not os.path.isdir(
        os.path.join(directory, "pg_wal")
    )


def role_of(rest, wait_for, seconds, directory=None):
    """'primary' or 'replica' once this member is what is waited for; the last answer where it never is."""
    deadline = time.monotonic() + seconds
    while True:
        status, document = rest.call("/patroni")
        if status is not None and isinstance(document, dict):
            leads = rest.call("/primary")[0] == 200  # noqa: PLR2004
            streams = document.get("replication_state") == "streaming"
            if leads or (wait_for == "member" and document.get("role") == "replica" and streams):
                return ("primary" if leads else "replica"), None
            # The cell has a primary elsewhere: there is nothing left to initialise.
            if wait_for == "primary" and document.get("role") == "replica" and streams:
                return "replica", None
            if directory and document.get("state") == "start failed" and lacks_wal(directory):
                return None, document
        if time.monotonic() > deadline:
            return None, document
        time.sleep(0.5)
