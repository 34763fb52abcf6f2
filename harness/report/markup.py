"""Text as XML and HTML can hold it, and what the templates of all pages share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.calls.verdict import Finding, Verdict

#: What XML 1.0 (section 2.2) has no place for; a fault that mangles bytes puts such characters into messages.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


#: Turn the order of what follows in the line around (Unicode UAX #9), beyond the element they stand in: a number could read as
#: another. The marks that text of right to left needs (U+200E, U+200F, U+061C) turn nothing but the blanks beside them.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with line ends of its platform, what cannot be printed as U+FFFD, and what turns its order around as its escape."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    # Nearly all of what a report shows, and found a tenth as fast by the expression.
    if lines.replace("\n", "").isprintable():
        return lines
    return _TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", _UNPRINTABLE.sub("\ufffd", lines))


def xml(text: object) -> str:
    """``text`` escaped for element content and quoted attributes."""
    return escape(printable(str(text)), quote=True)


def with_code(text: object) -> Markup:
    """``text`` escaped; text between backticks (a key, a command, a line of SDP) becomes code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(Markup.escape(text))))


#: The fields of a cause of a diagnosis; all but ``cause`` may be missing.
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
    """The fields of a cause that reports show, each as text, empty when missing."""
    return {name: str(plain.get(name) or "") for name in CAUSE} | {"link": web_link(plain.get("link"))}


def said_besides(cause: Mapping[str, Any]) -> str:
    """A further cause in lines: what it is, how to fix it, who owns it."""
    said = {"Also": cause.get("cause"), "Fix": cause.get("fix"), "Owner": cause.get("owner")}
    return "\n".join(f"{name}: {words}" for name, words in said.items() if words)


def seen_of(finding: Finding) -> tuple[str, str]:
    """The label of what a finding saw, and the text; for a finding that could not look, the reason."""
    if finding.verdict is Verdict.NOT_OBSERVABLE:
        return "not seen:", finding.actual.removeprefix(f"{Verdict.NOT_OBSERVABLE}: ")
    return "seen", finding.actual


def web_link(told: object) -> str:
    """A link to a web page; empty for any other target, since the evidence may come from somebody else."""
    return str(told) if str(told).startswith(("https://", "http://")) else ""
