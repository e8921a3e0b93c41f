from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirrorforce.errors import MirrorforceError
from toolchain import go_build, setup_aws_provider, setup_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TYPES = json.loads((setup_aws_provider.MODULE / "types.json").read_text())
PULUMI_AWS = "pulumi_aws"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRRORFORCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / setup_engine.NOTE).write_text("go\n")
    return folder


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stamps of the builds that were asked for; each gives a plugin."""
    stamps: list[str] = []

    def build(_module: Path, _package: str, target: Path, stamp: str, _say: Callable[[str], None]) -> None:
        stamps.append(stamp)
        executable(target)

    monkeypatch.setattr(go_build, "build", build)
    return stamps


def executable(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def mirrored(place: Path, version: str) -> Path:
    """A binary as it lies in a filesystem mirror of Terraform."""
    folder = place / "registry.terraform.io" / "hashicorp" / "aws" / version / "linux_amd64"
    return executable(folder / f"terraform-provider-aws_v{version}_x5")


def set_up(engine: Path, *places: Path) -> list[str]:
    said: list[str] = []
    setup_aws_provider.set_up(engine, places, said.append)
    return said


def test_the_plugin_lies_beside_the_engine_over_the_newest_terraform_provider(
    engine: Path, builds: list[str], tmp_path: Path
) -> None:
    mirrored(tmp_path / "a", "5.99.9")
    wanted = mirrored(tmp_path / "b", "5.100.0")
    set_up(engine, tmp_path / "a", tmp_path / "b")
    plugin = engine / setup_aws_provider.PLUGIN
    laid = plugin.resolve().parent / setup_aws_provider.TERRAFORM_PROVIDER
    assert f"exec setpriv --pdeathsig KILL {wanted}" in laid.read_text()
    assert len(builds) == 1
    assert builds[0].startswith("main.version=7.")


def test_a_second_set_up_builds_nothing_and_searches_nothing(
    engine: Path, builds: list[str], tmp_path: Path
) -> None:
    mirrored(tmp_path, "5.100.0")
    set_up(engine, tmp_path)
    assert set_up(engine) == []
    assert len(builds) == 1


def test_a_terraform_provider_that_moved_is_found_again_without_a_build(
    engine: Path, builds: list[str], tmp_path: Path
) -> None:
    old = mirrored(tmp_path / "old", "5.100.0")
    set_up(engine, tmp_path / "old")
    old.unlink()
    new = mirrored(tmp_path / "a new place", "6.1.0")
    set_up(engine, tmp_path / "a new place")
    laid = (engine / setup_aws_provider.PLUGIN).resolve().parent / setup_aws_provider.TERRAFORM_PROVIDER
    assert f"'{new}'" in laid.read_text()
    assert len(builds) == 1


def test_other_contents_are_built_anew(
    engine: Path, builds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored(tmp_path, "5.100.0")
    module = tmp_path / "module"
    shutil.copytree(setup_aws_provider.MODULE, module)
    monkeypatch.setattr(setup_aws_provider, "MODULE", module)
    set_up(engine, tmp_path)
    before = (engine / setup_aws_provider.PLUGIN).resolve()
    (module / "types.json").write_text("{}")
    set_up(engine, tmp_path)
    assert len(builds) == 2
    assert (engine / setup_aws_provider.PLUGIN).resolve() != before


def test_without_a_terraform_provider_there_is_no_plugin_and_the_places_are_named(
    engine: Path, builds: list[str], tmp_path: Path
) -> None:
    (engine / setup_aws_provider.PLUGIN).symlink_to("gone")
    (said,) = set_up(engine, tmp_path / "nowhere", tmp_path)
    assert str(tmp_path / "nowhere") in said
    assert not (engine / setup_aws_provider.PLUGIN).is_symlink()
    assert not builds


def test_an_engine_from_its_makers_brings_its_own_plugins(
    engine: Path, builds: list[str], tmp_path: Path
) -> None:
    (engine / setup_engine.NOTE).write_text("release\n")
    mirrored(tmp_path, "5.100.0")
    assert set_up(engine, tmp_path) == []
    assert not builds


def test_a_build_that_failed_leaves_nothing_that_looks_whole(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    mirrored(tmp_path, "5.100.0")

    def fails(_module: Path, _package: str, target: Path, _stamp: str, _say: object) -> None:
        target.touch()
        raise MirrorforceError("go build failed")

    monkeypatch.setattr(go_build, "build", fails)
    with pytest.raises(MirrorforceError, match="go build failed"):
        set_up(engine, tmp_path)
    assert not (engine / setup_aws_provider.PLUGIN).exists()
    assert not (cache / "aws-provider" / setup_aws_provider.content_hash()).exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("terraform-provider-aws_v5.100.0_x5", (5, 100, 0)),
        ("terraform-provider-aws_v6.2.10", (6, 2, 10)),
        ("terraform-provider-awscc_v1.0.0", ()),
        ("terraform-provider-aws_vnext", ()),
    ],
)
def test_a_binarys_name_says_its_version(name: str, expected: tuple[int, ...]) -> None:
    assert setup_aws_provider.provider_version(name) == expected


def token_of(module: str, name: str) -> str | None:
    """The token of a resource or a function of pulumi_aws; None for anything else that it has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # modules of the SDK tell of names of their own
        found = getattr(importlib.import_module(module), name, None)
    if inspect.isclass(found):
        return getattr(found, "pulumi_type", None)
    if not inspect.isfunction(found):
        return None
    invoked = re.search(r"invoke\w*\('([^']+)'", inspect.getsource(found))
    return invoked[1] if invoked else None


def tokens_used(file: Path) -> Iterator[str]:
    """The tokens of pulumi_aws that a module names, through whatever it imports them by."""
    tree = ast.parse(file.read_text())
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {name.asname or name.name: name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == PULUMI_AWS:
            modules |= {name.asname or name.name: f"{PULUMI_AWS}.{name.name}" for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PULUMI_AWS}."):
            tokens = (token_of(str(node.module), name.name) for name in node.names)
            yield from (token for token in tokens if token)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"[\w.]+", ast.unparse(node)):
            head, *path = ast.unparse(node.value).split(".")
            module = ".".join((modules.get(head, ""), *path))
            if module.split(".")[0] == PULUMI_AWS and (token := token_of(module, node.attr)):
                yield token


@pytest.mark.parametrize("token", [*TYPES["resources"].values(), *TYPES["functions"].values()])
def test_every_type_of_the_list_is_one_that_the_sdk_has_under_that_name(token: str) -> None:
    _, module, _, name = re.split("[:/]", token)
    folder = PULUMI_AWS if module == "index" else f"{PULUMI_AWS}.{module}"
    in_python = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower() if name.startswith("get") else name
    assert token_of(folder, in_python) == token


def test_every_type_that_sites_use_is_in_the_list() -> None:
    files = sorted((ROOT / "mirrorforce" / "sites").glob("*.py"))
    used = {token for file in files for token in tokens_used(file)}
    assert used - {"pulumi:providers:aws"} <= {*TYPES["resources"].values(), *TYPES["functions"].values()}


def test_the_tokens_that_a_module_uses_are_found_however_it_imports_them(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import pulumi_aws as aws\nimport pulumi_aws\nfrom pulumi_aws import ec2, kms as keys\n"
        "from pulumi_aws.sns import Topic\n"
        "aws.ec2.Vpc('a')\nec2.get_ami_output()\nkeys.Key('k')\naws.Provider('p')\n"
        "ec2.InstanceMetadataOptionsArgs()\npulumi_aws.get_caller_identity()\nTopic('t')\n"
    )
    assert set(tokens_used(module)) == {
        *("aws:ec2/vpc:Vpc", "aws:ec2/getAmi:getAmi", "aws:kms/key:Key", "pulumi:providers:aws"),
        *("aws:index/getCallerIdentity:getCallerIdentity", "aws:sns/topic:Topic"),
    }
