"""The AI's own interface, and how a caller or a campaign gets it to do something."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_serializer

from harness.deployment.values import Digit, DigitsBack, Model, Prompt, Variable, Way, WebAddress, Witness


class Synthflow(Model):
    """Synthflow's own interface: what it can say of its calls."""

    #: Its API, e.g. ``https://api.synthflow.ai/v2``; without it what only the AI's side shows is not observed.
    api_base: WebAddress | None = None
    api_token_env: Variable | None = None  #: holds the token
    api_token: SecretStr | None = None
    ca_file: str | None = None  #: CA certificates (PEM); default: the system's
    witness: tuple[Witness, ...] = ("record",)  #: what it shows of a call; a real one its record
    timeout_s: float = Field(5.0, gt=0)  #: limit of one request
    poll_s: float = Field(1.0, gt=0)  #: between two requests for a record
    transcript: Literal["during", "after", "none"] = "after"  #: when a call's transcript can be read
    transcript_within_s: float = Field(30.0, gt=0)  #: how long after the call's end the transcript may come
    lag_s: float = Field(5.0, ge=0)  #: how late a record may show what has happened
    rtcp: Literal["end-to-end", "by-hop"] = "end-to-end"  #: whose RTCP reports callers get: the AI's, or a platform's
    prepare: bool = False  #: request an id for each call (prepare_inbound), sent as X-EI, to find its record
    shared: bool = False  #: other people call the assistants, too; leave their calls alone

    @property
    def record_lag_s(self) -> float:
        """``lag_s`` if the AI gives only records, else 0: a far end's witness has its own times."""
        return 0.0 if set(self.witness) - {"record"} else self.lag_s

    @field_serializer("api_token", when_used="json")
    def _reveal(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value else None


class Escalation(Model):
    """How a caller asks the AI for a person, and for other things that rows need."""

    #: How a caller asks for a person; each way has its own case.
    ways: tuple[Way, ...] = ("digit",)
    digit: Digit | None = None  #: the digit that asks for a person
    prompt: Prompt = "agent-please-en"  #: the prompt that asks for a person
    silence_s: float = Field(30.0, gt=0)  #: how long a caller says nothing before it hands over
    attempts: int = Field(1, ge=1, le=5)  #: how often it is asked
    retry_after_s: float = Field(8.0, gt=0)  #: how long nothing may happen before it is asked again
    goodbye_digit: Digit | None = None  #: the digit on which the AI hangs up
    digits_back_digit: Digit | None = None  #: the digit on which the AI sends digits
    digits_back: DigitsBack | None = None  #: the digits that it sends


class Campaign(Model):
    """How a campaign's call is started."""

    trigger: Literal["http", "manual"] = "manual"  #: started by a request, or by a person
    manual_within_s: float = Field(180.0, gt=0)  #: how long a person may take
    #: How long a queued request may take until the platform calls, besides ``expect.patience_s``.
    calls_within_s: float = Field(0.0, ge=0, le=600)
    url: WebAddress | None = None  #: the request's; ``{line}`` and ``{customer}`` stand for their numbers
    method: Literal["GET", "POST", "PUT"] = "POST"  #: the request's; a GET has no body
    headers: dict[str, str] = {}  #: the request's, without secrets
    headers_env: dict[str, Variable] = {}  #: header name → variable with its value
    #: the request's; ``{line}`` and ``{customer}`` as in ``url``
    body: str = '{"from": "{line}", "to": "{customer}"}'
    line: str | None = None  #: the line whose number customers see
    customer: str | None = None  #: the harness phone that it calls; default: the first one that calls
