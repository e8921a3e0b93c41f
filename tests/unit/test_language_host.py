"""The language host, spoken to as the engine speaks to it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = Path(__file__).parents[2] / "toolchain" / "language_host" / "language_host.py"

# Plays Pulumi's runner of Python programs: shows what it was told, ends as the program's folder says.
RUNNER = """
import json, os, pathlib, sys
told = {"arguments": sys.argv[1:], "config": json.loads(os.environ["PULUMI_CONFIG"]),
        "secret": json.loads(os.environ["PULUMI_CONFIG_SECRET_KEYS"])}
here = pathlib.Path(__file__).parent
(here / "told").write_text(json.dumps(told))
sys.exit(int((here / "status").read_text()))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(HOST, tmp_path / "pulumi-language-python")
    (tmp_path / "pulumi-language-python-exec").write_text(RUNNER)
    (tmp_path / "status").write_text("0")
    return tmp_path


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], language_pb2_grpc.LanguageRuntimeStub]]:
    command = [sys.executable, str(folder / "pulumi-language-python"), "127.0.0.1:1"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield process, language_pb2_grpc.LanguageRuntimeStub(channel)
        process.kill()


def request(folder: Path) -> language_pb2.RunRequest:
    info = language_pb2.ProgramInfo(
        root_directory=str(folder), program_directory=str(folder), entry_point="."
    )
    return language_pb2.RunRequest(
        project="mirrorforce",
        stack="lab-east",
        pwd=str(folder),
        monitor_address="127.0.0.1:2",
        organization="organization",
        parallel=8,
        dryRun=True,
        config={"mirrorforce:a": "1", "mirrorforce:b": "2"},
        configSecretKeys=["mirrorforce:b"],
        info=info,
    )


def test_a_program_is_run_with_what_the_engine_says(folder: Path) -> None:
    with serving(folder) as (_, host):
        host.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:9"))
        assert host.GetPluginInfo(empty_pb2.Empty()).version == ""
        assert not host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages
        answer = host.Run(request(folder))
    assert (answer.error, answer.bail) == ("", False)
    told = json.loads((folder / "told").read_text())
    options = dict(zip(told["arguments"][:-1:2], told["arguments"][1:-1:2], strict=True))
    assert told["arguments"][-1] == "."
    assert options["--engine"] == "127.0.0.1:9"
    assert options["--stack"] == "lab-east"
    assert options["--dry_run"] == "true"
    assert told["config"] == {"mirrorforce:a": "1", "mirrorforce:b": "2"}
    assert told["secret"] == ["mirrorforce:b"]


@pytest.mark.parametrize(("status", "error", "bail"), [("32", "", True), ("3", "exit status 3", False)])
def test_an_error_that_was_shown_is_not_shown_again(
    folder: Path, status: str, error: str, *, bail: bool
) -> None:
    (folder / "status").write_text(status)
    with serving(folder) as (_, host):
        answer = host.Run(request(folder))
    assert error in answer.error
    assert bool(answer.error) == bool(error)
    assert answer.bail is bail


def test_a_project_of_its_own_environment_is_run_by_that_ones_python(folder: Path) -> None:
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 7\n")
    python.chmod(0o755)
    asked = request(folder)
    asked.info.options.update({"virtualenv": "venv"})
    with serving(folder) as (_, host):
        assert "exit status 7" in host.Run(asked).error


def test_a_policy_packs_streams_and_exit_code_come_through(folder: Path) -> None:
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        textwrap.dedent("""\
            #!/bin/sh
            echo "$@"
            pwd
            echo "$COLOUR" >&2
            exit 5
            """)
    )
    python.chmod(0o755)
    pack = folder / "pack"
    pack.mkdir()
    info = language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(pack), entry_point=".")
    info.options.update({"virtualenv": "venv"})
    asked = language_pb2.RunPluginRequest(
        pwd=str(folder), info=info, args=["127.0.0.1:9"], env=["COLOUR=a=b"], kind="analyzer"
    )
    with serving(folder) as (_, host):
        parts = list(host.RunPlugin(asked))
    stdout = b"".join(part.stdout for part in parts).decode().splitlines()
    assert stdout == [f"-u -m pulumi.policy 127.0.0.1:9 {pack}", str(pack)]
    assert b"".join(part.stderr for part in parts) == b"a=b\n"
    assert parts[-1].exitcode == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_when_asked(folder: Path, number: signal.Signals) -> None:
    with serving(folder) as (process, _):
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_it_ends_when_the_engine_is_gone(folder: Path) -> None:
    with serving(folder) as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_without_the_sdk_it_says_what_to_do(tmp_path: Path) -> None:
    alone = subprocess.run(
        [sys.executable, "-I", "-S", str(HOST)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert alone.returncode == 1
    assert "mirrorforce env" in alone.stderr
