"""What the module that converges a cell decides, without a server."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

_MODULES = Path(__file__).parents[2] / "collections/ansible_collections/mirrorforce/estate/plugins/modules"
_spec = importlib.util.spec_from_file_location("patroni_module", _MODULES / "patroni.py")
assert _spec is not None
assert _spec.loader is not None
module: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(module)

APPLICATION: dict[str, Any] = {
    "name": "application",
    "owns_database": True,
    "logins": [{"user": "application", "password": "one"}],
    "shut": ["application_2"],
}
READER: dict[str, Any] = {
    "name": "reader",
    "owns_database": False,
    "logins": [{"user": "reader", "password": "two"}],
    "shut": ["reader_2"],
}
values = st.dictionaries(
    st.sampled_from("abcdef"), st.one_of(st.integers(), st.booleans(), st.text(max_size=3))
)


def applied(found: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """As Patroni merges a PATCH: recursively, null removes."""
    merged = dict(found)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = applied(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


@given(top=values, wanted_top=values, parameters=values, wanted_parameters=values)
def test_after_the_patch_nothing_is_left_to_patch(
    top: dict[str, Any],
    wanted_top: dict[str, Any],
    parameters: dict[str, Any],
    wanted_parameters: dict[str, Any],
) -> None:
    found = {**top, "postgresql": {"use_slots": True, "parameters": parameters}}
    wanted = {**wanted_top, "postgresql": {"use_slots": True, "parameters": wanted_parameters}}
    after = applied(found, module.patch_of(found, wanted))
    assert module.patch_of(after, wanted) == {}
    assert (after["postgresql"].get("parameters") or {}) == wanted_parameters


def test_a_verifier_is_of_its_password_and_of_no_other() -> None:
    kept = module.verifier("secret")
    assert module.is_of("secret", kept)
    assert not module.is_of("Secret", kept)


@pytest.mark.parametrize("kept", [None, "", "md5abc", "SCRAM-SHA-256$x", "SCRAM-SHA-256$a:b$c:d"])
def test_what_is_no_verifier_is_of_no_password(kept: str | None) -> None:
    assert not module.is_of("secret", kept)


def test_the_verifier_of_the_standard_is_computed() -> None:
    # RFC 7677, section 3: user "user", password "pencil"; keys derived with the salt given there.
    kept = module.verifier("pencil", bytes.fromhex("5b6d99689d12358eec a04b141236fa81".replace(" ", "")))
    assert kept.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert kept.endswith(":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


def test_a_new_server_gets_roles_and_a_closed_database() -> None:
    state: dict[str, Any] = {
        "roles": {"postgres": None}, "names": ["postgres"], "readers": [], "owner": None, "open": False,
    }  # fmt: skip
    done = [what for what, _sql in module.statements(state, [APPLICATION, READER], "app")]
    assert done == [
        "create role application",
        "set the password of application",
        "create role reader",
        "set the password of reader",
        "let reader read",
        "create database app",
        "close database app to others",
    ]


def test_a_converged_server_gets_nothing() -> None:
    state = {
        "roles": {"application": module.verifier("one"), "reader": module.verifier("two")},
        "names": ["application", "reader"],
        "readers": ["reader"],
        "owner": "application",
        "open": False,
    }
    assert list(module.statements(state, [APPLICATION, READER], "app")) == []


def test_no_statement_holds_a_password_in_clear() -> None:
    state: dict[str, Any] = {
        "roles": {"reader": "other", "replicator": "other"}, "names": ["reader", "replicator"],
        "readers": [], "owner": None, "open": False,
    }  # fmt: skip
    roles = [
        {**role, "logins": [{"user": role["name"], "password": "in-clear"}]} for role in (APPLICATION, READER)
    ]
    changes = [
        *module.statements(state, roles, "app"),
        *module.member_changes(state, [{"name": "replicator", "password": "in-clear"}]),
    ]
    assert len(changes) > 4
    assert not any("in-clear" in sql for _what, sql in changes)


def test_while_a_password_is_rotated_two_users_come_in_as_one_role() -> None:
    state: dict[str, Any] = {
        "roles": {"application": module.verifier("one")}, "names": ["application"],
        "readers": [], "owner": "application", "open": False,
    }  # fmt: skip
    both = {**APPLICATION, "logins": [*APPLICATION["logins"], {"user": "application_2", "password": "new"}]}
    done = dict(module.statements(state, [{**both, "shut": []}], "app"))
    assert list(done) == [
        "create role application_2, which works as application",
        "set the password of application_2",
    ]
    assert "ALTER ROLE application_2 SET role = 'application'" in next(iter(done.values()))


def test_the_user_whose_turn_is_over_is_let_in_no_longer_and_stays_as_role() -> None:
    state: dict[str, Any] = {
        "roles": {"application": module.verifier("one"), "application_2": module.verifier("new")},
        "names": ["application", "application_2"], "readers": [], "owner": "application", "open": False,
    }  # fmt: skip
    role = {
        **APPLICATION, "logins": [{"user": "application_2", "password": "new"}], "shut": ["application"],
    }  # fmt: skip
    assert list(module.statements(state, [role], "app")) == [
        ("let application in no longer", "ALTER ROLE application NOLOGIN PASSWORD NULL")
    ]


def test_roles_of_patroni_keep_the_declared_password() -> None:
    state = {"roles": {"replicator": module.verifier("old"), "rewinder": module.verifier("kept")}}
    given = [{"name": name, "password": "kept"} for name in ("replicator", "rewinder", "postgres")]
    assert [what for what, _sql in module.member_changes(state, given)] == ["set the password of replicator"]


@pytest.mark.parametrize(
    ("strict", "standbys", "alone"),
    [
        (False, [], True),
        (False, [{"state": "streaming", "sync_state": "async"}], True),
        (False, [{"state": "streaming", "sync_state": "quorum"}], False),
        (True, [], False),
        (None, [], False),
    ],
)
def test_a_primary_that_was_told_to_go_on_alone_is_left_so_until_a_standby_confirms(
    strict: bool | None,  # noqa: FBT001
    standbys: list[dict[str, str]],
    alone: bool,  # noqa: FBT001
) -> None:
    found = {} if strict is None else {"synchronous_mode_strict": strict}
    assert module.acknowledges_alone(found, {"replication": standbys} if standbys else {}) is alone


class Member:
    """A member whose REST API takes a new certificate up at the second of two reloads."""

    params: ClassVar[dict[str, Any]] = {"wait_seconds": 60}

    def __init__(self, *, stale: bool, check_mode: bool = False) -> None:
        self.reloads_left = 2 if stale else 0
        self.check_mode = check_mode
        self.commands: list[list[str]] = []

    def shows_its_certificate(self) -> bool:
        return not self.reloads_left

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        self.reloads_left -= 1
        return 0, "", ""


RELOAD = ["systemctl", "reload", "patroni.service"]


@pytest.mark.parametrize(("stale", "commands"), [(False, []), (True, [RELOAD, RELOAD])])
def test_patroni_is_told_until_it_shows_the_certificate_on_disk(
    stale: bool,  # noqa: FBT001
    commands: list[list[str]],
) -> None:
    member = Member(stale=stale)
    assert bool(module.converge_certificate(member, member, every=0.0)) == stale
    assert member.commands == commands


def test_in_check_mode_another_certificate_is_told_of_and_nothing_is_done() -> None:
    member = Member(stale=True, check_mode=True)
    assert module.converge_certificate(member, member)
    assert member.commands == []


def test_a_member_that_lost_its_wal_is_not_waited_for(tmp_path: Path) -> None:
    class Stuck:
        def call(self, path: str) -> tuple[int, Any]:
            return (200 if path == "/patroni" else 503), {"state": "start failed", "role": "replica"}

    (tmp_path / "PG_VERSION").write_text("17\n")
    (tmp_path / "pg_wal").symlink_to(tmp_path / "wal")
    assert module.role_of(Stuck(), "member", 3600, str(tmp_path))[0] is None
    (tmp_path / "wal").mkdir()
    assert not module.lacks_wal(str(tmp_path))
    assert module.role_of(Stuck(), "member", 0, str(tmp_path))[0] is None


def test_a_member_that_has_nothing_yet_lacks_no_wal(tmp_path: Path) -> None:
    assert not module.lacks_wal(str(tmp_path))
