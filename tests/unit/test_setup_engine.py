from __future__ import annotations

import hashlib
import io
import platform
import tarfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.engine_home import ENGINE_FILES, engine_folder
from mirrorforce.errors import BadInputError, MirrorforceError
from toolchain import go_build, official, setup_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    Sources = dict[str, Callable[[str, Path, Callable[[str], None]], None]]

ROOT = Path(__file__).parents[2]
VERSION = "3.259.0"
ENGINE = f'#!/bin/sh\n[ "$1" = version ] && echo v{VERSION}\n'


def say(_text: str) -> None:
    pass


def lay_engine(folder: Path) -> None:
    for name in ENGINE_FILES:
        (folder / name).write_text(ENGINE)
        (folder / name).chmod(0o755)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRRORFORCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Sources that fail, one for each real one; a test replaces those that are to work."""

    def fails(_version: str, folder: Path, _say: Callable[[str], None]) -> None:
        (folder / "half").touch()
        raise MirrorforceError("cannot be reached")

    chosen: Sources = dict.fromkeys(setup_engine.SOURCES, fails)
    monkeypatch.setattr(setup_engine, "SOURCES", chosen)
    return chosen


def works(_version: str, folder: Path, _say: Callable[[str], None]) -> None:
    lay_engine(folder)


def test_sources_are_tried_in_order_until_one_gives_an_engine(sources: Sources) -> None:
    sources["go"] = works
    setup_engine.set_up(VERSION, "", say)
    assert setup_engine.is_ready(engine_folder(VERSION), "go")
    assert not (engine_folder(VERSION) / "half").exists()


def test_a_second_set_up_does_nothing(sources: Sources) -> None:
    sources["path"] = works
    setup_engine.set_up(VERSION, "", say)
    del sources["path"], sources["release"], sources["go"]
    setup_engine.set_up(VERSION, "", say)


def test_a_chosen_source_is_the_only_one_and_replaces_an_engine_from_another(sources: Sources) -> None:
    sources["path"] = sources["go"] = works
    setup_engine.set_up(VERSION, "", say)
    setup_engine.set_up(VERSION, "go", say)
    assert (engine_folder(VERSION) / setup_engine.NOTE).read_text() == "go\n"
    with pytest.raises(MirrorforceError, match="release: cannot be reached"):
        setup_engine.set_up(VERSION, "release", say)
    assert setup_engine.is_ready(engine_folder(VERSION), "go")


def test_no_source_at_all_is_told_with_every_reason(sources: Sources) -> None:
    assert sources
    with pytest.raises(MirrorforceError, match=r"(?s)path: cannot.*release: cannot.*go: cannot") as refused:
        setup_engine.set_up(VERSION, "", say)
    assert refused.value.next_step
    assert not engine_folder(VERSION).exists()


def test_an_unknown_source_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadInputError, match=r"'goo'.*path, release, go"):
        setup_engine.set_up(VERSION, "goo", say)


def test_what_an_interrupted_set_up_left_is_in_nobodys_way(sources: Sources) -> None:
    folder = engine_folder(VERSION)
    (folder.with_name(f".{folder.name}.new")).mkdir(parents=True)
    folder.mkdir()
    (folder / "pulumi").write_text(ENGINE)
    sources["path"] = works
    setup_engine.set_up(VERSION, "", say)
    assert setup_engine.is_ready(folder, "path")
    assert not folder.with_name(f".{folder.name}.new").exists()


def test_an_engine_that_does_not_run_is_none(sources: Sources) -> None:
    def broken(_version: str, folder: Path, _say: Callable[[str], None]) -> None:
        lay_engine(folder)
        (folder / "pulumi").write_text("#!/bin/sh\nexit 1\n")

    sources["path"] = broken
    sources["release"] = works
    setup_engine.set_up(VERSION, "", say)
    assert setup_engine.is_ready(engine_folder(VERSION), "release")


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ("3.259.0", "3.259.0", True),
        ("3.300.1", "3.259.0", True),
        ("3.258.9", "3.259.0", False),
        ("4.0.0", "3.259.0", False),
        ("", "3.259.0", False),
        ("v?", "3.259.0", False),
    ],
)
def test_an_engine_fits_that_is_of_the_same_major_version_and_not_older(
    found: str, wanted: str, *, expected: bool
) -> None:
    assert official.fits(found, wanted) is expected


def test_the_pulumi_on_path_is_linked_with_all_that_stands_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    lay_engine(theirs)
    monkeypatch.setenv("PATH", str(theirs), prepend=":")
    official.from_path(VERSION, ours, say)
    assert {path.name for path in ours.iterdir()} == set(ENGINE_FILES)
    with pytest.raises(MirrorforceError, match=r"is 3\.259\.0, needed is 3\.260\.0"):
        official.from_path("3.260.0", ours, say)


def release(folder: Path, *, tampered: bool = False) -> str:
    """A release in a folder as the makers lay it out; its URL."""
    name = f"pulumi-v{VERSION}-linux-{official.ARCHITECTURES[platform.machine()]}.tar.gz"
    base = folder / f"v{VERSION}"
    base.mkdir(parents=True)
    with tarfile.open(base / name, "w:gz") as tar:
        for member in (
            *(f"pulumi/{each}" for each in ENGINE_FILES),
            "pulumi/pulumi-language-go",
            "../pulumi-python",
        ):
            entry = tarfile.TarInfo(member)
            entry.size = len(ENGINE)
            tar.addfile(entry, io.BytesIO(ENGINE.encode()))
    digest = hashlib.sha256((base / name).read_bytes()).hexdigest()
    (base / f"pulumi-{VERSION}-checksums.txt").write_text(f"{'0' * 64}  other.tar.gz\n{digest}  {name}\n")
    if tampered:
        with (base / name).open("ab") as file:
            file.write(b"!")
    return folder.as_uri()


def test_the_release_is_unpacked_without_what_python_does_not_need(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    official.from_release(VERSION, ours, say, releases=release(tmp_path / "releases"))
    assert {path.name for path in ours.iterdir()} == {*ENGINE_FILES, "pulumi-python"}
    assert official.version_of(ours / "pulumi") == VERSION


def test_an_archive_that_is_not_the_one_of_the_checksums_is_refused(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    with pytest.raises(MirrorforceError, match="the release's own list says"):
        official.from_release(VERSION, ours, say, releases=release(tmp_path / "releases", tampered=True))
    assert not (ours / "pulumi").exists()


def test_a_release_that_cannot_be_reached_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(MirrorforceError, match="cannot be downloaded"):
        official.from_release(VERSION, tmp_path, say, releases=(tmp_path / "nowhere").as_uri())


@given(st.text())
def test_no_text_gives_a_checksum_that_it_does_not_hold(listing: str) -> None:
    with pytest.raises(MirrorforceError, match="do not name"):
        official.checksum_of("pulumi-v3.tar.gz", listing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("go version go1.26.6 linux/amd64", (1, 26, 6)),
        ("go version go1.19 linux/amd64", (1, 19, 0)),
        ("", ()),
    ],
)
def test_gos_version_is_read(text: str, expected: tuple[int, ...]) -> None:
    assert go_build.go_version(text) == expected


def test_engine_sdk_and_go_modules_are_of_one_version() -> None:
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    modules = (ROOT / "toolchain" / "engine" / "go.mod").read_text()
    assert f"pulumi=={version('pulumi')}" in pinned
    for module in ("pkg", "sdk"):
        assert f"github.com/pulumi/pulumi/{module}/v3 v{version('pulumi')}" in modules


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "toolchain/go-requirements.txt"]
)
def test_a_lock_file_pins_every_package_with_hashes_and_names_no_registry(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = [
        entry for entry in text.replace("\\\n", "").splitlines() if entry and not entry.startswith("#")
    ]
    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
