"""What is asked of, and done to, the hosts of the site that a lost majority leaves: the edge of `recover`."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from mirrorforce import engine, pki, remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.estate import ETCD_CLIENT_PORT, ETCD_PEER_PORT
from mirrorforce.operations import requests
from mirrorforce.operations.loss import LastWords, Position, last_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory, InventoryHost
    from mirrorforce.remote import Result
    from mirrorforce.workspace import Workspace

ETCD_DATA = "/var/lib/etcd/mirrorforce"
"""As role etcd's `etcd_data`."""

_ASK_SECONDS = 15.0
"""A host that is there answers within this, on a busy machine too: nobody is declared lost for being slow."""

_REBUILD_SECONDS = 150.0
_ERASE_SECONDS = 120.0

_PSQL = (
    "sudo", "-n", "runuser", "-u", "postgres", "--",
    "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", "-",
)  # fmt: skip

_ACKNOWLEDGES = """
select not pg_is_in_recovery() and (
  current_setting('synchronous_standby_names') = ''
  or exists (select from pg_stat_replication where sync_state in ('quorum', 'sync')));
"""

_POSITION = """
select json_build_object(
  'received', coalesce(pg_wal_lsn_diff(received, '0/0'), 0),
  'replayed', pg_wal_lsn_diff(coalesce(replayed, written), '0/0'),
  'replayed_at', to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
  'timeline', (select timeline_id from pg_control_checkpoint()))
from (select pg_last_wal_receive_lsn() as received, pg_last_wal_replay_lsn() as replayed,
             case when not pg_is_in_recovery() then pg_current_wal_flush_lsn() end as written);
"""

# The voter alone has nobody to check a password with: users are authenticated by consensus. A certificate
# of root's is checked by itself. Serializable: what this voter holds, not what a majority agrees on.
_READ = """
umask 077
folder=$(mktemp -d /run/mirrorforce.XXXXXXXX)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/root.pem"
timeout 10 etcdctl --cacert {ca} --cert "$folder/root.pem" --key "$folder/root.pem" \
  --endpoints https://{address}:{port} get --consistency=s --write-out=json --prefix /service/{cell}/
"""

# From the store that etcd had applied, as a snapshot, with a log and a name of its own. Not by
# --force-new-cluster: it drops what the log does not show as committed, the store may have applied it already
# (etcd buffers that note), and then the next entries at those places are skipped here and applied by whoever
# joins: two voters with different keys, seen in the lab. Without a majority etcd does not stop in good order
# within a minute. It is asked once more itself: a busy machine may have kept it from answering in time, and a
# cluster that lives is not to be replaced. The exchange is one step: whoever is killed before or after it
# starts again.
_REBUILD = """
if etcdctl --cacert {ca} --cert {certificate} --key {key} --endpoints https://{address}:{client_port} \
    --command-timeout=20s endpoint health >/dev/null 2>&1; then
  echo "it has a majority, though it seemed to have none a moment ago" >&2
  exit 1
fi
systemctl stop --no-block etcd.service
systemctl kill --signal=KILL etcd.service 2>/dev/null || true
systemctl stop etcd.service
fresh={data}.recovered
rm -rf "$fresh"
runuser -u etcd -- etcdutl snapshot restore {data}/member/snap/db --skip-hash-check \
  --name {voter} --initial-cluster {voter}=https://{address}:{port} \
  --initial-advertise-peer-urls https://{address}:{port} \
  --initial-cluster-token "{estate}-recovered-$(date +%s%N)" --data-dir "$fresh" >&2
sync
mv --exchange --no-target-directory "$fresh/member" {data}/member
rm -rf "$fresh"
systemctl reset-failed etcd.service 2>/dev/null || true
systemctl start etcd.service
"""

# A token names the place in etcd's log at which it was given, and one from further on than the new log has
# got waits there until its request times out: it is never refused, so its holder never logs in again.
# PostgreSQL goes on without Patroni for that second.
_LOG_IN_ANEW = {
    "control": "systemctl restart leader_watcher.service",
    "database": "systemctl kill --kill-whom=main --signal=KILL patroni.service",
}

# The file first: an etcd without data that starts before it has joined must not begin a cluster of its own.
_ERASE_VOTER = """
printf 'ETCD_INITIAL_CLUSTER_STATE=existing\\n' > /etc/default/etcd-join.new
mv /etc/default/etcd-join.new /etc/default/etcd-join
systemctl stop --no-block etcd.service
systemctl kill --signal=KILL etcd.service 2>/dev/null || true
systemctl stop etcd.service
rm -rf {data}/member
sync
"""

_ERASE_MEMBER = """
systemctl stop --no-block patroni.service
systemctl kill --kill-whom=all --signal=KILL patroni.service 2>/dev/null || true
systemctl stop patroni.service
rm -rf {folders}
sync
"""


def voters_with_data(ws: Workspace, voters: Iterable[InventoryHost]) -> tuple[str, ...]:
    """The control hosts that answer and hold a voter's data: what an etcd of old can be rebuilt from."""
    command = ["sudo", "-n", "test", "-d", f"{ETCD_DATA}/member"]
    found = remote.run_on_all(ws, [host.name for host in voters], command, timeout=_ASK_SECONDS)
    return tuple(host for host, result in found.items() if result.ok)


def heard(ws: Workspace, voter: InventoryHost, cell: str) -> LastWords:
    """What the voter last heard of the cell; nothing known where its etcd does not answer."""
    secrets = engine.read_secrets(ws)
    authority = pki.Authority(secrets.ca_certificate, secrets.ca_key)
    root = pki.client_of("root", authority, dt.datetime.now(dt.UTC))
    ca = requests.credentials()["ca"]
    script = _READ.format(ca=ca, address=voter.address, port=ETCD_CLIENT_PORT, cell=cell)
    result = _as_root(ws, voter.name, script, stdin=root, timeout=_ASK_SECONDS)
    try:
        return last_words(json.loads(result.stdout), cell) if result.ok else LastWords()
    except ValueError:
        return LastWords()


def positions(ws: Workspace, members: Iterable[InventoryHost]) -> tuple[Position, ...]:
    """How far the members got whose PostgreSQL answers."""
    site_of = {host.name: host.site for host in members}
    answers = remote.run_on_all(ws, site_of, _PSQL, stdin=_POSITION, timeout=_ASK_SECONDS)
    return tuple(_position(host, site_of[host], result) for host, result in answers.items() if result.ok)


def acknowledges(ws: Workspace, primary: str) -> bool:
    """Whether the primary takes writes and a commit comes back: it waits for nobody, or somebody confirms."""
    result = remote.run(ws, primary, _PSQL, stdin=_ACKNOWLEDGES, timeout=_ASK_SECONDS)
    return result.ok and result.stdout.strip() == "t"


def _position(host: str, site: str, result: Result) -> Position:
    found = json.loads(result.stdout)
    replayed = int(found["replayed"])
    # A standby that has not streamed since it started has received nothing: it holds what it replayed.
    received = int(found["received"]) or replayed
    return Position(host, site, received, replayed, found["replayed_at"] or "", int(found["timeline"]))


def rebuild(ws: Workspace, estate: Estate, voter: InventoryHost) -> None:
    """Make this voter the only one of a new cluster with its keys and users. Safe to repeat until it runs.

    MirrorforceError where etcd does not come up with the data that is there.
    """
    script = _REBUILD.format(
        **requests.credentials(),
        data=ETCD_DATA,
        voter=voter.name,
        address=voter.address,
        port=ETCD_PEER_PORT,
        client_port=ETCD_CLIENT_PORT,
        estate=estate.name,
    )
    result = _as_root(ws, voter.name, script, timeout=_REBUILD_SECONDS)
    if not result.ok:
        raise MirrorforceError(
            f"etcd could not be rebuilt from {voter.name}'s data: {result.reason}",
            f"mirrorforce ssh {voter.name} journalctl -u etcd -n 50; then the same command again",
        )


def log_in_anew(ws: Workspace, hosts: Iterable[InventoryHost]) -> None:
    """Make etcd's users on these hosts forget what the cluster that is over gave them."""
    commands = {host.name: _LOG_IN_ANEW[host.role] for host in hosts if host.role in _LOG_IN_ANEW}

    def command(name: str) -> list[str]:
        return ["sudo", "-n", "sh", "-euc", commands[name]]

    remote.run_on_all(ws, commands, command, timeout=_ASK_SECONDS)


def erase(ws: Workspace, inventory: Inventory, hosts: Iterable[str]) -> None:
    """Stop what the hosts run for the estate, and remove what they held of it; side by side.

    MirrorforceError names the hosts on which that failed.
    """

    def command(name: str) -> list[str]:
        return ["sudo", "-n", "sh", "-euc", _erasing(inventory.host(name))]

    results = remote.run_on_all(ws, hosts, command, timeout=_ERASE_SECONDS)
    failed = [f"{host}: {result.reason}" for host, result in results.items() if not result.ok]
    if failed:
        raise MirrorforceError(
            f"what {len(failed)} hosts held could not be removed: {'; '.join(failed)}",
            "keep them cut off from each other, and run the same command again",
        )


def _erasing(host: InventoryHost) -> str:
    if host.role == "control":
        return _ERASE_VOTER.format(data=ETCD_DATA)
    if host.role == "database":
        return _ERASE_MEMBER.format(folders=" ".join(f"{volume.mount}/17" for volume in host.volumes))
    return "true"


def _as_root(ws: Workspace, host: str, script: str, *, timeout: float, stdin: str = "") -> Result:
    return remote.run(ws, host, ["sudo", "-n", "sh", "-euc", script], stdin=stdin, timeout=timeout)
