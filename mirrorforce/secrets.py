"""The estate's secrets: made once on first use, kept in `<env>-interconnect`'s encrypted config.

Values only. `engine.read_secrets` and `engine.write_secrets` move them, as one JSON document that
travels through pipes and never through an argument list.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets as random_source
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mirrorforce.errors import MirrorforceError
from mirrorforce.pki import new_authority

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Estate

MADE = "*"
"""In `EstateSecrets.dates`: when all those were made that have no date of their own."""

PUBLIC = frozenset(
    {"ca_certificate", "ssh_public_key", "stage", "since", "dates", "second_logins", "certificates_since"}
)
"""The fields of these values, whatever of them, that may be seen."""

PASSWORD_BYTES = 24
"""Random bytes of a password: 192 bits, 32 characters of the URL-safe alphabet."""


@dataclass(frozen=True, slots=True)
class CellSecrets:
    """The passwords of one cell. None is shown by repr."""

    superuser_password: str = field(repr=False)
    replication_password: str = field(repr=False)
    rewind_password: str = field(repr=False)
    rest_password: str = field(repr=False)
    etcd_password: str = field(repr=False)
    application_password: str = field(repr=False)
    reader_password: str = field(repr=False)
    etcd_agent_password: str = field(default="", repr=False)
    """'' in a document that was written before there were agents, until `completed` makes it."""


class Stage(StrEnum):
    """How far a secret has come on its way from one value to the next: `mirrorforce.rotation`."""

    OFFERED = "offered"
    """The new value is accepted beside the old one; nobody uses it yet."""
    SWITCHED = "switched"
    """The new value is used; the old one is still accepted."""
    DROPPED = "dropped"
    """The old value is to be accepted no longer: it is kept until that has been seen."""


@dataclass(frozen=True, slots=True)
class Change:
    """A secret between two values. `other` is the one that is not in use, by the fields' names."""

    stage: Stage
    since: str
    other: Mapping[str, str] = field(repr=False)

    @property
    def both(self) -> bool:
        """Whether the value that is not in use is accepted as well."""
        return self.stage in {Stage.OFFERED, Stage.SWITCHED}


@dataclass(frozen=True, slots=True)
class EstateSecrets:
    """What the whole estate shares, keys as PEM or OpenSSH text. Only public parts are shown by repr.

    changes: secrets that are being rotated, by their names (`mirrorforce.rotation`).
    dates: when each secret was made (ISO 8601), as far as that is known.
    second_logins: secrets whose user in use is the second of two that take turns.
    certificates_since: hosts' keys and certificates that are older than this (ISO 8601) are made anew.
    """

    ca_certificate: str
    ca_key: str = field(repr=False)
    ssh_private_key: str = field(repr=False)
    ssh_public_key: str
    etcd_root_password: str = field(repr=False)
    etcd_watcher_password: str = field(repr=False)
    cells: Mapping[str, CellSecrets]
    changes: Mapping[str, Change] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)
    second_logins: tuple[str, ...] = ()
    certificates_since: str = ""


def generate(estate: Estate) -> EstateSecrets:
    """Make all secrets of an estate anew."""
    authority = new_authority(estate.name)
    private, public = new_ssh_key(estate.name)
    return EstateSecrets(
        ca_certificate=authority.certificate_pem,
        ca_key=authority.key_pem,
        ssh_private_key=private,
        ssh_public_key=public,
        etcd_root_password=new_password(),
        etcd_watcher_password=new_password(),
        cells={cell.name: _cell_secrets() for cell in estate.cells},
        dates={MADE: dt.datetime.now(dt.UTC).isoformat(timespec="seconds")},
    )


def completed(known: EstateSecrets, estate: Estate) -> EstateSecrets:
    """The known secrets with those that are new; nothing that is known changes or goes."""
    new = {cell.name: _cell_secrets() for cell in estate.cells if cell.name not in known.cells}
    for name, cell in known.cells.items():
        if not cell.etcd_agent_password:
            new[name] = replace(cell, etcd_agent_password=new_password())
    moment = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    parts = [each.name.removesuffix("_password").replace("_", "-") for each in fields(CellSecrets)]
    dates = {f"{name}-{part}": moment for name in new if name not in known.cells for part in parts}
    if not new:
        return known
    return replace(known, cells={**known.cells, **new}, dates={**known.dates, **dates})


def to_json(secrets: EstateSecrets) -> str:
    """The secrets as one JSON document."""
    cells = {name: _plain(cell) for name, cell in secrets.cells.items()}
    changes = {name: asdict(change) for name, change in secrets.changes.items()}
    return json.dumps({**_plain(secrets), "cells": cells, "changes": changes})


def from_json(text: str) -> EstateSecrets:
    """The secrets in such a document; MirrorforceError where it is not one. Never quotes it."""
    try:
        document: dict[str, Any] = json.loads(text)
        cells = {name: CellSecrets(**cell) for name, cell in document["cells"].items()}
        changes = {
            name: Change(Stage(change["stage"]), change["since"], change["other"])
            for name, change in document.get("changes", {}).items()
        }
        second = tuple(document.get("second_logins", ()))
        return EstateSecrets(**{**document, "cells": cells, "changes": changes, "second_logins": second})
    except (ValueError, TypeError, KeyError, AttributeError):
        message = "the estate's secrets were read, but are not the document that this version writes"
        next_step = (
            "use the version of mirrorforce that made the estate, or make it anew: mirrorforce down, up"
        )
        raise MirrorforceError(message, next_step) from None


def _plain(values: EstateSecrets | CellSecrets) -> dict[str, Any]:
    return {each.name: getattr(values, each.name) for each in fields(values)}


def _cell_secrets() -> CellSecrets:
    return CellSecrets(**{each.name: new_password() for each in fields(CellSecrets)})


def new_password() -> str:
    """A new password."""
    return random_source.token_urlsafe(PASSWORD_BYTES)


def new_ssh_key(estate_name: str) -> tuple[str, str]:
    """A new ed25519 pair: the private key as OpenSSH PEM, the public key as one line."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    return private, f"{public} mirrorforce-{estate_name}"
