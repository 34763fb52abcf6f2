"""What a probe says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a line ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


# The rows of the guides' Quick Troubleshooting, by their titles.
REGISTRATION = "Registration fails"
ROUTING = "Calls not reaching Synthflow"
AUDIO = "One-way or no audio"
CALLER_ID = "Caller ID missing"
TRANSFER = "Transfer fails"


class ProbeKind(StrEnum):
    """What is looked at. Each has a test that shows it wrong (``test_every_line.py``), and stands in docs/live.md."""

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
    API = "Synthflow API"
    MODEL = "model_id of"
    CAMPAIGN = "campaign URL"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One thing looked at. ``row`` is the guide's troubleshooting row that its failure belongs to, ``fix`` what to do."""

    look: ProbeKind
    subject: str  #: whose, empty where there is only one
    status: Status
    detail: str
    row: str = ""
    fix: str = ""

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{self.look} {self.subject}".rstrip()


def ok(look: ProbeKind, subject: object, detail: str) -> ProbeResult:
    """All is well."""
    return ProbeResult(look, str(subject), Status.OK, detail)


def warning(look: ProbeKind, subject: object, detail: str, row: str, fix: str) -> ProbeResult:
    """It may be wrong, or cannot be told from here."""
    return ProbeResult(look, str(subject), Status.WARNING, detail, row, fix)


def failed(look: ProbeKind, subject: object, detail: str, row: str, fix: str) -> ProbeResult:
    """Calls will fail for it."""
    return ProbeResult(look, str(subject), Status.FAILED, detail, row, fix)


#: What a line looks at, and whose.
Name = tuple[ProbeKind, str]


@dataclass(frozen=True, slots=True)
class RowNeed:
    """One need of a row's cases. ``status``: the worst of the results about it; None if it could not be probed."""

    row: str
    what: str  #: "agents registered"
    whose: str  #: "group Billing"; empty where there is only one
    status: Status | None
    detail: str = ""  #: why it is not there, or not known to be

    @property
    def answer(self) -> str:
        """What was found, in words."""
        said = {Status.OK: "yes", Status.WARNING: "perhaps", Status.FAILED: "no", None: "not known"}[self.status]
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
        """What has to be mended before calls make sense."""
        return [line for line in self.lines if line.status is Status.FAILED]

    @property
    def counts(self) -> Counter[Status]:
        """How many lines ended how."""
        return Counter(line.status for line in self.lines)

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
