"""Drifts made on purpose: how each is made, who is to find it, and what becomes of it. A table of data.

`layers`: who sees it in a full look, its owner first. `quick`: whether the quick look sees it as well.
`mended`: whether --fix mends it; what it leaves to a person, `undo` puts back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorforce.drift.finding import Layer

PSQL = "runuser -u postgres -- psql -XAtqc"
PATRONICTL = "runuser -u postgres -- patronictl -c /etc/patroni/config.yml"
ETCDCTL = (
    "ETCDCTL_API=3 etcdctl --endpoints=https://$(hostname -I | cut -d' ' -f1):2379 "
    "--cacert=/etc/mirrorforce/pki/ca.crt --cert=/etc/mirrorforce/pki/host.crt "
    "--key=/etc/mirrorforce/pki/host.key --user=root:{etcd_root_password}"
)
PRIMARY = {"na1": "east-na1", "na2": "west-na2"}


@dataclass(frozen=True)
class Drift:
    """One drift. `make`: a shell line as root on `host`; for infrastructure one of the lab's own acts.

    subject: as the report names it; the host itself where not given. handful: made in every test run.
    """

    name: str
    host: str
    make: str
    item: str
    layers: tuple[Layer, ...]
    subject: str = ""
    quick: bool = True
    mended: bool = True
    undo: str = ""
    handful: bool = False

    @property
    def of(self) -> str:
        """Whom the report names."""
        return self.subject or self.host


FILE: tuple[Layer, ...] = ("configuration", "seal")
FOREIGN: tuple[Layer, ...] = ("seal",)
RUNNING: tuple[Layer, ...] = ("cluster",)

HOSTS: tuple[Drift, ...] = (
    Drift("edited file", "dev-app", "echo '# edited' >> /etc/hosts", "/etc/hosts", FILE, handful=True),
    Drift(
        "changed mode",
        "legacy-na1",
        "chmod 0644 /etc/patroni/config.yml",
        "/etc/patroni/config.yml",
        FILE,
        handful=True,
    ),
    Drift(
        "changed owner",
        "dev-app",
        "chown nobody /etc/unbound/unbound.conf",
        "/etc/unbound/unbound.conf",
        FILE,
    ),
    Drift(
        "readable key",
        "west-na2",
        "chmod 0644 /etc/mirrorforce/pki/host.key",
        "/etc/mirrorforce/pki/host.key",
        FILE,
    ),
    Drift(
        "removed file, hidden by its role",
        "east-control",
        "rm /etc/mirrorforce/leader_watcher.json",
        "/etc/mirrorforce/leader_watcher.json",
        FILE,
    ),
    Drift(
        "changed secret, hidden by its role",
        "legacy-control",
        "echo changed > /etc/mirrorforce/etcd_watcher_password",
        "/etc/mirrorforce/etcd_watcher_password",
        FILE,
    ),
    Drift(
        "edited program",
        "dev-app",
        "echo '# edited' >> /usr/local/lib/mirrorforce/mirrorforce/onhost/sd_notify.py",
        "/usr/local/lib/mirrorforce/mirrorforce/onhost/sd_notify.py",
        FILE,
    ),
    Drift(
        "edited unit of a standby",
        "west-na1",
        "echo '# edited' >> /etc/systemd/system/patroni.service.d/mirrorforce.conf",
        "/etc/systemd/system/patroni.service.d/mirrorforce.conf",
        FILE,
    ),
    Drift(
        "other name servers",
        "dev-app",
        "echo 'nameserver 198.18.1.10' > /etc/resolv.conf",
        "/etc/resolv.conf",
        FILE,
    ),
    Drift("stopped service", "legacy-control", "systemctl stop gdnsd", "gdnsd.service", FILE, handful=True),
    Drift(
        "stopped and masked service",
        "dev-app",
        "systemctl mask --now unbound",
        "unbound.service",
        FILE,
        handful=True,
    ),
    Drift(
        "service that does not start at boot",
        "east-control",
        "systemctl disable etcd_leader_mover.timer",
        "etcd_leader_mover.timer",
        FILE,
    ),
    Drift(
        "extra firewall rule",
        "west-na1",
        "nft add rule inet mirrorforce input tcp dport 9999 accept",
        "mirrorforce-firewall.service",
        ("configuration", "cluster", "seal"),
        handful=True,
    ),
    Drift("foreign firewall table", "dev-app", "nft add table ip zoo", "nftables table ip zoo", RUNNING),
    Drift(
        "extra listening port",
        "dev-app",
        "systemd-run --unit=zoo-listener python3 -m http.server 8081",
        "socket tcp 0.0.0.0:8081",
        RUNNING,
        handful=True,
    ),
    Drift(
        "expired certificate",
        "dev-app",
        "openssl req -x509 -key /etc/mirrorforce/pki/host.key -subj /CN=zoo -not_before 20200101000000Z "
        "-not_after 20200201000000Z -out /etc/mirrorforce/pki/host.crt",
        "/etc/mirrorforce/pki/host.crt",
        ("configuration", "cluster", "seal"),
        handful=True,
    ),
    Drift(
        "key added for the administrator",
        "west-na1",
        "echo 'ssh-ed25519 AAAA zoo' >> /home/mirrorforce/.ssh/authorized_keys",
        "/home/mirrorforce/.ssh/authorized_keys",
        FILE,
        handful=True,
    ),
    Drift(
        "password for the administrator",
        "west-na2",
        "usermod -p '$6$zoo$zoo' mirrorforce",
        "account mirrorforce",
        ("configuration", "seal"),
    ),
    Drift(
        "foreign cron job",
        "west-control",
        "mkdir -p /etc/cron.d && echo '* * * * * root true' > /etc/cron.d/zoo",
        "/etc/cron.d/zoo",
        FOREIGN,
        handful=True,
    ),
    Drift(
        "foreign authorized key",
        "east-na2",
        "install -d -m 0700 /root/.ssh && echo 'ssh-ed25519 AAAA zoo' > /root/.ssh/authorized_keys",
        "/root/.ssh/authorized_keys",
        FOREIGN,
    ),
    Drift(
        "foreign sudo rule",
        "legacy-control",
        "echo 'nobody ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/zoo",
        "/etc/sudoers.d/zoo",
        FOREIGN,
    ),
    Drift(
        "foreign kernel settings",
        "west-na2",
        "echo 'net.ipv4.tcp_syncookies = 0' > /etc/sysctl.d/99-zoo.conf",
        "/etc/sysctl.d/99-zoo.conf",
        FOREIGN,
    ),
    Drift(
        "foreign unit",
        "west-control",
        r"printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/zoo.service && "
        "systemctl daemon-reload && systemctl start zoo",
        "/etc/systemd/system/zoo.service",
        FOREIGN,
    ),
    Drift("foreign account", "dev-app", "useradd --create-home zoo", "account zoo", FOREIGN, handful=True),
    Drift(
        "held package",
        "east-control",
        "apt-mark hold etcd-server",
        "package etcd-server",
        FOREIGN,
        handful=True,
    ),
    Drift(
        "downgraded package",
        "legacy-na1",
        "sed -i.zoo '/^Package: openssl$/,/^$/s/^Version: .*/Version: 3.0.0-1/' /var/lib/dpkg/status",
        "package openssl",
        ("cluster", "seal"),
        mended=False,
        undo="mv /var/lib/dpkg/status.zoo /var/lib/dpkg/status",
    ),
)

CLUSTER: tuple[Drift, ...] = (
    Drift(
        "ALTER SYSTEM on a standby",
        "west-na1",
        f"""{PSQL} "alter system set work_mem = '64MB'" && {PSQL} 'select pg_reload_conf()'""",
        "parameter work_mem",
        RUNNING,
        handful=True,
    ),
    Drift(
        "ALTER SYSTEM that waits for a restart",
        "legacy-na1",
        f"""{PSQL} "alter system set shared_buffers = '64MB'" && {PSQL} 'select pg_reload_conf()'""",
        "parameter shared_buffers",
        RUNNING,
    ),
    Drift(
        "changed timing in Patroni",
        "east-na1",
        f"{PATRONICTL} edit-config na1 --force --quiet --set ttl=25",
        "configuration ttl",
        ("configuration", "cluster"),
        subject="na1",
        handful=True,
    ),
    Drift(
        "synchronous replication no longer strict",
        "west-na2",
        f"{PATRONICTL} edit-config na2 --force --quiet --set synchronous_mode_strict=false",
        "configuration synchronous_mode_strict",
        ("configuration", "cluster"),
        subject="na2",
    ),
    Drift(
        "key in Patroni that nobody declares",
        "west-na2",
        f"{PATRONICTL} edit-config na2 --force --quiet --set maximum_lag_on_failover=1",
        "configuration maximum_lag_on_failover",
        RUNNING,
        subject="na2",
    ),
    Drift(
        "added superuser",
        PRIMARY["na1"],
        f"{PSQL} 'create role zoo superuser login'",
        "superuser zoo",
        RUNNING,
        subject="na1",
        handful=True,
    ),
    Drift(
        "added role that owns something",
        PRIMARY["na2"],
        f"{PSQL} 'create role zoo login; create table zoo(); alter table zoo owner to zoo'",
        "role zoo",
        RUNNING,
        subject="na2",
        mended=False,
        undo=f"{PSQL} 'drop owned by zoo; drop role zoo'",
    ),
    Drift(
        "right of a declared role",
        PRIMARY["na2"],
        f"{PSQL} 'alter role reader superuser'",
        "superuser reader",
        RUNNING,
        subject="na2",
    ),
    Drift(
        "commits lowered for a role",
        PRIMARY["na1"],
        f"{PSQL} 'alter role application set synchronous_commit = off'",
        "setting synchronous_commit of application in any database",
        RUNNING,
        subject="na1",
    ),
    Drift(
        "HBA line",
        "legacy-na1",
        "echo 'host all all 0.0.0.0/0 trust' >> /srv/postgres/data/17/pg_hba.conf && "
        f"{PSQL} 'select pg_reload_conf()'",
        "pg_hba host all all 0.0.0.0/0 trust",
        RUNNING,
        handful=True,
    ),
    Drift(
        "DNS admin state left over",
        "west-control",
        "echo '198.18.3.99/primary => DOWN' > /var/lib/gdnsd/admin_state",
        "DNS state 198.18.3.99/primary",
        RUNNING,
        handful=True,
    ),
    Drift(
        "etcd member of nobody",
        "east-control",
        f"{ETCDCTL} member add zoo --learner --peer-urls=https://198.18.3.99:2380",
        "etcd member https://198.18.3.99:2380",
        RUNNING,
        subject="etcd",
    ),
    Drift(
        "etcd user of nobody",
        "east-control",
        f"{ETCDCTL} user add zoo:zoo-password",
        "user zoo",
        ("configuration",),
        quick=False,
    ),
)

INFRASTRUCTURE: tuple[Drift, ...] = (
    Drift("host powered off", "legacy-na2", "power off", "Host.running", ("infrastructure",), quick=False),
    Drift("host deleted", "dev-app", "delete", "Host.exists", ("infrastructure",), quick=False),
    Drift("volume detached", "legacy-na1", "detach wal", "Host.volumes", ("infrastructure",), quick=False),
    Drift("link cut", "dev-east", "cut", "Link.running", ("infrastructure",), quick=False),
)

BATCHES: tuple[tuple[Drift, ...], ...] = ((*HOSTS, *CLUSTER), INFRASTRUCTURE)
"""Made together, so that one look finds them all: none of a batch hides another."""

HANDFUL = tuple(drift for batch in BATCHES for drift in batch if drift.handful)
