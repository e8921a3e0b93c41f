"""`up --site-by-site`: the estate's sites one after another, each verified before the next is touched.

A change that does harm is to do it in one place. So it goes first where nobody's data is, last where
primaries are preferred, and stops where a site does not verify; what was done stays, and the next run goes on
from it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mirrorforce import engine, placement
from mirrorforce.errors import BadInputError
from mirrorforce.lock import only_one
from mirrorforce.operations import converge, status, up, verify, verify_report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mirrorforce.estate import Estate, Site
    from mirrorforce.operations import plan
    from mirrorforce.progress import Phases
    from mirrorforce.workspace import Workspace


def order(estate: Estate) -> tuple[Site, ...]:
    """The order of sites: without a mirror first, then by how many cells prefer them; else as in the file."""
    preferred = Counter(cell.preferred_site for cell in estate.cells)
    return tuple(sorted(estate.sites, key=lambda site: (site.mirrored, preferred[site.name])))


def site_by_site(
    ws: Workspace, estate: Estate, phases: Phases, *, converge_all: bool, consent: plan.Consent
) -> up.Result:
    """Bring site after site to what is declared; stop at the first that does not verify.

    Then its report is that of the site, else that of the whole estate. BadInputError where a site is not up
    yet: its hosts and those of other sites need each other.
    """
    with only_one(ws, f"up {ws.env}"):
        up.have_platforms(estate, phases)
        secrets = up.have_secrets(ws, estate, phases)
        _require_up(ws, estate)
        for site in order(estate):
            phases.say(f"site {site.name}")
            hosts = up.have_sites(ws, estate, [site.name], secrets, phases, consent)
            names = ",".join(host.name for host in placement.hosts_of_site(estate, site))
            with phases.phase("converge") as waits_for:
                converge.converge(ws, estate, limit=names, only_stale=not converge_all, on_progress=waits_for)
            report: Mapping[str, Any] = of_site(estate, site.name, up.look(ws, estate, hosts, phases))
            if not report["as_declared"]:
                phases.say(f"site {site.name} does not verify: nothing after it was touched")
                return up.Result(report, status.collect(ws, estate, hosts))
        with phases.phase("verify") as waits_for:
            report = verify.verify(ws, estate, hosts, waits_for)
        return up.Result(report, status.collect(ws, estate, hosts))


def of_site(estate: Estate, site: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """What a verify report says of one site's hosts. Of cells it says nothing: those are several sites'."""
    names = {host.name for host in placement.hosts(estate) if host.site == site}
    return verify_report.of_subjects(report, names)


def _require_up(ws: Workspace, estate: Estate) -> None:
    outputs = engine.outputs(ws, estate)
    if new := [stack for stack, found in outputs.items() if not found]:
        raise BadInputError(
            f"{', '.join(new)} is not up yet: its hosts and those of other sites need each other",
            f"mirrorforce up {ws.env}, which brings all sites up together",
        )
