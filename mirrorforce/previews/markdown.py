"""The preview report as Markdown, for a comment on a pull request: never longer than one may be. Pure.

Every part of the page can be said in several ways, each shorter than the one before; as long as the page is
too long, the part that gains most by it is said more shortly. What is left out is linked, never cut. What
touches data has no way to be folded or left out: it is named in full, line by line or, where that is too
long, in groups. A plan that touches more data than the names of it fit into a comment says that, loudly, and
what it touches by counts: it is to be split.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mirrorforce.previews.folding import (
    Part,
    brief,
    cell,
    code,
    fenced,
    fitted,
    folded,
    html,
    indented,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Document = Mapping[str, Any]

LIMIT = 65_536
"""Characters of a comment on GitHub: what its API says of a body that is longer."""

LONGEST_LINK = 1_000
GROUPS = ("created", "updated", "replaced", "deleted")
_WORDS = {"data": "touches data", "switchover": "switchover", "restart": "restart"}
_SHORT_DIFF = 1_500


def marker(env: str) -> str:
    """The hidden line by which the comment is found again."""
    return f"<!-- mirrorforce-preview: {env} -->"


def page(report: Document, *, link: str = "", limit: int = LIMIT) -> str:
    """The page. `link`: where the whole report lies, at most `LONGEST_LINK` characters."""
    whole = f"[the whole report]({link})" if link else "the report's JSON"
    parts = [
        Part((_head(report),)),
        Part(_data(report, whole), kept=True),
        Part(_others_first(report, whole)),
        Part(_errors(report, whole)),
        Part(_findings(report, whole)),
        Part(_sites(report, whole)),
        *(Part(ways) for ways in _stacks(report, whole)),
        Part(_roles(report, whole)),
        Part(_settings(report, whole)),
        Part(_diffs(report, "files", "File differences, as hosts would get them", whole)),
        Part(_diffs(report, "variables", "Variables of roles", whole)),
        Part(_cost(report, whole)),
        Part((_foot(report, whole),)),
    ]
    return fitted(parts, limit)


def _head(report: Document) -> str:
    env = report["environment"]
    against = report["configuration"]["against"]
    title = f"## Preview of {code(env)}"
    if against:
        title += f" against {brief(against['name'])} ({against['commit'][:10]})"
    weights = Counter(each["weight"] for each in report["first"])
    loud = [f"**{_WORDS[weight]}: {weights[weight]}**" for weight in _WORDS if weights[weight]]
    counts = [
        f"{count} {group}" for group in GROUPS if (count := sum(len(s[group]) for s in report["stacks"]))
    ]
    broken = sum(bool(finding["mandatory"]) for finding in report["findings"])
    rails = [f"**guard rails broken: {broken}**"] if broken else []
    lost = sum(bool(stack["errors"]) for stack in report["stacks"])
    gone = [f"**stacks that could not be previewed: {lost}**"] if lost else []
    said = [*loud, *rails, *gone, *counts]
    if report["stacks"] and not counts and not lost:
        said.append("no change of infrastructure")
    if not report["stacks"]:
        said.append("infrastructure was not looked at")
    if difference := _difference(report["cost"]):
        said.append(f"{difference} a month")
    return f"{marker(env)}\n{title}\n\n{' · '.join(said)}"


def _data(report: Document, whole: str) -> tuple[str, ...]:
    """What touches data. The last way is for a plan that no comment can name."""
    items = [each for each in report["first"] if each["weight"] == "data"]
    if not items:
        return ("",)
    title = "### Read first: what touches data"
    kinds = Counter(f"{each['what'].split()[0]}: {each['why']}" for each in items).most_common(10)
    too_much = (
        f"**It touches data in {len(items)} places, more than a comment can name: split this change. "
        f"{whole} names each.**\n\n" + "\n".join(f"- **{count}** {brief(what)}" for what, count in kinds)
    )
    return (
        f"{title}\n\n" + "\n".join(map(_line, items)),
        f"{title}\n\n" + "\n".join(_grouped(items)),
        f"{title}\n\n{too_much}",
    )


def _others_first(report: Document, whole: str) -> tuple[str, ...]:
    items = [each for each in report["first"] if each["weight"] != "data"]
    if not items:
        return ("",)
    title = "### What restarts, or needs a switchover"
    counts = Counter(each["weight"] for each in items)
    counted = ", ".join(f"**{_WORDS[weight]}: {count}**" for weight, count in counts.items())
    return (
        f"{title}\n\n" + "\n".join(map(_line, items)),
        f"{title}\n\n" + "\n".join(_grouped(items)),
        f"{title}\n\n{counted}: {whole} names each.",
    )


def _line(item: Document) -> str:
    return f"- **{_WORDS[item['weight']]}: {code(item['where'])} {code(item['what'])}** {words(item['why'])}"


def _grouped(items: Iterable[Document]) -> list[str]:
    together: dict[tuple[str, str, str], list[str]] = {}
    for each in items:
        together.setdefault((each["weight"], each["where"], each["why"]), []).append(each["what"])
    return [
        f"- **{_WORDS[weight]}: {code(where)} {code(', '.join(dict.fromkeys(whats)))}** {words(why)}"
        for (weight, where, why), whats in together.items()
    ]


def _errors(report: Document, whole: str) -> tuple[str, ...]:
    lost = [stack for stack in report["stacks"] if stack["errors"]]
    if not lost:
        return ("",)
    title = "### Stacks that could not be previewed"
    every = [f"**{code(stack['stack'])}**\n\n{fenced(chr(10).join(stack['errors']))}" for stack in lost]
    names = [f"- **{code(stack['stack'])}** {brief(stack['errors'][0])}" for stack in lost]
    return (
        f"{title}\n\n" + "\n\n".join(every),
        f"{title}\n\n" + "\n".join(names),
        f"{title}\n\n**{len(lost)} stacks**: {whole} says why.",
    )


def _findings(report: Document, whole: str) -> tuple[str, ...]:
    findings = sorted(report["findings"], key=lambda each: not each["mandatory"])
    if not findings:
        return ("",)
    title = "### Guard rails"

    def head(finding: Document) -> str:
        level = "**stops the stack**" if finding["mandatory"] else "warns"
        return f"- {code(finding['rule'])} {level}: {code(finding['stack'])} {code(finding['resource'])}"

    every = [f"{head(each)}\n\n{indented(fenced(each['message']))}" for each in findings]
    rules = Counter(each["rule"] for each in findings).most_common(20)
    counted = ", ".join(f"{brief(rule)}: {count}" for rule, count in rules)
    return (
        f"{title}\n\n" + "\n".join(every),
        f"{title}\n\n" + "\n".join(map(head, findings)),
        f"{title}\n\n{len(findings)} findings ({counted}): {whole} has all of them.",
    )


def _sites(report: Document, whole: str) -> tuple[str, ...]:
    stacks = report["stacks"]
    if not stacks:
        return ("",)
    rows = [
        f"| {cell(stack['site'])} | {' | '.join(str(len(stack[group]) or '') for group in GROUPS)} |"
        for stack in stacks
    ]
    table = "\n".join([f"| site | {' | '.join(GROUPS)} |", "| --- | ---: | ---: | ---: | ---: |", *rows])
    return (f"### Sites\n\n{table}", f"### Sites\n\n{len(stacks)} stacks: {whole} has each.")


def _stacks(report: Document, whole: str) -> Iterable[tuple[str, ...]]:
    """Each stack with a change, folded. Of many, the largest are said more shortly first."""
    for stack in report["stacks"]:
        count = sum(len(stack[group]) for group in GROUPS)
        if not count:
            continue
        lines = [
            f"- {group} {code(item['kind'])} {code(item['name'])}"
            + (f": {code(', '.join(item['properties']))}" if item["properties"] else "")
            + (" **refused by `up`: it is protected**" if item["refused"] else "")
            for group in reversed(GROUPS)
            for item in stack[group]
        ]
        title = f"{html(stack['site'])}: {count} changes"
        kinds = Counter(f"{group} {item['kind']}" for group in GROUPS for item in stack[group])
        counted = ", ".join(f"{words(what)}: {number}" for what, number in kinds.most_common(12))
        yield (folded(title, "\n".join(lines)), folded(title, f"{counted}. {whole} has each."), "")


def _roles(report: Document, whole: str) -> tuple[str, ...]:
    found = report["configuration"]
    title = "### Configuration of hosts"
    if not found["against"]:
        reason = f": {brief(found['reason'])}" if found["reason"] else ""
        return (f"{title}\n\nNot compared{reason or ' (`--against REF` compares)'}.",)
    lines = []
    if found["reason"]:
        lines.append(f"**It could not be compared**: {brief(found['reason'])}")
    for name, said in (("new_hosts", "new"), ("gone_hosts", "gone")):
        if found[name]:
            lines.append(f"- hosts that are {said}: {code(', '.join(found[name]))}")
    for role in found["roles"]:
        changed = [*role["files"], *role["variables"]]
        lines.append(
            f"- role {code(role['role'])} on {code(', '.join(role['hosts']) or 'no host')}: "
            f"{code(', '.join(changed))}"
        )
    if found["code"]:
        lines.append(f"- code that converges hosts: {code(', '.join(found['code']))}")
    lines += [
        f"- package {code(each['name'])} {each['change']} on {code(', '.join(each['hosts']))}"
        for each in found["packages"]
    ]
    lines += [f"- **not told**: {brief(gap)}" for gap in found["gaps"]]
    body = "\n".join(lines) or "Nothing changes."
    roles = brief(", ".join(role["role"] for role in found["roles"]))
    shortly = f"{len(found['roles'])} roles change ({roles}); {whole} says how." if found["roles"] else whole
    return (f"{title}\n\n{body}", f"{title}\n\n{shortly}")


def _settings(report: Document, whole: str) -> tuple[str, ...]:
    settings = report["configuration"]["settings"]
    if not settings:
        return ("",)
    rows = [
        f"| {cell(each['cell'])} | {cell(each['name'])} | {cell(each['before'] or 'not set')} "
        f"| {cell(each['after'] or 'not set')} |"
        for each in settings
    ]
    table = "\n".join(["| cell | setting | was | would be |", "| --- | --- | --- | --- |", *rows])
    return (
        f"**What cells share through etcd**\n\n{table}",
        f"**{len(settings)} settings of cells change**: {whole} has each.",
    )


def _diffs(report: Document, kind: str, title: str, whole: str) -> tuple[str, ...]:
    """Differences, folded: all of them; the short ones and the names of the others; how many."""
    changes = report["configuration"][kind]
    if not changes:
        return ("",)

    def one(change: Document, *, short: bool) -> str:
        name = change.get("path") or change["name"]
        head = f"{code(name)} {change['change']} on {code(', '.join(change['hosts']))}"
        if short and len(change["diff"]) > _SHORT_DIFF:
            return f"{head}: {whole} has the difference."
        return f"{head}\n\n{fenced(change['diff'], 'diff')}"

    summary = f"{title}: {len(changes)}"
    return (
        folded(summary, "\n\n".join(one(each, short=False) for each in changes)),
        folded(summary, "\n\n".join(one(each, short=True) for each in changes)),
        f"{summary}; {whole} has each.",
    )


def _cost(report: Document, whole: str) -> tuple[str, ...]:
    cost = report["cost"]
    if cost["after"] is None:
        return ("",)
    title = "### Cost a month"
    before = cost["before"]
    total = f"{before:,.2f} → {cost['after']:,.2f}" if before is not None else f"{cost['after']:,.2f}"
    said = (
        f"{total} {cost['currency']}, on demand, at prices of {cost['prices_of']}; "
        "without what depends on use."
    )
    if difference := _difference(cost):
        said = f"**{difference}**: {said}"
    if cost["reason"]:
        said += f" The difference cannot be told: {brief(cost['reason'])}"
    rows = [
        f"| {cell(part['name'])} | {cell(part['region'])} "
        f"| {_money(part['before'])} | {_money(part['after'])} |"
        for part in cost["parts"]
        if part["before"] != part["after"]
    ]
    head = ["| part | region | was | would be |", "| --- | --- | ---: | ---: |"]
    table = "\n\n" + "\n".join([*head, *rows]) if rows and before is not None else ""
    more = "\n\nNo price is known of " + ", ".join(map(code, cost["unpriced"])) if cost["unpriced"] else ""
    return (f"{title}\n\n{said}{table}{more}", f"{title}\n\n{said} {whole} has the parts.")


def _difference(cost: Document) -> str:
    """`+12.30 USD`; '' where it is not known, or none."""
    if cost["before"] is None or cost["after"] is None or cost["before"] == cost["after"]:
        return ""
    return f"{cost['after'] - cost['before']:+,.2f} {cost['currency']}"


def _foot(report: Document, whole: str) -> str:
    env = report["environment"]
    return (
        f"<sub>`mirrorforce preview {env}`, {report['time']}, {report['seconds']:.0f} s; "
        f"nothing was changed. All of it: {whole}.</sub>"
    )


def _money(amount: float | None) -> str:
    return "?" if amount is None else f"{amount:,.2f}"
