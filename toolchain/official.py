"""The engine as its makers ship it: a `pulumi` on PATH, or the release archive."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

RELEASES = "https://github.com/pulumi/pulumi/releases/download"
CONNECT_SECONDS = 5.0
"""No answer for so long, at the start or between two reads: the release cannot be reached."""

ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}
CHUNK = 1 << 20


def version_of(pulumi: Path) -> str:
    """What `pulumi version` answers, without its v; '' where it does not run."""
    quiet = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        answer = subprocess.run(
            [pulumi, "version"], capture_output=True, text=True, check=True, timeout=60, env=quiet
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip().removeprefix("v")


def fits(found: str, wanted: str) -> bool:
    """Whether an engine serves an SDK: the same major version, and not older."""
    found_parts, wanted_parts = _parts(found), _parts(wanted)
    return bool(found_parts) and found_parts[0] == wanted_parts[0] and found_parts >= wanted_parts


def from_path(engine_version: str, folder: Path, say: Callable[[str], None]) -> None:
    """Link the `pulumi*` files that stand beside the `pulumi` on PATH."""
    own = cache() / "engine"
    found = shutil.which("pulumi")
    pulumi = Path(found).resolve() if found else None
    if pulumi is None or own in pulumi.parents:
        raise MirrorforceError("there is no pulumi on PATH")
    found_version = version_of(pulumi)
    if not fits(found_version, engine_version):
        raise MirrorforceError(f"{pulumi} is {found_version or 'no engine'}, needed is {engine_version}")
    say(f"pulumi {found_version} on PATH: {pulumi}")
    for executable in pulumi.parent.glob("pulumi*"):
        (folder / executable.name).symlink_to(executable)


def from_release(
    engine_version: str, folder: Path, say: Callable[[str], None], *, releases: str = RELEASES
) -> None:
    """Download the release archive, check it against the release's checksums, unpack what is needed."""
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise MirrorforceError(f"no release for a {platform.machine()} machine")
    name = f"pulumi-v{engine_version}-linux-{architecture}.tar.gz"
    base = f"{releases}/v{engine_version}"
    archive = folder / name
    say(f"the official release {name}")
    try:
        with _open(f"{base}/pulumi-{engine_version}-checksums.txt") as listing:
            wanted = checksum_of(name, listing.read().decode())
        with _open(f"{base}/{name}") as download:
            found = _save(download, archive, say)
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise MirrorforceError(f"the release cannot be downloaded ({reason})") from error
    if found != wanted:
        raise MirrorforceError(f"{name} has SHA-256 {found}, the release's own list says {wanted}")
    _unpack(archive, folder)
    archive.unlink()


def checksum_of(name: str, listing: str) -> str:
    """The SHA-256 of a file in a list of lines `<sha256>  <name>`."""
    for line in listing.splitlines():
        digest, _, listed = line.partition(" ")
        if listed.strip().removeprefix("*") == name and re.fullmatch("[0-9a-f]{64}", digest):
            return digest
    raise MirrorforceError(f"the release's checksums do not name {name}")


def _open(url: str) -> IO[bytes]:
    opened: IO[bytes] = urllib.request.urlopen(url, timeout=CONNECT_SECONDS)  # noqa: S310 - our own https URL
    return opened


def _save(download: IO[bytes], archive: Path, say: Callable[[str], None]) -> str:
    """Write the stream to a file; its SHA-256."""
    digest = hashlib.sha256()
    megabytes = 0
    with archive.open("wb") as file:
        while chunk := download.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            megabytes += 1
            if megabytes % 50 == 0:
                say(f"downloaded {megabytes} MB")
    return digest.hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    """Write the engine and all that is for Python; no name of the archive is used as a path."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.rpartition("/")[2]
            source = tar.extractfile(member) if member.isfile() else None
            if source is None or not (name == "pulumi" or ("python" in name and name.startswith("pulumi-"))):
                continue
            with (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
            (folder / name).chmod(0o755)


def _parts(text: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else ()
