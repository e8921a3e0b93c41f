"""Power of a host: started, watched, stopped, cut. How a running host is seen from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.estate import SSH_PORT
from mirrorforce.lab import cgroups, disk_speed, disks, loops, names, namespaces, tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.lab.specs import HostSpec

NO_ADDRESS = "0.0.0.0"  # noqa: S104  no address, not an address to bind
"""The address of a running host that has none."""

_BOOT = Path(__file__).with_name("scripts") / "boot-host.sh"
_START_DEADLINE_SECONDS = 120.0
_FIRST_SIGN_SECONDS = 5.0
_STOP_DEADLINE_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LISTENING = "0A"
_CAP_SYS_RESOURCE = 1 << 24
_CONSOLE_TAIL_LINES = 12


def leader(estate: str, name: str) -> int | None:
    """The host's systemd: the process that is number 1 in a namespace below the machine's."""
    for pid in cgroups.processes(cgroups.of_host(estate, name) / "payload"):
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(numbers) > 1 and numbers[-1] == "1":
                return pid
    return None


def _supervisors(estate: str, name: str) -> tuple[int, ...]:
    """The processes outside the host that hold it up: they live in its site's network."""
    group = cgroups.of_host(estate, name)
    payload = set(cgroups.processes(group / "payload"))
    return tuple(pid for pid in cgroups.processes(group) if pid not in payload)


def is_plugged_in(spec: HostSpec) -> bool:
    """Whether the host hangs on today's network of its site, not on one that was removed under it."""
    namespace = names.namespace(spec.estate, spec.site)
    if not namespaces.exists(namespace):
        return False
    wanted = namespaces.inode(namespace)
    return any(namespaces.inode_of(pid) == wanted for pid in _supervisors(spec.estate, spec.name))


def real_address(leader: int) -> str:
    """The address that the host's interface has; 0.0.0.0 where it has none."""
    with suppress(MirrorforceError):
        rows = namespaces.show_of(leader, "address", "show", "dev", names.HOST_INTERFACE)
        if found := namespaces.addresses(rows):
            return str(IPv4Interface(found[0]).ip)
    return NO_ADDRESS


def start(spec: HostSpec) -> None:
    """Begin to boot the host; `wait_for_ssh` waits for the end of that. Cuts off what is left of it."""
    disk = disks.folder(spec.estate, spec.name)
    if not (disk / "image").is_dir():
        message = f"the image that {spec.name} lies over is gone: {disks.image(spec.estate, spec.name)}"
        raise MirrorforceError(message, f"mirrorforce down {spec.estate}, then mirrorforce up {spec.estate}")
    cut(spec.estate, spec.site, [spec.name])
    loops.make_nodes()
    disk_speed.forget_unused()
    group = cgroups.of_host(spec.estate, spec.name)
    group.mkdir(parents=True, exist_ok=True)
    namespace = names.namespace(spec.estate, spec.site)
    words: list[str | Path] = [
        _BOOT,
        group,
        namespace,
        disk,
        names.machine(spec.name),
        spec.name,
        names.BRIDGE,
        loops.LOCK,
    ]
    volumes = [word for volume in spec.volumes for word in (volume.name, volume.mount)]
    with (disk / "boot.log").open("wb") as log:
        # It lives on after us, in its own session and control group, and is nobody's child.
        subprocess.run(
            ["setsid", "--fork", *words, *volumes],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, cwd="/",
        )  # fmt: skip


def wait_for_ssh(spec: HostSpec) -> None:
    """Wait until sshd listens and shows the key that the host was given."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < _START_DEADLINE_SECONDS:
        pid = leader(spec.estate, spec.name)
        if pid and _listens(pid) and _offered_key(spec) == disks.host_key(spec.estate, spec.name):
            return
        alive = cgroups.populated(cgroups.of_host(spec.estate, spec.name))
        if waited > _FIRST_SIGN_SECONDS and not alive:
            break
        time.sleep(_POLL_SECONDS)
    disk = disks.folder(spec.estate, spec.name)
    fate = "does not answer ssh" if alive else "died"
    message = f"host {spec.name} {fate} after {waited:.0f} s\n{_last_words(disk)}"
    raise MirrorforceError(message, f"read {disk / 'console.log'}, then run the command again")


def _listens(leader: int) -> bool:
    """Whether anything in the host listens on the ssh port: asked of the kernel, at no cost."""
    with suppress(OSError):
        for family in ("tcp", "tcp6"):
            for line in Path(f"/proc/{leader}/net/{family}").read_text(encoding="ascii").splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if state == _LISTENING and int(local.rpartition(":")[2], 16) == SSH_PORT:
                    return True
    return False


def _offered_key(spec: HostSpec) -> str:
    """The key that a client in the site sees, as `ssh-ed25519 AAAA…`; '' where nothing answers."""
    namespace = names.namespace(spec.estate, spec.site)
    scan = ["ssh-keyscan", "-T", "5", "-t", "ed25519", spec.address]
    try:
        answer = namespaces.run(namespace, scan)
    except MirrorforceError:
        return ""
    return " ".join(answer.split()[1:3])


def _last_words(disk: Path) -> str:
    texts = (
        path.read_text(errors="replace")
        for path in (disk / "boot.log", disk / "console.log")
        if path.exists()
    )
    return "\n".join(line for text in texts for line in text.splitlines()[-_CONSOLE_TAIL_LINES:])


def stop(spec: HostSpec) -> None:
    """Shut the host down in good order; cut its power if it does not go."""
    if pid := leader(spec.estate, spec.name):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGRTMIN + 3)
        deadline = time.monotonic() + _STOP_DEADLINE_SECONDS
        while cgroups.populated(cgroups.of_host(spec.estate, spec.name)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    cut(spec.estate, spec.site, [spec.name])


def cut(estate: str, site: str | None, chosen: Sequence[str]) -> None:
    """Unplug the hosts, kill all of them, and wait until neither port nor disk is in use.

    Unplugged first: the kernel says goodbye for killed processes, a host without power does not.
    """
    if site:
        _unplug(estate, site, chosen)
    for name in chosen:
        # What is unmounted is written back first: not at the pace of a disk that was slowed down.
        disk_speed.restore(estate, name)
    cgroups.kill(cgroups.of_host(estate, name) for name in chosen)
    for name in chosen:
        loops.wait_until_free(disks.folder(estate, name))
    if site:
        _remove_ports(estate, site, chosen)


def _ports(estate: str, site: str, chosen: Sequence[str]) -> tuple[str, ...]:
    namespace = names.namespace(estate, site)
    if not namespaces.exists(namespace):
        return ()
    wanted = {names.port(name) for name in chosen}
    present = (str(row.get("ifname")) for row in namespaces.show(namespace, "link", "show"))
    return tuple(name for name in present if name in wanted)


def _unplug(estate: str, site: str, chosen: Sequence[str]) -> None:
    ports = _ports(estate, site, chosen)
    if ports:
        namespaces.ip(names.namespace(estate, site), [f"link set dev {port} down" for port in ports])


def _remove_ports(estate: str, site: str, chosen: Sequence[str]) -> None:
    """The kernel removes the ports of a dead host some time later; the next start needs the names now."""
    for port in _ports(estate, site, chosen):
        with suppress(MirrorforceError):  # gone meanwhile
            namespaces.run(names.namespace(estate, site), ["ip", "link", "delete", port])


def grows_mounted() -> bool:
    """Whether this machine lets a mounted file system grow: some keep the capability from root."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) & _CAP_SYS_RESOURCE)


def grow_mounted(spec: HostSpec, volume: str) -> None:
    """Let the file system of a mounted volume fill its file, which has grown."""
    file = str(disks.volume_file(disks.folder(spec.estate, spec.name), volume))
    # Only where it is mounted can it be seen to be; elsewhere it would be taken for unused.
    within = ["nsenter", f"--target={_supervisors(spec.estate, spec.name)[0]}", "--mount"]
    for device, behind in loops.backing_files().items():
        if behind == file:
            tools.run(["losetup", "--set-capacity", device])
            tools.run([*within, "resize2fs", device])
