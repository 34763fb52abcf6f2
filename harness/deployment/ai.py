"""The AI's own interface, and how a caller or a campaign gets it to do something."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_serializer

from harness.deployment.values import Digit, DigitsBack, Model, Prompt, Variable, Way, WebAddress, Witness


class Synthflow(Model):
    """Synthflow's own interface: what it can say of its calls."""

    #: Of its API, e.g. ``https://api.synthflow.ai/v2``; without it what only the AI's side shows is not observed.
    api_base: WebAddress | None = None
    api_token_env: Variable | None = None  #: the environment variable that holds the token
    api_token: SecretStr | None = None
    ca_file: str | None = None  #: whom the harness trusts there; none means the system's own list
    witness: tuple[Witness, ...] = ("record",)  #: what it tells of a call: a real one its record
    timeout_s: float = Field(5.0, gt=0)  #: of one request
    poll_s: float = Field(1.0, gt=0)  #: between two looks at a record; the API has no way to tell by itself
    transcript: Literal["during", "after", "none"] = "after"  #: when a call's transcript can be read, if ever
    transcript_within_s: float = Field(30.0, gt=0)  #: of a call's end
    lag_s: float = Field(5.0, ge=0)  #: how much later a record may tell of what has happened
    rtcp: Literal["end-to-end", "by-hop"] = "end-to-end"  #: whose reports callers get: the AI's, or a platform's
    prepare: bool = False  #: whether each call gets an id by prepare_inbound, sent as X-EI, to find its record by
    shared: bool = False  #: whether others call the assistants' numbers too; their calls are then left alone

    @property
    def record_lag_s(self) -> float:
        """``lag_s``, none where it is told more than records: what a far end witnesses has times of its own."""
        return 0.0 if set(self.witness) - {"record"} else self.lag_s

    @field_serializer("api_token", when_used="json")
    def _reveal(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value else None


class Escalation(Model):
    """How a caller asks the AI for a person, and for other things that rows need."""

    #: By which a caller asks for a person; each has a case of its own.
    ways: tuple[Way, ...] = ("digit",)
    digit: Digit | None = None  #: that asks for a person
    prompt: Prompt = "agent-please-en"  #: that asks for a person: one that comes with the harness, or a WAV file
    silence_s: float = Field(30.0, gt=0)  #: after how long it hands over a caller who says nothing
    attempts: int = Field(1, ge=1, le=5)  #: how often it may be asked: recognition does not get everything
    retry_after_s: float = Field(8.0, gt=0)  #: without anything happening, before it is asked again
    goodbye_digit: Digit | None = None  #: that has the AI hang up
    digits_back_digit: Digit | None = None  #: that has the AI send digits
    digits_back: DigitsBack | None = None  #: the digits it then sends


class Campaign(Model):
    """How a campaign's call is started."""

    trigger: Literal["http", "manual"] = "manual"  #: by a request, or by a person who is told to
    manual_within_s: float = Field(180.0, gt=0)  #: how long a person may take to start it
    #: How long after that request the platform may take until it calls, besides ``expect.patience_s``: many take it into a queue.
    calls_within_s: float = Field(0.0, ge=0, le=600)
    url: WebAddress | None = None  #: of that request; ``{line}`` and ``{customer}`` stand for their numbers
    method: Literal["GET", "POST", "PUT"] = "POST"  #: of that request; a GET has no body
    headers: dict[str, str] = {}  #: of that request; none that holds a secret
    headers_env: dict[str, Variable] = {}  #: header name → environment variable that holds its value
    #: of that request; ``{line}`` and ``{customer}`` as in ``url``
    body: str = '{"from": "{line}", "to": "{customer}"}'
    line: str | None = None  #: the line whose number its customers see
    customer: str | None = None  #: the phone of ours that it calls; the first one that calls, unless said
