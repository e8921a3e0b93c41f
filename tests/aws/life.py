"""The life of one estate in an emulated account, in the operations of the verbs themselves."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from mirrorforce import engine, engine_home, estate_file
from mirrorforce.operations import down, plan, up
from mirrorforce.progress import Phases
from mirrorforce.workspace import ROOT, Workspace
from tests.aws import declared
from tests.aws.cloud import Cloud
from toolchain import setup_aws_provider
from toolchain.setup_engine import NOTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mirrorforce.engine import Outcome
    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.secrets import EstateSecrets

    Change = Callable[[dict[str, Any]], object]

REGIONS = ("us-east-1", "us-west-1", "us-west-2")
_LOOK_EVERY = 0.05


def plugin_that_cannot_be_had() -> str:
    """Why there is no provider plugin on this machine, and can be none; '' where there has to be one."""
    folder = engine_home.engine_folder()
    if (folder / NOTE).read_text().strip() != "go":
        return ""  # the engine from its makers downloads it
    searched = setup_aws_provider.places()
    if setup_aws_provider.newest(searched):
        return ""
    return f"no {setup_aws_provider.TERRAFORM_PROVIDER}_v* below {', '.join(map(str, searched))}"


@dataclass
class Life:
    """An estate, declared and changed by its file."""

    cloud: Cloud
    ws: Workspace = field(default_factory=partial(Workspace, declared.ENV))
    phases: Phases = field(default_factory=lambda: Phases(Console(file=io.StringIO())))

    def declare(self, *changes: Change) -> Estate:
        """Write the estate file, with these changes; the estate that it declares."""
        document = declared.document()
        for change in changes:
            change(document)
        return declared.declare(document)

    def secrets(self, estate: Estate) -> EstateSecrets:
        """What `up` has first."""
        up.have_platforms(estate, self.phases)
        return up.have_secrets(self.ws, estate, self.phases)

    def up(self, estate: Estate, *sites: str) -> Inventory:
        """`mirrorforce up`, of all sites or these, as far as AWS goes: moto has no machines to converge."""
        wanted = sites or [site.name for site in estate.sites]
        return up.have_sites(self.ws, estate, wanted, self.secrets(estate), self.phases, plan.NOTHING)

    def look(self, estate: Estate, *sites: str) -> dict[str, Outcome]:
        """`pulumi preview` of all stacks, or of these sites alone, by site, with what went wrong."""
        key = engine.read_secrets(self.ws).ssh_public_key
        stacks = {stack.part: str(stack) for stack in engine.stacks_of(estate)}
        wanted = sites or tuple(stacks)
        keys = {part: "" if part == "interconnect" else key for part in wanted}
        found = engine.side_by_side(
            [partial(engine.look, self.ws, stacks[part], public_key=keys[part]) for part in wanted]
        )
        return dict(zip(wanted, found, strict=True))

    def refresh(self, estate: Estate, *sites: str) -> dict[str, Outcome]:
        """`pulumi refresh` of all stacks, or of these sites alone, which changes nothing, by site."""
        stacks = [stack for stack in engine.stacks_of(estate) if not sites or stack.part in sites]
        found = engine.side_by_side([partial(engine.refresh, self.ws, str(stack)) for stack in stacks])
        return {stack.part: outcome for stack, outcome in zip(stacks, found, strict=True)}

    def down(self, estate: Estate) -> None:
        """`mirrorforce down`."""
        down.down(self.ws, estate, self.phases)

    def interrupted_up(self, estate: Estate, site: str, action: str) -> None:
        """`up` of a site that gets Ctrl-C as soon as this action is called.

        Also where whoever started us ignores it.
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)
        watching = threading.Thread(
            target=self._when_called, args=(action, partial(os.kill, os.getpid(), signal.SIGINT)), daemon=True
        )
        watching.start()
        with pytest.raises(KeyboardInterrupt):
            self.up(estate, site)
        watching.join()

    def killed_up(self, site: str, action: str) -> None:
        """`up` of a site in a process that is killed as soon as this action is called.

        Its engine ends by itself.
        """
        line = [sys.executable, "-m", "tests.aws.life", site]
        with subprocess.Popen(
            line,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            self._when_called(action, process.kill, lambda: process.poll() is None)
            assert process.wait() == -signal.SIGKILL, process.stdout and process.stdout.read()

    def _when_called(
        self, action: str, then: Callable[[], object], lives: Callable[[], bool] = lambda: True
    ) -> None:
        known = self.cloud.actions().count(action)
        while lives() and self.cloud.actions().count(action) == known:
            time.sleep(_LOOK_EVERY)
        then()


POLICY_PACK = str(ROOT / "policy")

if __name__ == "__main__":
    # As a process of its own, to be killed; the account is that of the environment.
    ENVIRONMENT = Workspace(declared.ENV)
    Life(Cloud(), ENVIRONMENT).up(estate_file.load(ENVIRONMENT.estate_file), *sys.argv[1:])
