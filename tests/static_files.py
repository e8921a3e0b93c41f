"""Estate files with a static site, for tests: the lab's, in which the legacy site exists already."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from tests.estate_files import lab

if TYPE_CHECKING:
    from collections.abc import Mapping

SITE = "legacy"
HEAD = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
CONTROLLERS = ["198.18.3.1/32"]
ADDRESSES = {"legacy-control": "198.18.3.40", "legacy-na1": "198.18.3.41", "legacy-na2": "198.18.3.42"}


def host_key(name: str) -> str:
    """A public key in the right form, another for each name."""
    body = base64.b64encode(HEAD + hashlib.sha256(name.encode()).digest()).decode()
    return f"ssh-ed25519 {body}"


def static_site(hosts: Mapping[str, Mapping[str, Any]], **ssh: object) -> dict[str, Any]:
    """The `static` part of a site with these machines; containers, as all that a lab can have."""
    return {
        "controllers": list(CONTROLLERS),
        "own_kernel": False,
        "ssh": {"user": "mirrorforce", **ssh},
        "hosts": {name: dict(host) for name, host in hosts.items()},
    }


def with_static_legacy() -> dict[str, Any]:
    """The lab's file with its legacy site on machines that exist, at addresses that no plan gives."""
    document = lab()
    hosts = {name: {"address": each, "host_key": host_key(name)} for name, each in ADDRESSES.items()}
    document["sites"][SITE] |= {"platform": "static", "static": static_site(hosts)}
    return document
