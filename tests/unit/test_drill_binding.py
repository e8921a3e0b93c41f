from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_file, placement
from mirrorforce.drills import binding, cast, meanings, phrases, spec
from mirrorforce.drills.acts import NEW_PRIMARY, Act, Condition, Verb, Wait, WaitUntil
from mirrorforce.drills.cast import Facts
from mirrorforce.drills.drill import ActStep
from mirrorforce.drills.phrases import Kind
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.workspace import ROOT
from tests import estates

if TYPE_CHECKING:
    from mirrorforce.drills.drill import Drill
    from mirrorforce.estate import Estate

LAB = estate_file.load(ROOT / "stacks/lab.yaml")
DRILLS = {each.name: each for each in spec.load_all()}
FACTS = Facts(
    primary={"na1": "east-na1", "na2": "west-na2"},
    etcd_leader="legacy-control",
    sync_standbys={"na1": ("west-na1", "legacy-na1"), "na2": ("east-na2", "legacy-na2")},
)
RUNS = [(name, cell) for name, each in DRILLS.items() for cell in binding.cells(each, LAB)]


def facts_for(drill: Drill, estate: Estate, cell: str, facts: Facts = FACTS) -> Facts:
    """The facts with the etcd leader where the drill says that it is."""
    wanted = drill.given.etcd_leader
    if wanted is None:
        return facts
    site = cast.etcd_leader_sites(estate, cell, facts.primary, wanted)[0]
    return replace(facts, etcd_leader=f"{site}-control")


def bound(name: str, cell: str = "na1") -> binding.BoundDrill:
    return binding.bind(DRILLS[name], LAB, cell, facts_for(DRILLS[name], LAB, cell))


def with_step(step: ActStep) -> Drill:
    return replace(DRILLS["switchover"], steps=(step,), fault=0)


@pytest.mark.parametrize(("name", "cell"), RUNS)
def test_every_drill_binds_on_the_lab_for_each_of_its_cells(name: str, cell: str) -> None:
    known = {host.name for host in placement.hosts(LAB)} | {NEW_PRIMARY}
    drill = bound(name, cell)
    fault = drill.steps[drill.fault]
    assert isinstance(fault, Act)
    assert fault.verb == getattr(DRILLS[name].steps[DRILLS[name].fault], "verb", None)
    acts = [step for step in drill.steps if isinstance(step, Act)]
    assert all(act.hosts or act.sites or act.links or act.cell for act in acts)
    assert all(known.issuperset(act.hosts) for act in acts)
    assert drill.steps[-1] == WaitUntil(Condition.WHOLE, drill.steps[-1].within)  # type: ignore[union-attr]


def test_a_drill_runs_for_every_cell_or_for_the_first_alone() -> None:
    assert binding.cells(DRILLS["site-lost"], LAB) == ("na1", "na2")
    assert binding.cells(DRILLS["cold-start"], LAB) == ("na1",)


def test_a_lost_site_is_the_one_of_the_cells_own_primary() -> None:
    assert bound("site-lost", "na2").steps == (
        Act(Verb.POWER_OFF, hosts=("west-control", "west-na1", "west-na2"), sites=("west",)),
        WaitUntil(Condition.ANOTHER_LEADS, 60),
        Wait(10),
        Act(Verb.POWER_ON, hosts=("west-control", "west-na1", "west-na2"), sites=("west",)),
        WaitUntil(Condition.WHOLE, 180),
    )


def test_one_standby_is_synchronous_rather_than_away_from_other_primaries() -> None:
    assert cast.cast(LAB, "na1", FACTS).standbys == ("legacy-na1", "west-na1")
    one_synchronous = replace(FACTS, sync_standbys={"na1": ("west-na1",), "na2": ()})
    assert cast.cast(LAB, "na1", one_synchronous).standbys == ("west-na1", "legacy-na1")
    assert cast.cast(LAB, "na2", one_synchronous).standbys == ("legacy-na2", "east-na2")


def test_etcd_is_led_away_from_the_primary_and_rather_from_where_no_primary_is() -> None:
    sites = [
        cast.etcd_leader_sites(LAB, cell, FACTS.primary, "away from the primary") for cell in ("na1", "na2")
    ]
    assert sites == [("legacy", "west"), ("legacy", "east")]
    assert cast.etcd_leader_sites(LAB, "na2", FACTS.primary, "with the primary") == ("west",)


def test_a_drill_does_not_start_with_the_etcd_leader_in_the_wrong_place() -> None:
    with pytest.raises(MirrorforceError, match="with the primary") as caught:
        binding.bind(DRILLS["site-lost-with-etcd-leader"], LAB, "na1", FACTS)
    assert "east" in caught.value.next_step


def test_a_one_way_cut_begins_at_the_end_that_is_named() -> None:
    (act,) = (step for step in bound("one-way-cut", "na1").steps[:1] if isinstance(step, Act))
    assert act.links == (("east", "legacy"),)
    (act,) = (step for step in bound("primary-mute", "na2").steps[:1] if isinstance(step, Act))
    assert act.links == (("west", "east"), ("west", "legacy"), ("west", "dev"))


def test_a_one_way_cut_of_a_link_that_does_not_end_there_is_refused() -> None:
    step = ActStep(Verb.CUT_ONE_WAY, target=phrases.LINK_OF_STANDBYS, origin=phrases.PRIMARY_SITE)
    with pytest.raises(BadInputError, match="has not one end there"):
        binding.bind(with_step(step), LAB, "na1", FACTS)


def test_recovery_of_the_other_cells_is_one_act_each_and_the_fault_stays_the_fault() -> None:
    drill = bound("recover")
    recoveries = [step for step in drill.steps if isinstance(step, Act) and step.verb == Verb.RECOVER]
    assert [(act.cell, act.sites) for act in recoveries] == [("na1", ("west",)), ("na2", ("west",))]
    step = ActStep(Verb.RECOVER, target=phrases.OTHER_CELLS, origin=phrases.PRIMARY_SITE)
    kill = ActStep(Verb.FREEZE, target=phrases.PRIMARY)
    three = estates.estate(*LAB.sites, cells=(*LAB.cells, estates.cell("na3", {"east": 1}, slot=9)))
    shifted = replace(DRILLS["switchover"], steps=(step, kill), fault=1)
    facts = replace(FACTS, primary={**FACTS.primary, "na3": "east-na3"})
    found = binding.bind(shifted, three, "na1", facts)
    assert found.steps[found.fault] == Act(Verb.FREEZE, hosts=("east-na1",))
    assert found.fault == 2


def test_clients_at_the_primary_are_at_its_host() -> None:
    assert bound("primary-isolated", "na2").clients_also_at == ("west-na2",)
    assert bound("site-lost").clients_also_at == ()


def test_the_new_primary_gets_its_name_when_it_is_met() -> None:
    drill = binding.bind(with_step(ActStep(Verb.FREEZE, target=NEW_PRIMARY)), LAB, "na1", FACTS)
    (act,) = drill.steps
    assert act == Act(Verb.FREEZE, hosts=(NEW_PRIMARY,))
    assert binding.met(act, "west-na1") == Act(Verb.FREEZE, hosts=("west-na1",))
    assert binding.met(Act(Verb.FREEZE, hosts=("east-na1",)), "west-na1").hosts == ("east-na1",)


@pytest.mark.parametrize(
    ("members", "phrase"),
    [
        ({"east": 3}, phrases.STANDBY),
        ({"east": 1, "west": 2}, phrases.OTHER_STANDBY_SITE),
        ({"east": 1, "west": 2}, phrases.LINK_OF_STANDBYS),
    ],
)
def test_an_estate_that_lacks_what_a_word_needs_is_refused(members: dict[str, int], phrase: str) -> None:
    sites = [estates.site(name, number, name) for number, name in enumerate(("east", "west", "legacy"), 1)]
    estate = estates.estate(*sites, cells=(estates.cell("na1", members),))
    facts = Facts({"na1": "east-na1"}, "east-control", {"na1": ()})
    with pytest.raises(BadInputError, match="sites with members of na1"):
        meanings.of(phrase, estate, cast.cast(estate, "na1", facts))


def test_every_phrase_has_a_meaning_of_its_kind_on_the_lab() -> None:
    parts = cast.cast(LAB, "na1", FACTS)
    for phrase in phrases.PHRASES:
        meant = meanings.of(phrase.text, LAB, parts)
        held = {
            Kind.MEMBER: meant.hosts,
            Kind.CONTROL: meant.hosts,
            Kind.SITE: meant.sites,
            Kind.LINKS: meant.links,
            Kind.CELL: meant.cells,
        }[phrase.kind]
        assert held, phrase.text


@given(estates.estates(), st.data())
def test_standbys_are_of_the_cell_and_each_in_a_site_of_its_own(estate: Estate, data: st.DataObject) -> None:
    if not estate.cells:
        return
    of_cell = {
        cell.name: [host.name for host in placement.members_of_cell(estate, cell)] for cell in estate.cells
    }
    primaries = {name: data.draw(st.sampled_from(hosts)) for name, hosts in of_cell.items()}
    synchronous = {name: tuple(data.draw(st.sets(st.sampled_from(hosts)))) for name, hosts in of_cell.items()}
    cell = data.draw(st.sampled_from(sorted(of_cell)))
    found = cast.cast(estate, cell, Facts(primaries, "", synchronous))
    sites = [found.site_of[host] for host in found.standbys]
    assert found.site_of[primaries[cell]] not in sites
    assert len(set(sites)) == len(sites)
    assert set(sites) | {found.site_of[primaries[cell]]} == {found.site_of[host] for host in of_cell[cell]}
    rank = [host in synchronous[cell] for host in found.standbys]
    assert rank == sorted(rank, reverse=True)


def test_parts_of_phrases_say_the_same_as_their_meanings_on_the_lab() -> None:
    """What `step_order` takes to be within one another is so on an estate too."""
    parts = cast.cast(LAB, "na1", FACTS)
    sure = [phrase for phrase in phrases.PHRASES if phrase.text not in (NEW_PRIMARY, phrases.ETCD_LEADER)]
    for inner in sure:
        for outer in sure:
            if inner.parts <= outer.parts:
                one, other = (meanings.of(phrase.text, LAB, parts) for phrase in (inner, outer))
                assert set(one.hosts) <= set(other.hosts)
                assert set(one.links) <= set(other.links)
