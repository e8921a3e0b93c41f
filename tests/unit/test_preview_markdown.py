"""The comment on a pull request: what it says first, and that it always fits."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mirrorforce.engine import Outcome
from mirrorforce.engine_events import Finding
from mirrorforce.previews import configuration, folding, markdown, report
from mirrorforce.previews.configuration import Comparison, FileChange, RoleChange
from tests import preview_samples as samples

if TYPE_CHECKING:
    from mirrorforce.previews.report import Document

LINK = "https://example.com/runs/1"


def unfolded(text: str) -> str:
    """What is seen without a click."""
    return re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)


def test_what_touches_data_comes_first_and_in_bold() -> None:
    created = Outcome("aws-west", (samples.step("create", "Route", "west-a"),), 1.0)
    text = markdown.page(samples.report([created, samples.REPLACED_VOLUME], samples.CONFIGURATION))
    assert text.startswith(
        "<!-- mirrorforce-preview: aws -->\n## Preview of `aws` against `main` (0123456789)"
    )
    data = text.index("**touches data: `east` `Volume east-na1-data replaced`** what it holds is lost")
    restart = text.index("**restart: `east-control` `etcd.service restarts`**")
    assert data < restart < text.index("### Sites") < text.index("### Configuration of hosts")
    assert "**touches data: 1** · **restart: 1** · 1 created · 1 replaced" in text
    assert "refused by `up`" in text
    assert "```diff\n-RestartSec=1\n+RestartSec=2\n```" in text


def test_a_plan_without_changes_says_so_in_a_line() -> None:
    text = markdown.page(samples.report([Outcome("aws-east", (), 1.0)]))
    assert "no change of infrastructure" in text
    assert "Read first" not in text
    assert "infrastructure was not looked at" in markdown.page(samples.report([]))


def test_cost_is_told_as_a_difference() -> None:
    cheaper = report.Cost(samples.COST.after, samples.COST.after)
    assert "a month" not in markdown.page(samples.report([], cost=cheaper)).split("### ")[0]
    none = report.Cost(samples.COST.after, replace(samples.COST.after, parts=()))
    text = markdown.page(samples.report([], cost=none))
    assert "**+1,421.39 USD**: 0.00 → 1,421.39 USD" in text
    assert "| `east` | `us-east-1` | 0.00 | 262.19 |" in text


def test_an_estate_off_aws_has_no_cost_to_tell() -> None:
    nothing = replace(samples.COST.after, parts=())
    text = markdown.page(samples.report([], cost=report.Cost(nothing, nothing)))
    assert "Cost" not in text


def test_guard_rails_that_stop_a_stack_are_loud() -> None:
    findings = (
        Finding("aws-east", "families-are-allowed", False, "east-na1", "only\na warning"),  # noqa: FBT003
        Finding("aws-east", "volumes-are-encrypted", True, "east-na1-data", "it is open"),  # noqa: FBT003
    )
    outcome = Outcome("aws-east", (), 1.0, findings=findings, errors=("guard rail …",))
    text = markdown.page(samples.report([outcome]))
    assert "**guard rails broken: 1**" in text
    assert text.index("volumes-are-encrypted") < text.index("families-are-allowed")
    assert "**stacks that could not be previewed: 1**" in text


NASTY = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40)
NAMES = st.from_regex(r"[a-z]{1,12}-[a-z0-9]{1,12}", fullmatch=True)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Reports that may be far too long: many stacks, diffs of megabytes, names of any characters."""
    many = draw(st.sampled_from([0, 1, 40]))
    size = draw(st.sampled_from([1, 50, 500]))
    name, diff = draw(NASTY), draw(NASTY)
    changes = tuple(
        FileChange(f"/etc/{name}/{number}", "base", "changed", (name,), diff * size) for number in range(many)
    )
    variables = tuple(
        configuration.VariableChange(f"{name}{number}", "added", (name,) * 20, diff * size)
        for number in range(many)
    )
    roles = tuple(RoleChange(f"{name}{number}", (name,) * 50, (), (name,) * 50) for number in range(many))
    compared = report.Configuration(
        samples.MAIN, Comparison(roles=roles, files=changes, variables=variables, gaps=(diff * size,))
    )
    findings = tuple(
        Finding(name, f"{name}{number}", number % 2 == 0, diff, diff * size) for number in range(many)
    )
    outcomes = [
        Outcome(
            f"aws-s{number}",
            tuple(samples.step("update", name, f"{diff}{index}", name) for index in range(many)),
            1.0,
            findings=findings,
            errors=(diff * size,) * draw(st.sampled_from([0, 1])),
        )
        for number in range(draw(st.sampled_from([0, 1, 8])))
    ]
    return samples.report(outcomes, compared)


SLOW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(documents(), st.lists(NAMES, max_size=300, unique=True), st.sampled_from(["", LINK]))
def test_the_page_fits_and_what_touches_data_is_there_unfolded(
    document: Document, lost: list[str], link: str
) -> None:
    document["first"] = [
        {"weight": "data", "where": "east", "what": f"Volume {name} deleted", "why": "what it holds is lost"}
        for name in lost
    ] + document["first"]
    text = markdown.page(document, link=link)
    assert len(text) <= markdown.LIMIT
    seen = unfolded(text)
    for name in lost:
        assert f"Volume {name} deleted" in seen
    assert text.count("<details>") == text.count("</details>")


@SLOW
@given(st.integers(2_000, 40_000), documents())
@example(40_000, samples.report([]))
def test_more_data_than_a_comment_can_name_is_said_loudly_with_all_of_it_counted(
    many: int, document: Document
) -> None:
    document["first"] = [
        {"weight": "data", "where": f"site{number}", "what": f"Volume s{number}-data deleted", "why": "lost"}
        for number in range(many)
    ]
    text = markdown.page(document, link=LINK)
    assert len(text) <= markdown.LIMIT
    named = unfolded(text)
    assert f"Volume s{many - 1}-data deleted" in named or (
        f"touches data in {many} places" in named and "split this change" in named and LINK in named
    )


def test_everything_else_is_said_more_shortly_before_what_touches_data() -> None:
    parts = [
        folding.Part(("d" * 60, "d" * 5), kept=True),
        folding.Part(("a" * 50, "a" * 10)),
        folding.Part(("b" * 40, "b" * 30, "")),
    ]
    assert folding.fitted(parts, 200).count("d") == 60
    assert folding.fitted(parts, 80) == f"{'d' * 60}\n\n{'a' * 10}\n"
    assert folding.fitted(parts, 20) == f"{'d' * 5}\n\n{'a' * 10}\n"


@given(st.text())
def test_text_in_a_line_has_neither_a_line_nor_a_quote_of_its_own(text: str) -> None:
    shown = folding.code(text)
    assert "\n" not in shown
    assert shown.count("`") in {0, 2}
    assert "|" not in folding.cell(text).replace("\\|", "")


@given(st.text())
def test_no_text_ends_the_fence_that_it_stands_in(text: str) -> None:
    fence, *_, last = folding.fenced(text).split("\n")
    assert fence == last
    assert fence not in text


@pytest.mark.parametrize("name", ["@team", "<script>", "[x](y)", "a|b"])
def test_names_are_shown_as_they_are(name: str) -> None:
    outcome: Any = Outcome("aws-east", (samples.step("delete", "Volume", name),), 1.0)
    assert f"`Volume {name} deleted`" in markdown.page(samples.report([outcome]))
