"""What DNS servers answer; standard library only, runs on hosts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost import dns_query

if TYPE_CHECKING:
    from collections.abc import Mapping


def answers(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of each server for each name: `{"servers": [...], "names": [...], "transport"?}`."""
    timeout = float(arguments.get("timeout", 1.0))
    transport = arguments.get("transport", "udp")
    questions = [(server, name) for server in arguments["servers"] for name in arguments["names"]]

    def one(pair: tuple[str, str]) -> dict[str, Any]:
        server, name = pair
        try:
            answer = dns_query.ask(server, name, timeout=timeout, transport=transport).to_dict()
        except dns_query.DnsError as fault:
            answer = {"error": str(fault)}
        return {"server": server, "name": name, **answer}

    with ThreadPoolExecutor(max_workers=16) as pool:
        return {"answers": list(pool.map(one, questions))}
