"""What `__main__.py` runs: from the stack's name to its one component and its one output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pulumi

from mirrorforce import estate_file
from mirrorforce.aws import RENEW_IMAGES
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.sites.interconnect import InterconnectComponent, InterconnectProps
from mirrorforce.sites.site import SiteComponent, SiteProps
from mirrorforce.stack_names import INTERCONNECT, StackName, interconnect_stack, parse, site_stacks
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from mirrorforce.estate import Estate

PUBLIC_KEY = "ssh_public_key"
"""The site stacks' own config: the key that hosts let in. `mirrorforce up` sets it."""


def build() -> None:
    """Build the current stack. Errors of people end the program with their text alone."""
    try:
        stack, estate = declared(pulumi.get_stack())
        if stack.part == INTERCONNECT:
            component = InterconnectComponent(str(stack), InterconnectProps(estate))
            pulumi.export("interconnect", component.document)
        else:
            renewed = frozenset(os.environ.get(RENEW_IMAGES, "").split(",")) - {""}
            props = SiteProps(estate, estate.site(stack.part), _public_key(stack), renewed)
            site = SiteComponent(str(stack), props)
            pulumi.export("inventory", site.inventory)
    except MirrorforceError as error:
        raise pulumi.RunError(str(error)) from error


def declared(stack: str) -> tuple[StackName, Estate]:
    """The stack's parts and its estate; BadInputError where no estate file declares such a stack."""
    name = parse(stack)
    file = Workspace(name.env).estate_file
    if not file.exists():
        message = f"stack {stack}: there is no stacks/{file.name}"
        raise BadInputError(
            message, "name the stack <env>-<site> or <env>-interconnect, after a file in stacks/"
        )
    estate = estate_file.load(file)
    allowed = [str(each) for each in (*site_stacks(estate), interconnect_stack(estate))]
    if stack not in allowed:
        message = f"stack {stack}: stacks/{file.name} has no site {name.part!r}"
        raise BadInputError(message, f"name one of its stacks: {', '.join(allowed)}")
    return name, estate


def _public_key(stack: StackName) -> str:
    key = pulumi.Config().get(PUBLIC_KEY)
    if key is None:
        message = (
            f"stack {stack}: its config has no {PUBLIC_KEY}; the estate's secrets have not been made yet"
        )
        raise MirrorforceError(message, f"mirrorforce up {stack.env}, which makes them on first use")
    return key
