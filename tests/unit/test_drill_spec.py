from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mirrorforce.drills import drill as kinds
from mirrorforce.drills import phrases, quantities, spec, step_reading, step_schema, words
from mirrorforce.drills.acts import NEW_PRIMARY, Condition, Process, Verb, Wait
from mirrorforce.drills.drill import ActStep, WaitUntilStep
from mirrorforce.drills.quantities import Quantity
from mirrorforce.errors import BadInputError, ExitCode
from mirrorforce.faults import Fault, FileFaultsError, shown
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = ROOT / "docs/reference/drill-file.md"
WHOLE = {"wait until": "the estate is whole", "within": "180 s"}
LEADS = {"wait until": "another member leads", "within": "60 s"}

# What any cell goes through; a person's verbs; Patroni's own holes.
CATALOGUE = """
host-lost site-lost standby-site-lost site-lost-with-etcd-leader postmaster-killed patroni-killed etcd-killed
primary-frozen primary-isolated link-cut one-way-cut primary-mute long-round-trips packet-loss wal-volume-full
slow-disk etcd-down dns-killed switchover switchover-and-back rolling-restart two-faults site-back-late
two-sites-lost primary-alone cold-start recover reinit
patroni-frozen sync-shrinks agent-dies-opened agent-dies-fenced agent-dies-promised agent-dies-released
fenced-standby-reboots fenced-standby-converged agent-clocks-run-wild
saturated-primary faults-in-a-row lost-after-switchover cut-off-from-standbys
"""


def drill(*steps: object, **changes: object) -> dict[str, Any]:
    """A drill that is sound where its steps are; a change of None leaves the key out."""
    document = {
        "title": "Power loss",
        "why": "Somebody pulls the wrong plug.",
        "steps": list(steps),
        "expect": {"takeover": "none", "lost rows": 0},
    } | changes
    return {key: value for key, value in document.items() if value is not None}


def load(folder: Path, document: object, name: str = "tried") -> kinds.Drill:
    path = folder / f"{name}.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False))
    return spec.load(path)


def faults(folder: Path, document: object, name: str = "tried") -> dict[str, Fault]:
    with pytest.raises(FileFaultsError) as caught:
        load(folder, document, name)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return {shown(fault.path): fault for fault in caught.value.faults}


def test_the_catalogue_is_whole_and_every_drill_of_it_is_sound() -> None:
    drills = {each.name: each for each in spec.load_all()}
    assert set(drills) == set(CATALOGUE.split())
    assert {name for name, each in drills.items() if each.nightly == 20} == {
        "site-lost", "host-lost", "postmaster-killed", "switchover",
    }  # fmt: skip
    assert {each.nightly for each in drills.values()} == {3, 6, 20}
    assert {name for name, each in drills.items() if each.handful} == {
        "site-lost", "postmaster-killed", "switchover", "primary-isolated",
    }  # fmt: skip
    assert {name for name, each in drills.items() if each.expect.lost_rows != 0} == {"recover"}


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("site-lost", 25),
        ("host-lost", 25),
        ("site-lost-with-etcd-leader", 30),
        ("postmaster-killed", 5),
        ("switchover", 6),
        ("switchover-and-back", 6),
    ],
)
def test_the_objectives_are_those_of_the_promise(name: str, seconds: float) -> None:
    expect = spec.load(spec.FOLDER / f"{name}.yaml").expect
    assert expect.outage["multi-host"] == seconds
    assert expect.outage["dns"] > seconds


def test_a_drill_is_read_as_it_says(tmp_path: Path) -> None:
    read = load(
        tmp_path,
        drill(
            {"kill": "etcd", "of": "the etcd leader"},
            {"cut one way": "every link of the primary's site", "from": "the primary's site"},
            LEADS,
            {"wait": "1500 ms"},
            {"mend": "every link"},
            {"write WAL": "2 GiB"},
            {"reinitialise": "one standby", "unless it streams within": "2 min"},
            WHOLE,
            cells="first",
            nightly=20,
            handful=True,
            given={"etcd leader": "with the primary", "clients also at": "the primary", "load": ["lists"]},
            expect={
                "takeover": "by another member",
                "lost rows": "as stated",
                "outage at most": {"dns": "26 s"},
                "writes": "stop",
                "WAL volume at most": "90 %",
            },
        ),
    )
    assert read.steps == (
        ActStep(Verb.KILL, target="the etcd leader", process=Process.ETCD),
        ActStep(Verb.CUT_ONE_WAY, target="every link of the primary's site", origin="the primary's site"),
        WaitUntilStep(Condition.ANOTHER_LEADS, 60),
        Wait(1.5),
        ActStep(Verb.MEND, target="every link"),
        ActStep(Verb.WRITE_WAL, amount=2048),
        ActStep(Verb.REINITIALISE, target="one standby", amount=120),
        WaitUntilStep(Condition.WHOLE, 180),
    )
    assert (read.name, read.every_cell, read.nightly, read.handful) == ("tried", False, 20, True)
    assert read.given == kinds.Given(("lists",), "with the primary", "the primary")
    assert read.expect == kinds.Expectation("by another member", None, {"dns": 26}, "stop", 90)


def test_what_is_not_said_is_the_default(tmp_path: Path) -> None:
    read = load(tmp_path, drill({"switch over to": "one standby"}, WHOLE))
    assert (read.every_cell, read.nightly, read.handful) == (True, 3, False)
    assert read.given == kinds.Given(("appends", "transfers", "lists", "readers", "pgbench"), None, "")
    assert read.expect == kinds.Expectation("none", 0, {}, None, None)


@pytest.mark.parametrize(
    ("step", "path", "meant"),
    [
        ({"powr off": "the primary"}, "steps[0].powr off", "power off"),
        ({"wait untill": "a member leads", "within": "5 s"}, "steps[0].wait untill", "wait until"),
        ({"power off": "the primary site"}, "steps[0].power off", "the primary's site"),
        ({"kill": "postgres", "of": "the primary"}, "steps[0].kill", "postmaster"),
        ({"isolate": "the primary"}, "steps[0].isolate", "the primary's site"),
        ({"delay": "every link", "bye": "4 times"}, "steps[0].bye", "by"),
        ({"wait until": "the estate is hole", "within": "5 s"}, "steps[0].wait until", "the estate is whole"),
    ],
)
def test_a_word_that_is_not_one_gets_its_path_and_the_nearest_right_one(
    tmp_path: Path, step: object, path: str, meant: str
) -> None:
    found = faults(tmp_path, drill(step, WHOLE))
    assert found[path].meant == meant
    assert found[path].line in (4, 5)
    assert meant in found[path].allowed
    assert len(found) == 1


@pytest.mark.parametrize(
    ("step", "path", "word"),
    [
        ("power off", "steps[0]", "a step"),
        (None, "steps[0]", "a step"),
        ({}, "steps[0]", "a step"),
        ({"within": "5 s"}, "steps[0]", "one of"),
        ({"kill": "etcd"}, "steps[0].of", "the etcd leader"),
        ({"kill": "etcd", "of": "the primary"}, "steps[0].of", "every control host"),
        ({"kill": "postmaster", "of": "the etcd leader"}, "steps[0].of", "the primary"),
        ({"wait": 10}, "steps[0].wait", "60 s"),
        ({"wait": "0 s"}, "steps[0].wait", "60 s"),
        ({"wait": "10s"}, "steps[0].wait", "60 s"),
        ({"wait": "10 s\n"}, "steps[0].wait", "60 s"),
        ({"lose packets on": "every link", "share": "101 %"}, "steps[0].share", "5 %"),
        ({"delay": "every link", "by": "1 times"}, "steps[0].by", "4 times"),
        ({"delay": "every link"}, "steps[0].by", "4 times"),
        ({"freeze": "the primary", "within": "5 s"}, "steps[0].within", "nothing beside 'freeze'"),
        ({"freeze": ["the primary"]}, "steps[0].freeze", "the primary"),
        ({"freeze": "the primary", "thaw": "the primary"}, "steps[0].thaw", "a step of its own"),
        ({"reinitialise": "every member"}, "steps[0].reinitialise", "one standby"),
    ],
)
def test_a_step_that_is_not_as_it_should_be_says_what_is_allowed(
    tmp_path: Path, step: object, path: str, word: str
) -> None:
    found = faults(tmp_path, drill(step, WHOLE))
    assert word in found[path].allowed
    assert len(found) == 1


@pytest.mark.parametrize(
    ("steps", "path", "word"),
    [
        ([{"rejoin": "the primary's site"}], "steps[0].rejoin", "after `isolate:"),
        (
            [{"thaw": "the primary"}, {"freeze": "the primary"}],
            "steps[0].thaw",
            "after `freeze: the primary`",
        ),
        (
            [{"freeze": "the primary"}, {"thaw": "one standby"}],
            "steps[1].thaw",
            "after `freeze: one standby`",
        ),
        ([{"freeze": "the primary"}], "steps[0].freeze", "a later `thaw: the primary`"),
        ([{"power off": "the primary's site"}, {"power on": "the primary"}], "steps[0].power off", "a later"),
        ([{"keep slots for": "30 s"}], "steps[0].keep slots for", "a later `keep slots as declared for"),
        ([{"cut": "every link"}, {"cut": "every link"}], "steps[1].cut", "after `mend: every link`, or once"),
        ([LEADS], "steps[0].wait until", "after the first thing done"),
        (
            [{"power off": "one standby's site"}, {"kill": "Patroni", "of": "one standby"}],
            "steps[1].kill",
            "after `power on",
        ),
        (
            [{"power off": "the primary"}, {"switch over to": "the primary"}],
            "steps[1].switch over to",
            "after `power on",
        ),
        ([{"freeze": NEW_PRIMARY}, {"thaw": NEW_PRIMARY}], "steps[0].freeze", "another member leads"),
        ([{"recover": "the cell", "from": "one standby's site"}], "steps[0].recover", "after `power off"),
        (
            [{"power off": "the primary's site"}, {"take back": "the primary's site"}],
            "steps[1].take back",
            "`power on: the primary's site`",
        ),
        (
            [
                {"power off": "the primary's site"},
                {"recover": "the cell", "from": "one standby's site"},
                {"power on": "the primary's site"},
            ],
            "steps[2].power on",
            "`take back: the primary's site`",
        ),
        (
            [
                {"power off": "the primary's site"},
                {"recover": "the cell", "from": "the primary's site"},
                {"take back": "the primary's site"},
            ],
            "steps[1].recover",
            "of a host that has power",
        ),
    ],
)
def test_a_step_in_the_wrong_place_says_where_its_place_is(
    tmp_path: Path, steps: list[object], path: str, word: str
) -> None:
    found = faults(tmp_path, drill(*copy.deepcopy(steps), {"kill": "etcd", "of": "the etcd leader"}, WHOLE))
    assert word in found[path].allowed
    assert found[path].line


def test_clients_at_the_primary_have_to_be_given_before_they_are_waited_for(tmp_path: Path) -> None:
    waiting = {"wait until": "every client at the primary has an error", "within": "60 s"}
    steps = ({"isolate": "the primary's site"}, waiting, {"rejoin": "the primary's site"}, WHOLE)
    assert "clients also at" in faults(tmp_path, drill(*steps))["steps[1].wait until"].allowed
    assert load(tmp_path, drill(*steps, given={"clients also at": "the primary"})).given.clients_also_at


def test_a_drill_breaks_something_and_ends_with_the_estate_whole(tmp_path: Path) -> None:
    assert faults(tmp_path, drill({"write WAL": "1 GiB"}, WHOLE))["steps"].found == "no fault"
    kill = {"kill": "etcd", "of": "the etcd leader"}
    assert "the estate is whole" in faults(tmp_path, drill(kill, LEADS))["steps[1]"].allowed


def test_a_wider_phrase_undoes_a_narrower_one_and_not_the_other_way_round(tmp_path: Path) -> None:
    off = [{"power off": "the primary"}, {"power off": "one standby's site"}]
    assert load(tmp_path, drill(*off, {"power on": "every mirrored site"}, WHOLE)).fault == 0
    cut = {"cut one way": "every link", "from": "the primary's site"}
    found = faults(tmp_path, drill(cut, {"mend": "every link of the primary's site"}, WHOLE))
    assert list(found) == ["steps[0].cut one way"]


def test_measuring_counts_from_the_last_fault_before_a_member_leads(tmp_path: Path) -> None:
    off, on = [[{f"power {way}": who} for who in ("one standby", "the primary")] for way in ("off", "on")]
    assert load(tmp_path, drill(*off, LEADS, *on, WHOLE)).fault == 1
    assert load(tmp_path, drill(*off, *on, WHOLE)).fault == 0
    slots = [{"keep slots for": "30 s"}, {"keep slots as declared for": "the cell"}]
    assert load(tmp_path, drill(slots[0], *off, slots[1], *on, WHOLE)).fault == 1


def test_all_faults_of_a_file_are_told_at_once_in_its_order(tmp_path: Path) -> None:
    document = drill(
        {"powr off": "the primary"},
        {"wait": "5"},
        WHOLE,
        cells="all",
        nightly=0,
        given={"loda": ["lists"], "etcd leader": "with primary"},
        expect={"takeover": "by other member", "lost rows": 1, "outage at most": {"dns": "5"}},
    )
    with pytest.raises(FileFaultsError) as caught:
        load(tmp_path, document)
    lines = [fault.line or 0 for fault in caught.value.faults]
    assert lines == sorted(lines)
    assert {shown(fault.path): fault.meant for fault in caught.value.faults} == {
        "steps[0].powr off": "power off",
        "steps[1].wait": "",
        "expect.takeover": "by another member",
        "expect.lost rows": "",
        "expect.outage at most.dns": "",
        "cells": "",
        "nightly": "",
        "given.loda": "load",
        "given.etcd leader": "with the primary",
    }
    assert "mirrorforce drill run tried" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "x", "steps: []", "a: *b", "steps: {a: 1}", "{"])
def test_a_file_that_is_no_drill_at_all_is_refused_with_its_faults(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text)


def test_a_file_name_is_one_that_can_be_typed(tmp_path: Path) -> None:
    sound = drill({"kill": "etcd", "of": "the etcd leader"}, WHOLE)
    assert "lower-case" in faults(tmp_path, sound, "Site Lost")["(whole file)"].allowed


def test_a_drill_that_is_not_there_names_the_nearest_one() -> None:
    with pytest.raises(BadInputError, match="no drill 'sitelost'") as caught:
        spec.load(spec.FOLDER / "sitelost.yaml")
    assert caught.value.next_step.endswith("nearest: site-lost")


def test_all_drills_are_read_and_the_faults_of_all_files_told(tmp_path: Path) -> None:
    sound = drill({"kill": "etcd", "of": "the etcd leader"}, WHOLE)
    load(tmp_path, sound, "b")
    load(tmp_path, sound, "a")
    assert [each.name for each in spec.load_all(tmp_path)] == ["a", "b"]
    for name in "cd":
        faults(tmp_path, drill(WHOLE), name)
    with pytest.raises(BadInputError) as caught:
        spec.load_all(tmp_path)
    assert all(f"{name}.yaml has" in caught.value.message for name in "cd")


@pytest.mark.parametrize(
    ("quantity", "value", "amount"),
    [
        (Quantity.DURATION, "250 ms", 0.25),
        (Quantity.DURATION, "90 s", 90),
        (Quantity.DURATION, "2 min", 120),
        (Quantity.SIZE, "512 MiB", 512),
        (Quantity.SIZE, "2 GiB", 2048),
        (Quantity.SHARE, "100 %", 100),
        (Quantity.FACTOR, "4 times", 4),
        (Quantity.DURATION, "2 h", None),
        (Quantity.DURATION, "+2 s", None),
        (Quantity.DURATION, "٢ s", None),
        (Quantity.SHARE, "0 %", None),
        (Quantity.SIZE, True, None),
    ],
)
def test_amounts_are_in_the_units_of_acts(quantity: Quantity, value: object, amount: float | None) -> None:
    assert quantities.parse(quantity, value) == amount


def _choices(part: str, key: str) -> list[object]:
    properties: dict[str, Any] = spec.schema()["properties"]
    found: list[object] = properties[part]["properties"][key]["enum"]
    return found


def test_the_schema_is_in_step_with_the_vocabulary() -> None:
    Draft202012Validator.check_schema(spec.schema())
    right = step_schema.of_step()
    assert spec.schema()["$defs"]["step"] == right, f"$defs.step is to be {json.dumps(right)}"
    duration = quantities.NOTATIONS[Quantity.DURATION]
    assert spec.schema()["$defs"]["duration"]["pattern"] == duration.pattern
    assert _choices("expect", "takeover") == list(kinds.Takeover.__args__)  # type: ignore[attr-defined]
    assert _choices("expect", "writes") == list(kinds.Writes.__args__)  # type: ignore[attr-defined]
    assert _choices("given", "etcd leader") == list(kinds.EtcdLeader.__args__)  # type: ignore[attr-defined]
    load_kinds = spec.schema()["properties"]["given"]["properties"]["load"]["items"]["enum"]
    assert load_kinds == list(kinds.Load.__args__)  # type: ignore[attr-defined]
    ways = spec.schema()["properties"]["expect"]["properties"]["outage at most"]["properties"]
    assert tuple(ways) == kinds.WAYS


def test_every_part_of_the_vocabulary_says_what_it_means() -> None:
    assert set(words.WORDS) == set(Verb)
    assert set(words.CONDITIONS) == set(Condition)
    assert set(words.RUNS_ON) == set(Process)
    assert set(phrases.BY_TEXT) == {phrase.text for phrase in phrases.PHRASES}
    assert all(phrase.meaning and phrase.parts for phrase in phrases.PHRASES)
    assert all(word.meaning for word in words.WORDS.values())
    assert words.undoing(Verb.POWER_OFF) == Verb.POWER_ON


def test_every_effect_that_lasts_can_be_undone_by_the_same_words() -> None:
    for verb in words.BREAKS - {Verb.KEEP_SLOTS_FOR}:
        assert set(words.WORDS[verb].value.words) == set(words.WORDS[words.undoing(verb)].value.words)


@st.composite
def _steps(draw: st.DrawFn) -> object:
    """Steps as people write them: right, or with one thing wrong."""
    key = draw(st.sampled_from(sorted(step_reading.FORMS)))
    form = step_reading.FORMS[key]
    step: dict[str, object] = {}
    for name, slot in {key: form.value, **form.options}.items():
        right = [*map(str, slot.words), *(["4 times", "5 %", "30 s", "1 GiB"] if slot.quantity else [])]
        wrong: list[object] = [None, 3, "nonsense", "the primary", "every link", "Patroni", [], "0 s"]
        if draw(st.integers(0, 9)):
            step[name] = draw(
                st.sampled_from(wrong) if not draw(st.integers(0, 9)) else st.sampled_from(right)
            )
    if not draw(st.integers(0, 9)):
        step[draw(st.sampled_from(["within", "by", "kill", "of", "other"]))] = "30 s"
    return step


@settings(max_examples=400)
@given(_steps())
def test_the_reader_and_the_schema_agree_on_every_step(step: object) -> None:
    # But for one thing, which only the reader knows: which process runs on which kind of host.
    _, found = step_reading.read(step, ())
    found = tuple(fault for fault in found if "where no" not in fault.found)
    assert Draft202012Validator(step_schema.of_step()).is_valid(step) == (not found)


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_stands_in_a_file_the_reader_tells_faults_or_gives_a_drill(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document: Any = drill({"kill": "etcd", "of": "the etcd leader"}, LEADS, WHOLE, given={})
    junk = st.sampled_from([None, [], {}, "x", 0, True, {"a": 1}, ["x"], 1.5])
    key = data.draw(st.sampled_from([*document, "cells", "nightly", "handful", "other"]))
    document[key] = data.draw(junk | st.lists(_steps(), max_size=3))
    try:
        read = load(tmp_path_factory.mktemp("drills"), document)
    except FileFaultsError as error:
        assert error.faults  # noqa: PT017  (either is right; what may not be is another error)
    else:
        assert Draft202012Validator(spec.schema()).is_valid(document)
        assert read.steps


def test_the_example_of_the_reference_is_sound(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    assert load(tmp_path, example).title
