"""Findings merged, masked, accepted, reported: what holds for all of them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_drift, estate_file, secrets
from mirrorforce.drift import allowance, html, masks, report
from mirrorforce.drift.finding import Finding, Gap, Mend, by_hand, merged
from mirrorforce.errors import ExitCode
from mirrorforce.estate import AcceptedDrift
from mirrorforce.faults import FileFaultsError
from mirrorforce.operations import drift_render
from mirrorforce.workspace import ROOT
from tests.estates import cell, estate, site

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = json.loads((ROOT / "schemas" / "drift-report.schema.json").read_text())
TODAY = dt.date(2026, 11, 28)
LAYERS = st.sampled_from(["infrastructure", "configuration", "cluster", "seal"])
MENDS = st.builds(
    Mend,
    st.sampled_from(["stack", "converge", "host", "restart", "hand"]),
    st.just("mend it"),
    st.sampled_from(["east-na1", "west-na1"]),
    disruptive=st.booleans(),
)
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.tuples(LAYERS),
        st.sampled_from(["east-na1", "west-na1", "na1"]),
        st.sampled_from(["/etc/hosts", "patroni.service", "parameter work_mem"]),
        declared=st.just("this"),
        found=st.text(max_size=20),
        declared_in=st.just("roles/base/tasks/configure.yml:10"),
        severity=st.sampled_from(["critical", "serious", "minor"]),
        mend=MENDS,
        diff=st.sampled_from(["", "-a\n+b"]),
    ),
    max_size=8,
)
ENTRIES = st.lists(
    st.builds(
        AcceptedDrift,
        st.sampled_from(["*", "east-na1", "*-na1"]),
        st.sampled_from(["/etc/*", "patroni.service", "nothing"]),
        st.sampled_from(["", "seal", "cluster"]),
        st.just("it is so for a while"),
        st.dates(TODAY - dt.timedelta(3), TODAY + dt.timedelta(3)),
    ),
    max_size=4,
)
FRAME = report.Look("lab", "lab", "2026-11-28T03:00:00+00:00", "full", 12.34, {"hosts": 1.26})


def a_finding(**changed: object) -> Finding:
    known = Finding(
        ("seal",), "east-na1", "/etc/hosts", "this", "that", "roles/base", "serious", by_hand("look")
    )
    return replace(known, **changed)  # type: ignore[arg-type]


@given(FINDINGS)
def test_each_difference_is_told_once_and_nothing_is_lost(findings: list[Finding]) -> None:
    told = merged(findings)
    assert sorted(one.key for one in told) == sorted({one.key for one in findings})
    for one in told:
        alike = [each for each in findings if each.key == one.key]
        assert set(one.layers) == {layer for each in alike for layer in each.layers}
        order = ["critical", "serious", "minor"]
        assert one.severity == min((each.severity for each in alike), key=order.index)
        assert (one.mend.by == "hand") == all(each.mend.by == "hand" for each in alike)
    assert merged(told) == told


def test_the_owner_tells_it_and_takes_the_mend_of_another_layer_where_it_has_none() -> None:
    seal = a_finding(layers=("seal",), diff="-a", mend=Mend("host", "remove it", "east-na1"))
    roles = a_finding(layers=("configuration",), declared="as its role says")
    (told,) = merged([seal, roles])
    assert (told.layer, told.layers, told.declared) == (
        "configuration",
        ("configuration", "seal"),
        "as its role says",
    )
    assert (told.mend.by, told.diff) == ("host", "-a")


@given(FINDINGS, ENTRIES, st.booleans())
def test_what_is_accepted_is_told_apart_and_expired_entries_count(
    findings: list[Finding],
    entries: list[AcceptedDrift],
    saw_all: bool,  # noqa: FBT001 (hypothesis gives it)
) -> None:
    told = merged(findings)
    judged = allowance.judge(told, entries, TODAY, file="stacks/lab.yaml", saw_all=saw_all)
    complaints = [one for one in judged.findings if one.layer == "accepted"]
    rest = [one for one in judged.findings if one.layer != "accepted"]
    whole = [*rest, *(one.finding for one in judged.accepted)]
    assert sorted(one.key for one in whole) == sorted(one.key for one in told)
    assert all(one.entry.until >= TODAY for one in judged.accepted)
    expired = sum(entry.until < TODAY for entry in entries)
    assert sum("expired" in one.found for one in complaints) == expired
    in_vain = sum(
        entry.until >= TODAY and not any(allowance.matches(entry, one) for one in told) for entry in entries
    )
    assert len(complaints) - expired == (in_vain if saw_all else 0)


@given(FINDINGS, st.booleans(), ENTRIES)
def test_a_report_is_valid_and_its_status_says_drift_before_doubt(
    findings: list[Finding],
    doubt: bool,  # noqa: FBT001 (hypothesis gives it)
    entries: list[AcceptedDrift],
) -> None:
    judged = allowance.judge(merged(findings), entries, TODAY, file="stacks/lab.yaml", saw_all=True)
    gaps = [Gap("west-na1", "does not answer", "mirrorforce status")] if doubt else []
    mended = [{"where": "east-na1", "what": "converge", "outcome": "failed", "reason": "no route"}]
    document = report.build(FRAME, judged, gaps, mended=mended)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    drift = bool(judged.findings)
    assert report.exit_code(document) == (
        ExitCode.DRIFT_FOUND if drift else ExitCode.ERROR if doubt else ExitCode.AS_DECLARED
    )
    page = html.page(document)
    assert page.count("<article") == len(judged.findings)
    assert ("What could not be told" in page) == doubt
    shown = [str(part) for part in drift_render.drift(document)]
    assert any("could not be told" in line for line in shown) == doubt


MODEL = estate(*(site(name, number, name) for number, name in enumerate(("east", "west", "legacy"), 1)),
               cells=(cell("na1", {"east": 1, "west": 1, "legacy": 1}),))  # fmt: skip
SECRETS = secrets.generate(MODEL)
KNOWN = masks.values_of(SECRETS)


@given(st.text(max_size=40), st.sampled_from(KNOWN), st.text(max_size=40))
def test_no_secret_of_the_estate_survives_in_any_surroundings(before: str, secret: str, behind: str) -> None:
    judged = allowance.Judged((a_finding(diff=before + secret + behind, found=secret),), ())
    text = json.dumps(report.build(FRAME, judged, [], secrets=KNOWN), ensure_ascii=False)
    assert secret not in text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("password: hunter2-hunter2", "hunter2"),
        ('"rest_password" = "abc def"', "abc"),
        ("primary_conninfo = 'user=r password=geheim1 host=x'", "geheim1"),
        ("postgres://app:geheim1@east/app", "geheim1"),
        ("app:$y$j9T$abc/def$ghi:19000", "j9T"),
        ("rolpassword SCRAM-SHA-256$4096:c2FsdA==$a:b", "c2FsdA"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----", "MHcC"),
    ],
)
def test_what_looks_like_a_secret_is_masked_though_nobody_knows_it(text: str, hidden: str) -> None:
    assert hidden not in masks.masked(text)
    assert masks.MASK in masks.masked(text)


def test_what_says_how_a_secret_is_kept_is_shown() -> None:
    assert masks.masked("password_encryption = scram-sha-256") == "password_encryption = scram-sha-256"
    assert SECRETS.ca_certificate not in KNOWN


def test_text_from_hosts_is_no_markup_in_the_page() -> None:
    judged = allowance.Judged((a_finding(found="<script>alert(1)</script>"),), ())
    assert "<script>" not in html.page(report.build(FRAME, judged, []))


def entry(**changed: object) -> dict[str, Any]:
    known = {"match": {"subject": "*", "item": "/etc/cron.d/x", "layer": ""}, "reason": "until the move"}
    return {**known, "until": "2026-12-31", **changed}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([entry(until="2026-02-30")], "a day that exists"),
        ([entry(until="2036-01-01")], "two years ahead"),
        ([entry(), entry(reason="told a second time")], "each once"),
    ],
)
def test_an_entry_that_cannot_hold_is_refused(entries: list[dict[str, Any]], said: str) -> None:
    (fault,) = estate_drift.faults({"accepted_drift": entries}, TODAY)
    assert said in fault.allowed


def test_an_expired_entry_stops_no_other_command() -> None:
    assert not list(estate_drift.faults({"accepted_drift": [entry(until="2020-01-01")]}, TODAY))


def test_the_estate_file_says_what_is_accepted(tmp_path: Path) -> None:
    text = (ROOT / "stacks" / "lab.yaml").read_text()
    file = tmp_path / "lab.yaml"
    file.write_text(
        text + "\naccepted_drift:\n- match: {item: /etc/cron.d/agent}\n  reason: until the migration\n"
        '  until: "2027-03-31"\n'
    )
    (accepted,) = estate_file.load(file).accepted_drift
    assert accepted == AcceptedDrift(
        "*", "/etc/cron.d/agent", "", "until the migration", dt.date(2027, 3, 31)
    )
    file.write_text(
        text + '\naccepted_drift:\n- {match: {item: "*"}, reason: all of it please, until: 2027-03-31}\n'
    )
    with pytest.raises(FileFaultsError) as refused:
        estate_file.load(file)
    assert {"item", "until"} == {fault.path[-1] for fault in refused.value.faults}
