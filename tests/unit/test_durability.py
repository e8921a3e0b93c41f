from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import durability
from mirrorforce.durability import Guarantee, Statement, guarantee
from tests.estates import cell, estate, site

DOMAINS = st.sampled_from("abcd")


def worst_case(primary: str, standbys: list[str], copies: int) -> Guarantee:
    """The promise by trying each set of standbys that may acknowledge."""
    if not standbys:
        return Guarantee(0, 0)
    acknowledging = max(1, min(copies, len(standbys)))
    sets = combinations(standbys, acknowledging)
    return Guarantee(acknowledging, min(len({primary, *chosen}) for chosen in sets))


@given(DOMAINS, st.lists(DOMAINS, max_size=8), st.integers(1, 9))
def test_the_promise_is_what_the_worst_set_of_acknowledging_standbys_gives(
    primary: str, standbys: list[str], copies: int
) -> None:
    assert guarantee(primary, standbys, copies) == worst_case(primary, standbys, copies)


@given(DOMAINS, st.lists(DOMAINS, min_size=1, max_size=8), st.integers(1, 8))
def test_one_more_copy_never_promises_less(primary: str, standbys: list[str], copies: int) -> None:
    fewer, more = guarantee(primary, standbys, copies), guarantee(primary, standbys, copies + 1)
    assert more.failure_domains >= fewer.failure_domains


three_sites = (site("east", 1, "virginia"), site("west", 2, "oregon"), site("legacy", 3, "california"))
bay = (site("east", 1, "virginia"), site("west", 2, "oregon"), site("legacy", 3, "oregon"))


def told(*sites: object, members: dict[str, int], copies: int) -> dict[tuple[str, str | None], Statement]:
    one = estate(*sites, cells=(cell("na1", members, copies=copies),))  # type: ignore[arg-type]
    return {(each.primary, each.lost): each for each in durability.statements(one)}


def test_each_member_may_lead_at_full_strength_and_with_each_other_member_lost() -> None:
    statements = told(*three_sites, members={"east": 1, "west": 1, "legacy": 1}, copies=1)
    hosts = ["east-na1", "west-na1", "legacy-na1"]
    expected = {(one, lost) for one in hosts for lost in (None, *hosts) if one != lost}
    assert set(statements) == expected
    assert all(each.failure_domains == 2 and each.survives for each in statements.values())


def test_a_standby_in_the_primarys_own_failure_domain_may_be_the_only_copy() -> None:
    statements = told(*bay, members={"east": 1, "west": 1, "legacy": 1}, copies=1)
    assert statements["east-na1", None].failure_domains == 2
    alone = statements["west-na1", None]
    assert (alone.failure_domains, alone.holds, alone.survives) == (1, False, False)
    assert "nobody takes over by itself" in alone.loss
    assert "rows may be in oregon alone" in alone.loss


def test_a_second_copy_helps_until_patroni_lowers_their_number_to_the_standbys_left() -> None:
    statements = told(*bay, members={"east": 1, "west": 1, "legacy": 1}, copies=2)
    assert statements["west-na1", None].failure_domains == 2
    assert statements["west-na1", "east-na1"].copies == 1
    assert statements["west-na1", "east-na1"].failure_domains == 1


def test_without_a_standby_writes_stop() -> None:
    stopped = told(*three_sites, members={"east": 1, "west": 1}, copies=1)["east-na1", "west-na1"]
    assert (stopped.copies, stopped.acknowledges, stopped.survives) == (0, False, False)
    assert "writes stop" in stopped.promise


def test_after_a_takeover_without_a_second_standby_writes_wait() -> None:
    statements = told(*three_sites, members={"east": 1, "west": 1, "legacy": 1}, copies=1)
    assert statements["east-na1", None].loss.endswith("writes go on")
    assert statements["east-na1", "west-na1"].loss.endswith("writes wait until a second member is back")


def test_where_the_etcd_majority_falls_with_the_primary_nobody_takes_over() -> None:
    statements = told(*bay, members={"east": 2, "west": 1}, copies=2)
    lost = statements["west-na1", None]
    assert lost.failure_domains == 2
    assert not lost.survives
    assert "etcd majority" in lost.loss


@given(
    st.lists(DOMAINS, min_size=3, max_size=5),
    st.lists(st.integers(0, 3), min_size=5, max_size=5),
    st.integers(1, 4),
)
def test_takeover_is_promised_exactly_where_every_row_is_outside_and_etcd_lives(
    domains: list[str], counts: list[int], copies: int
) -> None:
    sites = [site(f"s{number}", number, domain) for number, domain in enumerate(domains)]
    members = {each.name: count for each, count in zip(sites, counts, strict=False) if count}
    if not members:
        return
    domain_of = {each.name: each.failure_domain for each in sites}
    for each in told(*sites, members=members, copies=copies).values():
        home = domain_of[each.primary.split("-")[0]]
        outside = [domain for domain in domains if domain != home]
        etcd_lives = 2 * len(outside) > len(domains)
        assert each.survives == (each.failure_domains >= 2 and etcd_lives)


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_majority_is_more_than_half(voters: int, needed: int) -> None:
    assert durability.majority(voters) == needed
