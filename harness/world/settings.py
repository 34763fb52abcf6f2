"""How the world of one tenant behaves where a deployment does not say: its ``simulated`` table, or
the control API.

Code that judges never reads this: a real platform does not tell either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.deployment import Deployment, Group, Key, Timings
from harness.errors import DeploymentError
from harness.support import toml_model

if TYPE_CHECKING:
    from harness.world.addresses import Block
    from harness.world.audit import Audit
    from harness.world.faults import Faults
    from harness.world.media.sound import Ticker


Seconds = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RtcpSettings(_Model):
    """RTCP of the world's legs (RFC 3550). A relay passes the far end's reports on, or ends both
    sides and speaks for itself.
    """

    reports: Literal["passed-on", "terminated", "none"] = "passed-on"
    #: RFC 3550 section 6.2 has 5 s at least; the first comes after half of it.
    interval_s: Positive = 5.0


#: What an assistant sends: its mark (``voice``); speech in turns with the caller, or without end;
#: sounds; an answering machine; or its own words are lost, and an office's babble is heard.
Sends = Literal["voice", "speech", "talks-on", "tone", "music", "silence", "machine", "babble"]


class AssistantSettings(_Model):
    """How an assistant takes and holds a call."""

    sends: Sends = "voice"
    #: Of one that sends ``speech``: WAV files in place of its greeting and its answer.
    recorded: tuple[str, str] | None = None
    hears: bool = True  #: if not, it notices no mark, word or digit in the audio
    replies: bool = True  #: names the marks it hears in band, if its voice is one
    answers_after_s: Seconds = 0.0
    greeting_s: Seconds = 0.0  #: how long it speaks before it listens, or until interrupted
    silent_s: Seconds = 0.0  #: of one that sends ``speech``: how long it says nothing first
    interruptible: bool = True  #: falls silent when the caller speaks
    #: Between being asked for a person and the hand-over, announced in words.
    please_hold_s: Seconds = 0.0
    #: What it does when a transfer failed.
    after_failed_transfer: Literal["stays", "says-goodbye", "hangs-up"] = "stays"
    #: Requested handover → the handover it makes instead; an unknown name means none.
    confuses: dict[str, str] = {}


class ExternalSettings(_Model):
    """How a platform calls agents who are telephone numbers at a carrier."""

    #: Which number: the caller's, or the called one.
    shows: Literal["original", "platform"] = "original"
    national: bool = False  #: dials in national form
    accept: Key | None = None  #: the digit that accepts the call; a prompt asks for it
    accept_within_s: Positive = 15.0


class GroupSettings(_Model):
    """How a ring group rings, and what happens without an answer."""

    rings: Literal["all", "batches", "one-by-one"] = "all"  #: in the order of its agents
    batch: int = Field(2, ge=1)  #: how many ring at once in ``batches``
    ring_s: Positive = 30.0  #: how long each of them rings
    pause_s: Seconds = 1.0  #: before the next
    away: tuple[str, ...] = ()  #: phones that are not called, though they are registered
    external: ExternalSettings | None = None  #: overrides what the agents' phones say
    queue_s: Seconds = 0.0  #: how long a caller waits, with music, for somebody to take the call
    voicemail: bool = False  #: answers when no agent does
    announcement: bool = False  #: likewise: the message out of hours
    others_answer: bool = False  #: an agent without a harness phone takes each call

    @classmethod
    def of(cls, declared: Group) -> GroupSettings:
        """As the deployment has it."""
        same = {
            name: getattr(declared, name)
            for name in cls.model_fields.keys() & Group.model_fields.keys()
        }
        return cls(**same)

    def batches(self, count: int) -> list[range]:
        """The agents (by index) of each batch that rings together."""
        size = {"all": count, "batches": self.batch, "one-by-one": 1}[self.rings]
        return [range(at, min(at + size, count)) for at in range(0, count, max(size, 1))]


class LineSettings(_Model):
    """How a number is answered."""

    #: Within its business hours; none: as the clock and the deployment say.
    open: bool | None = None
    #: The group that answers when closed; without one, an announcement.
    closed_group: str | None = None
    answers_first: bool = False  #: the platform answers before it calls anybody, and says nothing


class ApiSettings(_Model):
    """Synthflow's API: whether it answers, and what its records contain."""

    answers: Literal["normally", "refused", "401", "429", "500", "503"] = "normally"
    delay_s: Seconds = 0.0  #: before each answer
    transcript: Literal["during", "after", "none"] = "during"
    transcript_after_s: Seconds = 0.0  #: of a call's end
    #: Whether a record has more than the documented fields, and marks and digits in its transcript.
    witness: bool = True
    #: What ``GET /calls/{id}/recording`` gives: a mixed MP3, a WAV with the AI on the left or
    #: (``swapped``) on the right, a file that is damaged in some way, another call's, or an error.
    recording: Literal[
        "mono",
        "stereo",
        "swapped",
        "silent",
        "truncated",
        "broken",
        "another-call",
        "403",
        "404",
        "502",
    ] = "mono"
    recording_after_s: Seconds = 0.0  #: of a call's end; 404 until then
    #: Whether its lists have old calls of each caller, whatever ``from_date`` asks for.
    stale: bool = False
    #: How far the Date of its answers is ahead from the first call on; its records are not.
    date_jumps_s: float = 0.0


class NoiseSettings(_Model):
    """Background noise around the calls of a platform that works. Not a fault: no case may fail
    because of it.
    """

    #: INVITE, REGISTER and OPTIONS of a scanner at the phones' UDP ports.
    scans_per_s: Annotated[float, Field(ge=0, le=1000)] = 0.0
    #: So often a stranger calls the next number of the platform; 0: never.
    strangers_every_s: Seconds = 0.0
    sip_delay_s: Seconds = 0.0  #: of each SIP message, each time that a node sends or receives it
    rtp_delay_s: Seconds = 0.0  #: of each RTP packet that the platform relays
    rtp_jitter_s: Seconds = 0.0  #: up to so much more
    stands_still_s: Seconds = 0.0  #: how long the world's process gets no processor, each time
    stands_still_every_s: Positive = 1.0


Point = Literal["trunk", "carrier"]


class Settings(_Model):
    """All settings of a tenant."""

    #: Where the platform's calls are captured: between it and the AI, and between it and the
    #: callers' carrier.
    captures: tuple[Point, ...] = ()

    rtcp: RtcpSettings = RtcpSettings()
    api: ApiSettings = ApiSettings()
    noise: NoiseSettings = NoiseSettings()
    assistants: dict[str, AssistantSettings] = {}  #: by name; ``*`` for all others
    groups: dict[str, GroupSettings] = {}  #: likewise
    lines: dict[str, LineSettings] = {}  #: likewise
    #: Keys of the file that the world has otherwise than the file declares, by its tables; an empty
    #: table takes the key away. They hold from the start of the world.
    differs: dict[str, Any] = {}

    def assistant(self, name: str | None) -> AssistantSettings:
        """The settings of an assistant, else those of ``*``."""
        return self.assistants.get(name or "*") or self.assistants.get("*") or AssistantSettings()

    def group(self, name: str, declared: Group) -> GroupSettings:
        """The settings of a group, else those of ``*``, else what the deployment says."""
        return self.groups.get(name) or self.groups.get("*") or GroupSettings.of(declared)

    def line(self, name: str) -> LineSettings:
        """The settings of a line, else those of ``*``."""
        return self.lines.get(name) or self.lines.get("*") or LineSettings()


def parse(plain: dict[str, Any], *, speech: bool = False) -> Settings:
    """Settings from a table. Raises `DeploymentError` with every mistake in a line.

    ``speech``: assistants without settings speak; otherwise they send their mark.
    """
    if speech:
        plain = plain | {"assistants": {"*": {"sends": "speech"}} | plain.get("assistants", {})}
    try:
        return Settings.model_validate(plain)
    except ValidationError as error:
        mistakes = [f"simulated.{line}" for line in toml_model.lines(error, Settings)]
        raise DeploymentError("\n".join(mistakes)) from error


def differing(plain: dict[str, Any], differs: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment's data with other values at some places: ``{}`` leaves the place out."""
    made = dict(plain)
    for key, value in differs.items():
        if value == {}:
            made.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(made.get(key), dict):
            made[key] = differing(made[key], value)
        else:
            made[key] = value
    return made


def as_declared(
    plain: dict[str, Any], declared: Mapping[str, Any], differs: Mapping[str, Any]
) -> dict[str, Any]:
    """The same data with the declared values at those places."""
    made = dict(plain)
    for key, value in differs.items():
        if key not in declared:
            made.pop(key, None)
        elif isinstance(value, Mapping) and value and isinstance(made.get(key), dict):
            made[key] = as_declared(made[key], declared[key], value)
        else:
            made[key] = declared[key]
    return made


@dataclass
class TenantContext:
    """What all parts of one tenant share.

    The deployment gets its hosts while the tenant starts; the control API changes settings and
    faults.
    """

    deployment: Deployment
    timings: Timings
    faults: Faults
    settings: Settings
    audit: Audit
    ticker: Ticker
    block: Block
