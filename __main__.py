"""The one Pulumi program: reads the stack's name and builds that site, or what joins the sites."""

from mirrorforce.sites.program import build

build()
