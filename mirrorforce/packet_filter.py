"""Reading a host's packet filter as nft prints it, and comparing it with the table of flows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses, summarize_address_range
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mirrorforce.estate import Estate, Host
    from mirrorforce.flows import Rule

FAMILY = "inet"
TABLE = "mirrorforce"
AGENT_TABLE = "failover_agent"
AGENT_SETS = ("fenced", "booting")
CLIENTS_SET = "held"
"""The failover agent's own table, which no converge flushes (`mirrorforce.onhost.failover_agent.packets`)."""

# How `nft --json --numeric` shows the three rules that every host has beside the table of flows.
LOOPBACK = {"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}
ANSWERS = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": [2, 4]}}  # established, related
INVALID = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": 1}}
ALWAYS = ([LOOPBACK, {"accept": None}], [ANSWERS, {"accept": None}], [INVALID, {"drop": None}])


@dataclass(frozen=True, slots=True)
class Accept:
    """New connections (or echo requests) that are let in: protocol, port (None: icmp), from where."""

    protocol: str
    port: int | None
    sources: tuple[IPv4Network, ...]

    def __str__(self) -> str:
        port = "" if self.port is None else f" {self.port}"
        return f"{self.protocol}{port} from {', '.join(map(str, self.sources))}"


def faults(ruleset: Iterable[Mapping[str, Any]], rules: Iterable[Rule]) -> list[str]:
    """How the packet filter differs from what the table of flows asks for; empty where it does not."""
    entries = list(ruleset)
    found: list[str] = [*_policies(entries)]
    shown = [rule for rule in _rules(entries, "input") if rule["expr"] not in ALWAYS]
    found += [f"a rule at hook forward: {rule['expr']}" for rule in _rules(entries, "forward")]
    accepts = []
    for rule in shown:
        accept = read(rule["expr"])
        if accept is None:
            found.append(f"a rule that no flow declares: {rule['expr']}")
        else:
            accepts.append(accept)
    declared = [as_accept(rule) for rule in rules]
    found += [f"let in, but not declared: {accept}" for accept in accepts if accept not in declared]
    found += [f"declared, but not let in: {accept}" for accept in declared if accept not in accepts]
    return found


def own_tables(estate: Estate, host: Host) -> tuple[tuple[str, str], ...]:
    """Family and name of each table that is Mirrorforce's on this host; the agent's is never flushed."""
    agent = estate.fence_and_release and host.role == "database"
    return ((FAMILY, TABLE), *([(FAMILY, AGENT_TABLE)] if agent else []))


def fence_faults(ruleset: Iterable[Mapping[str, Any]]) -> list[str]:
    """How the failover agent's table differs from what it has to be while nobody is fenced off."""
    entries = [entry for entry in ruleset if _table_of(entry) == AGENT_TABLE]
    chains = {entry["chain"]["name"]: entry["chain"] for entry in entries if "chain" in entry}
    sets = {entry["set"]["name"]: entry["set"] for entry in entries if "set" in entry}
    found = []
    for hook in ("input", "output"):
        chain = chains.get(hook, {})
        refused = {
            name
            for entry in entries
            if entry.get("rule", {}).get("chain") == hook
            for name in _refused(entry["rule"]["expr"])
        }
        if (chain.get("hook"), chain.get("policy"), refused) != (hook, "accept", set(AGENT_SETS)):
            found.append(f"table {AGENT_TABLE} does not fence at hook {hook}")
    for name in (*AGENT_SETS, CLIENTS_SET):
        if name not in sets:
            found.append(f"table {AGENT_TABLE} has no set {name}")
        elif held := sets[name].get("elem"):
            found.append(f"{'clients wait' if name == CLIENTS_SET else 'a fence stands'}: {name} {held}")
    return found


def _refused(expressions: Iterable[Mapping[str, Any]]) -> set[str]:
    """Sets of fences whose members this rule turns away."""
    expressions = list(expressions)
    compared = {
        one["match"].get("right") for one in expressions if isinstance(one.get("match", {}).get("right"), str)
    }
    rejects = any("reject" in one for one in expressions)
    return {name for name in AGENT_SETS if rejects and f"@{name}" in compared}


def _table_of(entry: Mapping[str, Any]) -> str | None:
    return next((one.get("table") for one in entry.values() if isinstance(one, dict)), None)


def as_accept(rule: Rule) -> Accept:
    """A rule of the table of flows in the form that a packet filter is read in."""
    networks = (IPv4Network(source) for source in rule.sources)
    return Accept(rule.protocol, rule.port, tuple(collapse_addresses(networks)))


def read(expressions: Iterable[Mapping[str, Any]]) -> Accept | None:
    """What a rule of the input chain lets in; None for one that is no plain accept of known sources."""
    facts: dict[str, Any] = {}
    for expression in expressions:
        if "accept" in expression:
            facts["accept"] = True
            continue
        match expression:
            case {
                "match": {
                    "op": "==",
                    "left": {"payload": {"protocol": protocol, "field": name}},
                    "right": value,
                }
            }:
                facts[f"{protocol} {name}"] = value
            case _:
                return None
    sources = facts.pop("ip saddr", None)
    if sources is None or not facts.pop("accept", False):
        return None
    networks = tuple(collapse_addresses(_networks(sources)))
    match list(facts.items()):
        case [("icmp type", 8)]:  # echo request, RFC 792
            return Accept("icmp", None, networks)
        case [("tcp dport" | "udp dport" as kind, int() as port)]:
            return Accept(kind.partition(" ")[0], port, networks)
        case _:
            return None


def _policies(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    chains = [entry["chain"] for entry in entries if "chain" in entry]
    for hook in ("input", "forward"):
        own = [chain for chain in chains if chain.get("hook") == hook and chain["table"] == TABLE]
        if not own:
            yield f"no chain of table {TABLE} stands at hook {hook}"
        for chain in own:
            if chain.get("policy") != "drop":
                yield f"what no rule names is let through at hook {hook}: policy {chain.get('policy')}"


def _rules(entries: Iterable[Mapping[str, Any]], chain: str) -> list[Mapping[str, Any]]:
    return [
        entry["rule"]
        for entry in entries
        if "rule" in entry and (entry["rule"]["table"], entry["rule"]["chain"]) == (TABLE, chain)
    ]


def _networks(value: Any) -> Iterator[IPv4Network]:  # noqa: ANN401 (JSON of nft)
    for item in value["set"] if isinstance(value, dict) and "set" in value else [value]:
        match item:
            case str():
                yield IPv4Network(item)
            case {"prefix": {"addr": address, "len": length}}:
                yield IPv4Network(f"{address}/{length}")
            case {"range": [first, last]}:
                yield from summarize_address_range(IPv4Address(first), IPv4Address(last))
            case _:
                raise ValueError(f"sources of a form that is not known: {item}")
