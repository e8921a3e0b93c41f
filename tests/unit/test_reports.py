from __future__ import annotations

import copy
import io
import json
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from mirrorforce.operations import comparison, demo_report, render, verify_report
from mirrorforce.operations.comparison import Comparison, Content
from mirrorforce.operations.verify_report import CheckResult
from mirrorforce.workspace import ROOT

VERIFY_SCHEMA = json.loads((ROOT / "schemas" / "verify.schema.json").read_text())


def verified(*results: CheckResult) -> dict[str, Any]:
    report = verify_report.build(
        environment="lab", estate="lab", time="2026-01-02T03:04:05+00:00", seconds=12.34, results=results
    )
    jsonschema.Draft202012Validator(VERIFY_SCHEMA).validate(report)
    return report


def test_results_are_counted_by_check() -> None:
    report = verified(
        CheckResult("clocks agree", "east-na1", "passed", ""),
        CheckResult("clocks agree", "west-na1", "failed", "3 s off"),
        CheckResult("volumes", "dev-app", "skipped", "none"),
    )
    assert report["checks"][0] == {"check": "clocks agree", "passed": 1, "failed": 1, "skipped": 0}
    assert (report["passed"], report["failed"], report["skipped"]) == (1, 1, 1)
    assert not report["as_declared"]


def test_a_run_without_a_check_is_not_as_declared() -> None:
    assert not verified()["as_declared"]


def test_a_failed_check_is_shown_with_what_was_found() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    for part in render.verify(verified(CheckResult("clocks agree", "west-na1", "failed", "[3] s off"))):
        console.print(part)
    text = console.export_text()
    assert "west-na1 clocks agree" in text
    assert "[3] s off" in text


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("test_no_unit_has_failed[east-na1]", ("no unit has failed", "east-na1")),
        ("test_all_voters_agree", ("all voters agree", None)),
        ("test_dns[udp-na1]", ("dns", "udp-na1")),
    ],
)
def test_a_check_is_named_in_words(test: str, words: tuple[str, str | None]) -> None:
    assert verify_report.in_words(test) == words


def test_members_agree_where_every_table_does() -> None:
    content = {"accounts": Content(2, "17"), "history": Content(0, "0")}
    assert Comparison("na1", {"east-na1": content, "west-na1": dict(content)}).agrees


@pytest.mark.parametrize("other", [{"accounts": Content(2, "18")}, {"accounts": Content(1, "17")}, {}])
def test_a_table_that_differs_is_named(other: dict[str, Content]) -> None:
    compared = Comparison("na1", {"east-na1": {"accounts": Content(2, "17")}, "west-na1": other})
    assert not compared.agrees
    assert len(compared.differences) == 1
    assert compared.differences[0].startswith("na1.accounts: east-na1 2 rows, hash 17")


def test_empty_members_do_not_agree_on_anything() -> None:
    assert not Comparison("na1", {"east-na1": {}, "west-na1": {}}).agrees


def test_what_psql_prints_is_read() -> None:
    printed = '{"table" : "pgbench_tellers", "rows" : 200, "hash" : "-91"}\n\n'
    assert comparison.parse(printed) == {"pgbench_tellers": Content(200, "-91")}


def counted(**more: object) -> dict[str, Any]:
    return {
        "acknowledged": 100, "rejected": 1, "unknown": 2, "unknown_present": 1, "lost": [], "impossible": [],
        "servers": ["198.18.1.20", "198.18.2.20"], "outage_seconds": 23.4, **more,
    }  # fmt: skip


def steps() -> dict[str, dict[str, Any]]:
    agreed = {"cells": [{"cell": "na1", "agrees": True}], "differences": []}
    return {
        "compare": copy.deepcopy(agreed),
        "compare again": copy.deepcopy(agreed),
        "lose the site": {
            "old_primary": "east-na1",
            "new_primary": {"host": "west-na1", "site": "west"},
            "cells": {"na1": counted(), "na2": counted()},
            "status_of_the_dead": {"seconds": 2.6},
        },
        "bring the site back": {"members": {"east-na1": "standby"}},
        "go home": {"switchover": {"changed": True, "seconds": {}}, "cells": {"na1": counted()}},
    }


def test_a_good_demo_falls_short_of_nothing() -> None:
    assert list(demo_report.shortfalls("na1", "east", steps())) == []


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("lose the site", "cells", "na2", "lost"), [[1, 2]], "1 acknowledged rows are lost"),
        (("lose the site", "cells", "na1", "impossible"), [[1, 2]], "1 rejected rows are there"),
        (("lose the site", "cells", "na1", "acknowledged"), 0, "no row was acknowledged at all"),
        (("lose the site", "cells", "na1", "outage_seconds"), None, "no row was acknowledged after it"),
        (("lose the site", "cells", "na1", "servers"), ["198.18.1.20"], "never came to another server"),
        (("lose the site", "new_primary", "site"), "east", "which is powered off"),
        (("bring the site back", "members", "east-na1"), "unknown", "did not rejoin"),
        (("go home", "switchover", "changed"), False, "was not switched over"),
        (("go home", "cells", "na1", "lost"), [[3, 4]], "go home, na1: 1 acknowledged rows are lost"),
        (("compare again", "differences"), ["na1.accounts: …"], "na1.accounts"),
        (("compare", "cells"), [{"cell": "na1", "agrees": False}], "no rows to compare"),
    ],
)
def test_each_shortfall_is_said(where: tuple[str, ...], value: object, said: str) -> None:
    found: dict[str, Any] = steps()
    inner = found
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    shortfalls = list(demo_report.shortfalls("na1", "east", found))
    assert len(shortfalls) == 1
    assert said in shortfalls[0]


def test_the_report_holds_the_figures_that_people_ask_for() -> None:
    taken = [{"name": name, "title": name, "seconds": 4.0, "found": found} for name, found in steps().items()]
    report = demo_report.build(
        environment="lab", cell="na1", site="east", time="", seconds=200.0, steps=taken
    )
    assert report["figures"]["failover"]["rpo_rows"] == 0
    assert report["figures"]["failover"]["rto_seconds"] == 23.4
    assert report["figures"]["rejoined_after_seconds"] == 4.0
