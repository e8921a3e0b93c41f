"""When a cell may go on from one site, a site be taken back, a member be copied anew; and what is said."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_file
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import loss, recover, reinit, take_back
from mirrorforce.operations.loss import LastWords, Position
from mirrorforce.operations.recover import Plan
from mirrorforce.workspace import ROOT

ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
NA1 = ESTATE.cell("na1")
SITES = ("east", "west", "legacy")
AT = 0x5_0000_1000


def report(
    *,
    answering: tuple[str, ...] = SITES,
    voting: tuple[str, ...] = SITES,
    primary: str | None = "east",
    streaming: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """A status report: who answers, whose voters are healthy, where na1 is led, who streams from there."""
    if streaming is None:
        streaming = tuple(site for site in answering if site != primary) if primary else ()
    return {
        "environment": "lab",
        "sites": [
            {
                "name": site,
                "hosts": [
                    {"name": f"{site}-{kind}", "answers": site in answering} for kind in ("control", "na1")
                ],
            }
            for site in SITES
        ],
        "etcd": {
            "leader": {"host": f"{voting[-1]}-control", "site": voting[-1]} if voting else None,
            "members": [
                {
                    "host": f"{site}-control",
                    "site": site,
                    "healthy": site in voting,
                    "cluster": "613" if site in voting else None,
                    "reason": None if site in voting else "RAFT NO LEADER",
                }
                for site in SITES
            ],
        },
        "cells": [
            {
                "name": "na1",
                "primary": {"host": f"{primary}-na1", "site": primary} if primary else None,
                "claims": [f"{primary}-na1"] if primary else [],
                "members": [member(site, answering, primary, streaming) for site in SITES],
            }
        ],
    }


def member(
    site: str, answering: tuple[str, ...], primary: str | None, streaming: tuple[str, ...]
) -> dict[str, Any]:
    role = "unknown" if site not in answering else "primary" if site == primary else "standby"
    streams = site in streaming
    return {
        "host": f"{site}-na1",
        "site": site,
        "role": role,
        "state": "streaming" if streams else "running" if site == primary else "no answer",
        "sync": "quorum" if streams else None,
        "reason": None if site in answering else "no answer within 6 s",
    }


def plan(found: dict[str, Any], *answering: str, site: str = "legacy") -> Plan:
    return recover.plan(ESTATE, NA1, site, found, [f"{each}-control" for each in answering])


TWO_LOST = report(answering=("legacy",), voting=(), primary=None)


def test_with_two_of_three_sites_lost_etcd_is_rebuilt_and_the_cell_goes_on_alone() -> None:
    found = plan(TWO_LOST, "legacy")
    assert found == Plan(
        "na1", "legacy", "legacy-control", ("east", "west"), rebuild=True, leads="", alone=True
    )
    assert not found.done


def test_a_recovery_that_was_killed_goes_on_from_what_is_there() -> None:
    etcd_runs = report(answering=("legacy",), voting=("legacy",), primary=None)
    assert plan(etcd_runs, "legacy").rebuild is False
    leads = report(answering=("legacy",), voting=("legacy",), primary="legacy", streaming=())
    assert (plan(leads, "legacy").leads, plan(leads, "legacy").alone) == ("legacy-na1", True)


def test_a_cell_that_was_recovered_and_has_a_standby_again_is_left_as_it_is() -> None:
    back = report(answering=("legacy", "east"), voting=("legacy", "east"), primary="legacy")
    assert plan(back, "legacy", "east").done


@pytest.mark.parametrize("voting", [(), ("legacy", "west")])
def test_it_refuses_while_a_majority_answers_and_names_it(voting: tuple[str, ...]) -> None:
    found = report(answering=("legacy", "west"), voting=voting, primary=None)
    with pytest.raises(MirrorforceError, match=r"2 of 3 voters answer \(legacy-control, west-control\)"):
        plan(found, "legacy", "west")


def test_a_cell_that_is_led_from_elsewhere_is_not_recovered() -> None:
    with pytest.raises(MirrorforceError, match="na1 has a primary, west-na1"):
        plan(report(primary="west"), *SITES)


def test_a_claim_of_old_counts_for_nothing_while_etcd_has_no_majority() -> None:
    claims = report(answering=("legacy",), voting=(), primary="legacy", streaming=())
    assert plan(claims, "legacy").leads == ""


def test_there_is_nothing_to_go_on_from_where_the_voter_has_no_data() -> None:
    with pytest.raises(MirrorforceError, match="voter in legacy") as caught:
        plan(TWO_LOST, "west")
    assert caught.value.next_step == "mirrorforce recover na1 --from west"


@pytest.mark.parametrize(("site", "said"), [("dev", "cannot go on from dev"), ("lagacy", "no site 'lagacy'")])
def test_a_site_that_cannot_carry_the_cell_is_bad_input(site: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        plan(TWO_LOST, "legacy", site=site)


def position(site: str, reached: int = AT, timeline: int = 3) -> Position:
    return Position(f"{site}-na1", site, reached, reached - 16, "2026-01-02 03:04:05 UTC", timeline)


def stated(words: LastWords, *positions: Position) -> str:
    return "\n".join(loss.statement("na1", words, positions, "legacy", ("east", "west")))


ONE_COPY = LastWords("east-na1", AT + 4096, ("legacy-na1", "west-na1"), unconfirmed=1)


def test_the_statement_has_the_last_known_positions() -> None:
    said = stated(ONE_COPY, position("legacy"))
    assert "received up to 5/1000, replayed up to 5/FF0, timeline 3" in said
    assert "2026-01-02 03:04:05 UTC" in said
    assert "the primary, east-na1: 5/2000; 4096 bytes of WAL are known to be missing" in said
    assert "may be on east-na1 and west-na1 alone" in said
    assert "synchronous_mode_strict off" in said
    assert "east, west: given up" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (LastWords("east-na1", AT, ("legacy-na1", "west-na1"), 0), "every commit waited for legacy-na1"),
        (LastWords("legacy-na1", AT, ("west-na1",), 0), "it led itself"),
        (LastWords("east-na1", AT, ("west-na1",), 0), "may be on east-na1 and west-na1 alone"),
        (LastWords(), "any acknowledged row may be lost"),
    ],
)
def test_what_may_be_lost_follows_from_whom_commits_waited_for(words: LastWords, said: str) -> None:
    assert said in stated(words, position("legacy"))


def test_a_member_elsewhere_that_holds_more_is_named() -> None:
    said = stated(ONE_COPY, position("legacy"), position("west", AT + 8))
    assert "west-na1 answers too and has received more" in said
    assert "--from west" in said
    assert "answers too" not in stated(ONE_COPY, position("legacy"), position("west", AT - 8))


def test_a_later_timeline_counts_for_more_than_a_later_position() -> None:
    assert loss.best([position("east", AT + 100, 2), position("west", AT, 3)]).host == "west-na1"


def printed(keys: dict[str, str]) -> dict[str, Any]:
    return {
        "kvs": [
            {
                "key": base64.b64encode(key.encode()).decode(),
                "value": base64.b64encode(value.encode()).decode(),
            }
            for key, value in keys.items()
        ]
    }


def test_the_last_words_are_read_from_patronis_keys() -> None:
    keys = {
        "/service/na1/leader": "east-na1",
        "/service/na1/status": json.dumps({"optime": AT}),
        "/service/na1/sync": json.dumps(
            {"leader": "east-na1", "quorum": 1, "sync_standby": "legacy-na1,west-na1"}
        ),
    }
    assert loss.last_words(printed(keys), "na1") == LastWords("east-na1", AT, ("legacy-na1", "west-na1"), 1)
    assert loss.last_words({}, "na1") == LastWords()
    assert loss.last_words(printed({"/service/na1/sync": "garbage"}), "na1") == LastWords()


@given(st.integers(0, 2**63 - 1))
def test_a_position_is_written_as_postgresql_writes_it(value: int) -> None:
    high, low = loss.lsn(value).split("/")
    assert (int(high, 16) << 32) + int(low, 16) == value


def test_of_a_site_that_comes_back_all_that_has_not_joined_is_erased() -> None:
    found = report(voting=("legacy",), primary="legacy", streaming=("west",))
    assert take_back.to_erase(found, "east") == ("east-control", "east-na1")
    assert take_back.to_erase(found, "west") == ("west-control",)
    assert take_back.to_erase(report(primary="legacy"), "west") == ()


def test_a_voter_that_serves_the_cluster_of_old_has_not_joined() -> None:
    found = report(primary="legacy")
    found["etcd"]["members"][0]["cluster"] = "old"
    assert take_back.to_erase(found, "east") == ("east-control",)
    with pytest.raises(MirrorforceError, match=r"two clusters of etcd .*: east-control and legacy-control"):
        take_back.to_erase(found, "west")


def test_nothing_is_erased_of_a_site_that_serves() -> None:
    with pytest.raises(BadInputError, match="legacy serves na1"):
        take_back.to_erase(report(primary="legacy"), "legacy")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (report(voting=(), primary="legacy"), "etcd has no majority"),
        (report(voting=("east",), primary="legacy"), "etcd has no majority"),
        (report(voting=("legacy",), primary=None), "na1 has no primary"),
    ],
)
def test_a_site_is_taken_back_only_by_an_estate_that_runs_without_it(
    found: dict[str, Any], said: str
) -> None:
    with pytest.raises(MirrorforceError, match=said):
        take_back.to_erase(found, "east")


def test_a_site_has_joined_when_it_votes_streams_and_somebody_confirms() -> None:
    assert take_back.not_joined(report(primary="legacy"), "east") == []
    half = report(voting=("legacy",), primary="legacy", streaming=())
    assert take_back.not_joined(half, "east") == [
        "etcd on east-control is not healthy: RAFT NO LEADER",
        "east-na1 is no answer, not streaming",
        "no standby of na1 confirms commits yet",
    ]


def test_a_standby_is_copied_from_the_primary() -> None:
    assert reinit.plan(report(), "na1", "west-na1") == reinit.Copy("west-na1", "na1", "east-na1")


def test_a_standby_that_lacks_wal_is_copied_while_another_confirms() -> None:
    assert reinit.plan(report(streaming=("legacy",)), "na1", "west-na1").member == "west-na1"


@pytest.mark.parametrize(
    ("found", "member", "said"),
    [
        (report(), "east-na1", "leads na1: a primary is not copied anew"),
        (report(primary=None), "west-na1", "no primary"),
        (report(answering=("east", "legacy")), "west-na1", "does not answer"),
        (report(streaming=("west",)), "west-na1", "only standby that confirms"),
    ],
)
def test_a_copy_that_would_cost_more_than_it_gives_is_refused(
    found: dict[str, Any], member: str, said: str
) -> None:
    with pytest.raises(MirrorforceError, match=said):
        reinit.plan(found, "na1", member)
