"""Bring the provider plugin for AWS beside an engine built here: `python -m toolchain.setup_aws_provider`.

With an engine from its makers nothing is done: that one downloads the official plugin by itself. An
engine from Go modules stands where no plugin can be downloaded. It gets the bridge of
toolchain/aws_provider, built once per content and kept in the cache, over the newest binary of
Terraform's AWS provider that this machine carries. Without such a binary there is no plugin, and only
stacks on AWS need one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.engine_home import engine_folder
from mirrorforce.workspace import cache
from toolchain import go_build
from toolchain.setup_engine import NOTE, alone, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Say = Callable[[str], None]

MODULE = Path(__file__).resolve().parent / "aws_provider"
PLUGIN = "pulumi-resource-aws"
TERRAFORM_PROVIDER = "terraform-provider-aws"
HASH_DIGITS = 16

_BINARY = re.compile(rf"{TERRAFORM_PROVIDER}_v(\d+)\.(\d+)\.(\d+)")


def main() -> int:
    """Set the plugin up. Exit codes as everywhere (mirrorforce/errors.py)."""
    return carry_out("aws", lambda say: set_up(engine_folder(), places(), say))


def set_up(engine: Path, searched: Iterable[Path], say: Say) -> None:
    """Have the plugin beside an engine that was built here; take it away where it can have none."""
    if (engine / NOTE).read_text().strip() != "go":
        return
    plugin = engine / PLUGIN
    folder = cache() / "aws-provider" / content_hash()
    if is_ready(plugin, folder):
        return
    searched = list(searched)
    terraform = newest(searched)
    if terraform is None:
        plugin.unlink(missing_ok=True)
        say(f"no {TERRAFORM_PROVIDER}_v* below {', '.join(map(str, searched))}: no stacks on AWS from here")
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder.parent / "lock", say):
        if not os.access(folder / PLUGIN, os.X_OK):
            _build(folder, say)
        _lay(folder / TERRAFORM_PROVIDER, terraform)
        _link(plugin, folder / PLUGIN)
    say(f"ready: {plugin}, over {terraform}")


def places() -> list[Path]:
    """Where Terraform, and whoever prepares a machine for it, keeps providers."""
    named = os.environ.get("TF_PLUGIN_CACHE_DIR")
    return [
        *([Path(named)] if named else []),
        Path.home() / ".terraform.d" / "plugins",
        Path("/usr/share/terraform/plugins"),
        Path("/usr/local/share/terraform/plugins"),
        Path("/opt"),
    ]


def newest(searched: Iterable[Path]) -> Path | None:
    """The executable of the highest version below these folders; the first of those that are equal."""
    found = [
        file
        for place in searched
        for file in sorted(place.rglob(f"{TERRAFORM_PROVIDER}_v*"))
        if provider_version(file.name) and file.is_file() and os.access(file, os.X_OK)
    ]
    return max(found, key=lambda file: provider_version(file.name), default=None)


def provider_version(name: str) -> tuple[int, ...]:
    """`terraform-provider-aws_v5.100.0_x5` as (5, 100, 0); () for another name."""
    match = _BINARY.match(name)
    return tuple(map(int, match.groups())) if match else ()


def content_hash() -> str:
    """What the plugin is built from, in one word: its files, and the version of the SDK that it serves."""
    digest = hashlib.sha256(version("pulumi-aws").encode())
    for file in sorted(MODULE.iterdir()):
        digest.update(f"\0{file.name}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:HASH_DIGITS]


def is_ready(plugin: Path, folder: Path) -> bool:
    """Whether the engine's plugin is the one of this folder, over a Terraform provider that is there."""
    if plugin.resolve() != (folder / PLUGIN).resolve() or not os.access(plugin, os.X_OK):
        return False
    laid = folder / TERRAFORM_PROVIDER
    return laid.exists() and os.access(shlex.split(laid.read_text())[-2], os.X_OK)


def _build(folder: Path, say: Say) -> None:
    """Build into a folder beside the final one, which gets it whole."""
    staging = folder.with_name(f".{folder.name}.new")
    if staging.is_dir():
        shutil.rmtree(staging)
    staging.mkdir()
    say("building the plugin from Go modules")
    go_build.build(MODULE, ".", staging / PLUGIN, f"main.version={version('pulumi-aws')}", say)
    if folder.is_dir():
        shutil.rmtree(folder)
    staging.rename(folder)


def _lay(file: Path, terraform: Path) -> None:
    """Put the Terraform provider beside the plugin: started so that it dies with it, however it ends."""
    staging = file.with_suffix(".new")
    staging.write_text(f'#!/bin/sh\nexec setpriv --pdeathsig KILL {shlex.quote(str(terraform))} "$@"\n')
    staging.chmod(0o755)
    staging.rename(file)


def _link(link: Path, target: Path) -> None:
    staging = link.with_name(f".{link.name}.new")
    staging.unlink(missing_ok=True)
    staging.symlink_to(target)
    staging.rename(link)


if __name__ == "__main__":
    sys.exit(main())
