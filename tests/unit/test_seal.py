"""What a host's seal keeps, what it finds, and that nothing which came in between is ever blessed."""

from __future__ import annotations

import copy
import hashlib
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import sealing
from mirrorforce.onhost import seal, seal_view
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = sealing.of_files(
    [
        {"dest": "/etc/app.conf", "content": "a = 1\n", "owner": "app", "mode": "0640"},
        {"dest": "/etc/sysctl.d/60-x.conf", "content": "# x\nvm.swappiness = 1\n"},
        {"dest": "/etc/app.d", "state": "directory"},
        {"dest": "/etc/gone", "state": "absent"},
    ]
)
UNITS = sealing.of_units(
    [
        {"name": "app.service", "holds": ["/bin/true"]},
        {"name": "old.service", "state": "stopped"},
    ]
)
PLACE = f"{ROOT}/roles/app/tasks/configure.yml:4"


def told(*, full: bool = True) -> dict[str, Any]:
    facts = {
        **sealing.declared("app : Install files", PLACE, FILES),
        **sealing.declared("app : Run it", PLACE, UNITS),
        **sealing.declared("app : Install packages", PLACE, sealing.of_packages(["app"])),
        "another_fact": {},
    }
    return sealing.told(facts, ["all"] if full else ["app"], [])


def a_file(text: str, mode: str = "0644", owner: str = "root") -> dict[str, Any]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"kind": "file", "mode": mode, "owner": owner, "group": "root", "sha256": digest, "changed": 0.0}


def account(uid: int) -> dict[str, Any]:
    return {"uid": uid, "shell": "/bin/sh", "password": "none", "powers": []}


AS_TOLD: dict[str, Any] = {
    "files": {
        "/etc/app.conf": a_file("a = 1\n", "0640", "app"),
        "/etc/sysctl.d/60-x.conf": a_file("# x\nvm.swappiness = 1\n"),
        "/etc/app.d": {"kind": "directory", "mode": "0755", "owner": "root", "group": "root"},
        "/etc/gone": None,
    },
    "units": {
        "app.service": {"ActiveState": "active", "UnitFileState": "enabled"},
        "old.service": {"ActiveState": "inactive", "UnitFileState": "disabled"},
    },
    "holds": {"app.service": True},
    "settings": {"vm.swappiness": "1"},
    "packages": {"app": "1.0", "libc6": "2.41"},
    "held": [],
    "accounts": {"root": account(0), "app": account(999)},
    "foreign": {"/etc/cron.d/vendor": "aa", "/etc/app.conf": "bb"},
}


def seen(change: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
    found = copy.deepcopy(AS_TOLD)
    change(found)
    return found


SEAL = seal.made(None, told(), seen(), 1.0)


def test_a_host_that_was_just_sealed_differs_in_nothing() -> None:
    assert seal.differences(SEAL, seen()) == []
    assert SEAL["baseline"]["foreign"] == {"/etc/cron.d/vendor": "aa"}


@pytest.mark.parametrize(
    ("change", "kind", "item"),
    [
        (lambda s: s["files"].update({"/etc/app.conf": a_file("b", "0640", "app")}), "file", "/etc/app.conf"),
        (lambda s: s["files"]["/etc/app.conf"].update(mode="0666"), "file", "/etc/app.conf"),
        (lambda s: s["files"]["/etc/app.d"].update(owner="app"), "file", "/etc/app.d"),
        (lambda s: s["files"].update({"/etc/app.conf": None}), "file", "/etc/app.conf"),
        (lambda s: s["files"].update({"/etc/gone": a_file("")}), "file", "/etc/gone"),
        (lambda s: s["units"]["app.service"].update(ActiveState="failed"), "unit", "app.service"),
        (lambda s: s["units"]["app.service"].update(UnitFileState="masked"), "unit", "app.service"),
        (lambda s: s["units"]["old.service"].update(ActiveState="active"), "unit", "old.service"),
        (lambda s: s["units"].clear(), "unit", "app.service"),
        (lambda s: s["holds"].update({"app.service": False}), "unit", "app.service"),
        (lambda s: s["settings"].update({"vm.swappiness": "60"}), "setting", "vm.swappiness"),
        (lambda s: s["packages"].pop("app"), "package", "package app"),
        (lambda s: s["packages"].update(app="0.9"), "version", "package app"),
        (lambda s: s["held"].append("app"), "hold", "package app"),
        (lambda s: s["accounts"].update(mallory=account(1001)), "account", "account mallory"),
        (lambda s: s["accounts"]["app"].update(password="set"), "account changed", "account app"),
        (lambda s: s["accounts"].pop("app"), "account changed", "account app"),
        (lambda s: s["foreign"].update({"/etc/cron.d/x": "cc"}), "foreign", "/etc/cron.d/x"),
        (
            lambda s: s["foreign"].update({"/etc/cron.d/vendor": "zz"}),
            "foreign changed",
            "/etc/cron.d/vendor",
        ),
    ],
)
def test_each_change_is_found_by_what_it_is(change: Callable[[Any], object], kind: str, item: str) -> None:
    found = seal.differences(SEAL, seen(change))
    assert (kind, item) in {(one["kind"], one["item"]) for one in found}
    assert all(one["declared"] and one["found"] for one in found)


def test_a_difference_names_the_task_that_declares_it() -> None:
    (found,) = seal.differences(SEAL, seen(lambda s: s["files"]["/etc/app.conf"].update(mode="0666")))
    assert (found["task"], found["place"]) == ("app: Install files", "roles/app/tasks/configure.yml:4")
    assert (found["declared"], found["found"]) == ("mode 0640", "mode 0666")


NAMES = st.sets(st.sampled_from(["/etc/cron.d/a", "/etc/cron.d/b", "/etc/cron.d/c"]))


@given(NAMES, NAMES, NAMES, st.booleans())
def test_what_comes_after_the_first_seal_is_never_blessed(
    first: set[str],
    second: set[str],
    third: set[str],
    full: bool,  # noqa: FBT001 (hypothesis gives it)
) -> None:
    def with_files(paths: set[str]) -> dict[str, Any]:
        return seen(lambda s: s.update(foreign=dict.fromkeys(sorted(paths), "aa")))

    kept = seal.made(None, told(), with_files(first), 1.0)
    again = seal.made(kept, told(full=full), with_files(second), 2.0)
    found = {one["item"] for one in seal.differences(again, with_files(third)) if one["kind"] == "foreign"}
    assert found == third - (first & second)


def test_accounts_come_with_packages_or_own_declared_files() -> None:
    def later(s: dict[str, Any]) -> None:
        s["accounts"].update({"_service": account(101), "mallory": account(1001)})

    without = seal.made(SEAL, told(), seen(later), 2.0)
    assert set(without["baseline"]["accounts"]) == {"root", "app"}

    def with_a_package(s: dict[str, Any]) -> None:
        later(s)
        s["packages"].update(service="1")

    withal = seal.made(SEAL, told(), seen(with_a_package), 2.0)
    assert set(withal["baseline"]["accounts"]) == {"root", "app", "_service"}
    bare = seal.made(None, told(), seen(lambda s: s["accounts"].pop("app")), 1.0)
    assert "app" in seal.made(bare, told(), seen(), 2.0)["baseline"]["accounts"]


def test_a_run_of_some_roles_renews_their_part_alone() -> None:
    other = sealing.declared(
        "base : Install", f"{ROOT}/roles/base/tasks/x.yml:1", sealing.of_packages(["libc6"])
    )
    whole = seal.made(None, {"full": True, "tasks": {**told()["tasks"], **other}}, seen(), 1.0)
    some = seal.made(whole, told(full=False), seen(), 2.0)
    assert set(other) <= set(some["tasks"])
    assert not set(other) & set(seal.made(whole, told(), seen(), 2.0)["tasks"])


def test_a_seal_is_for_its_owner_alone_and_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal_view, "seen", lambda _tasks: seen())
    place = tmp_path / "state" / "seal.json"
    assert seal.broken({"seal": str(place)}) == {"sealed": None, "differences": []}
    seal.write(told(), place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert seal.broken({"seal": str(place)})["differences"] == []
    place.write_text(json.dumps({"version": 0}))
    assert seal.read(place) is None


def test_tasks_in_a_loop_are_told_apart_and_runs_agree_on_names() -> None:
    one, other = (
        sealing.declared("a : b", PLACE, sealing.of_files([{"dest": path, "content": "x"}]))
        for path in ("/a", "/b")
    )
    assert set(one).isdisjoint(other)
    changed = sealing.declared("a : b", PLACE, sealing.of_files([{"dest": "/a", "content": "y"}]))
    assert set(changed) == set(one)


def test_files_are_looked_at_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("a")
    looked = {name: seal_view.shown(tmp_path / name) for name in ("a", "b", "c")}
    assert looked["a"] is not None
    assert looked["a"]["sha256"] == hashlib.sha256(b"x").hexdigest()
    assert looked["b"] is not None
    assert looked["b"]["kind"] == "link"
    assert looked["c"] is None
    assert [path.name for path in seal_view.files_below(tmp_path)] == ["a"]
