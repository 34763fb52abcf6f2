"""What the templates of all pages share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.calls.verdict import Finding, Verdict
from harness.report.markup import printable, with_code

#: What a cause of a diagnosis may say; any of it may be left out but ``cause``.
CAUSE = ("cause", "issue", "fix", "owner", "confidence", "settles", "because", "link")

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates' environment: escaping on, unknown names are errors."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["seconds"] = lambda value: f"{value:.2f} s"
    found.filters["with_code"] = with_code
    found.filters["web_link"] = web_link
    found.filters["seen_of"] = seen_of
    found.filters["s"] = lambda number: "" if number == 1 else "s"
    found.filters["slug"] = lambda value: str(value).replace(" ", "-")
    return found


def render(template: str, **values: object) -> str:
    """The page that a template of the reports makes; nothing unprintable gets out."""
    return printable(environment().get_template(template).render(values))


def cause_of(plain: Mapping[str, Any]) -> dict[str, str]:
    """What reports show of a cause, each as text, empty when it was not said."""
    return {name: str(plain.get(name) or "") for name in CAUSE} | {"link": web_link(plain.get("link"))}


def said_besides(cause: Mapping[str, Any]) -> str:
    """A cause that is at work beside the first, in lines: what it is, how it is mended, whose it is."""
    said = {"Also": cause.get("cause"), "Fix": cause.get("fix"), "Owner": cause.get("owner")}
    return "\n".join(f"{name}: {words}" for name, words in said.items() if words)


def seen_of(finding: Finding) -> tuple[str, str]:
    """What stands before what a finding saw, and that; of one that could not look, why it could not."""
    if finding.verdict is Verdict.NOT_OBSERVABLE:
        return "not seen:", finding.actual.removeprefix(f"{Verdict.NOT_OBSERVABLE}: ")
    return "seen", finding.actual


def web_link(told: object) -> str:
    """A link to a page of the web; empty where it leads elsewhere: what is handed on may be another's evidence."""
    return str(told) if str(told).startswith(("https://", "http://")) else ""
