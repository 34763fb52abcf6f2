"""Text of reports: as XML and HTML can hold it, what the templates of all pages share, and command
lines to copy.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from harness.case.verdict import Finding, Strength, Verdict
from harness.diagnosis.catalogue import owner_in_words
from harness.report.evidence import CaseEvidence, PlainCause
from harness.support import network_text
from harness.support.terminal import program

if TYPE_CHECKING:
    from jinja2 import Environment, Template

#: What XML 1.0 (section 2.2) has no place for; a fault that mangles bytes puts such characters into
#: messages.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
#: Octets of UTF-8 that are shown as they are.
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n\t"


def printable(text: str) -> str:
    """``text`` with line ends of its platform, what XML has no place for as U+FFFD, and what is not
    seen or turns the order around as its escape.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    # Of a page these are some hundred characters, and looked through in a tenth of the time.
    octets = lines.encode("utf-8", "surrogatepass").translate(None, _PLAIN)
    if not octets:
        return lines
    strange = octets.decode("utf-8", "surrogatepass")
    return lines if _shown(strange) == strange else _shown(lines)


def _shown(text: str) -> str:
    return network_text.printable(_UNPRINTABLE.sub("\ufffd", text))


def xml(text: object) -> str:
    """``text`` escaped for element content and quoted attributes."""
    return escape(printable(str(text)), quote=True)


def with_code(text: object) -> Markup:
    """``text`` escaped; text between backticks (a key, a command, a line of SDP) becomes code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(Markup.escape(text))))


#: A verdict, or what was not run, in one character.
SIGNS = {"passed": "✓", "failed": "✕", "not observable": "?", "broken": "!", "not run": "–"}


@cache
def sign(verdict: Hashable) -> Markup:
    """A verdict's sign in a page, with the word for those who hear it."""
    word = str(verdict)
    return Markup('<span class="sign v-{}">{}<span class="sr">{}</span></span>').format(
        slug(word), SIGNS[word], word
    )


@lru_cache(maxsize=64)  # the findings of a case often name the same messages
def message_links(numbers: tuple[str, ...], key: str) -> Markup:
    """Links to the messages of a case in its page, which has the id ``key``."""
    named = [(xml(f"{key}-{number}"), xml(number)) for number in numbers]
    return Markup("".join(f'<a href="#{anchor}">{number}</a> ' for anchor, number in named))


def markdown(words: object) -> Markup:
    """The words as text that is no markup in Markdown: names are the customer's."""
    escaped = xml(" ".join(str(words).split()))
    return Markup("".join(f"\\{sign}" if sign in r"\`*_[]|~" else sign for sign in escaped))


def slug(words: object) -> str:
    """The words as the name of a class in a page's style."""
    return str(words).replace(" ", "-")


def short(words: str, most: int) -> str:
    """The words, of more than so many characters the first."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def number_of(count: int, one: str, several: str = "") -> str:
    """``1 case``, ``2 cases``; ``several`` where the plural is more than an s."""
    if count == 1:
        return f"{count} {one}"
    return f"{count} {several or f'{one}s'}"


def moment(at: float) -> str:
    """A time in seconds since the epoch, in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


#: The fields of a cause of a diagnosis; all but ``cause`` may be missing.
CAUSE = ("cause", "issue", "fix", "owner", "confidence", "settles", "because", "link")


TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates' environment: escaping on, unknown names are errors."""
    # a run's first call does not wait for it, and its workers have no use for it
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["seconds"] = lambda value: f"{value:.2f} s"
    found.filters["pixels"] = lambda value: f"{value:.1f}"
    found.filters["milliseconds"] = lambda value: f"{value:.3f}"
    # `render` cleans the whole page character by character if one message in it needs it; so
    # messages are cleaned first
    found.filters["printable"] = printable
    found.filters["with_code"] = with_code
    found.filters["web_link"] = web_link
    found.filters["seen_of"] = seen_of
    found.filters["cause_of"] = cause_of
    found.filters["s"] = lambda number: "" if number == 1 else "s"
    found.filters |= {"slug": slug, "short": short, "markdown": markdown}
    # filters, where a function would do: jinja2 looks at each function before it calls it
    found.filters |= {"sign": sign, "message_links": message_links}
    found.globals |= {"SIGNS": SIGNS}
    return found


def render(template: str, **values: object) -> str:
    """The page that a template of the reports makes; nothing unprintable gets out."""
    return printable(template_of(template).render(values))


@cache
def template_of(name: str) -> Template:
    """A template, compiled."""
    template = environment().get_template(name)
    # markupsafe makes an object of its own class of each text, which took a sixth of a page's time
    template.root_render_func.__globals__["escape"] = _escaped
    return template


def _escaped(value: object) -> str:
    """A value as a template puts it out."""
    if type(value) is str:
        return _short_escaped(value) if len(value) < _SHORT else escape(value)
    if type(value) is int or type(value) is Markup:
        return str(value)
    return str(Markup.escape(value))


_SHORT = 64
#: Coordinates, names and headings repeat.
_short_escaped = lru_cache(maxsize=8192)(escape)


def cause_of(plain: PlainCause) -> dict[str, str]:
    """The fields of a cause that reports show, each as text, empty when missing."""
    found = {name: str(plain.get(name) or "") for name in CAUSE}
    return found | {"link": web_link(plain.get("link")), "owner": owner_in_words(found["owner"])}


def said_first(case: CaseEvidence, *names: str) -> list[str]:
    """These fields of a case's likeliest cause, a line each, as far as they are there."""
    return _said(case.first_cause, names)


def _said(cause: PlainCause, names: Iterable[str]) -> list[str]:
    known = cause_of(cause)
    return [f"{name.capitalize()}: {known[name]}" for name in names if known[name]]


def in_words(strength: Strength | None) -> str:
    """How strongly something is known; empty where that is not stated."""
    return "" if strength is None else strength.name.lower()


def said_besides(cause: PlainCause) -> str:
    """A further cause in lines: what it is, how to fix it, who owns it."""
    return "\n".join([f"Also: {cause.get('cause', '')}", *_said(cause, ("fix", "owner"))])


def seen_of(finding: Finding) -> tuple[str, str]:
    """The label of what a finding saw, and the text; for a finding that could not look, the reason."""
    if finding.verdict is Verdict.NOT_OBSERVABLE:
        return "not seen:", finding.actual.removeprefix(f"{Verdict.NOT_OBSERVABLE}: ")
    return "seen", finding.actual


def web_link(value: object) -> str:
    """A link to a web page; empty for any other target, since the evidence may come from somebody
    else.
    """
    return str(value) if str(value).startswith(("https://", "http://")) else ""


# -- command lines

#: Axes that an option of ``harness verify`` chooses; a case with any other goes by its name
#: (``-k``).
_OPTIONS = {
    "transport": "--transport",
    "authentication": "--auth",
    "codec": "--codec",
    "ai": "--ai",
}


#: Options of the run's command that the case depends on.
_KEPT = ("--fault=", "--timings=", "--preflight=", "--grant=")


_FLAGS = ("--live", "--no-manual")
_WITH_VALUE = re.compile(r"(--(?:deployment|fault|timings|preflight|grant)) ")


#: Characters that a name in an expression of pytest's ``-k`` cannot hold.
_NO_NAME = re.compile(r"[^\w:+\-.\[\]\\/]+")


def explain_command(run: str, case: CaseEvidence) -> str:
    """``harness explain`` for the case: by its id, or by its directory where others of the run have
    its id, too.
    """
    home = case.directory
    # as a merged run's (harness.report.merge)
    has_twin = "~" in home.name or home.with_name(f"{home.name}~1").exists()
    return shlex.join([program(), "explain", run, home.name if has_twin else case.id])


def owner_command(run: str, person: str) -> str:
    """``harness report`` for the page to send to somebody."""
    return shlex.join([program(), "report", run, "--for", person])


def verify_command(command: str, case: CaseEvidence) -> str:
    """``harness verify`` for the case alone; ``command`` is that of its run, from which come the
    files and the faults.
    """
    words = _words(command)
    option = "--deployment="
    files = [word.removeprefix(option) for word in words if word.startswith(option)]
    if not files:  # of a run that was killed: as it was given to harness verify
        files = [word for word in words if word.endswith(".toml")]
    of_case = [file for file in files if Path(file).stem == case.deployment]
    named = of_case or files or ["FILE"]
    again = [program(), "verify", *named, "--row", case.row]
    for axis, value in case.axes.items():
        if axis in _OPTIONS:
            again += [_OPTIONS[axis], value]
    if case.axes.keys() - _OPTIONS:  # their values may be masked, and are no words of an expression
        again += ["-k", _NO_NAME.sub(" and ", case.id)]
    for word in words:
        if word.startswith(_KEPT) and word != "--timings=quick":
            again += word.split("=", 1)
    again += [word for word in _FLAGS if word in words]
    return shlex.join(again)


@cache
def _words(command: str) -> tuple[str, ...]:
    """The words of a run's command, ``--name value`` as ``--name=value``; all its cases share them."""
    return tuple(shlex.split(_WITH_VALUE.sub(r"\1=", command)))


def relative(path: Path) -> str:
    """The path as it is shortest to type from here."""
    return min(str(path), os.path.relpath(path), key=len)


def short_path(run: Path) -> str:
    """The run's directory as one types it from a checkout."""
    return str(Path(*run.parts[-2:])) if run.parent.name == "reports" else str(run)
