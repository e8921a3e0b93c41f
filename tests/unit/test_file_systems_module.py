"""What the collection's module file_systems decides and does: on files in the place of volumes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mirrorforce.workspace import ROOT

FILE = ROOT / "collections/ansible_collections/mirrorforce/estate/plugins/modules/file_systems.py"
MIB = 1 << 20


def _load() -> Any:  # noqa: ANN401 - a module loaded from its file
    spec = importlib.util.spec_from_file_location("module_file_systems", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


file_systems = _load()


class FakeModule:
    """As much of AnsibleModule as the class uses. Commands really run, but for the size of a block device."""

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "blockdev":
            return 0, str(Path(command[-1]).stat().st_size), ""
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout, done.stderr

    def fail_json(self, msg: str) -> None:
        raise AssertionError(msg)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    with path.open("wb") as file:
        file.truncate(16 * MIB)
    return path


def volume(device: Path) -> Any:  # noqa: ANN401
    declared = {"name": "data", "device": str(device), "mount": str(device.with_name("mount"))}
    return file_systems.Volume(FakeModule(), declared)


def label(device: Path) -> str:
    _, shown, _ = FakeModule().run_command(["blkid", "--probe", "--output", "export", str(device)])
    found: str = file_systems.properties(shown)["LABEL"]
    return found


def test_a_blank_volume_gets_a_file_system_and_then_needs_nothing(device: Path) -> None:
    assert volume(device).actions() == ["make"]
    volume(device).carry_out("make")
    assert volume(device).actions() == []
    assert label(device) == "data"


def test_a_volume_that_became_larger_has_its_file_system_grown_and_keeps_what_it_holds(device: Path) -> None:
    volume(device).carry_out("make")
    with device.open("rb+") as file:
        file.truncate(32 * MIB)
    assert volume(device).actions() == ["grow"]
    volume(device).carry_out("grow")
    assert volume(device).actions() == []
    assert label(device) == "data"


def test_another_file_system_is_left_as_it_is(device: Path) -> None:
    code, _, error = FakeModule().run_command(["mkfs.ext2", "-q", "-F", str(device)])
    assert code == 0, error
    before = device.read_bytes()
    with pytest.raises(file_systems.UnfitError, match="holds ext2, not ext4"):
        volume(device).actions()
    assert device.read_bytes() == before


def test_what_nobody_knows_is_left_as_it_is(device: Path) -> None:
    with device.open("rb+") as file:
        file.seek(4096)
        file.write(b"somebody's data")
    with pytest.raises(file_systems.UnfitError, match="is not blank"):
        volume(device).actions()


def test_a_partition_table_is_something() -> None:
    with pytest.raises(file_systems.UnfitError, match="holds gpt"):
        file_systems.has_file_system("/dev/x", 0, "DEVNAME=/dev/x\nPTTYPE=gpt\n", blank=False)


def test_an_answer_that_is_none_is_no_blank_volume() -> None:
    with pytest.raises(file_systems.UnfitError, match="exit status 8"):
        file_systems.has_file_system("/dev/x", 8, "", blank=True)


def test_nothing_is_mounted_over_files(device: Path) -> None:
    mount = device.with_name("mount")
    mount.mkdir()
    (mount / "PG_VERSION").touch()
    with pytest.raises(file_systems.UnfitError, match=r"not empty \(PG_VERSION\)"):
        volume(device).actions()


def test_an_empty_mount_point_is_in_nobodys_way(device: Path) -> None:
    device.with_name("mount").mkdir()
    assert volume(device).actions() == ["make"]


@pytest.mark.parametrize(("more", "grown"), [(0, False), (MIB - 1, False), (MIB, True)])
def test_less_than_a_mib_is_not_worth_growing(more: int, grown: bool) -> None:  # noqa: FBT001
    assert file_systems.has_grown(100 * MIB + more, 100 * MIB) == grown


def test_what_never_comes_is_not_waited_for_longer_than_asked() -> None:
    assert not file_systems.wait_until(lambda: False, 0)
    assert file_systems.wait_until(lambda: True, 0)
