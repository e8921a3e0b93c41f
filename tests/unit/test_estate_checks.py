from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mirrorforce.faults import FileFaultsError, shown
from tests.estate_files import drop, faults, faults_of_text, lab, load_document, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_estate_is_named_as_its_file(tmp_path: Path) -> None:
    assert faults(tmp_path, put("estate", value="other"))["estate"].allowed == "lab, as the file is named"


@pytest.mark.parametrize(
    ("path", "value", "meant"),
    [
        (("links", 0, "between", 1), "wst", "west"),
        (("cells", "na1", "preferred_site"), "eats", "east"),
        (("tenants", "retail", "cell"), "na", "na1"),
        (("tenants", "retail", "cell"), "zzz", ""),
    ],
)
def test_a_name_that_does_not_exist_gets_the_nearest_that_does(
    tmp_path: Path, path: tuple[str | int, ...], value: str, meant: str
) -> None:
    fault = faults(tmp_path, put(*path, value=value))[shown(path)]
    assert "which this file does not have" in fault.found
    assert fault.meant == meant


def test_an_unknown_site_among_the_members_is_told_also_beside_other_faults_of_the_cell(
    tmp_path: Path,
) -> None:
    found = faults(
        tmp_path,
        put("cells", "na1", "members", value={"eats": 1, "west": 1}),
        put("cells", "na1", "synchronous_copies", value="one"),
    )
    assert {"cells.na1.members.eats", "cells.na1.synchronous_copies"} <= set(found)


@pytest.mark.parametrize("name", ["east", "control", "app", "interconnect", "na1-ro"])
def test_a_cell_takes_no_name_that_something_else_has(tmp_path: Path, name: str) -> None:
    found = faults(
        tmp_path,
        put("cells", name, value=lab()["cells"]["na1"]),
        put("sites", "dev", "mirrored", value=False),
    )
    assert "which is taken by" in found[f"cells.{name}"].found


def test_host_names_that_collide_are_told_at_the_second_cell(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        put("cells", "na1", "members", "east", value=2),
        put("cells", "na1-2", value=lab()["cells"]["na1"]),
    )
    assert "east-na1-2" in found["cells.na1-2"].found


def test_a_name_taken_twice_over_is_told_once(tmp_path: Path) -> None:
    document = lab()
    document["cells"]["na1"]["members"] |= {"east": 2, "west": 2}
    document["cells"]["na1-2"] = lab()["cells"]["na1"]
    with pytest.raises(FileFaultsError) as caught:
        load_document(tmp_path, document)
    assert [fault.path for fault in caught.value.faults if "taken by" in fault.found] == [("cells", "na1-2")]


def test_two_cells_do_not_share_a_slot(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("cells", "na1", "slot", value=1))["cells.na2.slot"]
    assert "the slot of the cell na1" in fault.found
    assert fault.allowed.endswith("for example 0")


@pytest.mark.parametrize(
    ("cidr", "found"),
    [
        ("198.18.1.7/24", "an address inside"),
        ("198.18.999.0/24", "no IPv4 network"),
        ("198.18.1.0/33", "no IPv4 network"),
        ("fd00::/64", 'text "fd00::/64"'),
        ("198.18.2.0/25", "overlaps"),
        ("198.18.0.0/16", "overlaps"),
        ("10.0.0.0/24", "outside the lab's range"),
        ("198.19.255.0/25", "kept for the lab's links"),
        ("198.18.9.0/28", "too small for east-na2, at offset 24"),
        ("198.18.9.0/32", "too small"),
    ],
)
def test_a_network_that_cannot_be_is_refused(tmp_path: Path, cidr: str, found: str) -> None:
    told = faults(tmp_path, put("sites", "east", "cidr", value=cidr))
    assert any(found in fault.found for path, fault in told.items() if path.endswith(".cidr"))


def test_a_network_just_large_enough_is_taken(tmp_path: Path) -> None:
    document = lab()
    document["sites"]["east"]["cidr"] = "198.18.9.0/27"
    assert load_document(tmp_path, document)
    assert (
        "/27 or larger"
        in faults(tmp_path, put("sites", "east", "cidr", value="198.18.9.0/28"))["sites.east.cidr"].allowed
    )


def test_no_host_gets_the_broadcast_address(tmp_path: Path) -> None:
    # Slot 2 ends at offset 31, the last address of a /27.
    found = faults(
        tmp_path,
        put("sites", "east", "cidr", value="198.18.9.0/27"),
        put("cells", "na1", "slot", value=2),
        put("cells", "na1", "members", "east", value=4),
        put("cells", "na1", "synchronous_copies", value=4),
    )
    assert "too small for east-na1-4, at offset 31" in found["sites.east.cidr"].found


def test_off_the_lab_any_network_will_do(tmp_path: Path) -> None:
    document = lab()
    for number, site in enumerate(document["sites"].values()):
        site |= {"platform": "static", "cidr": f"10.0.{number}.0/24"}
    found = faults_of_text(tmp_path, yaml.safe_dump(document, sort_keys=False))
    assert set(found) == {f"sites.{name}.static" for name in document["sites"]}


def test_the_lab_is_not_linked_with_other_platforms(tmp_path: Path) -> None:
    assert (
        "no packet leaves"
        in faults(tmp_path, put("sites", "dev", "platform", value="aws"))["sites.dev.platform"].allowed
    )


def test_a_missing_link_is_told_with_the_line_to_add(tmp_path: Path) -> None:
    fault = faults(tmp_path, drop("links", 1))["links"]
    assert fault.found == "no link between east and legacy"
    assert "- {between: [east, legacy], round_trip_ms: …}" in fault.allowed


def test_a_second_link_of_a_pair_is_told_in_either_order(tmp_path: Path) -> None:
    again = {"between": ["west", "east"], "round_trip_ms": 1}
    fault = faults(tmp_path, lambda document: document["links"].append(again))["links[6].between"]
    assert "links[0] is their link" in fault.found


@pytest.mark.parametrize(
    ("gone", "found"), [((), "4 mirrored sites"), (("legacy", "dev"), "2 mirrored sites")]
)
def test_voters_are_three_or_more_and_odd(tmp_path: Path, gone: tuple[str, ...], found: str) -> None:
    changes = [
        put("sites", "dev", "mirrored", value=True),
        *(put("sites", name, "mirrored", value=False) for name in gone),
    ]
    assert found in faults(tmp_path, *changes)["sites"].found


def test_a_majority_of_voters_in_one_failure_domain_is_refused(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("sites", "legacy", "failure_domain", value="oregon"))["sites"]
    assert "2 of 3 etcd voters in the failure domain oregon (west and legacy)" in fault.found
    assert "- {risk: voter-majority-in-one-failure-domain, reason: …}" in fault.allowed


def test_members_that_share_the_primarys_failure_domain_are_refused_whatever_the_copies(
    tmp_path: Path,
) -> None:
    for copies in (1, 2):
        found = faults(
            tmp_path,
            put("sites", "legacy", "failure_domain", value="oregon"),
            put("cells", "na1", "synchronous_copies", value=copies),
        )
        assert "leads" in found["cells.na1.durable_failure_domains"].found
        assert (
            "risk: durability-below-declared, cell: na1" in found["cells.na1.durable_failure_domains"].allowed
        )


REASON = "the bay area is one contract"


def accept(*risks: tuple[str, str]) -> Callable[[dict[str, Any]], None]:
    entries = [{"risk": risk, "reason": REASON} | ({"cell": cell} if cell else {}) for risk, cell in risks]
    return put("accepted_risks", value=entries)


def test_risks_accepted_by_name_are_taken(tmp_path: Path) -> None:
    document = lab()
    document["sites"]["legacy"]["failure_domain"] = "oregon"
    accept(
        ("voter-majority-in-one-failure-domain", ""),
        ("durability-below-declared", "na1"),
        ("durability-below-declared", "na2"),
    )(document)
    estate = load_document(tmp_path, document)
    assert [(risk.risk, risk.subject) for risk in estate.accepted_risks][1:] == [
        ("durability-below-declared", "na1"),
        ("durability-below-declared", "na2"),
    ]


def test_a_risk_accepted_for_one_cell_is_not_accepted_for_another(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        put("sites", "legacy", "failure_domain", value="oregon"),
        accept(("voter-majority-in-one-failure-domain", ""), ("durability-below-declared", "na1")),
    )
    assert set(found) == {"cells.na2.durable_failure_domains"}


def test_an_accepted_risk_that_does_not_occur_is_a_fault(tmp_path: Path) -> None:
    vain = accept(("voter-majority-in-one-failure-domain", ""), ("durability-below-declared", "na1"))
    assert set(faults(tmp_path, vain)) == {"accepted_risks[0]", "accepted_risks[1]"}


def test_an_accepted_risk_stands_once(tmp_path: Path) -> None:
    twice = accept(*[("writes-stop-with-one-member-lost", "na1")] * 2)
    found = faults(tmp_path, put("cells", "na1", "members", value={"east": 1, "west": 1}), twice)
    assert set(found) == {"accepted_risks[1]"}


def test_a_risk_needs_its_cell_and_a_reason_and_the_other_has_no_cell(tmp_path: Path) -> None:
    entries = [
        {"risk": "durability-below-declared", "reason": "short"},
        {"risk": "voter-majority-in-one-failure-domain", "cell": "na1", "reason": REASON},
        {"risk": "voter-majority-in-one-failure-domain"},
    ]
    assert set(faults(tmp_path, put("accepted_risks", value=entries))) == {
        "accepted_risks[0].cell",
        "accepted_risks[0].reason",
        "accepted_risks[1].cell",
        "accepted_risks[2].reason",
    }


def test_two_members_are_refused_since_writes_stop_with_one_lost(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("cells", "na1", "members", value={"east": 1, "west": 1}))[
        "cells.na1.members"
    ]
    assert "the other acknowledges no write" in fault.found
    assert "risk: writes-stop-with-one-member-lost, cell: na1" in fault.allowed


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"members": {"east": 1}}, "members"),
        ({"members": {"east": 1, "west": 1, "legacy": 1, "dev": 1}}, "members.dev"),
        ({"synchronous_copies": 3}, "synchronous_copies"),
        ({"durable_failure_domains": 3}, "durable_failure_domains"),
        ({"durable_failure_domains": 3, "synchronous_copies": 2}, "durable_failure_domains"),
        ({"members": {"east": 3}}, "durable_failure_domains"),
    ],
)
def test_what_a_cell_cannot_hold_is_refused(tmp_path: Path, changes: dict[str, object], path: str) -> None:
    found = faults(tmp_path, *(put("cells", "na1", key, value=value) for key, value in changes.items()))
    assert set(found) == {f"cells.na1.{path}"}


def test_the_preferred_site_has_a_member(tmp_path: Path) -> None:
    found = faults(tmp_path, put("cells", "na1", "members", value={"west": 1, "legacy": 1}))
    assert found["cells.na1.preferred_site"].allowed == "a site of its members: west, legacy"


@pytest.mark.parametrize(
    ("overrides", "path", "found"),
    [
        ({"ttl": 19}, "timings.ttl", "19"),
        ({"loop_wait": 0}, "timings.loop_wait", "0"),
        ({"retry_timeout": 2}, "timings.retry_timeout", "2"),
        ({"retry_timeout": 10}, "timings", "more than ttl 20"),
        ({"loop_wait": 15}, "timings", "more than ttl 20"),
    ],
)
def test_timings_that_patroni_would_change_are_refused(
    tmp_path: Path, overrides: dict[str, int], path: str, found: str
) -> None:
    assert found in faults(tmp_path, put("timings", value=overrides))[path].found


def test_a_preset_too_short_for_the_round_trips_names_those_that_fit(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("links", 0, "round_trip_ms", value=150))["preset"]
    assert "too short for 150 ms between voters" in fault.found
    assert fault.allowed.startswith("preset default or wide, or timings with retry_timeout 6 or more")


def test_an_override_too_short_for_the_round_trips_is_told_at_the_override(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        put("links", 0, "round_trip_ms", value=150),
        put("preset", value="wide"),
        put("timings", value={"retry_timeout": 3}),
    )
    assert set(found) == {"timings.retry_timeout"}


def test_a_far_application_site_does_not_slow_the_voters(tmp_path: Path) -> None:
    document = lab()
    document["links"][3]["round_trip_ms"] = 900
    assert load_document(tmp_path, document)
