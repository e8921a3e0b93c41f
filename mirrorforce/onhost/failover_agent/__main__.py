"""The failover agent's verbs.

run                  the service
boot                 before PostgreSQL starts after a boot: nothing is streamed until etcd says so (rule 10)
maintenance on|off   agents of the cell keep still, or no longer
hand-over MEMBER     have that member lead in this one's place: says how it went, as JSON
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict
from pathlib import Path

from mirrorforce.onhost.commands import output_of
from mirrorforce.onhost.etcd import Client
from mirrorforce.onhost.failover_agent import packets, rules
from mirrorforce.onhost.failover_agent.settings import Settings, load
from mirrorforce.onhost.failover_agent.store import Store

POSTGRES_SOCKET = Path("/run/postgresql/.s.PGSQL.5432")


def boot(settings: Settings) -> None:
    """RULE 10. Where PostgreSQL runs already this is no boot but a first converge: nothing is blocked."""
    names = () if POSTGRES_SOCKET.exists() else rules.boot_blocks(settings.me, settings.members)
    booting = sorted(settings.members[name].address for name in names)
    ports = (settings.postgres_port, settings.patroni_port)
    table = packets.table(*ports, members=settings.addresses.values(), booting=booting)
    output_of(["nft", "-f", "-"], stdin=table)


def maintenance(settings: Settings, *, on: bool) -> None:
    """Have the cell's agents keep still, or no longer."""
    client = Client(settings.endpoints, settings.credentials, settings.user)
    Store(client, settings.cell, settings.me, settings.pace).put_maintenance(on=on)


def hand_over(settings: Settings, to: str) -> None:
    """Print how it went: seconds for which clients were held, or why it was refused."""
    from mirrorforce.onhost.failover_agent import planned  # noqa: PLC0415 (as below)

    try:
        held = planned.hand_over(settings, to)
    except planned.RefusedError as fault:
        print(json.dumps({"refused": str(fault)}))  # noqa: T201
    else:
        print(json.dumps(asdict(held)))  # noqa: T201


def main() -> None:
    """Do the verb."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="failover_agent")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run")
    verbs.add_parser("boot")
    verbs.add_parser("maintenance").add_argument("state", choices=["on", "off"])
    verbs.add_parser("hand-over").add_argument("member")
    given = parser.parse_args()
    settings = load()
    if given.verb == "boot":
        boot(settings)
    elif given.verb == "maintenance":
        maintenance(settings, on=given.state == "on")
    elif given.verb == "hand-over":
        hand_over(settings, given.member)
    else:
        # Only here: PostgreSQL's library is not needed to keep the fence at boot.
        from mirrorforce.onhost.failover_agent.agent import Agent  # noqa: PLC0415

        Agent(settings).run()


if __name__ == "__main__":
    main()
