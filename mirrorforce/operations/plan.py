"""A look at the plan before it is carried out, where hosts are somebody's: what it would take away, and stop.

A lab needs none: its hosts hold what a drill may lose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mirrorforce import engine, placement
from mirrorforce.aws import RENEW_IMAGES
from mirrorforce.errors import BadInputError
from mirrorforce.operations import losses, names, unfinished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.engine import Outcome
    from mirrorforce.estate import Estate
    from mirrorforce.progress import Phases
    from mirrorforce.stack_names import StackName
    from mirrorforce.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody agreed to by name.

    accepted_losses: protected resources that may be deleted or replaced.
    renewed_images: hosts that are to be made anew of today's image. Their volumes stay.
    """

    accepted_losses: tuple[str, ...] = ()
    renewed_images: tuple[str, ...] = ()

    @property
    def variables(self) -> Mapping[str, str]:
        """What the program is told of it."""
        return {RENEW_IMAGES: ",".join(self.renewed_images)} if self.renewed_images else {}


NOTHING = Consent()


def look_first(
    ws: Workspace,
    estate: Estate,
    public_key: str,
    consent: Consent,
    phases: Phases,
    stacks: Sequence[StackName],
) -> None:
    """Let go of what was confirmed. MirrorforceError, with nothing changed, where something was not.

    stacks: those that are going to be brought up together. One with nothing in it has nothing to lose.
    """
    require_renewable(estate, consent)
    if not any(site.aws for site in estate.sites):
        return
    with phases.phase("plan"):
        states = unfinished.read(ws, stacks)
        standing = [str(stack) for stack in stacks if unfinished.holds_something(states[stack])]
        outcomes = _previews(ws, standing, public_key, consent)
        losses.require_rolling(estate, placement.hosts(estate), outcomes)
        agreed = {*consent.accepted_losses, *consent.renewed_images}
        for stack, urns in losses.confirmed(ws.env, outcomes, agreed).items():
            engine.unprotect(ws, stack, urns)
    lost = {loss.name for outcome in outcomes for loss in outcome.losses}
    for name in consent.accepted_losses:
        if name not in lost:
            phases.say(f"{name}: nothing of it is lost by this plan")


def _previews(ws: Workspace, stacks: Sequence[str], public_key: str, consent: Consent) -> list[Outcome]:
    """What `up` would do to each of these stacks."""
    return engine.side_by_side(
        [
            partial(engine.preview, ws, stack, public_key=public_key, variables=consent.variables)
            for stack in stacks
        ]
    )


def require_no_losses(ws: Workspace, estate: Estate, stacks: Sequence[str], public_key: str) -> None:
    """MirrorforceError where `up` of these sites would lose what holds data, which nobody agreed to here."""
    if any(site.aws for site in estate.sites):
        losses.confirmed(ws.env, _previews(ws, stacks, public_key, NOTHING), set())


def require_renewable(estate: Estate, consent: Consent) -> None:
    """BadInputError for a host that is not known, not on AWS, or whose vote lies on its root volume."""
    hosts = {host.name: host for host in placement.hosts(estate)}
    for name in consent.renewed_images:
        host = hosts[names.known("host", name, list(hosts))]
        if estate.site(host.site).aws is None:
            message = f"{name} is on {estate.site(host.site).platform}: its image is not AWS's"
            raise BadInputError(message, "name hosts of sites on AWS")
        if host.role == "control":
            raise BadInputError(
                f"{name} has its vote in etcd on its root volume, which a new image would not have",
                "apt-get full-upgrade brings it up to date in place",
            )
