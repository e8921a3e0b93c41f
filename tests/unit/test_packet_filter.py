from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from mirrorforce import estate_file, packet_filter, placement
from mirrorforce.flows import Rule, rules_for
from mirrorforce.workspace import ROOT

ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
HOSTS = placement.hosts(ESTATE)
CONTROL = next(host for host in HOSTS if host.role == "control")
RULES = rules_for(ESTATE, HOSTS, CONTROL)


def saddr(*sources: object) -> dict[str, Any]:
    return match("ip", "saddr", {"set": list(sources)})


def match(protocol: str, field: str, value: object) -> dict[str, Any]:
    return {
        "match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": value}
    }


def rule(*expressions: object, chain: str = "input") -> dict[str, Any]:
    return {"rule": {"family": "inet", "table": "mirrorforce", "chain": chain, "expr": list(expressions)}}


def chains(policy: str = "drop") -> list[dict[str, Any]]:
    return [
        {"chain": {"family": "inet", "table": "mirrorforce", "name": hook, "hook": hook, "policy": policy}}
        for hook in ("input", "forward")
    ]


def declared(one: Rule) -> dict[str, Any]:
    sources = [
        {"prefix": {"addr": str(source.network_address), "len": source.prefixlen}}
        if isinstance(source, IPv4Network)
        else str(source)
        for source in one.sources
    ]
    door = match("icmp", "type", 8) if one.protocol == "icmp" else match(one.protocol, "dport", one.port)
    return rule(saddr(*sources), door, {"accept": None})


def healthy() -> list[dict[str, Any]]:
    return [*chains(), *(rule(*one) for one in packet_filter.ALWAYS), *(declared(one) for one in RULES)]


def test_the_declared_filter_has_no_faults() -> None:
    assert packet_filter.faults(healthy(), RULES) == []


def test_each_missing_rule_is_a_fault() -> None:
    for index in range(5, len(healthy())):
        ruleset = healthy()
        del ruleset[index]
        assert any("not let in" in fault for fault in packet_filter.faults(ruleset, RULES))


@pytest.mark.parametrize(
    "more",
    [
        rule({"accept": None}),
        rule(saddr("198.18.4.11"), {"accept": None}),
        rule(match("tcp", "dport", 22), {"accept": None}),
        rule(saddr("198.18.4.11"), match("tcp", "dport", 2379), {"accept": None}),
        rule(saddr({"range": ["198.18.0.0", "198.18.9.255"]}), match("tcp", "dport", 22), {"accept": None}),
        rule({"accept": None}, chain="forward"),
        rule({"jump": {"target": "elsewhere"}}),
    ],
)
def test_whatever_lets_more_in_is_a_fault(more: dict[str, Any]) -> None:
    assert packet_filter.faults([*healthy(), more], RULES) != []


def test_a_policy_that_accepts_is_a_fault() -> None:
    assert len(packet_filter.faults([*chains("accept"), *healthy()[2:]], RULES)) == 2


def test_an_empty_filter_is_a_fault() -> None:
    assert "no chain of table mirrorforce stands at hook input" in packet_filter.faults([], RULES)


@pytest.mark.skipif(not shutil.which("nft") or not shutil.which("unshare"), reason="needs nft and unshare")
def test_what_nft_itself_prints_is_read_right() -> None:
    text = """table inet mirrorforce { chain input { type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        ct state invalid drop
        ip saddr { 198.18.1.0/24, 198.18.2.0/24, 198.18.3.0/24 } icmp type echo-request accept
        ip saddr { 198.18.1.1 } tcp dport 22 accept
        ip saddr { 198.18.1.20, 198.18.2.20 } udp dport 53 accept comment "dns"
      }
    }
    """
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to make a network namespace")
    script = "nft -f - && nft -j -n list ruleset"
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rules = [one["rule"]["expr"] for one in json.loads(done.stdout)["nftables"] if "rule" in one]
    assert rules[:3] == list(packet_filter.ALWAYS)
    assert [str(packet_filter.read(one)) for one in rules[3:]] == [
        "icmp from 198.18.1.0/24, 198.18.2.0/23",
        "tcp 22 from 198.18.1.1/32",
        "udp 53 from 198.18.1.20/32, 198.18.2.20/32",
    ]


def agent_table(*, held: bool = False) -> list[dict[str, Any]]:
    table = {"family": "inet", "table": packet_filter.AGENT_TABLE}
    reject = {"reject": {"type": "tcp reset"}}
    elements = {"elem": ["198.18.1.20"]} if held else {}
    names = (*packet_filter.AGENT_SETS, packet_filter.CLIENTS_SET)
    sets = [{"set": {**table, "name": name, **elements}} for name in names]
    chains_of_it = [
        {"chain": {**table, "name": hook, "hook": hook, "policy": "accept"}} for hook in ("input", "output")
    ]
    rules = [
        {"rule": {**table, "chain": hook, "expr": [{"match": {"right": f"@{name}"}}, reject]}}
        for hook in ("input", "output")
        for name in packet_filter.AGENT_SETS
    ]
    return [*sets, *chains_of_it, *rules]


def test_a_fence_that_is_ready_has_no_fault() -> None:
    assert packet_filter.fence_faults([*healthy(), *agent_table()]) == []


def test_a_fence_that_stands_or_is_not_there_is_told() -> None:
    told = packet_filter.fence_faults(agent_table(held=True))
    assert any("stands" in fault for fault in told)
    assert any("clients wait" in fault for fault in told)
    assert packet_filter.fence_faults(healthy()) != []
    assert packet_filter.fence_faults(agent_table()[:-1]) != []


def test_the_fence_is_ours_where_the_estate_has_agents() -> None:
    hosts = {host.role: host for host in placement.hosts(ESTATE)}
    fence = (packet_filter.FAMILY, packet_filter.AGENT_TABLE)
    without = replace(ESTATE, fence_and_release=False)
    assert fence in packet_filter.own_tables(ESTATE, hosts["database"])
    assert fence not in packet_filter.own_tables(ESTATE, hosts["control"])
    assert fence not in packet_filter.own_tables(without, hosts["database"])
