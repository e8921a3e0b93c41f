"""How serious it is that something differs: one table, by what it is. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorforce.drift.finding import Severity

_CRITICAL = re.compile(
    r"""
      ^/etc/(sudoers|ssh/|mirrorforce/firewall|mirrorforce/pki/|patroni/|shadow|ld\.so\.preload)
    | authorized_keys$ | ^account\ | ^superuser | ^pg_hba | ^nftables
    | \.exists$ | \.running$ | \.instanceState$
    | ^(patroni|etcd|gdnsd|mirrorforce-firewall)\.service$
    | synchronous | ^parameter\ (fsync|full_page_writes|ssl|archive|data_checksums|password_encryption)
    | configuration\ (pause|synchronous\w*|failsafe_mode)$
    | ingress|egress|securityGroup|policy
    """,
    re.VERBOSE,
)
_MINOR = re.compile(r"\.tags|tagsAll|^package |^/var/lib/mirrorforce/|\.description$")


def severity_of(item: str) -> Severity:
    """What lets somebody in or lets a row be lost is critical; words and versions are minor."""
    if _CRITICAL.search(item):
        return "critical"
    return "minor" if _MINOR.search(item) else "serious"
