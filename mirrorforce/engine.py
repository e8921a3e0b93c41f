"""The only place that drives Pulumi: stacks, their outputs, the estate's secrets in their config.

Every function may be called from several threads at once, for different stacks.
"""

from __future__ import annotations

import json
import os
import secrets as random_source
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mirrorforce import secrets, stack_configs
from mirrorforce.engine_cli import (
    EXIT_CHANGES,
    EXIT_NO_SUCH_STACK,
    call,
    environment,
    failure,
    interrupt,
)
from mirrorforce.engine_events import Account
from mirrorforce.errors import MirrorforceError
from mirrorforce.stack_names import INTERCONNECT, StackName, interconnect_stack, site_stacks
from mirrorforce.workspace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeVar

    from mirrorforce.engine_events import Finding, Step
    from mirrorforce.estate import Estate
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.workspace import Workspace

    T = TypeVar("T")
    OnStep = Callable[[Step], None]

__all__ = [
    "Outcome",
    "destroy",
    "environment",
    "exported",
    "forget",
    "forget_pending",
    "is_prepared",
    "look",
    "outputs",
    "prepare",
    "preview",
    "read_secrets",
    "refresh",
    "side_by_side",
    "stacks_of",
    "unprotect",
    "up",
    "write_secrets",
]

SECRETS_KEY = f"{PROJECT}:secrets"
PUBLIC_KEY = f"{PROJECT}:ssh_public_key"
PASSPHRASE_BYTES = 32
_PARALLEL_RESOURCES = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation on a stack went: what changed (in a preview: would), and how long it took.

    `losses`: what a preview found protected that would be deleted or replaced, which `up` refuses to do.
    `findings`: what a policy pack says. `errors`: why a preview that was to tell all it can ended early.
    """

    stack: str
    changed: tuple[Step, ...]
    seconds: float
    losses: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether anything changed."""
        return bool(self.changed)


def stacks_of(estate: Estate) -> tuple[StackName, ...]:
    """Every stack of the estate, the interconnect last."""
    return (*site_stacks(estate), interconnect_stack(estate))


def prepare(ws: Workspace, estate: Estate) -> EstateSecrets:
    """Have what every stack needs before the first `up`: passphrase, stacks, the estate's secrets.

    Can be called at any time; what is there stays. A shared state needs no passphrase: its key is asked.
    MirrorforceError where state exists without its passphrase, or an estate that is up has lost its secrets.
    """
    stack_configs.require_provider(ws, estate)
    if ws.shared:
        ws.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        _have_passphrase(ws, estate)
    existing = _existing(ws)
    missing = [str(name) for name in stacks_of(estate) if str(name) not in existing]
    side_by_side([partial(_create, ws, name) for name in missing])
    known = _secrets(ws)
    if known is None and any(row.get("resourceCount") for row in existing.values()):
        message = (
            f"environment {ws.env} is up, but stacks/Pulumi.{ws.env}-{INTERCONNECT}.yaml, which holds "
            "its secrets, has lost them"
        )
        raise MirrorforceError(
            message, f"restore that file; `mirrorforce down {ws.env}` gives the environment up"
        )
    complete = secrets.completed(known, estate) if known else secrets.generate(estate)
    if complete != known:
        write_secrets(ws, complete)
    return complete


def up(
    ws: Workspace,
    stack: str,
    *,
    public_key: str = "",
    on_event: OnStep | None = None,
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    """Bring a stack to what is declared. A site stack needs the ssh public key that its hosts let in.

    `variables` are set in the program's environment.
    """
    config = ["--config", f"{PUBLIC_KEY}={public_key}"] if public_key else []
    return _operate(ws, "up", stack, ["--yes", "--skip-preview", *config], on_event, variables)


def preview(
    ws: Workspace,
    stack: str,
    *,
    public_key: str = "",
    on_event: OnStep | None = None,
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    """What `up` would do, after a look at what really is. Changes nothing. Parameters as `up`."""
    config = ["--config", f"{PUBLIC_KEY}={public_key}"] if public_key else []
    return _operate(ws, "preview", stack, config, on_event, variables)


def look(
    ws: Workspace, stack: str, *, public_key: str = "", variables: Mapping[str, str] | None = None
) -> Outcome:
    """`preview` that tells all it can: what went wrong with the stack is part of the outcome, no error."""
    config = ["--config", f"{PUBLIC_KEY}={public_key}"] if public_key else []
    found, fault = _carry_out(ws, "preview", stack, config, None, variables)
    return replace(found, errors=found.errors or (fault.message,)) if fault else found


def refresh(ws: Workspace, stack: str, *, on_event: OnStep | None = None) -> Outcome:
    """How what really is differs from the stack's state. Changes nothing, the state neither."""
    return _operate(ws, "refresh", stack, ["--preview-only"], on_event)


def unprotect(ws: Workspace, stack: str, urns: Sequence[str] = ()) -> None:
    """Let these resources of a stack be deleted or replaced, or all of them. The next `up` protects again."""
    which = list(urns) or ["--all"]
    answer = call(ws, ["state", "unprotect", *which, "--yes", "--stack", stack])
    if answer.status not in {0, EXIT_NO_SUCH_STACK}:
        raise failure(ws, f"unprotecting resources of {stack}", answer)


def destroy(ws: Workspace, stack: str, *, on_event: OnStep | None = None) -> Outcome:
    """Delete every resource of a stack."""
    return _operate(ws, "destroy", stack, ["--yes", "--skip-preview"], on_event)


def outputs(ws: Workspace, estate: Estate) -> dict[str, dict[str, Any]]:
    """The outputs of each stack that exists, read side by side; {} for a stack that is not up."""
    names = [str(name) for name in stacks_of(estate)]
    found = side_by_side([partial(_outputs, ws, name) for name in names])
    return dict(zip(names, found, strict=True))


def exported(ws: Workspace, stack: str) -> dict[str, Any]:
    """A stack's state as the engine exports it, what is secret encrypted."""
    answer = call(ws, ["stack", "export", "--stack", stack])
    if answer.status != 0:
        raise failure(ws, f"reading the state of {stack}", answer)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def forget_pending(ws: Workspace, stack: str, state: Mapping[str, Any]) -> None:
    """Give a stack its exported state back, which the engine strips of what a killed engine was at."""
    answer = call(ws, ["stack", "import", "--stack", stack], stdin=json.dumps(state))
    if answer.status != 0:
        raise failure(ws, f"clearing what a killed engine was at in {stack}", answer)


def read_secrets(ws: Workspace) -> EstateSecrets:
    """The estate's secrets; MirrorforceError where there are none yet."""
    found = _secrets(ws)
    if found is None:
        raise MirrorforceError(f"environment {ws.env} has no secrets yet", f"mirrorforce up {ws.env}")
    return found


def write_secrets(ws: Workspace, values: EstateSecrets) -> None:
    """Keep the estate's secrets, encrypted. They go through a pipe: no argument list shows them."""
    stack = f"{ws.env}-{INTERCONNECT}"
    arguments = ["config", "set", "--secret", SECRETS_KEY, "--stack", stack]
    answer = call(ws, arguments, stdin=secrets.to_json(values))
    if answer.status != 0:
        raise failure(ws, f"writing the secrets of {stack}", answer)


def is_prepared(ws: Workspace) -> bool:
    """Whether there are stacks that could hold something."""
    return bool(_existing(ws)) if ws.shared else ws.passphrase_file.exists()


def forget(ws: Workspace, estate: Estate) -> None:
    """Drop the stacks' configs, which only their passphrase reads. The state goes with `Workspace.state`.

    Of a shared state the stacks are dropped, which are empty now; the bucket keeps their versions.
    """
    if ws.shared:
        known = _existing(ws)
        side_by_side([partial(_remove, ws, str(name)) for name in stacks_of(estate) if str(name) in known])
    for file in stack_configs.files(estate):
        file.unlink(missing_ok=True)


def side_by_side(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run tasks at the same time; their results in order, or what went wrong once all have ended.

    Ctrl-C asks what runs to end in order, and waits for it; a second one ends it at once.
    """
    if not tasks:
        return []
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            wait(futures)
        except KeyboardInterrupt:
            interrupt()
            try:
                pool.shutdown()
            except KeyboardInterrupt:
                interrupt(signal.SIGKILL)
            raise
    errors = [error for future in futures if isinstance(error := future.exception(), MirrorforceError)]
    if len(errors) > 1:
        steps = dict.fromkeys(error.next_step for error in errors if error.next_step)
        raise MirrorforceError("\n".join(error.message for error in errors), "; ".join(steps)) from errors[0]
    return [future.result() for future in futures]


def _operate(
    ws: Workspace,
    verb: str,
    stack: str,
    options: Iterable[str],
    on_event: OnStep | None,
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    found, fault = _carry_out(ws, verb, stack, options, on_event, variables)
    if fault:
        raise fault
    return found


def _carry_out(
    ws: Workspace,
    verb: str,
    stack: str,
    options: Iterable[str],
    on_event: OnStep | None,
    variables: Mapping[str, str] | None,
) -> tuple[Outcome, MirrorforceError | None]:
    """Run an operation: how it went, and why it failed where it did."""
    account = Account(stack, looks=verb == "refresh")
    started = time.monotonic()

    def take(line: str) -> None:
        step = account.take(line)
        if step and on_event:
            on_event(step)

    arguments = [verb, "--stack", stack, "--json", "--parallel", str(_PARALLEL_RESOURCES), *options]
    answer = call(ws, arguments, on_line=take, variables=variables)
    seconds = round(time.monotonic() - started, 1)
    found = Outcome(stack, account.changed, seconds, account.losses, tuple(account.findings))
    if answer.status == EXIT_NO_SUCH_STACK:
        return found, MirrorforceError(f"there is no stack {stack}", f"mirrorforce up {ws.env}")
    # A preview that ends with nothing but refusals has said all that it would do.
    told_all = verb == "preview" and account.losses and not account.errors
    if answer.status in {0, EXIT_CHANGES} or told_all:
        return found, None
    fault = failure(ws, f"pulumi {verb} of {stack}", answer, [*account.errors, *account.refusals])
    return replace(found, errors=tuple(account.errors)), fault


def _outputs(ws: Workspace, stack: str) -> dict[str, Any]:
    answer = call(ws, ["stack", "output", "--json", "--stack", stack])
    if answer.status == EXIT_NO_SUCH_STACK:
        return {}
    if answer.status != 0:
        raise failure(ws, f"reading the outputs of {stack}", answer)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _secrets(ws: Workspace) -> EstateSecrets | None:
    stack = f"{ws.env}-{INTERCONNECT}"
    answer = call(ws, ["config", "get", SECRETS_KEY, "--stack", stack])
    if answer.status == 0:
        return secrets.from_json(answer.stdout)
    if answer.status == EXIT_NO_SUCH_STACK or "not found" in answer.stderr:
        return None
    raise failure(ws, f"reading the secrets of {stack}", answer)


def _existing(ws: Workspace) -> Mapping[str, Any]:
    """The project's stacks in this environment's backend, by name."""
    answer = call(ws, ["stack", "ls", "--json"])
    if answer.status != 0:
        raise failure(ws, "listing the stacks", answer)
    return {row["name"].rpartition("/")[2]: row for row in json.loads(answer.stdout)}


def _create(ws: Workspace, stack: str) -> None:
    provider = ["--secrets-provider", ws.shared.secrets_provider] if ws.shared else []
    answer = call(ws, ["stack", "init", "--no-select", *provider, stack])
    if answer.status != 0 and "already exists" not in answer.stderr:
        raise failure(ws, f"making stack {stack}", answer)


def _remove(ws: Workspace, stack: str) -> None:
    answer = call(ws, ["stack", "rm", "--yes", "--stack", stack])
    if answer.status not in {0, EXIT_NO_SUCH_STACK}:
        raise failure(ws, f"removing stack {stack}", answer)


def _have_passphrase(ws: Workspace, estate: Estate) -> None:
    """Make folders and passphrase on first use; never a new passphrase over what an old one encrypts."""
    for folder in (ws.state, ws.backend):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if ws.passphrase_file.exists():
        return
    encrypted = [*stack_configs.files(estate), *(ws.backend / ".pulumi" / "stacks").rglob("*.json")]
    if encrypted:
        raise MirrorforceError(
            f"the passphrase of environment {ws.env} is missing ({ws.passphrase_file}), but what it "
            f"encrypts is here: {encrypted[0]}",
            f"put the passphrase into that file; `mirrorforce down {ws.env}` gives the environment up",
        )
    staging = ws.passphrase_file.with_suffix(".new")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(random_source.token_urlsafe(PASSPHRASE_BYTES) + "\n")
    staging.rename(ws.passphrase_file)
