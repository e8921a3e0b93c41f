from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mirrorforce import estate_file, estate_schema
from mirrorforce.errors import BadInputError, ExitCode
from mirrorforce.faults import Fault, FileFaultsError, shown
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.estate import Estate

LAB = ROOT / "stacks/lab.yaml"
REFERENCE = ROOT / "docs/reference/estate-file.md"

Change = "Callable[[dict[str, Any]], object]"


def load_text(folder: Path, text: str) -> Estate:
    path = folder / "lab.yaml"
    path.write_text(text)
    return estate_file.load(path)


def faults_of_text(folder: Path, text: str) -> dict[str, Fault]:
    with pytest.raises(FileFaultsError) as caught:
        load_text(folder, text)
    return {shown(fault.path): fault for fault in caught.value.faults}


def lab() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(LAB.read_text())
    return document


def faults(folder: Path, *changes: Callable[[dict[str, Any]], object]) -> dict[str, Fault]:
    """The faults of the lab's file after these changes, by path."""
    document = lab()
    for change in changes:
        change(document)
    return faults_of_text(folder, yaml.safe_dump(document, sort_keys=False))


def put(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:  # noqa: ANN401
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = copy.deepcopy(value)

    return change


def drop(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:  # noqa: ANN401
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


def test_the_lab_is_sound() -> None:
    estate = estate_file.load(LAB)
    assert (estate.name, estate.domain, estate.preset) == ("lab", "lab.test", "fast")
    assert [site.name for site in estate.mirrored_sites] == ["east", "west", "legacy"]
    assert estate.cell("na2").preferred_site == "west"
    assert estate.round_trip_ms("legacy", "east") == 66


def test_the_example_of_the_reference_is_sound_and_shows_the_defaults(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    path = tmp_path / "tiny.yaml"
    path.write_text(example)
    estate = estate_file.load(path)
    cell = estate.cell("na1")
    assert (estate.preset, estate.timing_overrides, estate.tenants) == ("default", {}, ())
    assert all(site.mirrored and site.application_hosts == 0 for site in estate.sites)
    assert (cell.synchronous_copies, cell.durable_failure_domains, cell.database, cell.slot) == (1, 2, "app", 0)
    assert [(each.name, each.mount, each.size_mib) for each in cell.volumes] == [
        ("data", "/srv/postgres/data", 2048),
        ("wal", "/srv/postgres/wal", 1024),
    ]


def test_the_reference_names_every_key_and_every_choice_of_the_schema() -> None:
    schema, text = estate_schema.schema(), REFERENCE.read_text()
    parts = [schema, schema["properties"]["timings"], *schema["$defs"].values()]
    parts.append(schema["$defs"]["cell"]["properties"]["volumes"])
    for part in parts:
        for key, value in part.get("properties", {}).items():
            assert f"`{key}`" in text
            assert all(f"`{choice}`" in text for choice in value.get("enum", ()))


def test_the_schema_is_a_schema_and_describes_every_key() -> None:
    schema = json.loads(estate_schema.SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)

    def describe(part: dict[str, Any], path: str) -> None:
        for key, value in part.get("properties", {}).items():
            assert value.get("description"), f"{path}.{key} has no description"
            describe(value, f"{path}.{key}")

    describe(schema, "")
    for name, definition in schema["$defs"].items():
        assert definition["description"]
        describe(definition, name)


def test_a_missing_file_names_the_environments_there_are() -> None:
    with pytest.raises(BadInputError, match="no environment 'lba'") as caught:
        estate_file.load(LAB.with_name("lba.yaml"))
    assert "nearest: lab" in caught.value.next_step


def test_stack_configs_are_no_environments(tmp_path: Path) -> None:
    for name in ("lab.yaml", "Pulumi.lab-east.yaml", "aws.yaml"):
        (tmp_path / name).touch()
    assert estate_file.environments(tmp_path) == ("aws", "lab")


def test_a_file_that_is_no_text_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="cannot be read"):
        estate_file.load(tmp_path / "lab.yaml")


# --- the text ---------------------------------------------------------------------------------------


def test_a_syntax_error_has_its_line_and_column(tmp_path: Path) -> None:
    fault = faults_of_text(tmp_path, "estate: lab\nsites: {east: [}\n")["(whole file)"]
    assert fault.line == 2
    assert "column 16" in fault.found


def test_a_key_that_stands_twice_names_both_lines(tmp_path: Path) -> None:
    fault = faults_of_text(tmp_path, LAB.read_text() + "\ndomain: other.test\n")["domain"]
    assert "first on line 4" in fault.found
    assert fault.line == len(LAB.read_text().splitlines()) + 2


@pytest.mark.parametrize("key", ["no", "on", "1", "~", "[a, b]"])
def test_a_key_that_yaml_does_not_read_as_text_is_told(tmp_path: Path, key: str) -> None:
    text = LAB.read_text().replace("  retail:", f"  ? {key}\n  :")
    assert "does not read as text" in faults_of_text(tmp_path, text)["tenants"].found


def test_aliases_are_refused(tmp_path: Path) -> None:
    text = "a: &big {}\nb: *big\nc: *big\n"
    with pytest.raises(FileFaultsError) as caught:
        load_text(tmp_path, text)
    assert [(fault.found, fault.line) for fault in caught.value.faults] == [
        ("the alias *big", 2),
        ("the alias *big", 3),
    ]


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_numbers_are_finite(tmp_path: Path, number: str) -> None:
    text = LAB.read_text().replace("round_trip_ms: 66", f"round_trip_ms: {number}")
    assert set(faults_of_text(tmp_path, text)) == {"links[1].round_trip_ms"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "42", "[]", "lab"])
def test_a_file_that_is_no_mapping_says_so(tmp_path: Path, text: str) -> None:
    assert faults_of_text(tmp_path, text)["(whole file)"].allowed == "a mapping (key: value)"


# --- the schema -------------------------------------------------------------------------------------


def test_an_unknown_key_names_the_allowed_ones_and_the_nearest(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("cells", "na1", "synchronus_copies", value=1))["cells.na1.synchronus_copies"]
    assert fault.found == "an unknown key"
    assert fault.meant == "synchronous_copies"
    assert "durable_failure_domains" in fault.allowed
    assert fault.line is not None


def test_a_misspelt_required_key_is_one_fault(tmp_path: Path) -> None:
    misspelt = put("cells", "na1", "prefered_site", value="east")
    found = faults(tmp_path, drop("cells", "na1", "preferred_site"), misspelt)
    assert {path: fault.meant for path, fault in found.items()} == {"cells.na1.prefered_site": "preferred_site"}


@pytest.mark.parametrize("key", ["estate", "domain", "sites", "links", "cells"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    assert "missing" in faults(tmp_path, drop(key))[key].found


@pytest.mark.parametrize(
    ("path", "value", "found", "allowed"),
    [
        (("preset",), "fats", 'text "fats"', "fast, default, wide"),
        (("sites", "east", "platform"), 3, "3", "lab, aws, static"),
        (("sites", "east", "mirrored"), "no", 'text "no"', "true or false"),
        (("sites", "dev", "application_hosts"), 9, "9", "8 or less"),
        (("sites", "dev", "application_hosts"), 1.0, "1.0", "a whole number"),
        (("sites", "dev", "application_hosts"), True, "true", "a whole number"),
        (("links", 0, "round_trip_ms"), -1, "-1", "0 or more"),
        (("links", 0, "round_trip_ms"), "70", 'text "70"', "a number"),
        (("links", 0, "between"), ["east"], 'a list ["east"]', "2 items"),
        (("links", 0, "between"), ["east", "east"], 'a list ["east", "east"]', "each item once"),
        (("cells", "na1", "members"), {}, "a mapping {}", "1 or more entries"),
        (("cells", "na1", "members", "east"), 0, "0", "1 or more"),
        (("cells", "na1", "volumes"), [1], "a list [1]", "a mapping (key: value)"),
        (("domain",), None, "nothing (an empty value)", "text"),
        (("domain",), 12, "12", "text; quotes make it text"),
    ],
)
def test_a_wrong_value_says_what_was_found_and_what_is_allowed(
    tmp_path: Path, path: tuple[str | int, ...], value: object, found: str, allowed: str
) -> None:
    fault = faults(tmp_path, put(*path, value=value))[shown(path)]
    assert (fault.found, fault.allowed) == (found, allowed)


@pytest.mark.parametrize("name", ["East", "e_st", "-east", "east-", "1east", "a.b", "e" * 13, "ö"])
def test_site_names_are_short_dns_labels(tmp_path: Path, name: str) -> None:
    found = faults(tmp_path, put("sites", name, value=lab()["sites"]["dev"]))
    assert "a DNS label" in found[f"sites.{name}"].allowed


@pytest.mark.parametrize("name", ["na-1", "Lab", "a" * 13, "1lab", "l.b", "lab\n"])
def test_estate_names_have_no_hyphen_and_fit_into_names_of_namespaces(tmp_path: Path, name: str) -> None:
    assert "no hyphen" in faults(tmp_path, put("estate", value=name))["estate"].allowed


@pytest.mark.parametrize("domain", ["lab", "lab.test.", "lab..test", "Lab.test", "-a.test", "a" * 64 + ".test"])
def test_each_label_of_the_domain_is_one(tmp_path: Path, domain: str) -> None:
    assert "domain" in faults(tmp_path, put("domain", value=domain))


@pytest.mark.parametrize("database", ["postgres", "template1", "pg_app", "App", "1a", "a-b", "a" * 64])
def test_database_names_need_no_quotes_and_are_not_postgresqls_own(tmp_path: Path, database: str) -> None:
    assert "cells.na1.database" in faults(tmp_path, put("cells", "na1", "database", value=database))


# --- names ------------------------------------------------------------------------------------------


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


def test_an_unknown_site_among_the_members_is_told_also_beside_other_faults_of_the_cell(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        put("cells", "na1", "members", value={"eats": 1, "west": 1}),
        put("cells", "na1", "synchronous_copies", value="one"),
    )
    assert {"cells.na1.members.eats", "cells.na1.synchronous_copies"} <= set(found)


@pytest.mark.parametrize("name", ["east", "control", "app", "interconnect", "na1-ro"])
def test_a_cell_takes_no_name_that_something_else_has(tmp_path: Path, name: str) -> None:
    found = faults(tmp_path, put("cells", name, value=lab()["cells"]["na1"]), put("sites", "dev", "mirrored", value=False))
    assert "which is taken by" in found[f"cells.{name}"].found


def test_host_names_that_collide_are_told_at_the_second_cell(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        put("cells", "na1", "members", "east", value=2),
        put("cells", "na1-2", value=lab()["cells"]["na1"]),
    )
    assert "east-na1-2" in found["cells.na1-2"].found


def test_two_cells_do_not_share_a_slot(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("cells", "na1", "slot", value=1))["cells.na2.slot"]
    assert "the slot of the cell na1" in fault.found
    assert fault.allowed.endswith("for example 0")


# --- networks ---------------------------------------------------------------------------------------


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
    assert load_text(tmp_path, yaml.safe_dump(document, sort_keys=False))
    assert "/27 or larger" in faults(tmp_path, put("sites", "east", "cidr", value="198.18.9.0/28"))["sites.east.cidr"].allowed


def test_off_the_lab_any_network_will_do(tmp_path: Path) -> None:
    document = lab()
    for number, site in enumerate(document["sites"].values()):
        site |= {"platform": "static", "cidr": f"10.0.{number}.0/24"}
    assert load_text(tmp_path, yaml.safe_dump(document, sort_keys=False)).sites[0].platform == "static"


def test_the_lab_is_not_linked_with_other_platforms(tmp_path: Path) -> None:
    assert "no packet leaves" in faults(tmp_path, put("sites", "dev", "platform", value="aws"))["sites.dev.platform"].allowed


def test_a_missing_link_is_told_with_the_line_to_add(tmp_path: Path) -> None:
    fault = faults(tmp_path, drop("links", 1))["links"]
    assert fault.found == "no link between east and legacy"
    assert "- {between: [east, legacy], round_trip_ms: …}" in fault.allowed


def test_a_second_link_of_a_pair_is_told_in_either_order(tmp_path: Path) -> None:
    again = {"between": ["west", "east"], "round_trip_ms": 1}
    fault = faults(tmp_path, lambda document: document["links"].append(again))["links[6].between"]
    assert "links[0] is their link" in fault.found


# --- voters, cells, risks ---------------------------------------------------------------------------


@pytest.mark.parametrize(("gone", "found"), [((), "4 mirrored sites"), (("legacy", "dev"), "2 mirrored sites")])
def test_voters_are_three_or_more_and_odd(tmp_path: Path, gone: tuple[str, ...], found: str) -> None:
    changes = [put("sites", "dev", "mirrored", value=True), *(put("sites", name, "mirrored", value=False) for name in gone)]
    assert found in faults(tmp_path, *changes)["sites"].found


def test_a_majority_of_voters_in_one_failure_domain_is_refused(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("sites", "legacy", "failure_domain", value="oregon"))["sites"]
    assert "2 of 3 etcd voters in the failure domain oregon (west and legacy)" in fault.found
    assert "- {risk: voter-majority-in-one-failure-domain, reason: …}" in fault.allowed


def test_members_that_share_the_primarys_failure_domain_are_refused_whatever_the_copies(tmp_path: Path) -> None:
    for copies in (1, 2):
        found = faults(
            tmp_path,
            put("sites", "legacy", "failure_domain", value="oregon"),
            put("cells", "na1", "synchronous_copies", value=copies),
        )
        assert "leads" in found["cells.na1.durable_failure_domains"].found
        assert "risk: durability-below-declared, cell: na1" in found["cells.na1.durable_failure_domains"].allowed


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
    estate = load_text(tmp_path, yaml.safe_dump(document, sort_keys=False))
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
    fault = faults(tmp_path, put("cells", "na1", "members", value={"east": 1, "west": 1}))["cells.na1.members"]
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


# --- timings ----------------------------------------------------------------------------------------


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
    assert fault.allowed.startswith("preset default or wide, or timings with retry_timeout 4 or more")


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
    assert load_text(tmp_path, yaml.safe_dump(document, sort_keys=False))


# --- all at once ------------------------------------------------------------------------------------


def test_all_faults_come_at_once_in_the_files_order(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        put("preset", value="fats"),
        put("sites", "east", "cidr", value="10.0.0.0/24"),
        put("cells", "na2", "preferred_site", value="dev"),
        put("tenants", "retail", "cell", value="na9"),
        put("accepted_risks", value=[{"risk": "none", "reason": REASON}]),
    )
    lines = [fault.line or 0 for fault in found.values()]
    assert list(found) == [
        "preset",
        "sites.east.cidr",
        "cells.na2.preferred_site",
        "tenants.retail.cell",
        "accepted_risks[0].risk",
    ]
    assert lines == sorted(lines)


def test_a_person_reads_line_path_found_allowed_and_nearest(tmp_path: Path) -> None:
    with pytest.raises(FileFaultsError) as caught:
        load_text(tmp_path, LAB.read_text().replace("preset: fast", "preset: fats"))
    assert str(caught.value) == f"""{tmp_path}/lab.yaml has 1 fault.

  line 5: preset
    found:   text "fats"
    allowed: fast, default, wide
    nearest: fast
  next: mend the file, then: mirrorforce validate lab"""
    assert caught.value.exit_code is ExitCode.BAD_INPUT


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, each in entries for found in ((*path, key), *paths(each, (*path, key)))]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.sampled_from(["", "east", "na1", "x y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["east", "a"]), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_junk_anywhere_gives_an_estate_or_faults_and_never_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    document = lab()
    for path in data.draw(st.lists(st.sampled_from(paths(document)), min_size=1, max_size=4)):
        try:
            put(*path, value=data.draw(JUNK))(document)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier junk took the place away
    try:
        load_text(tmp_path, yaml.safe_dump(document, sort_keys=False))
    except FileFaultsError as error:
        assert error.faults  # noqa: PT017


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_gives_an_estate_or_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadInputError):
        estate_file.load(tmp_path / "lab.yaml")
