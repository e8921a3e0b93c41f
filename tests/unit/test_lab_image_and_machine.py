"""What is read and decided about the image, packages, control groups and names, without a lab."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from mirrorforce.errors import BadInputError
from mirrorforce.lab import cgroups, files, image, image_uses, locks, packages, targets

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = [("build.sh", b"one"), ("etc/x", b"two")]


def test_the_same_content_has_the_same_name_in_any_order() -> None:
    one = image.content_hash(["b", "a", "a"], RECIPE, "x86_64")
    assert one == image.content_hash(["a", "b"], reversed(RECIPE), "x86_64")


@pytest.mark.parametrize(
    ("names", "recipe", "machine"),
    [
        (["a"], RECIPE, "x86_64"),
        (["a", "b"], [("build.sh", b"other"), RECIPE[1]], "x86_64"),
        (["a", "b"], RECIPE, "aarch64"),
        (["a", "b"], [("build.sh", b"one"), ("etc/y", b"two")], "x86_64"),
    ],
)
def test_other_content_has_another_name(
    names: list[str], recipe: list[tuple[str, bytes]], machine: str
) -> None:
    assert image.content_hash(names, recipe, machine) != image.content_hash(["a", "b"], RECIPE, "x86_64")


def test_every_package_a_role_lists_is_declared_once_and_in_order(tmp_path: Path) -> None:
    for role, names in (("one", "[zsh, curl]"), ("two", "[curl]")):
        (tmp_path / role / "defaults").mkdir(parents=True)
        (tmp_path / role / "defaults/main.yml").write_text(f"{role}_packages: {names}\n")
    assert packages.declared(tmp_path) == ("curl", "zsh")


def test_a_list_of_packages_that_is_no_list_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "one/defaults").mkdir(parents=True)
    (tmp_path / "one/defaults/main.yml").write_text('one_packages: "{{ others }}"\n')
    with pytest.raises(BadInputError, match=r"main\.yml: one_packages: found"):
        packages.declared(tmp_path)


def test_the_project_s_roles_declare_the_database() -> None:
    assert {"postgresql-17", "patroni", "etcd-server", "gdnsd"} <= set(packages.declared())


def test_an_image_is_used_as_long_as_a_host_lies_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRRORFORCE_CACHE", str(tmp_path))
    tree, host = image_uses.folder() / "abc", tmp_path / "host"
    tree.mkdir(parents=True)
    host.mkdir()
    assert not image_uses.used(tree)
    image_uses.add(tree, host)
    assert image_uses.used(tree)
    host.rmdir()
    assert not image_uses.used(tree)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw", "/sys/fs/cgroup/unified"),
        ("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate", "/sys/fs/cgroup"),
        ("40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd", None),
    ],
)
def test_control_groups_are_found_where_they_are_mounted(line: str, place: str | None) -> None:
    assert cgroups.mount_point_of(f"22 27 0:21 / /proc rw - proc proc rw\n{line}\n") == place


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    files.write(tmp_path / "deep/secret", "one", files.PRIVATE)
    files.write(tmp_path / "deep/secret", "two", files.PRIVATE)
    assert (tmp_path / "deep/secret").read_text() == "two"
    assert (tmp_path / "deep/secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["secret"]


def test_a_half_written_document_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"estate": ')
    assert files.read_json(tmp_path / "spec.json") is None
    assert files.read_json(tmp_path / "missing.json") is None


def test_a_removal_that_was_killed_half_way_is_finished(tmp_path: Path) -> None:
    (tmp_path / ".disk.gone/upper").mkdir(parents=True)
    (tmp_path / "disk/upper").mkdir(parents=True)
    files.remove_tree(tmp_path / "disk")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    holder = textwrap.dedent("""
        import pathlib, sys, time
        from mirrorforce.lab import locks
        with locks.held(pathlib.Path(sys.argv[1])):
            print("held", flush=True)
            time.sleep(600)
    """)
    lock = tmp_path / "locks/host-x"
    with subprocess.Popen([sys.executable, "-c", holder, lock], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        process.kill()
    with locks.held(lock) as descriptor:
        assert descriptor >= 0


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    error = targets.unknown("eats", "host or site", ["east", "west"])
    assert "there is: east, west" in error.message
    assert error.next_step == "did you mean east?"


def test_a_name_is_answered_with_the_way_to_a_lab_where_nothing_stands() -> None:
    assert targets.unknown("east", "site", []).next_step == "mirrorforce up"


@pytest.mark.parametrize(
    ("targets", "address"),
    [
        (
            "http://deb.example/debian bookworm \nhttp://deb.example/debian-security bookworm-security\n",
            "http://deb.example/debian-security",
        ),
        (
            "https://mirror.example/debian-security/ trixie-security",
            "https://mirror.example/debian-security/",
        ),
        ("http://security.ubuntu.example/ubuntu noble-security\n", ""),
        ("http://deb.example/debian trixie\nhttp://deb.example/debian trixie-updates\n", ""),
        ("", ""),
    ],
)
def test_security_updates_come_from_where_the_machine_has_them(targets: str, address: str) -> None:
    assert image.security_archive_in(targets) == address
