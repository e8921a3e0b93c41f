"""No secret in what a look shows: known ones by their value, others by how they look. Pure."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from mirrorforce.secrets import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mirrorforce.secrets import EstateSecrets

MASK = "(secret: not shown)"
_SHORTEST = 6
"""A shorter text is no secret of ours, and would be found in the middle of words."""

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_VERIFIER = re.compile(r"SCRAM-SHA-256\$\S+|\bmd5[0-9a-f]{32}\b|\$(?:y|6|5|1|2[aby])\$[./A-Za-z0-9$=,]+")
_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")
_NAMED = re.compile(
    r"""(?P<key>[\w.-]*(?:passw(?:or)?d|secret|token|passphrase|private_key|credential)[\w.-]*["']?\s*[:=]\s*)"""
    r"""(?P<value>"[^"]*"|'[^']*'|\S+)""",
    re.IGNORECASE,
)


def values_of(secrets: EstateSecrets) -> tuple[str, ...]:
    """Every secret value of the estate, the longest first, so that none is masked by a part of it."""
    return tuple(sorted(set(_values(secrets)), key=lambda value: (-len(value), value)))


def masked(text: str, known: Iterable[str] = ()) -> str:
    """The text without the known secrets, nor what looks like one: passwords by name, keys, verifiers."""
    for value in known:
        if len(value) >= _SHORTEST:
            text = text.replace(value, MASK)
    text = _PEM.sub(MASK, text)
    text = _VERIFIER.sub(MASK, text)
    text = _IN_URL.sub(rf"\1:{MASK}@", text)
    return _NAMED.sub(lambda match: match["key"] + _kept(match["value"]), text)


def _kept(value: str) -> str:
    """Words that say something about a secret are none: how it is hashed, whether there is one."""
    plain = value.strip("\"',")
    return value if plain in {"scram-sha-256", "on", "off", "none", "null", "true", "false", ""} else MASK


def _values(values: object) -> Iterator[str]:
    if not is_dataclass(values):
        return
    for each in fields(values):
        value = getattr(values, each.name)
        if each.name in PUBLIC:
            continue
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from _lines(inner) if isinstance(inner, str) and name not in PUBLIC else _values(inner)
        else:
            yield from _lines(value)


def _lines(value: str) -> Iterator[str]:
    """The value, and each of its lines: a key of several lines shows line by line in a diff."""
    yield from (line for line in [value, *value.splitlines()] if line)
