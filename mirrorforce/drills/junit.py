"""The drill report as JUnit XML: a suite a drill and cell, a case a repetition and an objective of seconds.

The dialect is the one that the Jenkins and GitLab readers share: testsuites, testsuite, testcase, and in
it one of failure, error, skipped; properties carry the figures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from mirrorforce.drills.report import faults_of, objectives

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.drills.report import Objective

Document = dict[str, Any]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped: error texts of tools have such characters now and then."""


def document(report: Document) -> str:
    """The report as an XML document."""
    suites = ET.Element("testsuites", name="mirrorforce drills", time=_seconds(report["seconds"]))
    for drill in report["drills"]:
        suites.append(_suite(report, drill))
    held_to = [one for drill in report["drills"] for one in objectives(drill)]
    _attributes(suites, _tally(report["counts"], held_to))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _suite(report: Document, drill: Document) -> ET.Element:
    cell = drill["cell"]
    name = drill["name"] if cell is None else f"{drill['name']} {cell}"
    total = _seconds(sum(one["seconds"] for one in drill["repetitions"]))
    suite = ET.Element("testsuite", name=_text(name), timestamp=report["time"], time=total)
    held_to = objectives(drill)
    _attributes(suite, _tally(drill["summary"], held_to))
    for number, one in enumerate(drill["repetitions"], start=1):
        suite.append(_case(_class(report, name), number, one))
    for objective in held_to:
        suite.append(_objective(_class(report, name), objective))
    return suite


def _class(report: Document, name: str) -> str:
    return _text(f"mirrorforce.drills.{report['environment']}.{name.replace(' ', '.')}")


def _objective(classname: str, objective: Objective) -> ET.Element:
    case = ET.Element("testcase", classname=classname, name=_text(objective.said), time=_seconds(0))
    if not objective.met:
        ET.SubElement(case, "failure", message=_text(objective.missed))
    return case


def _case(classname: str, number: int, one: Document) -> ET.Element:
    case = ET.Element(
        "testcase", classname=classname, name=f"repetition {number}", time=_seconds(one["seconds"])
    )
    properties = ET.SubElement(case, "properties")
    for key, value in _figures(one):
        ET.SubElement(properties, "property", name=key, value=value)
    if one["outcome"] == "skipped":
        ET.SubElement(case, "skipped", message=_text(one["reason"]))
    elif one["outcome"] == "error":
        ET.SubElement(case, "error", message=_text(one["reason"]))
    elif one["outcome"] == "failed":
        faults = list(faults_of(one))
        evidence = [f"    {each}" for violation in one["violations"] for each in violation["evidence"]]
        failure = ET.SubElement(case, "failure", message=_text(faults[0]))
        failure.text = _text("\n".join([*faults, *evidence]))
    return case


def _figures(one: Document) -> Iterator[tuple[str, str]]:
    yield "started", one["started"]
    if one["rpo_rows"] is not None:
        yield "rpo_rows", str(one["rpo_rows"])
    for way, seconds in one["rto_seconds"].items():
        if seconds is not None:
            yield f"rto_seconds.{way}", _seconds(seconds)


def _tally(counts: Mapping[str, int], held_to: Sequence[Objective]) -> dict[str, int]:
    kinds = ("passed", "failed", "error", "skipped")
    return {
        "tests": sum(counts[kind] for kind in kinds) + len(held_to),
        "failures": counts["failed"] + sum(not objective.met for objective in held_to),
        "errors": counts["error"],
        "skipped": counts["skipped"],
    }


def _attributes(element: ET.Element, values: Mapping[str, int]) -> None:
    for key, value in values.items():
        element.set(key, str(value))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
