"""The failover protocol's model: every search comes to its verdict, and was complete where it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.models import search
from tests.models.checks import CHECKS, NIGHTLY, SAMPLE_SECONDS, Check, Verdict

if TYPE_CHECKING:
    from pathlib import Path

README = (search.MODELS / "README.md").read_text(encoding="utf-8")


def _those(*verdicts: Verdict) -> list[Check]:
    return [check for check in CHECKS if check.verdict in verdicts and (NIGHTLY or not check.nightly)]


@pytest.mark.parametrize("check", _those(Verdict.HOLDS, Verdict.NONE_FOUND), ids=lambda check: check.name)
def test_the_protocol_holds_in_every_state_that_is_searched(check: Check, tmp_path: Path) -> None:
    bounded = check.verdict is Verdict.NONE_FOUND
    found = (
        search.sampled(check.flags, tmp_path, SAMPLE_SECONDS)
        if bounded
        else search.complete(check.flags, tmp_path)
    )
    assert not found.broken, search.story(check.flags, tmp_path)
    if bounded:
        assert found.states > 100_000
    else:
        assert found.complete
        assert found.unreached == 0, "steps of the model that never happen prove nothing"


@pytest.mark.parametrize("check", _those(Verdict.BROKEN), ids=lambda check: check.name)
def test_what_is_broken_on_purpose_yields_a_counterexample(check: Check, tmp_path: Path) -> None:
    found = search.broken(check.flags, tmp_path)
    assert found.broken
    assert "spin: trail ends" in search.story(check.flags, tmp_path)


def test_a_search_that_was_cut_short_is_not_called_complete(tmp_path: Path) -> None:
    assert not search.complete(["-DPATRONI_ALONE"], tmp_path, depth=50).complete


@pytest.mark.parametrize("rule", range(1, 12))
def test_each_rule_is_named_where_it_is_kept_and_has_its_row(rule: int) -> None:
    models = "".join(file.read_text(encoding="utf-8") for file in search.MODELS.glob("*.pml"))
    assert f"RULE_{rule}:" in models
    assert f"| {rule} |" in README


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_the_readme_has_each_search_with_its_verdict_or_says_that_it_was_not_run(check: Check) -> None:
    row = f"| {check.name} | `{check.options}` | {check.verdict.value} |"
    _, not_run_yet = README.split("## Exhaustive, bounded, not searched\n")
    assert (row in README) != (f"\n- `{check.name}`" in not_run_yet)
