"""Which drills are run, in which cells, how often; and where they may run at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirrorforce import estate_file
from mirrorforce.drills import spec
from mirrorforce.errors import BadInputError
from mirrorforce.operations import drill
from mirrorforce.workspace import ROOT, Workspace

LAB = estate_file.load(ROOT / "stacks" / "lab.yaml")
CATALOGUE = spec.load_all()


def test_a_drill_runs_in_each_of_its_cells() -> None:
    (chosen,) = drill.chosen(["site-lost"])
    assert [turn.cell for turn in drill.turns([chosen], LAB)] == ["na1", "na2"]
    assert [turn.cell for turn in drill.turns([chosen], LAB, "na2", 2)] == ["na2", "na2"]


def test_the_night_runs_each_drill_as_often_as_it_says() -> None:
    times = {one.name: 0 for one in CATALOGUE}
    for turn in drill.turns(CATALOGUE, LAB, "na1", nightly=True):
        times[turn.drill.name] += 1
    assert times == {one.name: one.nightly for one in CATALOGUE}


def test_without_a_name_the_whole_catalogue_is_meant() -> None:
    assert drill.chosen([]) == CATALOGUE


def test_a_wrong_name_gets_the_right_one() -> None:
    with pytest.raises(BadInputError) as refused:
        drill.chosen(["site-list"])
    assert "did you mean 'site-lost'?" in str(refused.value)
    with pytest.raises(BadInputError, match="there is no cell 'na3'"):
        list(drill.turns(CATALOGUE, LAB, "na3"))


def test_the_same_seed_gives_the_same_order() -> None:
    def first(seed: int) -> list[tuple[str, str]]:
        turns = drill.turns_at_random(CATALOGUE, LAB, None, 60.0, seed)
        return [(turn.drill.name, turn.cell) for turn, _ in zip(turns, range(20), strict=False)]

    assert first(7) == first(7)
    assert first(7) != first(8)


def test_a_soak_begins_nothing_after_its_time() -> None:
    assert list(drill.turns_at_random(CATALOGUE, LAB, None, 0.0, 1)) == []


def test_only_a_lab_is_broken_without_asking() -> None:
    ws = Workspace("aws")
    aws = replace(LAB, name="aws", sites=tuple(replace(site, platform="aws") for site in LAB.sites))
    drill.require_permission(Workspace("lab"), LAB, None)
    drill.require_permission(ws, aws, "aws")
    for meant in (None, "lab"):
        with pytest.raises(BadInputError) as refused:
            drill.require_permission(ws, aws, meant)
        assert "--i-mean-it aws" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "seconds"), [("site-lost", (4, 5)), ("host-lost", (4, 5)), ("switchover", (1.5, 2.5))]
)
def test_with_failover_agents_less_is_promised_for_one_synchronous_copy(
    name: str, seconds: tuple[float, float]
) -> None:
    expect = spec.load(spec.FOLDER / f"{name}.yaml").expect
    estate = replace(LAB, fence_and_release=True)
    cell = replace(estate.cells[0], synchronous_copies=1)
    assert drill.objective(expect, estate, cell) == dict(zip(("multi-host", "dns"), seconds, strict=True))
    assert drill.objective(expect, estate, replace(cell, synchronous_copies=2)) == expect.outage
    assert drill.objective(expect, replace(estate, fence_and_release=False), cell) == expect.outage


def test_the_report_says_what_its_figures_depend_on() -> None:
    said = drill.setting(LAB)
    assert "ttl 20 s" in said["timings"]
    assert "east-west 70 ms" in said["round trips"]
    assert said["failover agents"] == "on"
