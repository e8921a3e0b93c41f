from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrorforce import estate_file, estate_schema
from mirrorforce.errors import BadInputError, ExitCode
from mirrorforce.faults import FileFaultsError, shown
from mirrorforce.workspace import ROOT
from tests.estate_files import LAB, drop, faults, faults_of_text, lab, load_document, load_text, put

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = ROOT / "docs/reference/estate-file.md"
REASON = "the bay area is one contract"


def test_the_lab_is_sound() -> None:
    estate = estate_file.load(LAB)
    assert (estate.name, estate.domain, estate.preset) == ("lab", "lab.test", "fast")
    assert [site.name for site in estate.mirrored_sites] == ["east", "west", "legacy"]
    assert estate.cell("na2").preferred_site == "west"
    assert estate.round_trip_ms("legacy", "east") == 66


@pytest.mark.parametrize(
    ("preset", "said", "has_agents"),
    [
        ("fast", "", True),
        ("default", "", True),
        ("wide", "", False),
        ("fast", "failover: {fence_and_release: false}\n", False),
        ("wide", "failover: {fence_and_release: true}\n", True),
    ],
)
def test_failover_agents_come_with_a_preset_unless_the_file_says_otherwise(
    tmp_path: Path, preset: str, said: str, *, has_agents: bool
) -> None:
    text = LAB.read_text().replace("preset: fast", f"preset: {preset}")
    assert load_text(tmp_path, text + said).fence_and_release is has_agents


def test_the_example_of_the_reference_is_sound_and_shows_the_defaults(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    path = tmp_path / "tiny.yaml"
    path.write_text(example)
    estate = estate_file.load(path)
    cell = estate.cell("na1")
    assert (estate.preset, estate.timing_overrides, estate.tenants) == ("default", {}, ())
    assert all(site.mirrored and site.application_hosts == 0 for site in estate.sites)
    assert (cell.synchronous_copies, cell.durable_failure_domains, cell.database, cell.slot) == (
        1,
        2,
        "app",
        0,
    )
    assert [(each.name, each.mount, each.size_mib) for each in cell.volumes] == [
        ("data", "/srv/postgres/data", 2048),
        ("wal", "/srv/postgres/wal", 1024),
    ]


def test_the_reference_says_what_each_risk_means() -> None:
    risks = estate_schema.schema()["$defs"]["accepted_risk"]["properties"]["risk"]["enum"]
    assert all(f"| `{risk}` | " in REFERENCE.read_text() for risk in risks)


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


def test_an_unknown_key_names_the_allowed_ones_and_the_nearest(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("cells", "na1", "synchronus_copies", value=1))["cells.na1.synchronus_copies"]
    assert fault.found == "an unknown key"
    assert fault.meant == "synchronous_copies"
    assert "durable_failure_domains" in fault.allowed
    assert fault.line is not None


def test_a_misspelt_required_key_is_one_fault(tmp_path: Path) -> None:
    misspelt = put("cells", "na1", "prefered_site", value="east")
    found = faults(tmp_path, drop("cells", "na1", "preferred_site"), misspelt)
    assert {path: fault.meant for path, fault in found.items()} == {
        "cells.na1.prefered_site": "preferred_site"
    }


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


@pytest.mark.parametrize(
    "domain", ["lab", "lab.test.", "lab..test", "Lab.test", "-a.test", "a" * 64 + ".test"]
)
def test_each_label_of_the_domain_is_one(tmp_path: Path, domain: str) -> None:
    assert "domain" in faults(tmp_path, put("domain", value=domain))


@pytest.mark.parametrize("database", ["postgres", "template1", "pg_app", "App", "1a", "a-b", "a" * 64])
def test_database_names_need_no_quotes_and_are_not_postgresqls_own(tmp_path: Path, database: str) -> None:
    assert "cells.na1.database" in faults(tmp_path, put("cells", "na1", "database", value=database))


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
    assert (
        str(caught.value)
        == f"""{tmp_path}/lab.yaml has 1 fault.

  line 5: preset
    found:   text "fats"
    allowed: fast, default, wide
    nearest: fast
  next: mend the file, then: mirrorforce validate lab"""
    )
    assert caught.value.exit_code is ExitCode.BAD_INPUT


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [found for key, each in entries for found in ((*path, key), *paths(each, (*path, key)))]


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats()
    | st.sampled_from(["", "east", "na1", "x y"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["east", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_junk_anywhere_gives_an_estate_or_faults_and_never_anything_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    document = lab()
    for path in data.draw(st.lists(st.sampled_from(paths(document)), min_size=1, max_size=4)):
        try:
            put(*path, value=data.draw(JUNK))(document)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier junk took the place away
    try:
        load_document(tmp_path, document)
    except FileFaultsError as error:
        assert error.faults  # noqa: PT017


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_gives_an_estate_or_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadInputError):
        estate_file.load(tmp_path / "lab.yaml")
