"""What is tried between the stages of a rotation: the new value opens every door, the old one none any more.

`doors` says which doors a secret opens (pure); `until_true` has hosts try them. Secrets travel by stdin.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography import x509

from mirrorforce import etcd_variables, expected, inventory, pki, remote, rotation, timings
from mirrorforce.errors import MirrorforceError
from mirrorforce.estate import ETCD_CLIENT_PORT, PATRONI_PORT, POSTGRES_PORT
from mirrorforce.operations import probing, requests, waiting
from mirrorforce.rotation import Kind
from mirrorforce.secrets import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.estate import Estate, Host
    from mirrorforce.inventory import Inventory
    from mirrorforce.rotation import Secret
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.workspace import Workspace

TRIED_WITHIN = 60.0
"""Seconds until all doors are as they should be: Patroni reloads in its loop, a busy etcd checks slowly."""

_ANSWER_SECONDS = 12.0
_ETCD_SECONDS = 8.0
_CREDENTIALS = {
    "ca": expected.CA_CERTIFICATE,
    "certificate": expected.HOST_CERTIFICATE,
    "key": expected.HOST_KEY,
}


@dataclass(frozen=True, slots=True)
class Door:
    """A door that `host` is to try (`mirrorforce.onhost.facts_refusals`), and whether it is to be open.

    because: what a door that is shut has to say (regular expression).
    """

    host: str
    attempt: Mapping[str, Any] = field(repr=False)
    opens: bool
    because: str = ""

    def fault(self, answer: Mapping[str, Any] | None) -> str | None:
        """What is wrong with what was found behind it; None where all is as it should be."""
        name = f"{self.attempt['id']}, tried from {self.host}"
        if answer is None:
            return f"{name}: no answer"
        if answer["got_in"] != self.opens:
            return f"{name}: {'let in' if answer['got_in'] else 'turned down'} ({answer['said'][-160:]})"
        if not self.opens and not re.search(self.because, answer["said"]):
            return f"{name}: turned down for another reason ({answer['said'][-160:]})"
        return None


def doors(
    estate: Estate,
    hosts: Sequence[Host],
    secrets: EstateSecrets,
    secret: Secret,
    primaries: Mapping[str, str],
) -> Iterator[Door]:
    """The doors that say whether the stage that a secret has reached holds. `primaries`: host by cell."""
    change = secrets.changes[secret.name]
    if secret.kind is Kind.AUTHORITY:
        yield from _of_authority(hosts, secrets, secret)
    elif secret.kind is Kind.PASSWORD and change.stage is Stage.OFFERED:
        yield from _of_password(estate, hosts, secrets, secret, primaries, other=True, opens=True)
    elif secret.kind is Kind.PASSWORD:
        yield from _of_password(estate, hosts, secrets, secret, primaries, other=False, opens=True)
        if change.stage is Stage.DROPPED or secret.at_once:
            yield from _of_password(estate, hosts, secrets, secret, primaries, other=True, opens=False)


def _of_authority(hosts: Sequence[Host], secrets: EstateSecrets, secret: Secret) -> Iterator[Door]:
    """Every TLS port takes whom either signed; once the old one is dropped, the one in use alone."""
    change = secrets.changes[secret.name]
    now = dt.datetime.now(dt.UTC)
    mine = pki.Authority(secrets.ca_certificate, secrets.ca_key)
    other = pki.Authority(change.other["ca_certificate"], change.other["ca_key"])
    for authority, which in ((mine, "in use"), (other, "not in use")):
        opens = authority is mine or change.both
        pem = pki.client_of("", authority, now)
        for host in hosts:
            for port in expected.tls_ports(host):
                attempt = {
                    "id": f"{port['address']}:{port['port']} with a certificate of the authority {which}",
                    "kind": "tls", "pem": pem, "trust": secrets.ca_certificate, **port,
                }  # fmt: skip
                yield Door(
                    host.name, attempt, opens, "unknown ca|bad certificate|certificate|reset|closed|EOF"
                )


def _of_password(  # noqa: PLR0913 - which secret of what, and which of its two values
    estate: Estate,
    hosts: Sequence[Host],
    secrets: EstateSecrets,
    secret: Secret,
    primaries: Mapping[str, str],
    *,
    other: bool,
    opens: bool,
) -> Iterator[Door]:
    name = secret.fields[0]
    password = secrets.changes[secret.name].other[name] if other else rotation.value(secrets, secret)[name]
    user = _user(secrets, secret, other=other)
    which = f"{secret.name} as {user}, {'the value not in use' if other else 'the value in use'}"
    control = next(host for host in hosts if host.role == "control")
    if "etcd" in secret.tags:
        body = {"name": user, "password": password}
        url = f"https://{control.address}:{ETCD_CLIENT_PORT}/v3/auth/authenticate"
        attempt = {"kind": "https", "url": url, "body": body, "timeout": _ETCD_SECONDS, **_CREDENTIALS}
        refusals = {"refusals": ["authentication failed"]}
        yield Door(control.name, {"id": which, **attempt, **refusals}, opens, "authentication failed")
        return
    primary = next(host for host in hosts if host.name == primaries[secret.cell])
    members = [host for host in hosts if host.cell == secret.cell]
    standby = next(host for host in members if host != primary)
    if secret.name.endswith("-rest"):
        token = base64.b64encode(f"patroni:{password}".encode()).decode("ascii")
        for member in members:
            attempt = {
                "id": f"{which}, at {member.name}", "kind": "https", "body": {}, **_CREDENTIALS,
                "url": f"https://{member.address}:{PATRONI_PORT}/reload",
                "headers": {"Authorization": f"Basic {token}"},
            }  # fmt: skip
            yield Door(standby.name, attempt, opens, "HTTP 401")
    elif secret.turns:
        applications = [host for host in hosts if host.role == "application"]
        parameters = {"dbname": estate.cell(secret.cell).database, "user": user, "sslmode": "require"}
        for host in applications[:1]:
            yield Door(host.name, _postgres(which, primary, password, parameters), opens, _DENIED)
    elif user != "postgres":
        own = {"sslmode": "verify-ca", "sslrootcert": expected.CA_CERTIFICATE,
               "sslcert": expected.HOST_CERTIFICATE, "sslkey": expected.HOST_KEY}  # fmt: skip
        what = {"replication": "true"} if user == "replicator" else {"dbname": "postgres"}
        yield Door(
            standby.name, _postgres(which, primary, password, {"user": user, **what, **own}), opens, _DENIED
        )


_DENIED = "password authentication failed|not permitted to log in|no pg_hba.conf entry for host"


def _user(secrets: EstateSecrets, secret: Secret, *, other: bool) -> str:
    part = secret.name.removeprefix(f"{secret.cell}-")
    bases = {
        rotation.ETCD_ROOT: "root", rotation.ETCD_WATCHER: etcd_variables.WATCHER, "etcd": secret.cell,
        "etcd-agent": etcd_variables.agent_role(secret.cell), "replication": "replicator",
        "rewind": "rewinder", "superuser": "postgres", "rest": "patroni",
    }  # fmt: skip
    base = bases.get(part, part)
    if not secret.turns:
        return base
    chosen = rotation.other_user if other else rotation.user
    return chosen(base, secret.name, secrets)


def _postgres(which: str, member: Host, password: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    target = {"hostaddr": str(member.address), "port": str(POSTGRES_PORT), "gssencmode": "disable"}
    return {"id": which, "kind": "postgres", "password": password, "parameters": {**target, **parameters}}


def until_true(ws: Workspace, wanted: Sequence[Door]) -> None:
    """Have hosts try these doors until each is as it should be; MirrorforceError with those that are not."""
    faults: list[str] = []

    def tried() -> bool | None:
        asked: dict[str, dict[str, Any]] = {}
        for door in wanted:
            sections = asked.setdefault(door.host, {"refusals": {"attempts": []}})
            sections["refusals"]["attempts"].append(dict(door.attempt))
        probes = probing.ask(ws, asked, timeout=_ANSWER_SECONDS)
        found = [door.fault(probes[door.host].section("refusals").get(door.attempt["id"])) for door in wanted]
        faults[:] = [fault for fault in found if fault]
        return None if faults else True

    waiting.until(
        tried,
        limit=TRIED_WITHIN,
        every=1.0,
        otherwise=lambda: MirrorforceError(
            "the rotation stops here, with both values in force where they were: " + "; ".join(faults),
            f"mirrorforce status {ws.env}; then mirrorforce secrets rotate, which goes on from here",
        ),
    )


def until_reissued(ws: Workspace, hosts: Sequence[Host], secrets: EstateSecrets) -> None:
    """Wait until every TLS port shows the certificate on disk, made since the last rotation."""
    faults: list[str] = []
    wanted = pki.Wish("", (), (), server=True, client=True, days=1, renew_before_days=0,
                      renew_older_than=dt.datetime.fromisoformat(secrets.certificates_since))  # fmt: skip
    asked = {
        host.name: {"certificates": {"paths": [expected.HOST_CERTIFICATE], "ports": expected.tls_ports(host)}}
        for host in hosts
    }

    def seen() -> bool | None:
        faults.clear()
        for name, probe in probing.ask(ws, asked, timeout=_ANSWER_SECONDS).items():
            shown = probe.section("certificates")
            pem = (shown.get("files") or {}).get(expected.HOST_CERTIFICATE)
            if not pem:
                faults.append(f"{name}: {probe.fault('certificates') or 'no certificate'}")
                continue
            own = x509.load_pem_x509_certificate(pem.encode("ascii"))
            if pki.is_older(own, wanted):
                faults.append(f"{name}: its certificate is older than the rotation")
            faults.extend(
                f"{name}: {port} shows another certificate"
                for port, text in shown["served"].items()
                if x509.load_pem_x509_certificate(text.encode("ascii")) != own
            )
        return None if faults else True

    waiting.until(
        seen,
        limit=TRIED_WITHIN,
        every=1.0,
        otherwise=lambda: MirrorforceError(
            f"not every port shows its new certificate: {'; '.join(faults)}",
            "mirrorforce secrets rotate, which goes on from here",
        ),
    )


def until_reloaded(ws: Workspace, estate: Estate, hosts: Sequence[Host]) -> None:
    """Wait until Patroni on these members has its configuration as it is on disk.

    It reads it at the beginning of a loop, after the signal, and says nothing of it. So each is watched for
    two whole loops that begin from now on, by the time at which it last had an answer from etcd.
    """
    pace = timings.patroni(estate)
    asked = {host.name: {"patroni": requests.patroni(host)} for host in hosts}
    first: dict[str, int] = {}
    behind = list(asked)

    def looped() -> bool | None:
        for name, probe in probing.ask(ws, asked, timeout=_ANSWER_SECONDS).items():
            if seen := (probe.section("patroni").get("member") or {}).get("dcs_last_seen"):
                began = first.setdefault(name, seen)
                if seen >= began + 2 * pace.loop_wait + 1 and name in behind:
                    behind.remove(name)
        return None if behind else True

    waiting.until(
        looped,
        limit=TRIED_WITHIN + 2 * pace.loop_wait,
        every=1.0,
        otherwise=lambda: MirrorforceError(
            f"Patroni on {', '.join(behind)} does not get through its loop, and may not know the new value",
            f"mirrorforce status {ws.env}; then mirrorforce secrets rotate, which goes on from here",
        ),
    )


def ssh_key(ws: Workspace, found: Inventory, secrets: EstateSecrets, *, opens: bool) -> None:
    """Try the ssh key that is not in use at every host; MirrorforceError where one answers otherwise."""
    key = secrets.changes[rotation.SSH_KEY].other["ssh_private_key"]
    folder = ws.access / "trial"
    try:
        config = inventory.write_access_into(folder, found, replace(secrets, ssh_private_key=key))
        alone = ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
        wrong = []
        for host in found.hosts:
            line = ["ssh", "-F", str(config), *alone, host.name, "true"]
            answer = remote.run_line(line, None, timeout=20.0)
            denied = not answer.reached and "Permission denied" in answer.stderr
            if answer.ok != opens or (not opens and not denied):
                wrong.append(f"{host.name} ({answer.reason if opens else 'let in, or does not answer'})")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if wrong:
        which = "the new ssh key does not open" if opens else "the old ssh key is not turned down by"
        raise MirrorforceError(
            f"{which} {', '.join(wrong)}", "mirrorforce secrets rotate, which goes on from here"
        )
