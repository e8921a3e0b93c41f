"""Whether this machine can carry a lab: every fault at once, each with its next step."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import cgroups, image, tools
from mirrorforce.workspace import cache, home

# Tool and the Debian package that has it.
TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "flock": "util-linux",
    "setsid": "util-linux",
    "losetup": "mount",
    "mount": "mount",
    "findmnt": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "sysctl": "procps",
    "ssh": "openssh-client",
    "ssh-keyscan": "openssh-client",
    "nc": "netcat-openbsd",
    "vde_switch": "vde2",
    "wirefilter": "vde-wirefilter",
}
# Root by su, unlike root by sudo, may lack the folders of system tools.
SYSTEM_PATH = ":/usr/sbin:/sbin"
STATE_MIB = 4096
"""Free disk that hosts want, in MiB: ten hosts with their roles wrote 0.5 GiB; volumes fill later."""

_MIB = 1 << 20


def checks() -> None:
    """MirrorforceError that names all that is missing on this machine, and how to get it."""
    require_root()
    faults = [*_tool_faults(), *_kernel_faults(), *_disk_faults()]
    if faults:
        message = "this machine cannot carry a lab yet:\n" + "\n".join(f"  - {what}" for what, _ in faults)
        raise MirrorforceError(message, "; then ".join(dict.fromkeys(step for _, step in faults)))


def require_root() -> None:
    """MirrorforceError unless we are root."""
    if os.geteuid() != 0:
        message = "the lab's namespaces, mounts and hosts are root's"
        raise MirrorforceError(message, "run the same command with sudo")


def missing_packages() -> tuple[str, ...]:
    """The Debian packages of the tools that are not there."""
    path = os.environ.get("PATH", "") + SYSTEM_PATH
    return tuple(sorted({package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)}))


def _tool_faults() -> list[tuple[str, str]]:
    packages = " ".join(missing_packages())
    return [(f"missing packages: {packages}", f"apt-get install {packages}")] if packages else []


def _kernel_faults() -> list[tuple[str, str]]:
    found = []
    if not _has_namespaces():
        found.append(
            ("no new network and mount namespaces may be made here", "use a virtual machine, not a container")
        )
    if not Path("/dev/net/tun").exists():
        found.append(("/dev/net/tun is missing", "modprobe tun"))
    if not Path("/dev/loop-control").exists():
        found.append(("/dev/loop-control is missing", "modprobe loop"))
    if not _has_overlay():
        found.append(("the kernel has no overlay file system", "modprobe overlay"))
    if not _has_group_kill():
        found.append(("no cgroup2 with cgroup.kill", "boot a kernel of 5.14 or newer with cgroup2 mounted"))
    if not _has_machine_id():
        found.append(("/etc/machine-id is empty", "systemd-machine-id-setup"))
    return found


def _has_namespaces() -> bool:
    return tools.answers(["unshare", "--net", "--mount", "true"])


def _has_overlay() -> bool:
    lines = Path("/proc/filesystems").read_text(encoding="ascii").split()
    return "overlay" in lines or tools.answers(["modprobe", "overlay"])


def _has_machine_id() -> bool:
    """systemd-nspawn derives the hosts' MAC addresses from it."""
    file = Path("/etc/machine-id")
    return file.exists() and bool(file.read_text(encoding="ascii").strip())


def _has_group_kill() -> bool:
    """The root group has no such file, so one below it is asked for."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    if cgroups.mount_point_of(mounts) is None:
        return False
    group = cgroups.root() / cgroups.TOP
    try:
        group.mkdir(exist_ok=True)
    except OSError:
        return False
    return (group / "cgroup.kill").exists()


def _disk_faults() -> list[tuple[str, str]]:
    wanted = ((cache(), image.NEEDED_MIB), (home(), STATE_MIB))
    return [
        (f"{place} has {free} MiB free, the lab wants {needed} MiB", "free some disk space")
        for place, needed in wanted
        if (free := _free_mib(place)) < needed
    ]


def _free_mib(place: Path) -> int:
    existing = next(path for path in (place, *place.parents) if path.exists())
    return shutil.disk_usage(existing).free // _MIB
