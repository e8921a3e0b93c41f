#!/usr/bin/env python3
"""The engine's way to Python programs, for machines that cannot have the official `pulumi-language-python`.

Set-up copies this file beside the engine under that name. It serves the part of Pulumi's
LanguageRuntime service that running a program or a policy pack needs, and nothing else: no
installing, no templates, no code generation. It ends when the engine does.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import grpc
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2
except ImportError as error:
    sys.exit(
        f"{sys.executable} cannot import the Pulumi SDK ({error}).\n"
        '  next: eval "$(mirrorforce env)", which puts the project\'s virtual environment first on PATH'
    )

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.empty_pb2 import Empty

HERE = Path(__file__).resolve().parent
EXIT_ALREADY_SHOWN = 32
"""The program's exit code that says: its error has been shown, do not show another."""

MESSAGE_BYTES = 400 << 20
"""What the engine itself allows for one message."""

POLICY_PACK = "analyzer"
END_OF_STREAM = b""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs Python programs and policy packs for one engine."""

    def __init__(self, engine_address: str) -> None:
        self._engine_address = engine_address

    def Handshake(  # noqa: N802 - the service's name, as below
        self,
        request: language_pb2.LanguageHandshakeRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - the service's signature, as below
    ) -> language_pb2.LanguageHandshakeResponse:
        """Learn the engine's address."""
        self._engine_address = request.engine_address or self._engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(  # noqa: N802
        self,
        request: Empty,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> plugin_pb2.PluginInfo:
        """Say which plugin this is; it has no version of its own."""
        return plugin_pb2.PluginInfo()

    def GetRequiredPackages(  # noqa: N802
        self,
        request: language_pb2.GetRequiredPackagesRequest,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> language_pb2.GetRequiredPackagesResponse:
        """Ask for no plugin: what a program needs is brought by set-up."""
        return language_pb2.GetRequiredPackagesResponse()

    def Run(  # noqa: N802
        self,
        request: language_pb2.RunRequest,
        context: grpc.ServicerContext,
    ) -> language_pb2.RunResponse:
        """Run a program to its end."""
        environment = os.environ | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        command = [interpreter(request.info), "-u", *program_arguments(request, self._engine_address)]
        process = subprocess.Popen(command, env=environment)
        context.add_callback(lambda: _end(process))
        status = process.wait()
        if status == 0:
            return language_pb2.RunResponse()
        if status == EXIT_ALREADY_SHOWN:
            return language_pb2.RunResponse(bail=True)
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return language_pb2.RunResponse(error=f"the program ended early: {how}")

    def RunPlugin(  # noqa: N802
        self,
        request: language_pb2.RunPluginRequest,
        context: grpc.ServicerContext,
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin written in Python, above all a policy pack; its output is streamed."""
        folder = request.info.program_directory
        program = ["-m", "pulumi.policy"] if request.kind == POLICY_PACK else [folder]
        arguments = [*request.args, folder] if request.kind == POLICY_PACK else list(request.args)
        process = subprocess.Popen(
            [interpreter(request.info), "-u", *program, *arguments],
            cwd=folder if request.kind == POLICY_PACK else request.pwd,
            env=dict(entry.partition("=")[::2] for entry in request.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(lambda: _end(process))
        yield from _output(process)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def interpreter(info: language_pb2.ProgramInfo) -> str:
    """The Python of the project's `virtualenv` option; without one PULUMI_PYTHON_CMD, or this one."""
    if "virtualenv" not in info.options:
        return os.environ.get("PULUMI_PYTHON_CMD", sys.executable)
    return str(Path(info.root_directory) / info.options["virtualenv"] / "bin" / "python")


def program_arguments(request: language_pb2.RunRequest, engine_address: str) -> Sequence[str]:
    """The command line of Pulumi's own runner of Python programs, which lies beside this file."""
    options = {
        "monitor": request.monitor_address,
        "engine": engine_address,
        "project": request.project,
        "stack": request.stack,
        "pwd": request.pwd,
        "root_directory": request.info.root_directory,
        "organization": request.organization,
        "dry_run": "true" if request.dryRun else "false",
        "parallel": str(request.parallel),
    }
    flags = [part for name, value in options.items() if value for part in (f"--{name}", value)]
    runner = HERE / "pulumi-language-python-exec"
    return [str(runner), *flags, request.info.entry_point or ".", *request.args]


def _output(process: subprocess.Popen[bytes]) -> Iterator[language_pb2.RunPluginResponse]:
    """Both streams of a process as they come, until both have ended."""
    received: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def read(name: str, descriptor: int) -> None:
        while chunk := os.read(descriptor, 1 << 16):
            received.put((name, chunk))
        received.put((name, END_OF_STREAM))

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for name, stream in streams.items():
        if stream is not None:
            threading.Thread(target=read, args=(name, stream.fileno()), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        name, chunk = received.get()
        if chunk == END_OF_STREAM:
            open_streams -= 1
        elif name == "stdout":
            yield language_pb2.RunPluginResponse(stdout=chunk)
        else:
            yield language_pb2.RunPluginResponse(stderr=chunk)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()


def _asked_to_end() -> threading.Event:
    """Set once the engine is gone (it holds the other end of our standard input) or asks us to end."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())

    def watch_engine() -> None:
        while os.read(sys.stdin.fileno(), 1 << 10):
            pass
        asked.set()

    threading.Thread(target=watch_engine, daemon=True).start()
    return asked


def main(arguments: Sequence[str]) -> int:
    """Serve on a free port of the loopback interface, and tell the engine which."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(
        LanguageHost(arguments[-1] if arguments else ""), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    asked = _asked_to_end()  # before the engine knows of us: from then on it may ask at any moment
    print(port, flush=True)
    asked.wait()
    server.stop(grace=None).wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
