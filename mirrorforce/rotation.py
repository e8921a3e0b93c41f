"""The estate's secrets by name, and the stages by which one gets a new value while everything runs. Pure.

A new value is *offered* first: hosts accept it beside the old one. Then it is *switched* to: whoever shows
the secret shows the new value, and the old one is still accepted. Then the old one is *dropped*. At no
moment does anybody show what somebody else does not accept, in whatever order hosts are converged, so that
each stage is nothing but a declared state. Of a user with one password alone a second user takes its place:
the two take turns.

What only Mirrorforce and the members of a cell show to each other is switched at once: no connection ends
when its password changes, and each of them has the new one within the same converge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mirrorforce.pki import new_authority
from mirrorforce.secrets import MADE, Change, EstateSecrets, Stage, new_password, new_ssh_key

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from mirrorforce.estate import Estate

SSH_KEY = "ssh-key"
AUTHORITY = "ca"
CERTIFICATES = "certificates"
ETCD_ROOT = "etcd-root"
ETCD_WATCHER = "etcd-watcher"


class Kind(StrEnum):
    """What a secret is."""

    SSH_KEY = "ssh key"
    AUTHORITY = "certificate authority"
    CERTIFICATES = "keys and certificates of hosts"
    PASSWORD = "password"  # noqa: S105 - a word, no password


@dataclass(frozen=True, slots=True)
class Secret:
    """One of the estate's secrets.

    fields: where its value stands in `EstateSecrets`, or in the `CellSecrets` of `cell`.
    turns: whether two users take turns. at_once: whether it is switched without an overlap.
    tags: the roles that bring a change of it to hosts. users: who shows it, in a few words.
    """

    name: str
    kind: Kind
    users: str
    fields: tuple[str, ...] = ()
    cell: str = ""
    turns: bool = False
    at_once: bool = False
    tags: tuple[str, ...] = ()


_TLS_ROLES = ("pki", "etcd", "failover_dns", "failover_agent", "postgres")


def of(estate: Estate) -> tuple[Secret, ...]:
    """Every secret of the estate, those that all share first."""
    shared = (
        Secret(
            SSH_KEY, Kind.SSH_KEY, "mirrorforce, Ansible and people, on every host",
            ("ssh_private_key", "ssh_public_key"), tags=("base",),
        ),
        Secret(
            AUTHORITY, Kind.AUTHORITY, "every TLS connection between hosts",
            ("ca_certificate", "ca_key"), tags=_TLS_ROLES,
        ),
        Secret(CERTIFICATES, Kind.CERTIFICATES, "every TLS port and client of a host", tags=_TLS_ROLES),
        Secret(
            ETCD_ROOT, Kind.PASSWORD, "mirrorforce, to converge etcd's users",
            ("etcd_root_password",), at_once=True, tags=("etcd",),
        ),
        Secret(
            ETCD_WATCHER, Kind.PASSWORD, "leader watchers and movers of etcd's leadership, at etcd",
            ("etcd_watcher_password",), turns=True, tags=("etcd", "failover_dns"),
        ),
    )  # fmt: skip
    return (*shared, *(each for cell in estate.cells for each in _of_cell(estate, cell.name)))


def _of_cell(estate: Estate, cell: str) -> Iterable[Secret]:
    def password(part: str, users: str, *tags: str, turns: bool = False) -> Secret:
        return Secret(
            f"{cell}-{part}", Kind.PASSWORD, users, (f"{part.replace('-', '_')}_password",), cell,
            turns=turns, at_once=not turns, tags=tags,
        )  # fmt: skip

    yield password("application", f"applications that write to {cell}", "postgres", "application", turns=True)
    yield password("reader", f"applications that read from {cell}", "postgres", "application", turns=True)
    yield password("etcd", f"Patroni of {cell}, at etcd", "etcd", "postgres", turns=True)
    if estate.fence_and_release:
        users = f"failover agents of {cell}, at etcd"
        yield Secret(
            f"{cell}-etcd-agent", Kind.PASSWORD, users, ("etcd_agent_password",), cell,
            turns=True, tags=("etcd", "failover_agent"),
        )  # fmt: skip
    yield password("replication", f"standbys of {cell}, to stream", "postgres")
    yield password("rewind", f"members of {cell}, to be rewound", "postgres")
    yield password("superuser", f"nobody: members of {cell} come in by their socket", "postgres")
    yield password("rest", f"orders to Patroni of {cell}", "postgres")


def other_user(base: str, name: str, secrets: EstateSecrets) -> str:
    """The user that is not in use of the two that take turns."""
    return base if name in secrets.second_logins else f"{base}_2"


def user(base: str, name: str, secrets: EstateSecrets) -> str:
    """The user in use of the two that take turns as `base`: the one of that name, or its second."""
    return f"{base}_2" if name in secrets.second_logins else base


def value(secrets: EstateSecrets, secret: Secret) -> dict[str, str]:
    """The value in use, by its fields' names."""
    holder = secrets.cells[secret.cell] if secret.cell else secrets
    return {name: getattr(holder, name) for name in secret.fields}


def other_value(secrets: EstateSecrets, name: str, field: str) -> str | None:
    """The value that is accepted beside the one in use; None where there is none."""
    change = secrets.changes.get(name)
    return change.other.get(field) if change and change.both else None


def authorities(secrets: EstateSecrets) -> str:
    """The certificates (PEM) that hosts trust, in an order that a switch does not change."""
    other = other_value(secrets, AUTHORITY, "ca_certificate")
    trusted = [secrets.ca_certificate, *([other] if other else [])]
    return "".join(sorted(f"{each.strip()}\n" for each in trusted)) if other else secrets.ca_certificate


def authorized_keys(secrets: EstateSecrets) -> str:
    """The public ssh keys that hosts let in, a line each, in an order that a switch does not change."""
    other = other_value(secrets, SSH_KEY, "ssh_public_key")
    keys = {secrets.ssh_public_key.strip(), *([other.strip()] if other else [])}
    return "\n".join(sorted(keys))


def next_stage(secret: Secret, stage: Stage | None) -> Stage | None:
    """The stage that follows; None: the secret is whole. `stage` None: it is whole, and is to be rotated."""
    path = _path(secret)
    if stage is None:
        return path[0]
    after = path.index(stage) + 1
    return path[after] if after < len(path) else None


def _path(secret: Secret) -> tuple[Stage, ...]:
    if secret.kind is Kind.CERTIFICATES or secret.at_once:
        return (Stage.SWITCHED,)
    return (Stage.OFFERED, Stage.SWITCHED, Stage.DROPPED)


def advanced(secrets: EstateSecrets, secret: Secret, estate_name: str, now: dt.datetime) -> EstateSecrets:
    """The secrets with this one a stage further; begun, where it was whole."""
    change = secrets.changes.get(secret.name)
    stage = next_stage(secret, change.stage if change else None)
    moment = now.isoformat(timespec="seconds")
    changes = {name: each for name, each in secrets.changes.items() if name != secret.name}
    if stage is None:
        return replace(secrets, changes=changes, dates={**secrets.dates, secret.name: moment})
    other = dict(change.other) if change else fresh(secret, estate_name)
    if secret.kind is Kind.AUTHORITY or secret.kind is Kind.CERTIFICATES:
        # Patroni's REST API looks at whom it trusts where its own certificate is another one, and only then.
        secrets = replace(secrets, certificates_since=moment)
    if stage is Stage.SWITCHED:
        secrets, other = _exchanged(secrets, secret, other)
    since = change.since if change else moment
    return replace(secrets, changes={**changes, secret.name: Change(stage, since, other)})


def fresh(secret: Secret, estate_name: str) -> dict[str, str]:
    """A new value, by its fields' names."""
    if secret.kind is Kind.SSH_KEY:
        private, public = new_ssh_key(estate_name)
        return {"ssh_private_key": private, "ssh_public_key": public}
    if secret.kind is Kind.AUTHORITY:
        authority = new_authority(estate_name)
        return {"ca_certificate": authority.certificate_pem, "ca_key": authority.key_pem}
    return {name: new_password() for name in secret.fields}


def _exchanged(
    secrets: EstateSecrets, secret: Secret, other: Mapping[str, str]
) -> tuple[EstateSecrets, dict[str, str]]:
    """The other value put to use; and the one that was."""
    old = value(secrets, secret)
    if secret.cell:
        cell = replace(secrets.cells[secret.cell], **other)
        secrets = replace(secrets, cells={**secrets.cells, secret.cell: cell})
    else:
        secrets = replace(secrets, **other)  # type: ignore[arg-type]
    if secret.turns:
        turned = set(secrets.second_logins) ^ {secret.name}
        secrets = replace(secrets, second_logins=tuple(sorted(turned)))
    return secrets, old


def made(secrets: EstateSecrets, name: str) -> str:
    """When the secret got its value (ISO 8601); '' where nobody kept that."""
    return secrets.dates.get(name, secrets.dates.get(MADE, ""))
