"""What calls are held to, and what always holds: times, expectations, caps, rules."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.case.check_table import RESPONSIVENESS
from harness.case.verdict import Strength
from harness.deployment.values import E164, Dialled, HostPort, Model, NumberFormat, Region
from harness.support.model_words import form

#: Final responses other than 2xx (RFC 3261 section 7.2).
Refusal = Annotated[int, Field(ge=300, le=699)]
Refusals = Annotated[tuple[Refusal, ...], Field(min_length=1)]


class Axes(Model):
    """What the rows are multiplied by, besides the trunks."""

    #: Rows of each trunk are run with each where Synthflow is the AI, all others with the first
    codecs: tuple[Literal["pcmu", "pcma"], ...] = ("pcmu", "pcma")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.codecs:
            raise ValueError("codecs: none is named; allowed: pcmu, pcma or both")
        return self


class Timings(Model):
    """What the guides let one set."""

    ring_timeout_s: float = Field(
        30.0, gt=0, le=120
    )  #: how long the AI rings before the fallback takes over
    register_expires_s: int = Field(300, ge=1, le=3600)  #: of the SIP number's registration


class DeclaredTimings(Timings):
    """The timings a deployment has; a simulated one may have a quick set beside them, which
    ``--timings`` chooses.
    """

    #: For a simulated deployment: ``[timings.quick]`` with the same two keys, which ``verify`` uses
    #: unless ``--timings documented`` is given.
    quick: Timings | None = None


class ExtraNumbers(Model):
    """Numbers that rows need besides the lines."""

    no_such_number: E164 | None = None  #: a number in the platform's range that is not assigned


class Expectations(Model):
    """What this deployment's calls are held to."""

    strength: Literal["indicated", "confirmed", "proved"] = "proved"  #: minimum for audio
    #: of the caller's number at the AI and at the platform's agents (any at telephones);
    #: ``national``: with or without trunk prefix, and any form of another country's
    number_format: NumberFormat = "e164"
    agent_number_format: NumberFormat | None = (
        None  #: at the platform's agents, where it is another than at the AI
    )
    released_within_s: float = Field(
        1.0, gt=0
    )  #: how soon the other side must be released after a hang-up
    #: the longest wait for a registration's refresh; a registrar may grant up to hours, and
    #: ``register_expires_s`` may be longer
    refresh_within_s: float = Field(120.0, gt=0)
    first_audio_within_s: float = Field(
        1.0, gt=0
    )  #: how soon after the answer harness phones hear each other
    patience_s: float = Field(
        4.0, gt=0
    )  #: for an answer, a ring, a landing without a time of its own
    busy: Refusals = (486,)  #: final responses that tell the caller so
    no_answer: Refusals = (408, 480)  #: the same, if there is no answer
    rejected: Refusals = (403, 603)  #: the same, if the AI declines
    no_such_number: Refusals = (404,)  #: the same, for ``numbers.no_such_number``
    #: What happens to a caller whose transfer reaches no one. A released one hears a voice in the
    #: last ``patience_s``.
    transfer_unavailable: Literal["returns", "released"] = "returns"
    srtp: bool = False  #: calls with SRTP must work
    second_call: bool = (
        True  #: one more call, hung up at once, after a failure whose cause is unsure
    )

    @property
    def least_strength(self) -> Strength:
        """The least strength with which audio must be known."""
        return Strength[self.strength.upper()]


class Responsiveness(Model):
    """The most that a voice agent may take, in seconds. A figure without a limit is shown, and
    nothing hangs on it.
    """

    dead_air_s: float | None = Field(None, gt=0)  #: from the answer to its first word
    answer_s: float | None = Field(None, gt=0)  #: from the caller's last word to its answer
    #: In a handover from its last sound to the person's first, without the ringing of harness
    #: phones.
    transfer_silence_s: float | None = Field(None, gt=0)
    #: Until it stops when interrupted; one that never stops fails.
    interruption_s: float | None = Field(None, gt=0)

    @property
    def held(self) -> dict[str, tuple[str, float]]:
        """The check, and its limit in seconds, by the title of the time that has a limit."""
        limits = {name: getattr(self, held.limit) for name, held in RESPONSIVENESS.items()}
        return {
            RESPONSIVENESS[name].time: (name, limit_s)
            for name, limit_s in limits.items()
            if limit_s is not None
        }


class Limits(Model):
    """Caps that always hold, over all processes of a run. What counts as a call is one the harness
    places.
    """

    concurrent_calls: int = Field(4, ge=1)  #: calls at once
    calls_per_second: float = Field(1.0, gt=0)  #: calls begun in a second
    calls_per_run: int = Field(500, ge=1)  #: calls in a run
    seconds_per_call: float = Field(120.0, gt=0)  #: a call is hung up after that
    seconds_per_run: float = Field(36_000.0, gt=0)  #: of all calls together
    cost_per_minute: float = Field(
        0.0, ge=0
    )  #: an estimate, in any currency; every begun minute counts
    cost_per_run: float | None = Field(
        None, gt=0
    )  #: in the same currency; needs ``cost_per_minute``

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.cost_per_run is not None and not self.cost_per_minute:
            what = "cost_per_run: a minute costs nothing, so that it would never be reached"
            raise ValueError(f"{what}; allowed: cost_per_minute beside it")
        return self

    def cost(self, seconds: float) -> float:
        """What a call of that length is estimated to cost."""
        return math.ceil(seconds / 60.0) * self.cost_per_minute


class Nightly(Model):
    """What ``harness nightly`` says of this deployment."""

    #: Where the directory of reports is served; alerts link there.
    base_url: Annotated[str, form(r"https?://[^\s<>\"']+|", "https://host/path")] = ""


class Safety(Model):
    """Exceptions from the rules on what may be called; :mod:`harness.deployment.safety` has the
    rules.
    """

    #: Numbers that may be called although the rules refuse them; never emergency numbers.
    allow: tuple[Dialled, ...] = ()
    #: Further countries whose numbers may be called.
    countries: tuple[Region, ...] = ()
    hosts: tuple[
        HostPort, ...
    ] = ()  #: further hosts that calls may go to, e.g. of a platform's REFER
