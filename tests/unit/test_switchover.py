from __future__ import annotations

from typing import Any

import pytest

from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import names
from mirrorforce.operations.switchover import others, plan, stages_reached
from mirrorforce.operations.switchover_ways import RefusedError, held_for


def member(host: str, role: str = "standby", sync: str | None = "quorum", **more: object) -> dict[str, Any]:
    state = "running" if role == "primary" else "streaming"
    site = host.partition("-")[0]
    return {"host": host, "site": site, "role": role, "state": state, "sync": sync, "lag_bytes": 0, **more}


def answer(host: str, *hosts: str, error: str | None = None) -> dict[str, Any]:
    addresses = [f"198.18.0.{number}" for number, _ in enumerate(hosts)]
    return {"host": host, "hosts": list(hosts), "addresses": addresses, "ttl": 1, "error": error}


def cell(*members: dict[str, Any], primary: str | None = "east-na1") -> dict[str, Any]:
    place = None if primary is None else {"host": primary, "site": primary.partition("-")[0]}
    servers = [answer("east-control", "east-na1"), answer("west-control", "east-na1")]
    usual = [member("east-na1", "primary", None), member("west-na1"), member("legacy-na1")]
    return {
        "name": "na1", "primary": place, "synchronous_copies": 1, "members": list(members) or usual,
        "dns": {"name": "na1.lab.test", "servers": servers, "resolvers": []},
        "dns_read_only": {"name": "na1-ro.lab.test", "servers": [], "resolvers": []},
    }  # fmt: skip


def test_the_healthy_standby_of_the_wanted_site_is_to_lead() -> None:
    assert plan(cell(), "west").new == "west-na1"


def test_a_primary_that_is_at_home_stays() -> None:
    assert plan(cell(), "east").new is None


def test_of_two_standbys_in_a_site_the_one_that_is_less_behind_is_to_lead() -> None:
    members = [member("east-na1", "primary", None), member("west-na1", lag_bytes=9), member("west-na1-2")]
    assert plan(cell(*members), "west").new == "west-na1-2"


def test_the_standbys_that_change_sides_are_all_but_the_one_that_is_to_lead() -> None:
    assert others(cell(), "east-na1", "west-na1") == ["legacy-na1"]


def test_a_standby_that_does_not_stream_is_not_asked_for_anything() -> None:
    members = [
        member("east-na1", "primary", None),
        member("west-na1"),
        member("legacy-na1", state="no answer"),
    ]
    assert others(cell(*members), "east-na1", "west-na1") == []


@pytest.mark.parametrize(
    "unfit",
    [
        {"state": "in archive recovery"},
        {"sync": "async"},
        {"sync": None},
        {"state": "no answer", "role": "unknown"},
    ],
)
def test_an_unfit_standby_is_refused_with_what_is_wrong(unfit: dict[str, Any]) -> None:
    members = [member("east-na1", "primary", None), {**member("west-na1"), **unfit}]
    with pytest.raises(MirrorforceError, match="west-na1 is") as refused:
        plan(cell(*members), "west")
    assert "mirrorforce converge --limit west-na1" in refused.value.next_step


def test_an_asynchronous_cell_hands_over_to_any_standby_that_streams() -> None:
    members = [member("east-na1", "primary", None), member("west-na1", sync="async")]
    assert plan({**cell(*members), "synchronous_copies": 0}, "west").new == "west-na1"
    with pytest.raises(MirrorforceError, match="is a healthy synchronous standby"):
        plan(cell(*members), "west")


def test_without_a_primary_there_is_nothing_to_switch_over_from() -> None:
    with pytest.raises(MirrorforceError, match="no primary"):
        plan(cell(primary=None), "west")


def test_stages_are_reached_one_by_one() -> None:
    west = member("west-na1", "primary", None)
    alone = cell(west, member("east-na1", state="stopped", sync=None), primary="west-na1")
    assert stages_reached(alone, "west-na1") == []
    streaming = cell(
        west, member("east-na1", state="starting", sync=None), member("legacy-na1"), primary="west-na1"
    )
    assert stages_reached(streaming, "west-na1") == ["writable"]
    streaming["dns"]["servers"] = [answer("east-control", "west-na1"), answer("west-control", "west-na1")]
    assert stages_reached(streaming, "west-na1") == ["writable", "followed"]
    streaming["members"][1] = member("east-na1")
    assert stages_reached(streaming, "west-na1") == ["writable", "followed", "whole"]


def test_it_is_whole_once_resolvers_too_answer_right_by_both_names() -> None:
    moved = cell(member("west-na1", "primary", None), member("east-na1"), primary="west-na1")
    moved["dns"]["servers"] = [answer("east-control", "west-na1")]
    moved["dns_read_only"]["servers"] = [answer("east-control", "west-na1")]
    assert stages_reached(moved, "west-na1") == ["writable", "followed"]
    moved["dns_read_only"]["servers"] = [answer("east-control", "east-na1")]
    moved["dns_read_only"]["resolvers"] = [answer("dev-app", "west-na1")]
    assert stages_reached(moved, "west-na1") == ["writable", "followed"]
    moved["dns_read_only"]["resolvers"] = [answer("dev-app", "east-na1")]
    assert stages_reached(moved, "west-na1") == ["writable", "followed", "whole"]


def test_a_dead_resolver_keeps_no_switchover_waiting() -> None:
    moved = cell(member("west-na1", "primary", None), member("east-na1"), primary="west-na1")
    moved["dns"]["servers"] = [answer("east-control", "west-na1")]
    moved["dns"]["resolvers"] = [answer("dev-app", error="timed out")]
    assert stages_reached(moved, "west-na1") == ["writable", "followed", "whole"]


def test_one_dns_server_that_does_not_follow_holds_the_stage_back() -> None:
    moved = cell(member("west-na1", "primary", None), member("east-na1"), primary="west-na1")
    moved["dns"]["servers"] = [answer("east-control", "west-na1"), answer("west-control", "east-na1")]
    assert "followed" not in stages_reached(moved, "west-na1")


def test_a_wrong_name_gets_the_nearest_right_one() -> None:
    with pytest.raises(BadInputError, match="there is no site 'eastt'") as refused:
        names.known("site", "eastt", ["east", "west"])
    assert refused.value.next_step == "did you mean 'east'?"


def test_the_primarys_host_says_for_how_long_clients_waited() -> None:
    assert held_for('{"handed_over": 0.812, "stopped": 1.1}', "") == 0.812


@pytest.mark.parametrize(
    ("answer", "otherwise", "why"),
    [
        ('{"refused": "maintenance is on"}', "", "maintenance is on"),
        ("", "Failed to start transient service unit.\nIt exists already.", "It exists already."),
        ("", "", "no answer"),
        ("[]", "", "no answer"),
    ],
)
def test_or_why_it_was_not_done(answer: str, otherwise: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        held_for(answer, otherwise)
