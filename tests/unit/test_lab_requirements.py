"""What a machine lacks is said at once, with the way to get it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import image, requirements

if TYPE_CHECKING:
    from pathlib import Path


def test_without_root_the_next_step_is_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MirrorforceError, match="root") as error:
        requirements.checks()
    assert "sudo" in error.value.next_step


def test_missing_tools_are_named_by_their_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "SYSTEM_PATH", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool in requirements.TOOLS:
        if tool not in ("debootstrap", "wirefilter"):
            (tmp_path / tool).touch(mode=0o755)
    assert requirements.missing_packages() == ("debootstrap", "vde-wirefilter")


def test_a_full_disk_is_told_with_what_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("MIRRORFORCE_CACHE", str(tmp_path / "not/yet/there"))
    monkeypatch.setattr(image, "NEEDED_MIB", 1 << 40)
    with pytest.raises(MirrorforceError, match=f"the lab wants {1 << 40} MiB"):
        requirements.checks()
