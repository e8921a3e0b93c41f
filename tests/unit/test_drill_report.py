from __future__ import annotations

import copy
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from mirrorforce.drills import html, junit, plots, report, report_files, svg, timeline_plot
from mirrorforce.drills.measure import Spread
from mirrorforce.drills.report import DrillRun, Expected, Repetition
from mirrorforce.drills.stages import What
from mirrorforce.drills.violation import Violation, ViolationKind
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.workspace import ROOT
from tests.drill_samples import Course, document, failover, repetition, site_lost

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.drills.drill import Way

SCHEMA = json.loads((ROOT / "schemas" / "drill-report.schema.json").read_text())
LOST = Violation(
    ViolationKind.LOST_ROW, "row 812 of <append-1> is not there", ("acknowledged by 198.18.1.20",)
)
SKIPPED = Repetition("2026-03-01T02:00:00+00:00", 0.1, skipped="no FUSE here")
BROKEN = Repetition("2026-03-01T02:00:00+00:00", 9.0, error="the estate is not whole: east-na2 \x1b[31m")
MET = (Expected("all is well", "all is well", met=True),)


def run(
    *repetitions: Repetition, name: str = "host-lost", cell: str | None = "na1", dns: float = 60.0
) -> DrillRun:
    limits: dict[Way, float] = {"multi-host": 25.0, "dns": dns}
    return DrillRun(name, "Power loss of a host", "", cell, repetitions, limits)


def valid(*runs: DrillRun) -> dict[str, Any]:
    found = document(*runs)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return json.loads(json.dumps(found, allow_nan=False))  # type: ignore[no-any-return]


def only(found: dict[str, Any]) -> dict[str, Any]:
    (drill,) = found["drills"]
    (one,) = drill["repetitions"]
    return one  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def fallen_short() -> dict[str, Any]:
    worse = repetition(failover(24.0, dns=8.0), lost_rows=2, violations=(LOST,))
    return valid(
        run(worse, name="frozen", dns=30.0), run(SKIPPED), run(BROKEN, cell=None), site_lost(repetitions=2)
    )


def test_what_a_known_hole_loses_is_reported_and_fails_nothing() -> None:
    lost = replace(repetition(failover(24.0), lost_rows=2, violations=(LOST,)), expected=MET, known_hole=True)
    shown = valid(run(lost, name="hole"))
    assert shown["passed"]
    assert shown["failures"] == []
    assert only(shown)["rpo_rows"] == 2
    assert [one["said"] for one in only(shown)["violations"]] == [LOST.said]


def test_a_report_tells_figures_stages_and_marks() -> None:
    one = only(valid(site_lost(repetitions=1)))
    assert one["outcome"] == "passed"
    assert one["rpo_rows"] == 0
    assert 19 < one["rto_seconds"]["multi_host"] < one["rto_seconds"]["dns"] < 26
    assert [stage["name"] for stage in one["stages"]["multi_host"]][-1] == "first acknowledgement"
    assert one["marks"][0]["what"] == "fault"
    assert one["marks"][0]["after"] == 0


def test_the_schema_knows_every_mark() -> None:
    assert set(SCHEMA["$defs"]["what"]["enum"]) == set(What)


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (Repetition("", 1, expected=MET), "passed"),
        (Repetition("", 1, expected=(*MET, Expected("no row lost", "1 lost", met=False))), "failed"),
        (Repetition("", 1, expected=MET, violations=(LOST,)), "failed"),
        (Repetition("", 1, expected=MET, violations=(LOST,), known_hole=True), "passed"),
        (Repetition("", 1, violations=(LOST,), known_hole=True), "failed"),
        (Repetition("", 1), "failed"),
        (Repetition("", 1, expected=MET, error="killed"), "error"),
        (SKIPPED, "skipped"),
    ],
)
def test_a_repetition_passes_only_where_everything_expected_was_found(one: Repetition, outcome: str) -> None:
    assert one.outcome == outcome


def test_drills_that_were_all_skipped_have_not_passed() -> None:
    assert not valid(run(SKIPPED))["passed"]
    assert not valid()["passed"]


def test_one_that_could_not_be_carried_out_spoils_the_report() -> None:
    assert not valid(site_lost(repetitions=1), run(BROKEN))["passed"]
    assert valid(site_lost(repetitions=1), run(SKIPPED))["passed"]


def test_an_outage_that_did_not_end_is_no_figure() -> None:
    never = Course({"multi-host": math.inf, "dns": 20.0}, end=40)
    one = only(valid(run(repetition(never))))
    assert one["rto_seconds"]["multi_host"] is None
    assert not one["outages"]["multi_host"]["ended"]
    assert one["outages"]["multi_host"]["seconds"] > 30
    assert one["stages"]["multi_host"] == []


def test_summaries_are_of_all_repetitions() -> None:
    found = valid(run(*(repetition(failover(back)) for back in (2.0, 3.0, 10.0))))
    spread = found["drills"][0]["summary"]["rto_seconds"]["multi_host"]
    assert spread["median"] == pytest.approx(3.0, abs=0.2)
    assert spread["maximum"] == pytest.approx(10.0, abs=0.2)
    assert found["counts"] == {"passed": 3, "failed": 0, "error": 0, "skipped": 0}


def test_failures_say_where_and_what(fallen_short: dict[str, Any]) -> None:
    assert fallen_short["failures"] == [
        "frozen, na1: lost row: row 812 of <append-1> is not there",
        "frozen, na1: expected no acknowledged row is lost; found 2 lost",
        pytest.approx(fallen_short["failures"][2]),
        "host-lost: could not be carried out: the estate is not whole: east-na2 \x1b[31m",
    ]
    assert re.match(
        r"frozen, na1: expected an outage of 30 s at most by dns; found 32", fallen_short["failures"][2]
    )


def test_how_long_outages_take_is_judged_over_all_repetitions() -> None:
    """One in twenty may be longer than the objective says: it is one of the 95th percentile."""
    twenty = [repetition(failover(20.0 + number / 10, seed=number)) for number in range(19)]
    rare = valid(run(*twenty, repetition(failover(25.6, seed=19))))
    assert rare["passed"]
    assert html.verdict(rare["drills"][0]) == "passed"
    often = valid(run(*twenty[:4], *(repetition(failover(25.6, seed=seed)) for seed in (19, 20))))
    assert not often["passed"]
    assert html.verdict(often["drills"][0]) == "failed"
    (sentence,) = often["failures"]
    assert re.fullmatch(
        r"host-lost, na1: expected an outage of 25 s at most by multi-host; "
        r"found 25\.\d s as 95th percentile of 6 repetitions",
        sentence,
    )
    (failure,) = ET.fromstring(junit.document(often)).iter("failure")  # noqa: S314 (our own)
    assert failure.get("message") in sentence


def night(day: int, *runs: DrillRun) -> dict[str, Any]:
    found = valid(*runs)
    found["time"] = f"2026-03-{day:02}T02:00:00+00:00"
    for drill in found["drills"]:
        for one in drill["repetitions"]:
            one["started"] = found["time"]
    return found


def test_nights_accumulate_by_drill_and_cell() -> None:
    together = report.merge([
        night(2, site_lost(repetitions=3)),
        night(1, site_lost(repetitions=3), site_lost("na2", repetitions=1)),
        night(3, run(BROKEN)),
    ])  # fmt: skip
    jsonschema.Draft202012Validator(SCHEMA).validate(together)
    counted = {(drill["name"], drill["cell"]): len(drill["repetitions"]) for drill in together["drills"]}
    assert counted == {("site-lost", "na1"): 6, ("site-lost", "na2"): 1, ("host-lost", "na1"): 1}
    assert together["time"].startswith("2026-03-03")
    assert together["counts"]["passed"] == 7
    assert not together["passed"]
    assert [one["started"][:10] for one in together["drills"][0]["repetitions"]] == ["2026-03-01"] * 3 + [
        "2026-03-02"
    ] * 3


def test_a_night_that_is_given_twice_counts_once() -> None:
    one = night(1, site_lost(repetitions=2))
    assert report.merge([one, copy.deepcopy(one)])["drills"] == one["drills"]


def test_junit_counts_and_tells_reasons(fallen_short: dict[str, Any]) -> None:
    text = junit.document(fallen_short)
    suites = ET.fromstring(text)  # noqa: S314 (our own)
    assert {key: suites.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "9", "failures": "2", "errors": "1", "skipped": "1",
    }  # fmt: skip
    failure = suites.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "lost row: row 812 of <append-1> is not there"
    assert "acknowledged by 198.18.1.20" in (failure.text or "")
    assert suites.find(".//skipped[@message='no FUSE here']") is not None
    error = suites.find(".//error")
    assert error is not None
    assert "\N{REPLACEMENT CHARACTER}[31m" in str(error.get("message"))
    figures = {one.get("name"): one.get("value") for one in suites.iter("property")}
    assert figures["rpo_rows"] is not None
    assert float(str(figures["rto_seconds.dns"])) > 19


class Page(HTMLParser):
    """A page's tags, whatever it takes from elsewhere, its ids and the ids that it refers to."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.taken: list[str] = []
        self.ids: list[str] = []
        self.wanted: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(str(value))
            if key in ("src", "href", "xlink:href"):
                (
                    self.wanted.add(str(value)[1:])
                    if str(value).startswith("#")
                    else self.taken.append(str(value))
                )
            self.wanted |= set(re.findall(r"url\(#([^)]+)\)", value or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(fallen_short: dict[str, Any]) -> str:
    return html.page(fallen_short)


def test_a_page_is_whole_by_itself(page: str) -> None:
    read = Page(page)
    assert not read.open
    assert not read.taken
    assert "script" not in read.tags
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert len(read.ids) == len(set(read.ids))
    assert read.wanted <= set(read.ids)


def test_a_page_shows_failures_first_and_every_drill(page: str) -> None:
    assert page.index("What fell short") < page.index("All drills") < page.index("Drill by drill")
    summary = page[page.index('<table class="summary">') : page.index("</table>")]
    order = [
        summary.index(f"#{anchor}")
        for anchor in ("drill-frozen-na1", 'drill-host-lost"', "drill-site-lost-na1")
    ]
    assert order == sorted(order)
    assert "row 812 of &lt;append-1&gt; is not there" in page
    assert "<append-1>" not in page
    assert "no FUSE here" in page


def test_a_page_follows_light_and_dark_by_colours_of_its_own(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    used = set(re.findall(r"var\(--([\w-]+)\)", page))
    declared = set(re.findall(r"--([\w-]+):", page))
    assert used <= declared
    assert "#fe01" not in page


def test_a_page_of_nothing_says_so() -> None:
    assert "No drill was carried out" in html.page(valid())
    assert "No drill was carried out" in html.page(valid(run(SKIPPED)))


def test_the_repetition_shown_is_the_worst() -> None:
    drill = valid(run(*(repetition(failover(back), number=n) for n, back in enumerate((3.0, 9.0, 4.0)))))[
        "drills"
    ][0]
    assert html.shown_repetition(drill) == drill["repetitions"][1]
    worse = repetition(failover(2.0), violations=(LOST,), number=3)
    drill = valid(run(*(repetition(failover(back), number=n) for n, back in enumerate((3.0, 9.0))), worse))[
        "drills"
    ][0]
    assert html.shown_repetition(drill) == drill["repetitions"][2]


def test_the_typical_repetition_is_one_that_was() -> None:
    drill = valid(run(*(repetition(failover(back)) for back in (3.0, 9.0, 4.0))))["drills"][0]
    assert plots.typical(drill, "multi_host") == drill["repetitions"][2]["stages"]["multi_host"]
    assert plots.typical({"repetitions": []}, "dns") == []


def test_flags_are_the_first_of_each_kind_by_time() -> None:
    flags = timeline_plot.flags(only(valid(site_lost(repetitions=1))))
    assert [flag.number for flag in flags] == list(range(1, len(flags) + 1))
    whats = [flag.mark["what"] for flag in flags]
    assert whats[0] == "fault"
    assert whats.count("noticed") == 1
    assert whats.count("first acknowledgement") == 2


def test_a_flag_stands_where_its_stage_ended() -> None:
    one = only(valid(site_lost(repetitions=1)))
    early = {
        **next(mark for mark in one["marks"] if mark["what"] == "dns changed"),
        "after": 1.0,
        "about": None,
    }
    one["marks"].insert(1, early)
    (flag,) = [each for each in timeline_plot.flags(one) if each.mark["what"] == "dns changed"]
    (stage,) = [each for each in one["stages"]["dns"] if each["name"] == "dns changed"]
    assert flag.mark["after"] == stage["ended"]


def test_a_short_outage_has_a_closer_look_and_none_has_none() -> None:
    brief = only(valid(run(repetition(failover(3.0, end=60)))))
    assert timeline_plot.closer(brief, "brief")
    steady = only(valid(run(repetition(Course({"multi-host": -1.0}, end=20)))))
    assert timeline_plot.closer(steady, "steady") is None
    assert timeline_plot.whole(steady, "steady")


def test_a_repetition_without_one_acknowledgement_is_drawn_too() -> None:
    nothing = only(valid(run(repetition(Course({"dns": math.inf}, start=1.0, end=9.0)))))
    assert nothing["clients"]["acknowledged"] == 0
    assert "<svg" in timeline_plot.whole(nothing, "nothing")


def test_setups_stand_side_by_side() -> None:
    setups = [
        plots.Setup("ours", {"site lost": [20.1, 22.0, 21.4, 20.9, 23.0]}, {"site lost": [0] * 5}),
        plots.Setup("Patroni's defaults", {"site lost": [41.0, 47.3]}, {"site lost": [112, 89]}),
    ]
    drawn = plots.side_by_side(setups, "setups")
    assert "Patroni's defaults" in drawn
    assert ">112<" in drawn
    spread = Spread(80, 90, 120)
    curve = plots.Curve("one copy", [1, 8, 32, 128], [spread] * 4, [12, 100, 380, 900])
    assert "one copy" in plots.commits_by_connections([curve], 70.0, "curves")


def test_a_plot_is_also_a_file_of_its_own() -> None:
    curve = plots.Curve("one copy", [1, 8], [Spread(80, 90, 120)] * 2, [12, 100])
    text = svg.standalone(plots.commits_by_connections([curve], 70.0, "curves"))
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 (our own)
    assert "prefers-color-scheme: dark" in text


def test_plots_are_the_same_each_time() -> None:
    found = valid(site_lost(repetitions=5))["drills"]
    assert plots.rto_boxes(found, "boxes") == plots.rto_boxes(found, "boxes")


def test_files_are_written_and_read_again(tmp_path: Path) -> None:
    found = valid(site_lost(repetitions=1))
    report_files.write(
        found, as_json=tmp_path / "new" / "a.json", as_junit=tmp_path / "a.xml", as_html=tmp_path / "a.html"
    )
    assert report_files.read([tmp_path / "new" / "a.json"]) == (found,)
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    ET.fromstring((tmp_path / "a.xml").read_text())  # noqa: S314 (our own)


def test_plots_cost_nothing_where_no_page_is_asked_for() -> None:
    looks = "import sys, mirrorforce.drills.report_files; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", looks], check=False, cwd=ROOT).returncode == 0


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}'])
def test_what_is_no_report_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "night.json").write_text(text)
    with pytest.raises(BadInputError, match=r"night\.json is no drill report"):
        report_files.read([tmp_path / "night.json"])


def test_a_place_that_takes_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MirrorforceError, match="could not be written"):
        report_files.write(valid(), as_json=tmp_path / "file" / "report.json")
