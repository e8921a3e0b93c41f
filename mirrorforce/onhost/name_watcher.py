"""What this host's own resolver answers for a cell's name, told when it changes: for drills.

    python3 -m mirrorforce.onhost.name_watcher NAME --seconds S

It asks as an application does, one question after another; a question that waits for a dead server is a
wait that applications have as well. Each change is a line with the moment of the answer (UTC), such as
`2026-03-01 12:00:00,123 na1.lab.test: 198.18.2.20 instead of 198.18.1.20`. Standard library only.
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import TYPE_CHECKING

from mirrorforce.onhost import dns_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESOLVER = "127.0.0.1"
EVERY_S = 0.05
LIMIT_S = 5.0
"""How long an answer is waited for: the resolver's own patience with dead servers is below it."""

log = logging.getLogger("name_watcher")


def changes(answers: Iterator[str]) -> Iterator[str]:
    """For each answer that differs from the one before it, a line that says so; the first is none. Pure."""
    last = next(answers, None)
    for answer in answers:
        if answer != last:
            yield f"{answer} instead of {last}"
        last = answer


def answers(ask: Callable[[], dns_query.Answer], seconds: float) -> Iterator[str]:
    """What is answered, over and over for so many seconds; no answer changes nothing, and is left out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            addresses = ask().addresses
        except dns_query.DnsError:
            addresses = ()
        if addresses:
            yield ",".join(sorted(addresses))
        time.sleep(EVERY_S)


def main() -> None:
    """Watch one name for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, required=True, help="at most")
    given = parser.parse_args()
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    def ask() -> dns_query.Answer:
        return dns_query.ask(RESOLVER, given.name, timeout=LIMIT_S)

    for change in changes(answers(ask, given.seconds)):
        log.info("%s: %s", given.name, change)


if __name__ == "__main__":
    main()
