"""What the agent leaves for `status`, and for a planned switchover on its host."""

from pathlib import Path

import pytest

from mirrorforce.onhost.failover_agent.report import Report, leader_since


def test_a_switchover_learns_since_when_the_leader_key_stands(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    Report(file).write(7, 123.5)
    assert leader_since(7, file) == 123.5


@pytest.mark.parametrize(("written", "asked"), [(7, 8), (None, 7)])
def test_the_time_of_another_revision_of_the_leader_key_is_not_its_own(
    tmp_path: Path, written: int | None, asked: int
) -> None:
    file = tmp_path / "report.json"
    Report(file).write(written, 123.5)
    assert leader_since(asked, file) is None


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"leader_revision": 7}'])
def test_without_an_agent_s_word_nothing_is_known_of_the_leader_key(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "report.json"
    if text is not None:
        file.write_text(text)
    assert leader_since(7, file) is None
