"""What the collection's modules services, files, packages and certificates decide and do, without a host."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

_MODULES = Path(__file__).parents[2] / "collections/ansible_collections/mirrorforce/estate/plugins/modules"


def load(name: str) -> Any:  # noqa: ANN401 - a module loaded from its file
    spec = importlib.util.spec_from_file_location(f"module_{name}", _MODULES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


services, files, packages, certificates = map(load, ("services", "files", "packages", "certificates"))
STARTED = "Mon 2026-11-23 09:57:33.500000 UTC"


class FakeModule:
    """As much of AnsibleModule as the classes use; commands really run."""

    def __init__(self, **params: object) -> None:
        self.params = params
        self.check_mode = False

    def run_command(self, command: list[str], **_: object) -> tuple[int, str, str]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def fail_json(self, msg: str) -> None:
        raise AssertionError(msg)


# services


def unit(**declared: object) -> dict[str, Any]:
    known = {"name": "x.service", "state": "started", "restart_on": [], "reload_on": []}
    return {**known, **declared}


def found(**shown: str) -> dict[str, str]:
    running = {
        "ActiveState": "active",
        "UnitFileState": "enabled",
        "ExecMainStartTimestamp": STARTED,
        "StateChangeTimestamp": STARTED,
        "FragmentPath": "",
        "DropInPaths": "",
    }
    return {**running, **shown}


@pytest.fixture
def changed_after_start(tmp_path: Path) -> str:
    return dated(tmp_path / "new.conf", services.seconds(STARTED) + 0.001)


@pytest.fixture
def changed_before_start(tmp_path: Path) -> str:
    return dated(tmp_path / "old.conf", services.seconds(STARTED) - 0.001)


def dated(path: Path, seconds: float) -> str:
    path.touch()
    os.utime(path, (seconds, seconds))
    return str(path)


def test_a_unit_that_runs_with_what_is_on_disk_is_left_alone(changed_before_start: str) -> None:
    declared = unit(restart_on=[changed_before_start], reload_on=[changed_before_start, "/no/such/file"])
    assert services.actions_for(declared, found()) == []


def test_a_file_newer_than_the_start_asks_for_a_restart(changed_after_start: str) -> None:
    assert services.actions_for(unit(restart_on=[changed_after_start]), found()) == ["restart"]


def test_a_drop_in_newer_than_the_start_asks_for_a_restart(changed_after_start: str) -> None:
    assert services.actions_for(unit(), found(DropInPaths=changed_after_start)) == ["restart"]


def test_a_file_newer_than_the_start_asks_for_a_reload_once(changed_after_start: str) -> None:
    declared = unit(reload_on=[changed_after_start])
    assert services.actions_for(declared, found()) == ["reload"]
    reloaded = found(StateChangeTimestamp="Mon 2026-11-23 09:57:34.000000 UTC")
    assert services.actions_for(declared, reloaded) == []


def test_a_restart_makes_a_reload_needless(changed_after_start: str) -> None:
    declared = unit(restart_on=[changed_after_start], reload_on=[changed_after_start])
    assert services.actions_for(declared, found()) == ["restart"]


def test_a_unit_whose_work_no_longer_holds_is_restarted() -> None:
    assert services.actions_for(unit(), found(), holds=False) == ["restart"]
    assert services.actions_for(unit(), found(ActiveState="inactive"), holds=False) == ["start"]


@pytest.mark.parametrize(
    ("shown", "actions"),
    [
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, ["enable", "start"]),
        ({"ActiveState": "inactive"}, ["start"]),
        ({"ActiveState": "failed"}, ["reset-failed", "start"]),
        ({"UnitFileState": "disabled"}, ["enable"]),
        ({"UnitFileState": "static"}, []),
        ({"ActiveState": "activating"}, []),
        (
            {"ActiveState": "inactive", "UnitFileState": "masked", "LoadState": "masked"},
            ["unmask", "enable", "start"],
        ),
        ({"UnitFileState": "masked"}, ["unmask", "enable"]),
    ],
)
def test_a_unit_is_brought_to_run_and_to_start_at_boot(shown: dict[str, str], actions: list[str]) -> None:
    assert services.actions_for(unit(), found(**shown)) == actions


@pytest.mark.parametrize(
    ("shown", "actions"),
    [
        ({}, ["disable", "stop"]),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, []),
        ({"ActiveState": "active", "UnitFileState": "static"}, ["stop"]),
        ({"ActiveState": "inactive", "UnitFileState": ""}, []),
    ],
)
def test_a_unit_that_is_to_be_stopped_neither_runs_nor_starts(
    shown: dict[str, str], actions: list[str]
) -> None:
    assert services.actions_for(unit(state="stopped"), found(**shown)) == actions


def test_systemctls_answer_is_read_unit_by_unit() -> None:
    shown = "Id=a.service\nDropInPaths=/x=y /z\n\nId=b.service\nDropInPaths=\n"
    assert services.parse(shown) == [
        {"Id": "a.service", "DropInPaths": "/x=y /z"},
        {"Id": "b.service", "DropInPaths": ""},
    ]


# packages


def test_a_package_that_is_unknown_or_only_left_its_configuration_is_missing() -> None:
    listed = "openssl installed\nunbound config-files\n"
    assert packages.missing(["openssl", "unbound", "gdnsd"], listed) == ["unbound", "gdnsd"]


# files

OWNED = {"owner": None, "group": None, "validate": None, "mode": None}


def entry(dest: Path, **declared: object) -> dict[str, Any]:
    return {"dest": str(dest), "content": None, "secret_content": None, "state": None, **OWNED, **declared}


def applied(*entries: dict[str, Any], marker: Path | None = None) -> list[Any]:
    changes = [files.Change(each) for each in entries]
    needed = [change for change in changes if change.needed]
    files.apply_all(FakeModule(), needed, marker and str(marker))
    return needed


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("files of root are made by root only")


@pytest.mark.usefixtures("as_root")
class TestFiles:
    def test_a_second_run_changes_nothing(self, tmp_path: Path) -> None:
        declared = [
            entry(tmp_path / "d", state="directory", mode="0750"),
            entry(tmp_path / "d" / "f", content="text\n", mode="0640"),
            entry(tmp_path / "gone", state="absent"),
        ]
        assert len(applied(*declared)) == 2
        assert (tmp_path / "d" / "f").read_text() == "text\n"
        assert stat.S_IMODE((tmp_path / "d" / "f").stat().st_mode) == 0o640
        assert applied(*declared) == []

    def test_a_mode_alone_is_mended_in_place(self, tmp_path: Path) -> None:
        declared = entry(tmp_path / "f", content="text\n", mode="0600")
        applied(declared)
        (tmp_path / "f").chmod(0o644)
        inode = (tmp_path / "f").stat().st_ino
        shown = files.Change(declared).diff()
        assert "mode 0644" in shown["before"]
        assert "mode 0600" in shown["after"]
        applied(declared)
        assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
        assert (tmp_path / "f").stat().st_ino == inode

    def test_a_file_that_its_checker_refuses_leaves_everything_as_it_was(self, tmp_path: Path) -> None:
        good, bad = tmp_path / "good", tmp_path / "bad"
        good.write_text("old")
        with pytest.raises(files.RefusedError, match=r"bad is refused by 'test -d %s'"):
            applied(entry(good, content="new"), entry(bad, content="x", validate="test -d %s"))
        assert good.read_text() == "old"
        assert not bad.exists()

    def test_a_checker_sees_the_new_content(self, tmp_path: Path) -> None:
        applied(entry(tmp_path / "f", content="fine\n", validate="grep -q fine %s"))
        assert (tmp_path / "f").read_text() == "fine\n"

    def test_the_difference_of_a_secret_says_that_it_differs_and_not_how(self, tmp_path: Path) -> None:
        file = tmp_path / "f"
        file.write_text("old password")
        change = files.Change(entry(file, secret_content="new password"))
        shown = change.diff()
        assert "password" not in shown["before"] + shown["after"]
        assert shown["before"] != shown["after"]

    def test_any_change_removes_the_marker_and_no_change_keeps_it(self, tmp_path: Path) -> None:
        marker, declared = tmp_path / "converged", entry(tmp_path / "f", content="text\n")
        marker.touch()
        applied(declared, marker=marker)
        assert not marker.exists()

    def test_a_folder_in_the_place_of_a_file_is_never_removed(self, tmp_path: Path) -> None:
        (tmp_path / "f").mkdir()
        with pytest.raises(files.RefusedError, match="is a directory, a file is declared"):
            files.Change(entry(tmp_path / "f", content="text"))

    def test_a_file_takes_the_place_of_a_link_and_leaves_its_target_alone(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_text("mine")
        (tmp_path / "f").symlink_to(tmp_path / "target")
        applied(entry(tmp_path / "f", content="text"))
        assert (tmp_path / "target").read_text() == "mine"
        assert not (tmp_path / "f").is_symlink()
        assert (tmp_path / "f").read_text() == "text"

    def test_a_link_in_the_place_of_a_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "f").symlink_to(tmp_path)
        with pytest.raises(files.RefusedError, match="is a link, a directory is declared"):
            files.Change(entry(tmp_path / "f", state="directory"))

    def test_check_mode_meets_users_that_do_not_exist_yet(self, tmp_path: Path) -> None:
        change = files.Change(entry(tmp_path / "f", content="x", owner="no-such-user"))
        assert change.needed
        with pytest.raises(files.RefusedError, match="no user no-such-user"):
            files.apply_all(FakeModule(), [change], None)


# certificates


@pytest.mark.usefixtures("as_root")
class TestCertificates:
    @staticmethod
    def store(folder: Path, **params: object) -> Any:  # noqa: ANN401 - a class loaded from its file
        host = {"name": "host", "owner": "root", "group": "root", "key_mode": "0600"}
        return certificates.Store(
            FakeModule(folder=str(folder), certificates=[host], authority="CA\n", **params)
        )

    def test_a_look_makes_no_key(self, tmp_path: Path) -> None:
        answer = certificates.look(self.store(tmp_path), check_mode=False)
        assert answer["found"] == {"host": {"certificate": "", "public_key": ""}}
        assert not (tmp_path / "host.key").exists()
        assert (tmp_path / "ca.crt").read_text() == "CA\n"

    def test_a_look_in_check_mode_changes_nothing(self, tmp_path: Path) -> None:
        folder = tmp_path / "pki"
        answer = certificates.look(self.store(folder), check_mode=True)
        assert answer["changes"] == ["the authority's certificate"]
        assert not folder.exists()

    def test_a_request_makes_a_key_once_that_root_alone_can_read(self, tmp_path: Path) -> None:
        store = self.store(tmp_path, names=["host"])
        asked = certificates.request(store)["requests"]["host"]
        key = (tmp_path / "host.key").read_text()
        assert asked.startswith("-----BEGIN CERTIFICATE REQUEST-----")
        assert stat.S_IMODE((tmp_path / "host.key").stat().st_mode) == 0o600
        certificates.request(store)
        assert (tmp_path / "host.key").read_text() == key

    def test_a_look_mends_the_mode_of_a_key(self, tmp_path: Path) -> None:
        store = self.store(tmp_path, names=["host"])
        certificates.request(store)
        (tmp_path / "host.key").chmod(0o644)
        assert "host: owner or mode of its key" in certificates.look(store, check_mode=False)["changes"]
        assert stat.S_IMODE((tmp_path / "host.key").stat().st_mode) == 0o600

    def test_what_was_signed_is_put_in_place_whole(self, tmp_path: Path) -> None:
        certificates.install(self.store(tmp_path, signed={"host": "CERT\n"}))
        assert (tmp_path / "host.crt").read_text() == "CERT\n"
        assert sorted(file.name for file in tmp_path.iterdir()) == ["host.crt"]
