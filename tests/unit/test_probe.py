from __future__ import annotations

import contextlib
import json
import struct
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost import dns_query, probe
from mirrorforce.operations import probing
from mirrorforce.remote import Result

IDENTITY = 4711


def message(*records: bytes, flags: int = 0x8400, identity: int = IDENTITY) -> bytes:
    asked = dns_query.question("na1.lab.test", identity)[12:]
    return struct.pack("!HHHHHH", identity, flags, 1, len(records), 0, 0) + asked + b"".join(records)


def address(*octets: int, ttl: int = 1, kind: int = 1) -> bytes:
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(octets)) + bytes(octets)


def test_an_answer_is_read() -> None:
    answer = dns_query.parse(message(address(198, 18, 1, 20)), IDENTITY)
    assert answer == dns_query.Answer(("198.18.1.20",), 1, "NOERROR", authoritative=True)


def test_of_several_addresses_all_are_kept_and_the_smallest_ttl() -> None:
    answer = dns_query.parse(message(address(10, 0, 0, 1, ttl=9), address(10, 0, 0, 2, ttl=3)), IDENTITY)
    assert (answer.addresses, answer.ttl) == (("10.0.0.1", "10.0.0.2"), 3)


def test_records_of_other_types_are_passed_over() -> None:
    text = address(3, 97, 98, 99, kind=16)
    assert dns_query.parse(message(text, address(10, 0, 0, 1)), IDENTITY).addresses == ("10.0.0.1",)


@pytest.mark.parametrize(
    ("flags", "rcode"), [(0x8403, "NXDOMAIN"), (0x8402, "SERVFAIL"), (0x840F, "RCODE15")]
)
def test_a_refusal_has_its_name(flags: int, rcode: str) -> None:
    answer = dns_query.parse(message(flags=flags), IDENTITY)
    assert (answer.addresses, answer.ttl, answer.rcode) == ((), None, rcode)


def test_an_answer_to_another_question_is_refused() -> None:
    with pytest.raises(dns_query.DnsError, match="another question"):
        dns_query.parse(message(identity=1), IDENTITY)


@given(st.binary(max_size=80))
def test_no_message_makes_the_reader_stumble(noise: bytes) -> None:
    with contextlib.suppress(dns_query.DnsError):
        dns_query.parse(struct.pack("!H", IDENTITY) + noise, IDENTITY)


def test_a_server_that_is_not_there_is_a_dns_error() -> None:
    with pytest.raises(dns_query.DnsError):
        dns_query.ask("127.0.0.1", "na1.lab.test", port=1, timeout=0.5)


def test_a_section_that_fails_says_so_in_its_own_place() -> None:
    def fails(_: dict[str, Any]) -> object:
        raise ConnectionRefusedError("nobody there")

    answer = probe.answer(
        {"sections": {"good": {"x": 1}, "bad": {}}}, {"good": lambda given: given, "bad": fails}.__getitem__
    )
    assert answer["sections"] == {"good": {"x": 1}, "bad": {"error": "ConnectionRefusedError: nobody there"}}


@pytest.mark.parametrize("section", probe.SECTIONS)
def test_each_section_has_its_function(section: str) -> None:
    assert callable(probe.finder(section))


def test_a_section_that_there_is_not_says_so() -> None:
    answer = probe.answer({"sections": {"weather": {}}})
    assert answer["sections"] == {"weather": {"error": "there is no section weather"}}


def test_a_section_that_is_late_holds_up_no_other() -> None:
    never = threading.Event()
    sections = {"good": lambda _: {"x": 1}, "late": lambda _: never.wait(30)}
    answer = probe.answer({"limit": 0.2, "sections": {"late": {}, "good": {}}}, sections.__getitem__)
    never.set()
    assert answer["sections"] == {"late": {"error": "no answer within 0.2 s"}, "good": {"x": 1}}


def test_what_a_host_answered_is_taken_apart() -> None:
    text = json.dumps({"version": 1, "sections": {"etcd": {"a": 1}, "dns": {"error": "late"}}})
    found = probing.read("east-control", Result(0, text, "", timed_out=False))
    assert found.answered
    assert (found.section("etcd"), found.fault("etcd")) == ({"a": 1}, None)
    assert (found.section("dns"), found.fault("dns")) == ({}, "late")
    assert found.fault("patroni") == "not asked"


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Result(0, "hello", "", timed_out=False), "no probe's answer"),
        (Result(255, "", "No route to host\n", timed_out=False), "No route to host"),
        (Result(124, "", "", timed_out=True, seconds=2.5), "no answer within 2.5 s"),
        (Result(1, "", "", timed_out=False), "exit status 1"),
    ],
)
def test_no_usable_answer_is_a_reason(result: Result, said: str) -> None:
    found = probing.read("east-control", result)
    assert not found.answered
    assert said in str(found.fault("etcd"))
