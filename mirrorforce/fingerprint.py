"""What a host is converged to, as one short text: equal text, nothing to do.

It is made of the code that converges (roles, collection, on-host programs), of the host's variables, and of
the month, so that a host is looked at once a month at least and its certificates are renewed long before
they end (`pki_renew_before_days` is three months).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

CODE = (
    "roles",
    "collections/ansible_collections/mirrorforce",
    "playbooks/site.yml",
    "mirrorforce/onhost",
    "mirrorforce/pki.py",
    "mirrorforce/sealing.py",
)
"""What a change of asks for a new converge, relative to the project's root."""

_NO_CODE = {"__pycache__", "README.md"}


def of_code(root: Path) -> str:
    """The fingerprint of everything that converges hosts. Reads it all: about 10 ms."""
    digest = hashlib.sha256()
    for file in sorted(file for part in CODE for file in files_of(root / part)):
        digest.update(f"{file.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def files_of(path: Path) -> list[Path]:
    """The files of a part of the tree that count; none where it is not there."""
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and not _NO_CODE.intersection(file.parts)]


def of_host(code: str, variables: Mapping[str, object], today: dt.date) -> str:
    """The fingerprint of one host. Pure; says nothing about the secrets among the variables."""
    document = json.dumps([code, variables, f"{today:%Y-%m}"], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()
