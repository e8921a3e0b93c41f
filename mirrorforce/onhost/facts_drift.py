"""What a running host shows that neither its stack nor its roles look at; runs on hosts as root."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost import facts_postgres
from mirrorforce.onhost.commands import output_of
from mirrorforce.onhost.https_json import Credentials, HttpsError, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ADMIN_STATE = Path("/var/lib/gdnsd/admin_state")
PATRONI_CONFIG = Path("/etc/patroni/config.yml")

# What ALTER SYSTEM leaves, and what Patroni itself keeps apart; `waits`: not yet read.
_OVERRIDES = """
select coalesce(json_agg(json_build_object('name', name, 'value', setting, 'applied', applied)), '[]'::json)
from pg_file_settings where sourcefile like '%postgresql.auto.conf';
"""


def etcd_members(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Who belongs to the cluster by this voter's own view: names, identities, whether they only learn."""
    credentials = Credentials(arguments["ca"], arguments["certificate"], arguments["key"])
    url = f"{arguments['url']}/v3/cluster/member/list"
    reply = exchange(url, credentials, body={"linearizable": False})
    if reply.status != HTTPStatus.OK or not isinstance(reply.body, dict):
        raise HttpsError(f"{url}: HTTP {reply.status} {reply.body}")
    return {
        "members": [
            {
                "id": str(one["ID"]),
                "name": one.get("name", ""),
                "peers": one.get("peerURLs", []),
                "learner": bool(one.get("isLearner")),
            }
            for one in reply.body.get("members", [])
        ]
    }


def dns_admin(_arguments: Mapping[str, Any]) -> dict[str, Any]:
    """States that somebody forced upon the DNS server by hand."""
    try:
        lines = ADMIN_STATE.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    return {"forced": [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]}


def overrides(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What ALTER SYSTEM set on this member, and rules of pg_hba beside those of Patroni's own file."""
    timeout = float(arguments.get("timeout", 5.0))
    declared = list(hba_declared(PATRONI_CONFIG.read_text(encoding="utf-8")))
    present = list(hba_present(Path(arguments["data"], "pg_hba.conf").read_text(encoding="utf-8")))
    return {
        "altered": facts_postgres.document(_OVERRIDES, timeout=timeout),
        "hba_added": [line for line in present if line not in declared],
        "hba_missing": [line for line in declared if line not in present],
    }


def member_data(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Whether this member's data directory is one without its WAL, which lies on a volume of its own."""
    data = Path(arguments["data"])
    return {"lacks_wal": (data / "PG_VERSION").is_file() and not (data / "pg_wal").is_dir()}


def packages(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The version of each named package that is installed."""
    shown = output_of(["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Status}\n"])
    lines = [line.split(" ") for line in shown.splitlines()]
    wanted = set(arguments["names"])
    return {
        "versions": {
            name: version for name, version, state in lines if state == "installed" and name in wanted
        }
    }


def hba_declared(config: str) -> Iterator[str]:
    """The rules in Patroni's configuration file as role postgres writes it: a list of plain lines. Pure."""
    within = False
    for line in config.splitlines():
        text = line.strip()
        if text == "pg_hba:":
            within = True
        elif within and text.startswith("- "):
            yield " ".join(text[2:].strip("\"'").split())
        elif within and text and not text.startswith("#"):
            return


def hba_present(text: str) -> Iterator[str]:
    """The rules of a pg_hba.conf, blanks made even. Pure."""
    for line in text.splitlines():
        rule = " ".join(line.partition("#")[0].split())
        if rule:
            yield rule
