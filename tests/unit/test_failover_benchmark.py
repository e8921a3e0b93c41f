from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import cell_settings, commits, failover, failover_figures, setups
from benchmarks.setups import COPIES, OURS, PATRONI, SETUPS
from mirrorforce import estate_file, postgres_variables, remote, timings
from mirrorforce.drills import run, spec
from mirrorforce.drills.actions import Context
from mirrorforce.drills.acts import Condition
from mirrorforce.drills.drill import WaitUntilStep
from mirrorforce.drills.measure import Measures, Outage, Rate, Timeline
from mirrorforce.drills.report import Expected, Repetition
from mirrorforce.drills.violation import Violation, ViolationKind
from mirrorforce.errors import MirrorforceError
from mirrorforce.inventory import Inventory
from mirrorforce.operations import maintenance, waiting
from mirrorforce.remote import Result
from mirrorforce.workspace import ROOT, Workspace

if TYPE_CHECKING:
    from pathlib import Path

ESTATE = replace(estate_file.load(ROOT / "stacks" / "lab.yaml"), fence_and_release=False)
NA1, NA2 = ESTATE.cells
DECLARED = postgres_variables.dynamic_configuration(ESTATE, NA1)


@pytest.mark.parametrize("setup", [*SETUPS, *COPIES], ids=lambda setup: str(setup.key))
def test_patroni_would_take_each_setup_as_it_stands(setup: setups.Setup) -> None:
    configuration = setup.configuration(DECLARED)
    pace = timings.Pace(*(int(str(configuration[key])) for key in ("ttl", "loop_wait", "retry_timeout")))
    assert not timings.patroni_complaint(pace)


def test_our_own_setup_changes_nothing() -> None:
    assert OURS.configuration(DECLARED) == DECLARED
    assert OURS.estate(ESTATE, "na1") == ESTATE
    agents = replace(ESTATE, fence_and_release=True)
    assert OURS.estate(agents, "na1") == ESTATE, "they keep still"
    assert setups.AGENTS.estate(agents, "na1") == agents


def test_a_setup_leaves_postgresql_and_the_other_cell_alone() -> None:
    assert PATRONI.configuration(DECLARED)["postgresql"] == DECLARED["postgresql"]
    under = PATRONI.estate(ESTATE, "na1")
    assert (under.cell("na1").synchronous_copies, under.cell("na2")) == (0, NA2)


def test_copies_are_those_that_a_setup_asks_for() -> None:
    assert [setup.copies(NA1) for setup in COPIES] == [0, 1, 2]
    assert [setup.copies(NA1) for setup in SETUPS] == [1, 2, 1, 0, 0, 0]


def test_the_limit_is_the_clients_round_trip_and_the_one_to_the_standbys_that_confirm() -> None:
    limits = [setups.limit_ms(ESTATE, NA1, "dev", "east", copies) for copies in (0, 1, 2)]
    assert limits == [70, 70 + 66, 70 + 70]
    assert setups.limit_ms(ESTATE, NA2, "dev", "west", 1) == 2 + 16


def test_more_copies_than_standbys_have_no_limit() -> None:
    with pytest.raises(ValueError, match="2 standbys, not 3"):
        setups.limit_ms(ESTATE, NA1, "dev", "east", 3)


@pytest.mark.parametrize(
    ("names", "copies", "counted"),
    [
        ("", 0, True),
        ('ANY 1 ("west-na1","legacy-na1")', 1, True),
        ('ANY 1 ("west-na1","legacy-na1")', 2, False),
        ('ANY 2 ("west-na1","legacy-na1")', 2, True),
        ("", 1, False),
        ("*", 0, False),
    ],
)
def test_a_setup_counts_once_postgresql_goes_by_it(names: str, copies: int, counted: bool) -> None:  # noqa: FBT001
    assert cell_settings.is_counted(names, copies) is counted


class Cell:
    """Members that take settings, or not; what they were told is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, deaf: tuple[str, ...] = ()) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.deaf = deaf
        monkeypatch.setattr(remote, "run", self.run)
        monkeypatch.setattr(Context, "with_power", lambda _, hosts: tuple(hosts))
        monkeypatch.setattr(
            cell_settings.CellSettings, "_members", property(lambda _: ("east-na1", "west-na1"))
        )

    def run(self, _ws: Workspace, host: str, _line: object, *, stdin: str, timeout: float) -> Result:
        assert timeout > 0
        if host in self.deaf:
            return Result(1, "", "no route", timed_out=False)
        self.told.append((host, json.loads(stdin)))
        return Result(0, "", "", timed_out=False)


def context() -> Context:
    return Context(Workspace("lab"), ESTATE, Inventory("lab", ()))


@pytest.mark.parametrize("end", [KeyboardInterrupt(), MirrorforceError("it broke"), SystemExit(143)])
def test_the_declared_settings_are_put_back_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    cell = Cell(monkeypatch)
    with pytest.raises(type(end)), cell_settings.borrowed(context(), "na1"):
        raise end
    assert cell.told == [("east-na1", DECLARED)]


def test_sigterm_puts_the_settings_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(monkeypatch)
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(SystemExit), cell_settings.borrowed(context(), "na1"):
        signal.raise_signal(signal.SIGTERM)
    assert cell.told == [("east-na1", DECLARED)]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before


def test_settings_go_through_whichever_member_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(monkeypatch, deaf=("east-na1",))
    cell_settings.CellSettings(context(), "na1").put_back()
    assert [host for host, _ in cell.told] == ["west-na1"]


def test_settings_that_no_member_takes_are_an_error_that_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Cell(monkeypatch, deaf=("east-na1", "west-na1"))
    with pytest.raises(MirrorforceError, match="west-na1: no route") as fault:
        cell_settings.CellSettings(context(), "na1").put_back()
    assert "converge" in fault.value.next_step


def test_a_drill_is_the_same_but_for_whom_it_waits_for() -> None:
    for name in failover.DRILLS:
        drill = spec.load(spec.FOLDER / f"{name}.yaml")
        patient = failover_figures.patient(drill)
        changed = [
            (one, other) for one, other in zip(drill.steps, patient.steps, strict=True) if one != other
        ]
        assert patient.steps[drill.fault] == drill.steps[drill.fault]
        assert [other for _, other in changed] == [
            WaitUntilStep(Condition.WRITES_ACKNOWLEDGED, failover_figures.PATIENCE)
        ]


def repetition(seconds: float = 21.5, lost: int = 0, *, ended: bool = True) -> Repetition:
    rate = Rate(10.0, None)
    outage = Outage(seconds, 0.0, seconds if ended else None)
    measures = Measures(
        lost, {"dns": outage}, {"dns": outage}, {}, {"acknowledged": 90}, 1.0, rate, rate,
        Timeline(0.0, 0.25, {}, (), (), (), ()),
    )  # fmt: skip
    violations = (Violation(ViolationKind.LOST_ROW, "row 7"),) * lost
    return Repetition(
        "2026-11-23T14:00:00+00:00", 60.0, measures=measures, violations=violations,
        expected=(Expected("0 acknowledged rows lost", f"{lost} lost", met=not lost),),
    )  # fmt: skip


def test_a_comparison_goes_on_with_what_an_earlier_run_left(tmp_path: Path) -> None:
    file = tmp_path / "failover-comparison.json"
    setting = {"round trips": "east-west 70 ms"}
    earlier = failover.empty("na1", [OURS], setting)
    assert failover.added_to(file, earlier) is earlier
    earlier["repetitions"].append({"setup": OURS.key})
    file.write_text(json.dumps(earlier))
    found = failover.added_to(file, failover.empty("na1", [OURS, PATRONI], setting))
    assert [each["key"] for each in found["setups"]] == [OURS.key, PATRONI.key]
    assert found["repetitions"] == [{"setup": OURS.key}]
    with pytest.raises(MirrorforceError, match="is of na1"):
        failover.added_to(file, failover.empty("na2", [OURS], setting))


def document(*rows: dict[str, Any]) -> dict[str, Any]:
    empty = failover.empty("na1", SETUPS, {"round trips": "east-west 70 ms"})
    return {**empty, "repetitions": list(rows)}


def row(setup: setups.Setup, found: Repetition, drill: str = "site-lost") -> dict[str, Any]:
    return failover_figures.row(setup, drill, found, (3.0, 4.0))


def test_a_row_is_json_with_every_figure() -> None:
    found = json.loads(json.dumps(row(PATRONI, repetition(40.25, 3))))
    assert found["rpo_rows"] == 3
    assert found["outage_seconds"] == {"dns": 40.25, "multi-host": None}
    assert found["violations"] == {"lost row": 3}


def test_the_table_has_a_line_for_each_drill_and_setup() -> None:
    rows = (row(setup, repetition(seconds)) for setup in SETUPS for seconds in (20.0, 22.0, 30.0))
    _, *lines = failover_figures.table(document(*rows))
    assert [line[1] for line in lines] == [setup.name for setup in SETUPS]
    assert lines[0][2:] == ["3", "0, 0, 0", "22.0 (20.0, 22.0, 30.0)", "-"]


def test_a_repetition_that_came_to_no_end_is_no_figure() -> None:
    broken = row(OURS, Repetition("2026-11-23T14:00:00+00:00", 5.0, error="not healthy"))
    assert broken["error"] == "not healthy"
    lines = failover_figures.table(document(broken, row(OURS, repetition(9.0))))
    of_ours = next(line for line in lines if line[1] == OURS.name)
    assert of_ours[2:5] == ["1", "0", "9.0"]


def test_an_outage_without_an_end_is_no_figure() -> None:
    lines = failover_figures.table(document(row(OURS, repetition(ended=False))))
    of_ours = next(line for line in lines if line[1] == OURS.name)
    assert of_ours[4] == "-"


def test_the_plot_names_every_setup_and_drill(tmp_path: Path) -> None:
    rows = [
        row(setup, repetition(20.0 + n, n), drill)
        for drill in failover.DRILLS
        for n, setup in enumerate(SETUPS)
    ]
    failover.draw(document(*rows), tmp_path)
    drawn = (tmp_path / "failover-comparison.svg").read_text()
    for name in (*failover.DRILLS, "Mirrorforce", "defaults", "pigsty fast", "pigsty norm"):
        assert name in drawn


def test_a_setup_that_was_not_measured_is_not_in_the_plot(tmp_path: Path) -> None:
    failover.draw(document(row(OURS, repetition())), tmp_path)
    assert "pigsty" not in (tmp_path / "failover-comparison.svg").read_text()


def test_what_was_measured_is_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = document(row(OURS, repetition(9.0)))
    measured["commits"] = [series("one synchronous copy", 136.0)]
    (tmp_path / "found.json").write_text(json.dumps(measured))
    failover.main(failover.parser().parse_args(["--show", str(tmp_path / "found.json")]))
    printed = capsys.readouterr().out
    assert "| site-lost | Mirrorforce" in printed
    assert "| one synchronous copy | 8 | 136 |" in printed
    assert "136 ms" in (tmp_path / "commits-by-connections.svg").read_text()


def series(name: str, limit: float) -> dict[str, Any]:
    points = [
        {"connections": count, **commits.figures(log(count, 140_000)), "load": [2.0, 3.0]} for count in (1, 8)
    ]
    return {"setup": "one-copy", "name": name, "limit_ms": limit, "points": points}


def log(clients: int, microseconds: int, commits_each: int = 10) -> list[str]:
    """pgbench's log of clients that commit one after another, without a pause."""
    lines = []
    for client in range(clients):
        for number in range(1, commits_each + 1):
            ended = 1_750_000_000_000_000 + number * microseconds
            lines.append(f"{client} {number} {microseconds} 0 {ended // 1_000_000} {ended % 1_000_000}")
    return lines


@given(st.integers(1, 20), st.integers(1_000, 900_000))
def test_commits_at_the_limit_are_all_of_it(clients: int, microseconds: int) -> None:
    found = commits.figures(log(clients, microseconds))
    assert found["commits"] == 10 * clients
    assert found["latency_ms"]["median"] == pytest.approx(microseconds / 1000, abs=0.06)
    share = failover_figures.share_of_limit(
        {"limit_ms": microseconds / 1000}, {"connections": clients, **found}
    )
    assert share == pytest.approx(1.0, rel=0.05)


def test_a_log_without_a_commit_is_an_error() -> None:
    with pytest.raises(MirrorforceError, match="committed nothing"):
        commits.figures([])


class Rounds:
    """A comparison whose repetitions are made up: the next of `found` each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, *found: Repetition | Exception) -> None:
        self.found = list(found)
        self.said: list[str] = []
        ctx = Context(Workspace("lab"), ESTATE, Inventory("lab", ()), self.said.append)
        monkeypatch.setattr(cell_settings.CellSettings, "apply", lambda _, setup: self.apply(setup))
        monkeypatch.setattr(run, "repetition", self.repetition)
        self.ctx = ctx
        self.deaf: set[str] = set()
        self.comparison = failover.Comparison(
            cell_settings.CellSettings(ctx, "na1"), folder, time.monotonic() + 3600, document()
        )

    def apply(self, setup: setups.Setup) -> Context:
        if setup.key in self.deaf:
            raise MirrorforceError("not every member goes by it")
        return self.ctx

    def repetition(self, _ctx: Context, _drill: object, _cell: str) -> Repetition:
        found = self.found.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def run(self, *keys: str, repeat: int = 1) -> list[dict[str, Any]]:
        chosen = [setup for setup in SETUPS if setup.key in keys]
        self.comparison.drills(chosen, [spec.load(spec.FOLDER / "switchover.yaml")], repeat)
        rows: list[dict[str, Any]] = self.comparison.document["repetitions"]
        return rows


def test_setups_take_turns_round_by_round(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rounds = Rounds(monkeypatch, tmp_path, *[repetition(5.0)] * 4)
    assert [row["setup"] for row in rounds.run("ours", "patroni", repeat=2)] == ["ours", "patroni"] * 2
    written = json.loads((tmp_path / "failover-comparison.json").read_text())
    assert written == rounds.comparison.document


def test_a_repetition_without_an_end_is_on_the_record_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rounds = Rounds(monkeypatch, tmp_path, MirrorforceError("no heal"), repetition(5.0))
    assert [row["error"] for row in rounds.run("ours")] == ["no heal", None]


def test_after_the_deadline_no_repetition_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rounds = Rounds(monkeypatch, tmp_path)
    rounds.comparison.deadline = time.monotonic() - 1
    assert rounds.run("ours", "patroni") == []
    assert rounds.said == ["out of time"]


def test_a_setup_that_the_cell_does_not_take_leaves_the_others_their_turn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rounds = Rounds(monkeypatch, tmp_path, repetition(5.0))
    rounds.deaf = {"ours"}
    assert [row["setup"] for row in rounds.run("ours", "patroni")] == ["patroni"]


@pytest.mark.parametrize(
    ("has_agents", "setup", "told"),
    [
        pytest.param(True, setups.AGENTS, [False], id="agents act"),
        pytest.param(True, OURS, [True], id="agents keep still, Patroni is alone"),
        pytest.param(False, OURS, [], id="there are none"),
    ],
)
def test_agents_act_in_their_own_setup_alone(
    monkeypatch: pytest.MonkeyPatch,
    has_agents: bool,  # noqa: FBT001
    setup: setups.Setup,
    told: list[bool],
) -> None:
    Cell(monkeypatch)
    said: list[bool] = []
    monkeypatch.setattr(maintenance, "maintenance", lambda *_, on: said.append(on))
    monkeypatch.setattr(cell_settings.CellSettings, "_followed", lambda *_: True)
    monkeypatch.setattr(waiting, "until_whole", lambda *_, **__: {})
    ctx = replace(context(), estate=replace(ESTATE, fence_and_release=has_agents))
    cell_settings.CellSettings(ctx, "na1").apply(setup)
    assert said == told


def test_an_estate_without_agents_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    Cell(monkeypatch)
    with pytest.raises(MirrorforceError, match="no failover agents"):
        cell_settings.CellSettings(context(), "na1").apply(setups.AGENTS)
