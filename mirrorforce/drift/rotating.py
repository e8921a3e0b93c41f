"""Secrets that are left between two values. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.drift.finding import Finding, by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.secrets import EstateSecrets


def findings(env: str, secrets: EstateSecrets) -> Iterator[Finding]:
    """Each secret whose rotation was interrupted: the old value may still be good."""
    for name, change in sorted(secrets.changes.items()):
        yield Finding(
            ("configuration",), env, f"secret {name}", "one value",
            f"half rotated since {change.since}: {change.stage}", "mirrorforce/rotation.py", "serious",
            by_hand(f"mirrorforce secrets rotate --env {env}, which takes it up again"),
        )  # fmt: skip
