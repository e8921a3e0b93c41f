"""Acts that put one thing right on this host, each named by a finding of `mirrorforce drift`.

Runs on hosts as root: `python3 -m mirrorforce.onhost.mend` with a list of acts on stdin, which may hold
passwords; one answer each, in their order: '' where it went well, else why not. Standard library only.

What is taken away from a host's files is kept beside its seal, for root alone.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost import facts_drift, facts_postgres
from mirrorforce.onhost.commands import output_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT = Path("/var/lib/mirrorforce/removed")
_SECONDS = 30.0
_UNIT = re.compile(r"/(?P<unit>[^/]+\.service)(?:/|$)")
_PID = re.compile(r"pid=(?P<pid>\d+)")
PATRONICTL = ("runuser", "-u", "postgres", "--", "patronictl", "-c", str(facts_drift.PATRONI_CONFIG))

Act = dict[str, Any]


class RefusedError(Exception):
    """An act that is not carried out; the text says why."""


def remove_file(act: Mapping[str, Any]) -> None:
    """Take a file away from where it acts; it stays for root to look at."""
    path = Path(act["path"])
    if not path.is_file() or path.is_symlink():
        return
    place = KEPT / f"{time.time():.0f}" / str(path).lstrip("/")
    KEPT.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())
    place.chmod(0o600)
    path.unlink()
    if path.suffix in {".service", ".socket", ".timer", ".conf"} and "/systemd/" in str(path):
        if path.suffix != ".conf":
            subprocess.run(["systemctl", "stop", path.name], capture_output=True, check=False)
        output_of(["systemctl", "daemon-reload"], timeout=_SECONDS)


def remove_account(act: Mapping[str, Any]) -> None:
    """Remove an account; its files stay."""
    output_of(["userdel", "--force", act["name"]], timeout=_SECONDS)


def unhold(act: Mapping[str, Any]) -> None:
    """Let a package be upgraded again."""
    output_of(["apt-mark", "unhold", act["name"]], timeout=_SECONDS)


def delete_table(act: Mapping[str, Any]) -> None:
    """Delete a whole table of the packet filter."""
    output_of(["nft", "delete", "table", act["family"], act["name"]], timeout=_SECONDS)


def silence(act: Mapping[str, Any]) -> None:
    """Stop who listens at a socket: its unit where it has one of its own, else the process."""
    wanted = (act["protocol"], act["address"], str(act["port"]))
    for line in output_of(["ss", "-H", "-l", "-n", "-t", "-u", "-p"]).splitlines():
        words = line.split()
        address, _, port = words[4].rpartition(":")
        if (words[0], address.strip("[]").partition("%")[0], port) != wanted:
            continue
        for found in _PID.finditer(line):
            _stop(int(found["pid"]), act["declared_units"])


def _stop(pid: int, declared: list[str]) -> None:
    unit = _UNIT.search(Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"))
    if unit and unit["unit"] in declared:
        raise RefusedError(f"{unit['unit']} listens there, which is declared: look at its configuration")
    if unit and not unit["unit"].startswith(("user@", "ssh")):
        output_of(["systemctl", "stop", unit["unit"]], timeout=_SECONDS)
        return
    os.kill(pid, 15)


def sql(act: Mapping[str, Any]) -> None:
    """Statements as the superuser, one after the other; those of `or_else` where they fail."""
    try:
        for statement in act["statements"]:
            facts_postgres.query(statement, timeout=_SECONDS)
    except Exception:
        if not act.get("or_else"):
            raise
        for statement in act["or_else"]:
            facts_postgres.query(statement, timeout=_SECONDS)


def hba(act: Mapping[str, Any]) -> None:
    """Write pg_hba.conf anew from Patroni's own configuration file, and let PostgreSQL read it."""
    path = Path(act["data"], "pg_hba.conf")
    rules = list(facts_drift.hba_declared(facts_drift.PATRONI_CONFIG.read_text(encoding="utf-8")))
    if not rules:
        raise RefusedError(f"{facts_drift.PATRONI_CONFIG} has no rules")
    status = path.stat()
    fresh = path.with_name(".pg_hba.conf.new")
    fresh.write_text(
        "# Managed by Mirrorforce, through Patroni.\n" + "\n".join(rules) + "\n", encoding="utf-8"
    )
    os.chown(fresh, status.st_uid, status.st_gid)
    fresh.chmod(status.st_mode & 0o777)
    fresh.replace(path)
    facts_postgres.query("select pg_reload_conf();", timeout=_SECONDS)


def edit_config(act: Mapping[str, Any]) -> None:
    """Take keys out of the cell's dynamic configuration."""
    settings = [word for key in act["keys"] for word in ("--set", f"{key}=null")]
    command = [*PATRONICTL, "edit-config", act["cell"], "--force", "--quiet", *settings]
    output_of(command, timeout=_SECONDS)


def remove_etcd_member(act: Mapping[str, Any]) -> None:
    """Take a member that is nobody's out of etcd's cluster."""
    context = ssl.create_default_context(cafile=act["ca"])
    context.load_cert_chain(act["certificate"], act["key"])

    def call(path: str, token: str | None = None, **body: object) -> dict[str, Any]:
        request = urllib.request.Request(f"{act['url']}/v3/{path}", json.dumps(body).encode())  # noqa: S310
        if token:
            request.add_header("Authorization", token)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as reply:  # noqa: S310
                found: dict[str, Any] = json.loads(reply.read())
                return found
        except urllib.error.HTTPError as error:
            raise RefusedError(error.read().decode(errors="replace").strip()) from None

    token = call("auth/authenticate", name="root", password=act["root_password"])["token"]
    call("cluster/member/remove", token, ID=act["id"])


def dns_admin(_act: Mapping[str, Any]) -> None:
    """Take back what was forced upon the DNS server by hand; it looks at the file by itself."""
    if facts_drift.ADMIN_STATE.exists():
        facts_drift.ADMIN_STATE.write_text("", encoding="utf-8")


def setting(act: Mapping[str, Any]) -> None:
    """Set a kernel setting to what its declared file says."""
    Path("/proc/sys", *act["name"].split(".")).write_text(f"{act['value']}\n", encoding="ascii")


ACTS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "remove_file": remove_file,
    "remove_account": remove_account,
    "unhold": unhold,
    "delete_table": delete_table,
    "silence": silence,
    "sql": sql,
    "hba": hba,
    "edit_config": edit_config,
    "remove_etcd_member": remove_etcd_member,
    "dns_admin": dns_admin,
    "setting": setting,
}


def carry_out(acts: list[Act]) -> list[str]:
    """Carry out the acts in their order, each for itself; why each failed, '' where it did not."""
    answers = []
    for act in acts:
        try:
            ACTS[act["act"]](act)
            answers.append("")
        except Exception as fault:  # noqa: BLE001 (an act's fault is its answer)
            answers.append(f"{type(fault).__name__}: {fault}")
    return answers


if __name__ == "__main__":
    json.dump(carry_out(json.load(sys.stdin)), sys.stdout)
