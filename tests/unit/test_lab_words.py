"""What is said of links and disks of the lab, and what a command line may mean."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.errors import BadInputError
from mirrorforce.lab import disk_speed, files, link_words, links, targets, wire
from mirrorforce.lab.specs import LinkSpec, NetworkSpec

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.lab.wire import Condition

LINK = LinkSpec(
    "lab", "east", "west", "198.18.1.0/24", "198.18.2.0/24", "198.18.1.1", "198.18.2.1", round_trip_ms=70
)
SOUND = wire.even(70)


@pytest.mark.parametrize(
    ("condition", "down_at", "words"),
    [
        (SOUND, (), "up"),
        (None, (), "gone"),
        (SOUND, ("east",), "cut at east"),
        (None, ("east", "west"), "cut at east and west"),
        (wire.shaped(70, 1, 5), (), "loses 5 % each way"),
        (wire.losing_all_there(SOUND), (), "cut from east to west"),
        (wire.losing_all_there(SOUND).reversed(), (), "cut from west to east"),
        (replace(SOUND, loss_there_percent=2.5), (), "loses 2.5 % from east to west"),
        (
            wire.losing_all_there(wire.shaped(70, 1, 5)),
            (),
            "cut from east to west, loses 5 % from west to east",
        ),
    ],
)
def test_a_link_s_state_is_said_in_words(
    condition: Condition | None, down_at: tuple[str, ...], words: str
) -> None:
    assert link_words.state(links.LinkState(LINK, condition == SOUND, down_at, condition)) == words


@given(st.floats(0, 20), st.floats(0, 100))
def test_a_shaped_wire_is_even_and_a_one_way_cut_leaves_the_other_way_alone(
    factor: float, loss: float
) -> None:
    shaped = wire.shaped(70, factor, loss)
    assert shaped.round_trip_ms == pytest.approx(70 * factor)
    assert shaped == shaped.reversed()
    assert shaped.is_lossless == (loss == 0)
    cut = wire.losing_all_there(shaped)
    assert replace(cut, loss_there_percent=loss) == shaped
    assert not cut.is_lossless


@pytest.mark.parametrize(("factor", "loss"), [(-1.0, 0.0), (1.0, 101.0), (1.0, -1.0)])
def test_what_no_wire_can_be_is_refused(factor: float, loss: float) -> None:
    with pytest.raises(BadInputError, match="a wire cannot have"):
        wire.shaped(70, factor, loss)


@given(st.floats(1e-4, 100))
def test_a_slow_disk_takes_at_least_one_access_a_second(seconds: float) -> None:
    found = disk_speed.accesses_per_second(seconds)
    assert found >= 1
    assert found == 1 or found == pytest.approx(1 / seconds, abs=0.5)


def test_folders_of_a_host_are_open_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        (tmp_path / "kept").mkdir(mode=0o700)
        files.open_folders(tmp_path, tmp_path.joinpath("a/b/c").relative_to(tmp_path))
        files.open_folders(tmp_path, tmp_path.joinpath("kept/d").relative_to(tmp_path))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"a": 0o755, "b": 0o755, "c": 0o755, "kept": 0o700, "d": 0o755}


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path))
    from mirrorforce.lab import networks  # noqa: PLC0415

    for site, third in (("east", 1), ("west", 2), ("legacy", 3)):
        spec = NetworkSpec("lab", site, f"198.18.{third}.0/24")
        files.write_json(networks.spec_file("lab", site), spec.to_dict())
    files.write_json(links.spec_file("lab", LINK.name), LINK.to_dict())


@pytest.mark.usefixtures("recorded")
def test_a_direction_is_as_it_was_said() -> None:
    assert targets.direction("lab", "east", "west") == ("east", "west")
    assert targets.direction("lab", "west", "east") == ("west", "east")
    assert targets.link("lab", "west-east") == ("west", "east")


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("start", "end", "said"),
    [("eats", "west", "no site eats"), ("east", "wset", "no site wset"), ("east", "legacy", "no link")],
)
def test_a_direction_that_is_none_is_refused_by_name(start: str, end: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        targets.direction("lab", start, end)
