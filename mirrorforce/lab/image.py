"""The image that lab hosts lie over: Debian 13 with the roles' packages, built once per content."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import files, image_uses, locks
from mirrorforce.lab.packages import OF_THE_LAB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Progress = Callable[[str], None]

RELEASE = "trixie"
NEEDED_MIB = 3072
"""Free disk that a build wants, in MiB: the tree (0.6 GiB measured) and its downloads, with room to grow."""

_HERE = Path(__file__).parent
_SCRIPT = _HERE / "scripts" / "build-image.sh"
_FILES = _HERE / "image-files"
_HASH_LENGTH = 16
_BUILDING = ".building-"
_PHASE = "phase: "
_LAST_LINES = 15
_MIB = 1 << 20


def ensure(packages: Sequence[str], on_progress: Progress) -> Path:
    """The root tree with the lab's own packages and these; built where it is missing (about a minute).

    `on_progress` gets what is being done, in a few words. A killed build is begun anew; of two at the
    same time one waits for the other. Images that no host lies over are removed after a build.
    """
    wanted = tuple(sorted({*OF_THE_LAB, *packages}))
    tree = image_uses.folder() / content_hash(wanted, _recipe(), platform.machine())
    if tree.is_dir():
        return tree
    files.private_folder(image_uses.folder())
    with locks.held(image_uses.folder() / ".lock") as lock:
        if not tree.is_dir():
            _build(tree, wanted, on_progress, lock)
            _prune(keep=tree)
    return tree


def content_hash(packages: Iterable[str], recipe: Iterable[tuple[str, bytes]], machine: str) -> str:
    """The name of the image made of these: same content, same name. Pure."""
    digest = sha256(f"{RELEASE}\n{machine}\n".encode())
    for package in sorted(set(packages)):
        digest.update(f"{package}\n".encode())
    for name, content in sorted(recipe):
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()[:_HASH_LENGTH]


def _recipe() -> list[tuple[str, bytes]]:
    paths = [_SCRIPT, *(path for path in _FILES.rglob("*") if path.is_file())]
    return [(str(path.relative_to(_HERE)), path.read_bytes()) for path in paths]


def _build(tree: Path, packages: Sequence[str], on_progress: Progress, lock: int) -> None:
    _require_disk(tree.parent)
    for left in tree.parent.glob(f"{_BUILDING}*"):
        shutil.rmtree(left)
    building = tree.with_name(_BUILDING + tree.name)
    log = tree.parent / "build.log"
    _run_script([building, _FILES, RELEASE, _security_archive(), *packages], log, on_progress, lock)
    os.sync()
    building.rename(tree)


def _require_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free // _MIB
    if free < NEEDED_MIB:
        message = f"{folder} has {free} MiB free; building the host image needs {NEEDED_MIB} MiB"
        raise MirrorforceError(
            message, "free some space, or set MIRRORFORCE_CACHE to a folder on a larger disk"
        )


def _run_script(words: Sequence[str | Path], log: Path, on_progress: Progress, lock: int) -> None:
    """Run the script in namespaces of its own, so that it dies whole with us and mounts nothing outside.

    It holds the lock as well: a build that outlives a killed parent by a moment keeps others waiting.
    """
    isolated = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"]
    isolated += ["--pid", "--fork", "--kill-child"]
    last: deque[str] = deque(maxlen=_LAST_LINES)
    process = subprocess.Popen(
        [*isolated, _SCRIPT, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", pass_fds=(lock,), env=_environment(), cwd="/",
    )  # fmt: skip
    with process, log.open("w", encoding="utf-8") as kept:
        for line in process.stdout or ():
            kept.write(line)
            last.append(line.rstrip())
            if line.startswith(_PHASE):
                on_progress(line.removeprefix(_PHASE).strip())
    if process.returncode != 0:
        message = "building the host image failed; its last lines:\n" + "\n".join(last)
        raise MirrorforceError(message, f"read {log}; the build needs a Debian mirror")


def _environment() -> dict[str, str]:
    """Ours, with the proxies that apt has been told of: debootstrap does not ask apt."""
    asked = {"http_proxy": "Acquire::http::Proxy", "https_proxy": "Acquire::https::Proxy"}
    told = {name: _apt_setting(setting) for name, setting in asked.items() if name not in os.environ}
    return {**os.environ, **{name: value for name, value in told.items() if value}}


def _security_archive() -> str:
    """Where this machine gets Debian's security updates from; '' where it does not."""
    if shutil.which("apt-get") is None:
        return ""
    question = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"]
    answer = subprocess.run(question, capture_output=True, text=True, check=False, cwd="/").stdout
    return security_archive_in(answer)


def security_archive_in(targets: str) -> str:
    """The address of Debian's security archive among lines of `address release`; '' without one. Pure."""
    for line in targets.splitlines():
        address, _, release = line.strip().rpartition(" ")
        if address.rstrip("/").endswith("/debian-security") and release.endswith("-security"):
            return address
    return ""


def _apt_setting(name: str) -> str:
    answer = subprocess.run(
        ["apt-config", "shell", "value", name],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return answer.removeprefix("value=").strip("'")


def _prune(keep: Path) -> None:
    """Remove images that no host lies over. A host being made notes its use before it is whole."""
    for tree in keep.parent.glob("[!.]*"):
        if tree != keep and tree.is_dir() and tree.suffix != ".uses" and not image_uses.used(tree):
            files.remove_tree(tree)
            shutil.rmtree(tree.with_name(f"{tree.name}.uses"), ignore_errors=True)
