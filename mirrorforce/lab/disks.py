"""The disk of a host: its layer over the image, its identity, its volumes. Survives power loss.

<hosts>/<name>/spec.json    the spec that the host was last brought to
               image        symbolic link to the root tree below it
               upper work   what the host has written; the overlay's own folder
               root mounts  mount points, seen only by the host
               volumes/     one sparse ext4 file per volume
               console.log  the first MiB of the console since the last start
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import files, image_uses, loops, names, tools
from mirrorforce.lab.specs import HostSpec, VolumeSpec
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

ADMIN = "mirrorforce"
_MIB = 1 << 20
_HOST_KEY = Path("etc/ssh/ssh_host_ed25519_key")
_AUTHORIZED_KEYS = Path(f"home/{ADMIN}/.ssh/authorized_keys")


def folder(estate: str, name: str) -> Path:
    """The folder of a host."""
    return Workspace(estate).hosts / name


def recorded(estate: str, name: str) -> HostSpec | None:
    """The spec that the host was last brought to; None where there is no whole disk."""
    document = files.read_json(folder(estate, name) / "spec.json")
    whole = document is not None and (folder(estate, name) / "upper").is_dir()
    return HostSpec.from_dict(document) if document and whole else None


def all_recorded(estate: str) -> tuple[HostSpec, ...]:
    """The specs of all hosts of the estate, by name."""
    found = (recorded(estate, file.parent.name) for file in Workspace(estate).hosts.glob("[!.]*/spec.json"))
    return tuple(sorted((spec for spec in found if spec), key=lambda spec: spec.name))


def record(spec: HostSpec) -> None:
    """Keep the spec that the host has been brought to."""
    files.write_json(folder(spec.estate, spec.name) / "spec.json", spec.to_dict())


def create(spec: HostSpec) -> None:
    """Make the disk of a new host; it appears as a whole or not at all."""
    if not Path(spec.image).is_dir():
        message = f"there is no host image at {spec.image}"
        raise MirrorforceError(message, f"mirrorforce up {spec.estate} builds it")
    final = folder(spec.estate, spec.name)
    files.private_folder(final.parent.parent)
    files.private_folder(final.parent)
    fresh = final.with_name(f".{spec.name}.new")
    files.remove_tree(fresh)
    files.remove_tree(final)
    for part in ("work", "root", "mounts", "volumes"):
        (fresh / part).mkdir(mode=0o700, parents=True)
    fresh.chmod(0o700)
    # The layer's top folder is the host's root folder: everybody in the host reads it.
    files.open_folders(fresh, Path("upper"))
    (fresh / "image").symlink_to(spec.image)
    image_uses.add(Path(spec.image), final)
    _write_into(fresh / "upper", Path("etc/machine-id"), f"{secrets.token_hex(16)}\n", 0o444)
    _write_host_key(fresh / "upper")
    _write_identity(fresh / "upper", spec)
    for volume in spec.volumes:
        make_volume(fresh, volume)
    files.write_json(fresh / "spec.json", spec.to_dict())
    fresh.rename(final)


def rewrite_identity(spec: HostSpec) -> None:
    """Bring names, addresses and the admin's key to the spec. The host must be off."""
    _write_identity(folder(spec.estate, spec.name) / "upper", spec)


def _write_host_key(upper: Path) -> None:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    _write_into(upper, _HOST_KEY, private.decode(), files.PRIVATE)
    _write_into(upper, _HOST_KEY.with_suffix(".pub"), public.decode() + "\n")


def _write_identity(upper: Path, spec: HostSpec) -> None:
    for path, text in identity(spec).items():
        _write_into(upper, Path(path), text)
    _write_authorized_key(upper, spec)


def _write_into(upper: Path, file: Path, text: str, mode: int = files.PUBLIC) -> None:
    """Write a file of the host. Its folders are as open as a host's are, whatever our own umask is."""
    files.open_folders(upper, file.parent)
    files.write(upper / file, text, mode)


def identity(spec: HostSpec) -> dict[str, str]:
    """The files that make a host this one, by their path in it. The host knows no other host."""
    return {
        "etc/hostname": f"{spec.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{spec.address} {spec.fqdn} {spec.name}\n",
        f"etc/systemd/network/10-{names.HOST_INTERFACE}.network": (
            f"[Match]\nName={names.HOST_INTERFACE}\n\n"
            "[Link]\nRequiredForOnline=routable\n\n"
            "[Network]\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\n"
            f"Address={spec.address}/{spec.prefix_length}\nGateway={spec.gateway}\n"
        ),
    }


def _write_authorized_key(upper: Path, spec: HostSpec) -> None:
    """As role and image leave them: the admin's own, for nobody else to read."""
    files.open_folders(upper, Path("home"))
    home = Path(spec.image) / f"home/{ADMIN}"
    owner = home.stat()
    for path in (upper / f"home/{ADMIN}", (upper / _AUTHORIZED_KEYS).parent):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(path, owner.st_uid, owner.st_gid)
    files.write(upper / _AUTHORIZED_KEYS, f"{spec.authorized_key.strip()}\n", files.PRIVATE)
    os.chown(upper / _AUTHORIZED_KEYS, owner.st_uid, owner.st_gid)


def authorized_key(spec: HostSpec) -> str:
    """The admin's key as it lies on the disk, the spec's own where that is among them; '' without one.

    Which others there are is role base's business: while a key is being rotated there are two.
    """
    found = _read(folder(spec.estate, spec.name) / "upper" / _AUTHORIZED_KEYS)
    return spec.authorized_key if spec.authorized_key.strip() in found.splitlines() else found


def host_key(estate: str, name: str) -> str:
    """The public half of the host's key, `ssh-ed25519 AAAA…`; '' where somebody removed it."""
    return _read(folder(estate, name) / f"upper/{_HOST_KEY}.pub")


def image(estate: str, name: str) -> str:
    """The root tree that the host lies over."""
    link = folder(estate, name) / "image"
    return str(link.readlink()) if link.is_symlink() else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def volume_file(disk: Path, volume: str) -> Path:
    """The file behind a volume."""
    return disk / "volumes" / f"{volume}.ext4"


def make_volume(disk: Path, volume: VolumeSpec) -> None:
    """Make an empty volume; its file appears once it is formatted."""
    final = volume_file(disk, volume.name)
    fresh = final.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with fresh.open("xb") as file:
        fresh.chmod(files.PRIVATE)
        file.truncate(volume.size_mib * _MIB)
    lazily = "lazy_itable_init=1,lazy_journal_init=1"
    tools.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", lazily, "-L", volume.name, fresh])
    fresh.rename(final)


def extend_volume(disk: Path, volume: VolumeSpec) -> None:
    """Give the file of a volume its new size."""
    os.truncate(volume_file(disk, volume.name), volume.size_mib * _MIB)


def grow_unmounted(disk: Path, volume: VolumeSpec) -> None:
    """Let the file system of a volume fill its file. The host must be off."""
    file = volume_file(disk, volume.name)
    # The tool insists on a check first: its exit status 1 says that it mended something.
    tools.run(["e2fsck", "-f", "-p", file], allowed=(0, 1))
    tools.run(["resize2fs", file])


def remove_from_volume(disk: Path, volume: str, file: str) -> None:
    """Remove a file from the top of a volume that nothing uses."""
    script = (
        'flock "$1" mount -o loop,noatime "$2" "$3" && rm -f -- "$3/$4"; status=$?;'
        ' umount "$3" && exit $status'
    )
    point = disk / "mounts" / volume
    point.mkdir(parents=True, exist_ok=True)
    words: list[str | Path] = ["sh", "-c", script, "sh", loops.LOCK, volume_file(disk, volume), point, file]
    # In a mount namespace of its own: whatever kills us, nothing stays mounted.
    tools.run(["unshare", "--mount", "--propagation", "private", *words])
    loops.wait_until_free(disk)


def real_volumes(disk: Path, volumes: Iterable[VolumeSpec]) -> tuple[VolumeSpec, ...]:
    """The volumes that are there, with the sizes that their files have."""
    return tuple(
        VolumeSpec(volume.name, volume.mount, volume_file(disk, volume.name).stat().st_size // _MIB)
        for volume in volumes
        if volume_file(disk, volume.name).exists()
    )


def remove(estate: str, name: str) -> None:
    """Remove the disk, and what a killed creation or removal left."""
    final = folder(estate, name)
    image_uses.drop(final)
    files.remove_tree(final.with_name(f".{name}.new"))
    files.remove_tree(final)
