from __future__ import annotations

import stat
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from mirrorforce.onhost import leader_watcher, record_files
from mirrorforce.onhost.commands import CommandError
from mirrorforce.onhost.leader_observer import Asked, Read, Unread
from mirrorforce.onhost.leader_watcher import lost, seen_after
from mirrorforce.onhost.primary_record import Leader, Seen
from mirrorforce.onhost.record_files import RecordFiles

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EAST, WEST = Leader("east-na1", 5), Leader("west-na1", 9)


def test_a_read_names_the_leader_and_ends_the_silence() -> None:
    assert seen_after(Seen(EAST, EAST, etcd_lost=True), "na1", Read({"na1": WEST})) == Seen(WEST, EAST)


def test_a_read_without_a_key_means_nobody_leads() -> None:
    assert seen_after(Seen(EAST, EAST), "na1", Read({"na1": None})) == Seen(None, EAST)


def test_only_a_yes_for_this_cell_confirms() -> None:
    seen = Seen(EAST)
    assert seen_after(seen, "na1", Asked("na1", EAST, is_primary=True)) == Seen(EAST, EAST)
    assert seen_after(seen, "na1", Asked("na1", EAST, is_primary=False)) == seen
    assert seen_after(seen, "na1", Asked("na2", EAST, is_primary=True)) == seen


def test_one_failed_read_changes_nothing() -> None:
    assert seen_after(Seen(EAST, EAST), "na1", Unread("timed out")) == Seen(EAST, EAST)


def test_after_a_silence_the_leader_is_to_be_asked_anew() -> None:
    back = seen_after(lost(Seen(EAST, EAST)), "na1", Read({"na1": EAST}))
    assert back == Seen(EAST, None)


def test_records_are_read_back_as_written_and_open_to_gdnsd(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path)
    files.write("na1", IPv4Address("198.18.1.20"))
    assert files.read("na1") == IPv4Address("198.18.1.20")
    assert stat.S_IMODE((tmp_path / "na1").stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["na1"]


def test_fill_gives_missing_records_and_leaves_others(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path)
    files.write("na1", IPv4Address("198.18.1.20"))
    files.fill(["na1", "na2"])
    assert files.read("na1") == IPv4Address("198.18.1.20")
    assert (tmp_path / "na2").read_text() == "na2 1/1 DYNA metafo!na2\n"


def test_a_reload_that_fails_is_due_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise CommandError("gdnsdctl: connection refused")

    monkeypatch.setattr(record_files, "reload_zones", refuse)
    assert leader_watcher.reloaded() is False
    monkeypatch.setattr(record_files, "reload_zones", lambda: None)
    assert leader_watcher.reloaded() is True
