from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost.etcd_leader_mover import better_leaders, ordered_leaders, ordered_site
from mirrorforce.onhost.watcher_config import Voter

if TYPE_CHECKING:
    from pathlib import Path

EAST = Voter("https://198.18.1.10:2379", "east", {"east": 0, "west": 70, "legacy": 66})
WEST = Voter("https://198.18.2.10:2379", "west", {"east": 70, "west": 0, "legacy": 16})
LEGACY = Voter("https://198.18.3.10:2379", "legacy", {"east": 66, "west": 16, "legacy": 0})
VOTERS = {voter.site: voter for voter in (EAST, WEST, LEGACY)}


def test_the_leader_goes_to_the_site_without_a_primary() -> None:
    assert better_leaders(EAST, [WEST, LEGACY], ["east", "west"]) == (LEGACY,)


def test_of_two_free_sites_the_nearer_one_to_the_primaries_is_first() -> None:
    assert better_leaders(EAST, [WEST, LEGACY], ["east"]) == (LEGACY, WEST)


def test_a_leader_at_a_free_site_stays() -> None:
    assert better_leaders(LEGACY, [EAST, WEST], ["east", "west"]) == ()


def test_without_primaries_nothing_moves() -> None:
    assert better_leaders(EAST, [WEST, LEGACY], []) == ()


def test_where_every_site_has_one_primary_nothing_moves() -> None:
    assert better_leaders(EAST, [WEST, LEGACY], ["east", "west", "legacy"]) == ()


@given(st.lists(st.sampled_from(sorted(VOTERS)), max_size=8), st.sampled_from(sorted(VOTERS)))
def test_one_move_is_always_enough(primaries: list[str], start: str) -> None:
    own = VOTERS[start]
    best = better_leaders(own, [one for one in VOTERS.values() if one != own], primaries)
    if best:
        moved = best[0]
        assert primaries.count(moved.site) < primaries.count(own.site)
        assert better_leaders(moved, [one for one in VOTERS.values() if one != moved], primaries) == ()


def test_an_order_brings_the_leadership_to_its_site_and_keeps_it_there() -> None:
    assert ordered_leaders(LEGACY, [EAST, WEST], "east") == (EAST,)
    assert ordered_leaders(EAST, [WEST, LEGACY], "east") == ()
    assert ordered_leaders(EAST, [WEST, LEGACY], "nowhere") == ()


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ('{"site": "east", "until": 100.5}', "east"),
        ('{"site": "east", "until": 99.0}', None),
        ('{"site": "east"}', None),
        ("[]", None),
        ("half a fi", None),
        (None, None),
    ],
)
def test_an_order_holds_until_its_end(text: str | None, site: str | None, tmp_path: Path) -> None:
    order = tmp_path / "order.json"
    if text is not None:
        order.write_text(text)
    assert ordered_site(order, 100.0) == site
