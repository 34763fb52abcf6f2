"""What a probe says, and how a terminal shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from harness.support.terminal import plain_table


class Status(StrEnum):
    """How a line ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


WORST_LAST: Final = list(Status)

# The rows of the guides' Quick Troubleshooting whose fixes preflight can look at, by their titles:
# Termination URI, credentials, ports 32681 and 32682, allowed IPs; RTP ports, G.711.
REGISTRATION = "Registration fails"
AUDIO = "One-way or no audio"


#: Kinds of targets that the harness never calls → the party that must reach them.
OTHERS = {"ai": "platform", "for the ai": "AI"}
#: Kinds of targets that the guides' Quick Troubleshooting speaks of.
IN_GUIDE = {*OTHERS, "termination"}


class ProbeKind(StrEnum):
    """What is looked at. Each has a failing example in ``test_every_line.py`` and a line in
    docs/live.md.
    """

    SECRET = "secret"
    NUMBERS = "numbers"
    DNS = "DNS"
    SERVICE = "DNS service"
    ALLOWLIST = "allowlist of"
    PORT = "port"
    TLS = "TLS"
    CHAIN = "certificate chain"
    CERTIFICATE_NAME = "certificate name"
    EXPIRY = "certificate expiry"
    OPTIONS = "OPTIONS"
    CLOCK = "clock"
    CODECS = "codecs"
    ADDRESS = "address"
    STUN = "STUN of"
    REGISTRATION = "registration of"
    RTP_PORTS = "RTP ports of"
    STAND_IN_PORT = "stand-in port"
    STAND_IN_CERTIFICATE = "stand-in certificate"
    OWN_CERTIFICATE = "own certificate of"
    SPEECH = "speech"
    API = "Synthflow API"
    MODEL = "model_id of"
    CAMPAIGN = "campaign URL"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One thing looked at. ``row`` is the guide's troubleshooting row that names its fix, if one
    does; ``fix``: what to do.
    """

    look: ProbeKind
    subject: str  #: whose it is; empty if there is only one
    status: Status
    detail: str
    row: str = ""
    fix: str = ""
    #: This machine's address that it was looked at from, where it was from several.
    source: str = ""

    @property
    def name(self) -> str:
        """What it is called in a report."""
        name = f"{self.look} {self.subject}".rstrip()
        return f"{name} from {self.source}" if self.source else name


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at, and whose; makes the result's line."""

    kind: ProbeKind
    subject: str = ""
    row: str = ""  #: the guide's troubleshooting row for a failure, if it has one

    def ok(self, detail: str) -> ProbeResult:
        return ProbeResult(self.kind, self.subject, Status.OK, detail)

    def warning(self, detail: str, fix: str) -> ProbeResult:
        """It may be wrong, or cannot be told from here."""
        return ProbeResult(self.kind, self.subject, Status.WARNING, detail, self.row, fix)

    def failed(self, detail: str, fix: str) -> ProbeResult:
        """Calls will fail for it."""
        return ProbeResult(self.kind, self.subject, Status.FAILED, detail, self.row, fix)


#: What a line looks at, and whose.
Name = tuple[ProbeKind, str]


@dataclass(frozen=True, slots=True)
class RowNeed:
    """One need of a row's cases. ``status``: the worst of the results about it; None if it could
    not be probed.
    """

    row: str
    what: str  #: "agents registered"
    whose: str  #: "group Billing"; empty where there is only one
    status: Status | None
    detail: str = ""  #: why it is missing or unknown

    @property
    def answer(self) -> str:
        """What was found, in words."""
        said = {
            Status.OK: "yes",
            Status.WARNING: "perhaps",
            Status.FAILED: "no",
            None: "not known",
        }[self.status]
        return f"{said} ({self.detail})" if self.detail else said


@dataclass(frozen=True, slots=True)
class Report:
    """All lines of one deployment."""

    deployment: str
    lines: tuple[ProbeResult, ...]
    seconds: float = field(compare=False, default=0.0)
    rows: tuple[RowNeed, ...] = ()

    @property
    def failed(self) -> Sequence[ProbeResult]:
        """What must be fixed before calls make sense."""
        return [line for line in self.lines if line.status is Status.FAILED]

    def line(self, name: str) -> ProbeResult:
        """The line of that name. Raises ``KeyError``."""
        for line in self.lines:
            if line.name == name:
                return line
        raise KeyError(name)

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "deployment": self.deployment,
            "seconds": round(self.seconds, 3),
            "lines": [{"name": line.name} | asdict(line) for line in self.lines],
            "rows": [asdict(need) for need in self.rows],
        }


_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


def show(console: Console, report: Report, *, all_lines: bool) -> None:
    """Print the lines, the worst last; those that are ok only with ``all_lines``."""
    table = plain_table("", "what", "found, and what to do", header_style="bold")
    unknown = tuple(
        f"{line.subject} has no address" for line in report.failed if line.look is ProbeKind.DNS
    )
    for line in sorted(report.lines, key=lambda line: WORST_LAST.index(line.status)):
        is_said_by_name = line.detail.startswith(unknown)  # the line of the name says it
        if not all_lines and (line.status is Status.OK or is_said_by_name):
            continue
        found = Text(line.detail)
        if line.fix:
            found.append("\n")
            if line.row:
                found.append(f"{line.row}: ", "bold")
            found.append(line.fix)
        table.add_row(Text(line.status, _STYLES[line.status]), Text(line.name), found)
    console.rule(Text(f"preflight of {report.deployment}"))
    if table.row_count:
        console.print(table)
    _by_need(console, report, all_lines=all_lines)
    counts = Counter(line.status for line in report.lines)
    ended = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    console.print(f"{len(report.lines)} lines: {ended}; {report.seconds:.1f} s; no call was placed")


def _by_need(console: Console, report: Report, *, all_lines: bool) -> None:
    """Print each need once, with the rows that have it; met needs only with ``all_lines``."""
    found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for need in report.rows:
        if all_lines or need.status in (Status.WARNING, Status.FAILED):
            whose, rows = found.setdefault((need.what, need.answer), ({}, {}))
            whose[need.whose] = rows[need.row] = None
    table = plain_table("what rows need", "rows", header_style="bold")
    for (what, answer), (whose, rows) in found.items():
        table.add_row(Text(f"{what}{_owners(whose)}: {answer}"), Text(", ".join(rows)))
    if table.row_count:
        console.print(table)


def _owners(whose: Collection[str]) -> str:
    return f" ({', '.join(whose)})" if any(whose) else ""
