from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from mirrorforce import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

TODAY = dt.date(2026, 11, 23)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("roles/base/tasks/main.yml", "mirrorforce/onhost/etcd.py", "playbooks/site.yml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["roles/base/tasks/main.yml", "mirrorforce/onhost/etcd.py", "playbooks/site.yml"]
)
def test_a_changed_file_asks_for_a_new_converge(project: Path, name: str) -> None:
    before = fingerprint.of_code(project)
    (project / name).write_text("changed", encoding="utf-8")
    assert fingerprint.of_code(project) != before


def test_a_renamed_file_asks_for_a_new_converge(project: Path) -> None:
    before = fingerprint.of_code(project)
    (project / "roles/base/tasks/main.yml").rename(project / "roles/base/tasks/other.yml")
    assert fingerprint.of_code(project) != before


def test_what_converges_nothing_asks_for_nothing(project: Path) -> None:
    before = fingerprint.of_code(project)
    for name in ("roles/base/README.md", "mirrorforce/onhost/__pycache__/etcd.pyc", "mirrorforce/cli.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("new", encoding="utf-8")
    assert fingerprint.of_code(project) == before


def test_code_variables_and_month_each_count() -> None:
    known = fingerprint.of_host("code", {"a": 1, "b": 2}, TODAY)
    assert fingerprint.of_host("code", {"b": 2, "a": 1}, dt.date(2026, 11, 30)) == known
    assert fingerprint.of_host("other", {"a": 1, "b": 2}, TODAY) != known
    assert fingerprint.of_host("code", {"a": 1, "b": 3}, TODAY) != known
    assert fingerprint.of_host("code", {"a": 1, "b": 2}, dt.date(2026, 12, 1)) != known
