"""Acts on a host, as far as they need no host."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest

from mirrorforce.onhost import facts_drift, facts_postgres, mend

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mend, "KEPT", tmp_path / "removed")
    return tmp_path / "removed"


def test_a_file_that_is_taken_away_is_kept_for_root_alone(tmp_path: Path, kept: Path) -> None:
    foreign = tmp_path / "cron.d" / "job"
    foreign.parent.mkdir()
    foreign.write_text("* * * * * root true\n")
    assert mend.carry_out([{"act": "remove_file", "path": str(foreign)}]) == [""]
    assert not foreign.exists()
    (saved,) = [path for path in kept.rglob("job") if path.is_file()]
    assert saved.read_text() == "* * * * * root true\n"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert mend.carry_out([{"act": "remove_file", "path": str(foreign)}]) == [""]


def test_an_act_that_fails_says_why_and_the_others_are_done(tmp_path: Path, kept: Path) -> None:
    foreign = tmp_path / "x"
    foreign.write_text("x")
    answers = mend.carry_out([{"act": "no such act"}, {"act": "remove_file", "path": str(foreign)}])
    assert answers[0].startswith("KeyError")
    assert answers[1] == ""
    assert kept.exists()


def test_a_role_that_owns_something_loses_its_rights_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def query(sql: str, **_: Any) -> str:  # noqa: ANN401
        asked.append(sql)
        if sql.startswith("DROP"):
            raise RuntimeError("role owns database old")
        return ""

    monkeypatch.setattr(facts_postgres, "query", query)
    act = {"act": "sql", "statements": ["DROP ROLE x"], "or_else": ["ALTER ROLE x NOLOGIN"]}
    assert mend.carry_out([act]) == [""]
    assert asked == ["DROP ROLE x", "ALTER ROLE x NOLOGIN"]
    assert "owns database" in mend.carry_out([{**act, "or_else": []}])[0]


def test_rules_of_pg_hba_are_written_from_patronis_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.yml"
    config.write_text("postgresql:\n  pg_hba:\n    - local all postgres peer\n")
    rules = tmp_path / "pg_hba.conf"
    rules.write_text("local all postgres peer\nhost all all all trust\n")
    rules.chmod(0o600)
    asked: list[str] = []
    monkeypatch.setattr(facts_drift, "PATRONI_CONFIG", config)
    monkeypatch.setattr(facts_postgres, "query", lambda sql, **_: asked.append(sql))
    assert mend.carry_out([{"act": "hba", "data": str(tmp_path)}]) == [""]
    assert list(facts_drift.hba_present(rules.read_text())) == ["local all postgres peer"]
    assert stat.S_IMODE(rules.stat().st_mode) == 0o600
    assert asked == ["select pg_reload_conf();"]
    config.write_text("postgresql: {}\n")
    assert "has no rules" in mend.carry_out([{"act": "hba", "data": str(tmp_path)}])[0]


def test_what_was_forced_upon_the_dns_server_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "admin_state"
    monkeypatch.setattr(facts_drift, "ADMIN_STATE", state)
    assert facts_drift.dns_admin({}) == {"forced": []}
    state.write_text("# comment\n198.18.1.20/primary => DOWN\n")
    assert facts_drift.dns_admin({}) == {"forced": ["198.18.1.20/primary => DOWN"]}
    assert mend.carry_out([{"act": "dns_admin"}]) == [""]
    assert facts_drift.dns_admin({}) == {"forced": []}
