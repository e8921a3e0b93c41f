"""What the lab's things are called on the machine. Pure: sweeping works from these names alone."""

from __future__ import annotations

import re
from hashlib import sha256

from mirrorforce.errors import BadInputError

BRIDGE = "br0"
HOST_INTERFACE = "host0"

_INTERFACE_LENGTH = 15
_DIGEST_LENGTH = 4
_PORT_PREFIX = "vb-"
_ESTATE = re.compile(r"[a-z][a-z0-9]{0,30}")
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def checked_estate(name: str) -> str:
    """The name itself; BadInputError where it could be mistaken for another estate's site.

    Namespaces are called `mf-<estate>-<site>`, so an estate's name holds no hyphen.
    """
    if not _ESTATE.fullmatch(name):
        message = f"estate name {name!r}: a letter, then letters and digits in lower case, at most 31"
        raise BadInputError(message, "rename the estate in its file")
    return name


def checked_label(kind: str, name: str) -> str:
    """The name itself; BadInputError where it is no DNS label (and so no safe file name either)."""
    if not _LABEL.fullmatch(name):
        message = f"{kind} name {name!r}: letters, digits and inner hyphens in lower case, at most 63"
        raise BadInputError(message, f"rename the {kind} in the estate file")
    return name


def namespace_prefix(estate: str) -> str:
    """How the names of an estate's network namespaces begin."""
    return f"mf-{checked_estate(estate)}-"


def namespace(estate: str, site: str) -> str:
    """The network namespace of a site."""
    return namespace_prefix(estate) + checked_label("site", site)


def link(a: str, b: str) -> str:
    """The name of the link between two sites, the same whichever is named first."""
    first, second = sorted((checked_label("site", a), checked_label("site", b)))
    return f"{first}-{second}"


def fitted(name: str, length: int) -> str:
    """The name if it fits `length` characters; otherwise its beginning and four hex digits of its hash."""
    if len(name) <= length:
        return name
    digest = sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: length - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"


def tap(far_site: str) -> str:
    """The interface, in a site's namespace, of its link to another site."""
    return fitted(f"to-{far_site}", _INTERFACE_LENGTH)


def machine(host: str) -> str:
    """The machine name of a host: systemd-nspawn derives the bridge port's name from it."""
    return fitted(host, _INTERFACE_LENGTH - len(_PORT_PREFIX))


def port(host: str) -> str:
    """The bridge port of a host, in its site's namespace."""
    return _PORT_PREFIX + machine(host)


def bridge_mac(estate: str, site: str) -> str:
    """A fixed address, so that the bridge's does not follow its ports."""
    return _mac(f"{estate}/{site}")


def tap_mac(estate: str, site: str, far_site: str) -> str:
    """A fixed address of the end of a link, so that the far end knows it without asking."""
    return _mac(f"{estate}/{site}/{far_site}")


def _mac(text: str) -> str:
    """A locally administered address out of a text."""
    return ":".join(f"{byte:02x}" for byte in (0x02, *sha256(text.encode()).digest()[:5]))
