"""The ledger of what is broken on purpose: written before, struck out after, undone newest first."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_file, placement
from mirrorforce.drills import binding, cast, ledger, spec, words
from mirrorforce.drills.actions.network import faults_of
from mirrorforce.drills.acts import Act, Process, Verb
from mirrorforce.drills.cast import Facts
from mirrorforce.errors import MirrorforceError
from mirrorforce.lab.specs import LinkSpec
from mirrorforce.lab.wire import Condition
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.drills.drill import Drill

SITE_OF = {"east-na1": "east", "east-control": "east", "west-na1": "west", "west-control": "west"}
OFF, CUT = Act(Verb.POWER_OFF, hosts=("east-na1",)), Act(Verb.CUT, links=(("east", "west"),))
FROZEN = Act(Verb.FREEZE, hosts=("west-na1",))


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path / "home"))
    return Workspace("lab")


def entries(*acts: Act) -> tuple[ledger.Entry, ...]:
    return tuple(ledger.Entry(number, 0.0, act) for number, act in enumerate(acts, 1))


names = st.text("abcdefghij-", min_size=1, max_size=8)
acts = st.builds(
    Act,
    verb=st.sampled_from(sorted(ledger.LASTING)),
    hosts=st.lists(names, max_size=3).map(tuple),
    sites=st.lists(names, max_size=2).map(tuple),
    links=st.lists(st.tuples(names, names), max_size=2).map(tuple),
    cell=st.none() | names,
    process=st.none() | st.sampled_from(Process),
    amount=st.none() | st.floats(0, 1e6, allow_nan=False),
)


@given(st.lists(acts, min_size=1, max_size=5, unique=True))
def test_what_is_written_down_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, made: list[Act]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRRORFORCE_HOME", str(tmp_path_factory.mktemp("home")))
        ws = Workspace("lab")
        assert ledger.add(ws, made) == ledger.outstanding(ws)
        assert [entry.act for entry in ledger.outstanding(ws)] == made


def test_nothing_is_outstanding_where_nothing_was_broken(ws: Workspace) -> None:
    assert ledger.outstanding(ws) == ()
    ledger.strike(ws, ())
    assert not ledger.file_of(ws).exists()


def test_only_the_owner_reads_it_and_it_goes_with_the_last_entry(ws: Workspace) -> None:
    first, second = ledger.add(ws, [OFF, FROZEN])
    assert stat.S_IMODE(ledger.file_of(ws).stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger.file_of(ws).parent.stat().st_mode) == 0o700
    ledger.strike(ws, [first])
    assert ledger.outstanding(ws) == (second,)
    ledger.strike(ws, [second])
    assert list(ledger.file_of(ws).parent.iterdir()) == []


def test_breaking_the_same_again_is_written_once(ws: Workspace) -> None:
    ledger.add(ws, [OFF])
    assert ledger.add(ws, [OFF, FROZEN])[0].act == FROZEN
    assert [entry.act for entry in ledger.outstanding(ws)] == [OFF, FROZEN]


@pytest.mark.parametrize("text", ["", "{", '{"entries": [{}]}', '{"entries": [{"verb": "melt"}]}', "[]"])
def test_a_ledger_that_cannot_be_read_is_never_taken_for_an_empty_one(ws: Workspace, text: str) -> None:
    ledger.file_of(ws).parent.mkdir(parents=True)
    ledger.file_of(ws).write_text(text)
    with pytest.raises(MirrorforceError, match="no ledger"):
        ledger.outstanding(ws)
    with pytest.raises(MirrorforceError, match="no ledger"):
        ledger.add(ws, [OFF])
    assert ledger.file_of(ws).read_text() == text


def test_a_site_is_one_target_with_its_hosts_and_other_hosts_are_their_own() -> None:
    act = Act(Verb.POWER_OFF, sites=("east",), hosts=("east-na1", "east-control", "west-na1"))
    assert ledger.split(act, SITE_OF) == (
        Act(Verb.POWER_OFF, sites=("east",), hosts=("east-na1", "east-control")),
        Act(Verb.POWER_OFF, hosts=("west-na1",)),
    )


def test_links_are_targets_one_by_one_and_a_cell_is_one() -> None:
    both = Act(Verb.CUT, links=(("east", "west"), ("east", "legacy")))
    assert [act.links for act in ledger.split(both, SITE_OF)] == [(("east", "west"),), (("east", "legacy"),)]
    slots = Act(Verb.KEEP_SLOTS_FOR, cell="na1", amount=30)
    assert ledger.split(slots, SITE_OF) == (slots,)


def test_a_link_is_mended_whichever_way_it_is_named() -> None:
    broken = entries(CUT, Act(Verb.LOSE, links=(("west", "east"),), amount=5), FROZEN)
    mend = Act(Verb.MEND, links=(("west", "east"),))
    assert ledger.undone_by(mend, broken) == broken[:2]
    assert ledger.undone_by(Act(Verb.MEND, links=(("west", "legacy"),)), broken) == ()


def test_only_targets_that_are_named_are_undone() -> None:
    broken = entries(*ledger.split(Act(Verb.STOP_ETCD, hosts=("east-control", "west-control")), SITE_OF))
    assert ledger.undone_by(Act(Verb.START_ETCD, hosts=("west-control",)), broken) == broken[1:]
    assert ledger.undone_by(Act(Verb.START_DNS, hosts=("west-control",)), broken) == ()


def test_what_was_broken_last_is_undone_first_and_neighbours_share_an_act() -> None:
    voters = ("east-control", "west-control")
    stopped = ledger.split(Act(Verb.STOP_ETCD, hosts=voters), SITE_OF)
    assert ledger.undoing(entries(CUT, *stopped, FROZEN)) == (
        Act(Verb.THAW, hosts=("west-na1",)),
        Act(Verb.START_ETCD, hosts=voters[::-1]),
        Act(Verb.MEND, links=(("east", "west"),)),
    )


@given(st.lists(acts.filter(lambda act: act.verb is not Verb.RECOVER), max_size=6))
def test_undoing_all_leaves_nothing(made: list[Act]) -> None:
    left = entries(*(part for act in made for part in ledger.split(act, dict.fromkeys(act.hosts, "x"))))
    for act in ledger.undoing(left):
        gone = ledger.undone_by(act, left)
        left = tuple(entry for entry in left if entry not in gone)
    assert left == ()


def test_a_site_that_was_given_up_is_taken_back_never_just_powered_on() -> None:
    off = [
        Act(Verb.POWER_OFF, sites=("east",), hosts=("east-na1",)),
        Act(Verb.POWER_OFF, sites=("legacy",)),
    ]
    recovered = Act(Verb.RECOVER, cell="na1", sites=("west",))
    later = Act(Verb.POWER_OFF, hosts=("west-na1",))
    broken = entries(*off, recovered, later)
    assert ledger.undoing(broken) == (
        Act(Verb.POWER_ON, hosts=("west-na1",)),
        recovered,
        Act(Verb.TAKE_BACK, sites=("legacy", "east"), hosts=("east-na1",)),
    )
    one = ledger.undone_by(Act(Verb.TAKE_BACK, sites=("east",), hosts=("east-na1",)), broken)
    assert one == (broken[0],)
    rest = tuple(entry for entry in broken if entry not in one)
    assert ledger.undone_by(Act(Verb.TAKE_BACK, sites=("legacy",)), rest) == (broken[1], broken[2])


def test_every_break_has_an_act_that_undoes_it() -> None:
    for verb in words.BREAKS:
        act = Act(verb, hosts=("east-na1",)) if verb is not Verb.CUT else CUT
        assert ledger.undoing(entries(act))[0].verb is words.undoing(verb)


LAB = estate_file.load(ROOT / "stacks/lab.yaml")
LAB_SITE_OF = {host.name: host.site for host in placement.hosts(LAB)}
RUNS = [(drill, cell) for drill in spec.load_all() for cell in binding.cells(drill, LAB)]


def lab_acts(drill: Drill, cell: str) -> list[Act]:
    primaries = {"na1": "east-na1", "na2": "west-na2"}
    wanted = drill.given.etcd_leader or "away from the primary"
    leader = cast.etcd_leader_sites(LAB, cell, primaries, wanted)[0]
    facts = Facts(primaries, f"{leader}-control", {"na1": ("west-na1",), "na2": ("legacy-na2",)})
    steps = binding.bind(drill, LAB, cell, facts).steps
    named = (binding.met(step, "legacy-na1") for step in steps if isinstance(step, Act))
    return [replace(act, hosts=tuple(dict.fromkeys(act.hosts))) for act in named]


@pytest.mark.parametrize(("drill", "cell"), RUNS, ids=lambda each: getattr(each, "name", each))
def test_every_drill_of_the_catalogue_leaves_an_empty_ledger_and_can_be_healed_after_any_step(
    drill: Drill, cell: str
) -> None:
    standing: list[Act] = []
    for act in lab_acts(drill, cell):
        if act.verb in ledger.LASTING:
            standing += [part for part in ledger.split(act, LAB_SITE_OF) if part not in standing]
        else:
            gone = {entry.number for entry in ledger.undone_by(act, entries(*standing))}
            standing = [each for number, each in enumerate(standing, 1) if number not in gone]
        left = entries(*standing)
        for healing in ledger.undoing(left):
            undone = ledger.undone_by(healing, left)
            left = tuple(entry for entry in left if entry not in undone)
        assert left == ()
    assert standing == []


LINK = LinkSpec(
    "lab", "east", "west", "198.18.1.0/24", "198.18.2.0/24", "198.18.1.1", "198.18.2.1", round_trip_ms=70
)


def link_act(verb: Verb, *link: str, amount: float | None = None) -> Act:
    return Act(verb, links=((link[0], link[1]),), amount=amount)


def test_a_link_without_faults_is_as_declared() -> None:
    found = faults_of(LINK, [link_act(Verb.CUT, "east", "legacy"), OFF])
    assert (found.down_at, found.condition) == (frozenset(), Condition(35, 35))


@pytest.mark.parametrize(
    ("act", "down", "condition"),
    [
        (link_act(Verb.CUT, "west", "east"), {"east", "west"}, Condition(35, 35)),
        (Act(Verb.ISOLATE, sites=("west",)), {"west"}, Condition(35, 35)),
        (link_act(Verb.CUT_ONE_WAY, "east", "west"), set(), Condition(35, 35, 100, 0)),
        (link_act(Verb.CUT_ONE_WAY, "west", "east"), set(), Condition(35, 35, 0, 100)),
        (link_act(Verb.DELAY, "west", "east", amount=4), set(), Condition(140, 140)),
        (link_act(Verb.LOSE, "east", "west", amount=5), set(), Condition(35, 35, 5, 5)),
    ],
)
def test_each_fault_of_a_link_is_what_its_word_says(act: Act, down: set[str], condition: Condition) -> None:
    found = faults_of(LINK, [act])
    assert (found.down_at, found.condition) == (frozenset(down), condition)


link_acts = st.sampled_from([
    link_act(Verb.CUT, "east", "west"),
    Act(Verb.ISOLATE, sites=("east",)),
    link_act(Verb.CUT_ONE_WAY, "west", "east"),
    link_act(Verb.DELAY, "east", "west", amount=4),
    link_act(Verb.LOSE, "east", "west", amount=5),
])  # fmt: skip


@given(st.data())
def test_the_order_of_a_link_s_faults_does_not_count(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(link_acts, unique=True))
    assert faults_of(LINK, chosen) == faults_of(LINK, data.draw(st.permutations(chosen)))
