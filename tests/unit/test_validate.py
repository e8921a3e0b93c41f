from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from mirrorforce import durability, estate_file
from mirrorforce.estate import AcceptedRisk, Estate
from mirrorforce.operations.validate import Section, report
from mirrorforce.workspace import ROOT
from tests.estates import cell, estate, estates, site


def sections(of: Estate) -> dict[str, Section]:
    return {section.title: section for section in report(of).sections}


def test_the_labs_report_says_what_each_cell_promises_in_each_case() -> None:
    lab = estate_file.load(ROOT / "stacks/lab.yaml")
    told = sections(lab)
    assert list(told) == ["Sites", "Links", "Cells", "What na1 promises", "What na2 promises", "Timings"]
    promises = told["What na1 promises"]
    cases = [(each.primary, each.lost or "none") for each in durability.statements(lab) if each.cell == "na1"]
    assert [row[:2] for row in promises.rows] == cases
    assert "with any one member lost, an acknowledged row is in 2 failure domains at least" in promises.note


def test_the_headline_counts_what_will_stand() -> None:
    lab = estate_file.load(ROOT / "stacks/lab.yaml")
    assert report(lab).headline == "Estate lab is sound: 4 sites, 2 cells, 10 hosts, domain lab.test."


def test_a_case_below_what_is_declared_is_marked_as_an_accepted_risk() -> None:
    sites = (site("east", 1, "virginia"), site("west", 2, "oregon"), site("legacy", 3, "oregon"))
    members = {"east": 1, "west": 1, "legacy": 1}
    risk = AcceptedRisk("durability-below-declared", "na1", "one contract")
    risky = replace(estate(*sites, cells=(cell("na1", members),)), accepted_risks=(risk,))
    told = sections(risky)
    assert told["Accepted risks"].rows == (("durability-below-declared", "na1", "one contract"),)
    marked = [row[:2] for row in told["What na1 promises"].rows if "declared: 2; accepted risk" in row[2]]
    assert marked == [
        ("west-na1", "none"),
        ("west-na1", "east-na1"),
        ("legacy-na1", "none"),
        ("legacy-na1", "east-na1"),
    ]
    assert "in 1 failure domain at least" in told["What na1 promises"].note


def test_a_cell_of_two_says_that_writes_stop() -> None:
    sites = (site("east", 1, "virginia"), site("west", 2, "oregon"), site("legacy", 3, "california"))
    two = estate(*sites, cells=(cell("na1", {"east": 1, "west": 1}),))
    assert sections(two)["What na1 promises"].note.endswith("Where no standby is left, writes stop.")


@given(estates().filter(lambda one: all(sum(each.members.values()) > 1 for each in one.cells)))
def test_every_row_has_a_text_for_every_column(of: Estate) -> None:
    for section in report(of).sections:
        assert all(len(row) == len(section.columns) and all(row) for row in section.rows)
