"""One customer's set-up, checked: :class:`Deployment`, what a deployment file describes.

A deployment of kind ``simulated`` leaves hosts, binds and passwords out; the world that is started for it fills them in
(:func:`from_plain`). Everything that judges sees only filled-in deployments, so it cannot tell one kind from another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_serializer,
    model_validator,
)

from harness.verdict import Strength

Transport = Literal["udp", "tcp", "tls"]
Ai = Literal["synthflow", "stand-in"]
CallerIdMode = Literal["original", "agent", "fixed", "header"]
Behaviour = Literal["talks", "early-media", "never-answers", "unavailable", "busy", "declines"]
Witness = Literal["marks", "in-band", "messages", "dtmf", "registration", "record"]

#: Synthflow's signalling ports (guide, Prerequisites).
PLAIN_PORT, TLS_PORT = 32681, 32682


def _e164(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"{number!r} is not E.164; allowed: + and country code, e.g. +12065550100") from error
    plain = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if plain != number or not phonenumbers.is_possible_number(parsed):
        raise ValueError(f"{number!r} is not E.164; allowed: + and country code, e.g. +12065550100")
    return number


E164 = Annotated[str, AfterValidator(_e164)]


def _web_address(url: str) -> str:
    try:
        _HTTP_URL.validate_python(url)
    except ValidationError as error:
        raise ValueError(f"{url!r}: {error.errors()[0]['msg']}; allowed: https://host/path, or http://…") from None
    return url


_HTTP_URL = TypeAdapter(HttpUrl)
WebAddress = Annotated[str, AfterValidator(_web_address)]


def _source(place: str) -> str:
    """An address, a network or a name that requests come from. Raises ``ValueError``."""
    if "/" in place:
        try:
            ip_network(place, strict=False)
        except ValueError:
            raise ValueError(
                f"{place!r}: no network; allowed: an address, a network (192.0.2.0/24) or a name"
            ) from None
    elif not place or place.count(":") == 1 or "]:" in place or " " in place:
        raise ValueError(f"{place!r}: no source of calls; allowed: an address, a network (192.0.2.0/24) or a name")
    return place


Source = Annotated[str, AfterValidator(_source)]


def is_ipv6(place: str) -> bool:
    """Whether a host, or a ``host:port``, is an IPv6 address; brackets are allowed, and with a port needed."""
    return place.startswith("[") or place.count(":") > 1


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Secret(_Model):
    """A user name with a password that stands only in the environment, or comes from the world by pipe."""

    username: str | None = None
    realm: str | None = None  #: the digest realm the password is for; none answers whichever asks
    password_env: str | None = None
    password: SecretStr | None = None

    @field_serializer("password", when_used="json")
    def _reveal(self, value: SecretStr | None) -> str | None:
        # only ever serialised into the pipe between processes of one run (to_plain)
        return value.get_secret_value() if value else None


class Platform(_Model):
    """The contact centre's platform."""

    domain: str
    host: str | None = None  #: its SBC, for OPTIONS and registration of agents
    port: int | None = None
    addresses: tuple[Source, ...] = ()  #: from where else its signalling comes


class Axes(_Model):
    """What the rows are multiplied by, besides the trunks."""

    codecs: tuple[Literal["pcmu", "pcma"], ...] = ("pcmu", "pcma")


class Timings(_Model):
    """What the guides let one set."""

    ring_timeout_s: float = Field(30.0, gt=0, le=120)  #: the AI rings for so long before the fallback takes over
    register_expires_s: int = Field(300, ge=1, le=3600)  #: of the SIP number's registration


class DeclaredTimings(Timings):
    """The timings a deployment has; a simulated one may have a quick set beside them, which ``--timings`` chooses."""

    quick: Timings | None = None


class Trunk(Secret):
    """A SIP trunk between the platform and the AI."""

    name: str
    ai: Ai = "synthflow"
    transport: Transport
    port: int
    authentication: Literal["ip", "digest"] = "ip"
    host: str | None = None  #: the AI's signalling host, as the platform's trunk has it
    termination: str | None = None  #: ``host:port`` at the platform where the AI sends its calls (Termination URI)
    max_concurrent_calls: int = Field(3, ge=1)
    allowed_addresses: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _port_fits(self) -> Self:
        right = TLS_PORT if self.transport == "tls" else PLAIN_PORT
        if self.port in (PLAIN_PORT, TLS_PORT) and self.port != right:
            raise ValueError(f"port {self.port} does not fit transport {self.transport}; allowed: {right}")
        if self.authentication == "digest" and not self.username:
            raise ValueError("authentication = digest needs username (and password_env)")
        return self


Digits = Annotated[str, Field(pattern=r"^[0-9*#A-D]{1,8}$")]
RoutedBy = Literal["language", "department", "menu"]


class Line(_Model):
    """A number at the platform, and where its routing sends the call: to the AI over a trunk, or to people only."""

    did: E164 | None = None  #: the number, where it is one
    dids: dict[
        str, E164
    ] = {}  #: trunk → number, for one routing that has a number of its own on each of several trunks
    trunk: str | None = None  #: the trunk that carries ``did``; may be left out where there is only one
    assistant: str | None = None  #: the assistant the call is meant for
    group: str | None = None  #: the group the call is meant for, where it must never reach the AI
    press: Digits | None = None  #: what the caller presses in the menus before the AI, a digit for each level
    announcement_s: float = Field(0.0, ge=0, le=120)  #: how long the platform speaks before anybody else does
    routed_by: RoutedBy | None = None  #: by which routing rule calls come to this assistant and no other
    fallback: str | None = None  #: the group that takes over when the AI cannot be had
    refer: Literal["consumed", "passed-on"] = "consumed"  #: what the platform does with the AI's REFER
    reachable: bool = True  #: false: the trunk of this line leads to a host that does not answer
    may_fail: bool = True  #: whether a stand-in may refuse calls here, to prove the fallback
    selector: str | None = None  #: the X-Gladly-Routing-Selector this line sends
    plaintext: bool = False  #: the destination lacks transport=tls

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.did) == bool(self.dids):
            raise ValueError("a number is needed; allowed: did, or dids with a number for each trunk")
        if self.dids and self.trunk:
            raise ValueError("dids names its trunks itself; allowed: did and trunk, or dids")
        if bool(self.assistant) == bool(self.group):
            raise ValueError("where it leads to is needed; allowed: assistant, or group where only people are reached")
        return self


class Group(_Model):
    """A ring group, or an agent queue, with the number that reaches it and the phones logged in to it."""

    did: E164
    agents: tuple[str, ...] = ()
    topic: str | None = None
    shared: bool = False  #: whether strangers' calls land there, too; ours are told by their number


class Assistant(_Model):
    """One of Synthflow's assistants."""

    did: E164
    voice: int | None = Field(None, ge=240, le=255)
    behaviour: Behaviour = "talks"
    transfer: Literal["cold", "warm"] | None = None
    transfer_to: str | None = None
    transfer_topic: str | None = None
    transfer_caller_id: CallerIdMode = "original"
    fixed_caller_id: E164 | None = None
    caller_id_header: str | None = Field(None, pattern=r"^X-[A-Za-z0-9\-_]+$")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.transfer and not self.transfer_to:
            raise ValueError("transfer needs transfer_to, the name of a group")
        if self.transfer_caller_id == "fixed" and not self.fixed_caller_id:
            raise ValueError("transfer_caller_id = fixed needs fixed_caller_id")
        if self.transfer_caller_id == "header" and not self.caller_id_header:
            raise ValueError("transfer_caller_id = header needs caller_id_header, e.g. X-Show-Number")
        return self


class Synthflow(_Model):
    """Synthflow's own interface: what it can say of its calls."""

    api_base: WebAddress | None = None
    api_token_env: str | None = None
    api_token: SecretStr | None = None
    ca_file: str | None = None
    witness: tuple[Witness, ...] = ("record",)
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


class CertificateFiles(_Model):
    """A certificate and its key, PEM."""

    certificate: str
    private_key: str


class StandIn(_Model):
    """Where the harness's phone listens when it takes the AI's place."""

    bind: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    stranger_bind: str | None = None  #: an address that no allowlist names
    shared: bool = False  #: whether strangers' calls come there, too; ours are told by their number
    bad_certificates: dict[Literal["expired", "self-signed", "wrong-name"], CertificateFiles] = {}


class Escalation(_Model):
    """How a caller asks the AI for a person, and for other things that rows need."""

    ways: tuple[Literal["digit", "prompt", "silence"], ...] = ("digit",)
    digit: str | None = Field(None, pattern=r"^[0-9*#A-D]$")
    prompt: str | None = None
    silence_s: float = Field(30.0, gt=0)  #: after how long it hands over a caller who says nothing
    attempts: int = Field(1, ge=1, le=5)  #: how often it may be asked: recognition does not get everything
    retry_after_s: float = Field(8.0, gt=0)  #: without anything happening, before it is asked again
    goodbye_digit: str | None = Field(None, pattern=r"^[0-9*#A-D]$")
    digits_back_digit: str | None = Field(None, pattern=r"^[0-9*#A-D]$")
    digits_back: str | None = Field(None, pattern=r"^[0-9*#A-D]+$")


class Campaign(_Model):
    """How a campaign's call is started."""

    trigger: Literal["http", "manual"] = "manual"
    manual_within_s: float = Field(180.0, gt=0)  #: how long a person may take to start it
    url: WebAddress | None = None
    method: Literal["GET", "POST", "PUT"] = "POST"
    headers: dict[str, str] = {}
    headers_env: dict[str, str] = {}  #: header name → environment variable that holds its value
    body: str = '{"from": "{line}", "to": "{customer}"}'  #: ``{line}`` and ``{customer}`` stand for their numbers
    line: str | None = None  #: the line whose number its customers see
    customer: str | None = None  #: the phone of ours that it calls; the first one that calls, unless said


class Account(_Model):
    """Where the harness's phones register, or send through."""

    domain: str
    transport: Transport = "udp"
    host: str | None = None
    port: int | None = None
    register_: bool = Field(True, alias="register")
    ca_file: str | None = None
    addresses: tuple[Source, ...] = ()  #: from where else its signalling comes
    bind: str | None = None
    public_address: str | None = None  #: what Contact and SDP name, where a router with a fixed address is in between
    stun_server: str | None = None  #: ``host:port`` that tells the public address, where it is not fixed (RFC 8489)
    rtp_ports: tuple[Annotated[int, Field(ge=1024, le=65535)], Annotated[int, Field(ge=1024, le=65535)]] | None = None
    srtp: Literal["off", "optional", "mandatory"] = "off"

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _one_family(self) -> Self:
        six = [is_ipv6(place) for place in (self.bind, self.host) if place]
        if any(six) and not all(six):
            raise ValueError(
                "bind and host are not both IPv6; allowed: two IPv6 addresses (the softphones look names up in IPv4 alone), or none"
            )
        if any(six) and self.srtp != "off":
            raise ValueError(f"srtp = {self.srtp}: is not to be had over IPv6 with these softphones; allowed: off")
        if any(six) and self.stun_server:
            raise ValueError(
                "stun_server: tells addresses of IPv4; allowed: none over IPv6, which needs no translation"
            )
        return self

    @model_validator(mode="after")
    def _ports_in_order(self) -> Self:
        if self.rtp_ports and self.rtp_ports[1] - self.rtp_ports[0] < 3:
            raise ValueError("rtp_ports: too few; allowed: first and last of a range, two ports a call (RTP and RTCP)")
        return self


class PhoneEntry(Secret):
    """One of the harness's own phones."""

    account: str
    number: E164 | None = None
    user: str | None = None
    bind: str | None = None

    @property
    def aor_user(self) -> str:
        """The user part of its address of record."""
        return self.user or self.number or ""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.number and not self.user:
            raise ValueError("a phone needs number (E.164) or user")
        return self


class Numbers(_Model):
    """Numbers that rows need besides the lines."""

    no_such_number: E164 | None = None


class Expect(_Model):
    """What this deployment's calls are held to."""

    strength: Literal["indicated", "confirmed", "proved"] = "proved"
    experiment: bool = True  #: where nothing else can confirm audio: callers speak at random moments, for 21 s
    number_format: Literal["e164", "national", "preserved"] = "e164"
    released_within_s: float = Field(1.0, gt=0)
    patience_s: float = Field(4.0, gt=0)  #: for what nobody set a time for: an answer, a ring, a landing
    busy: tuple[int, ...] = (486,)
    no_answer: tuple[int, ...] = (408, 480)
    rejected: tuple[int, ...] = (403, 603)
    no_such_number: tuple[int, ...] = (404,)
    transfer_unavailable: Literal["returns", "released"] = "returns"
    srtp: bool = False  #: whether calls with SRTP must work

    @property
    def least_strength(self) -> Strength:
        """The least strength with which audio must be known."""
        return Strength[self.strength.upper()]


class Limits(_Model):
    """Caps that always hold, over all processes of a run. What counts as a call is one the harness places."""

    concurrent_calls: int = Field(4, ge=1)
    calls_per_second: float = Field(1.0, gt=0)
    calls_per_run: int = Field(500, ge=1)
    seconds_per_call: float = Field(120.0, gt=0)
    seconds_per_run: float = Field(36_000.0, gt=0)  #: of all calls together
    cost_per_minute: float = Field(0.0, ge=0)  #: an estimate, in whatever currency; every begun minute counts
    cost_per_run: float | None = Field(None, gt=0)  #: in the same currency

    def cost(self, seconds: float) -> float:
        """What a call of that length is estimated to cost."""
        return math.ceil(seconds / 60.0) * self.cost_per_minute


class Safety(_Model):
    """Exceptions from the rules on what may be called; :mod:`harness.safety` has the rules."""

    allow: tuple[Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{2,14}|[0-9*#]{2,8})$")], ...] = ()
    #: Further countries (two letters) whose numbers may be called.
    countries: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...] = ()
    hosts: tuple[str, ...] = ()  #: further hosts that calls may go to, e.g. those a platform names in its REFER


class Deployment(_Model):
    """One customer's set-up, checked."""

    name: str
    integration: str  #: the platform's, by its entry point's name: ``talkdesk``, ``gladly``, ``generic``
    kind: Literal["simulated", "stand-in", "live"]
    region: str = Field("US", pattern=r"^[A-Z]{2}$")
    #: Whose results these are; part of a case's identity in Allure, so no name that changes, as a container's does.
    site: str = Field("local", pattern=r"^[\w .-]{1,60}$")
    platform: Platform
    axes: Axes = Axes()
    timings: DeclaredTimings = DeclaredTimings()
    #: Which numbers prove a row: one for each cell of its axes (``once``); every number for the rows of inbound calls, and for
    #: the others one for each assistant and way in (``every-number``); every number that can prove it (``full``).
    depth: Literal["once", "every-number", "full"] = "every-number"
    require: tuple[
        str, ...
    ] = ()  #: rows that must be run, ``documented`` for all of the guide's; a missing one fails the run
    trunks: tuple[Trunk, ...]
    lines: dict[str, Line]
    numbers: Numbers = Numbers()
    groups: dict[str, Group] = {}
    assistants: dict[str, Assistant]
    synthflow: Synthflow | None = None
    stand_in: StandIn = StandIn()
    escalation: Escalation = Escalation()
    campaign: Campaign | None = None
    accounts: dict[str, Account]
    phones: dict[str, PhoneEntry]
    expect: Expect = Expect()
    leave_out: dict[str, str] = {}  #: row → why it means nothing in this deployment
    limits: Limits = Limits()
    safety: Safety = Safety()
    strangers: Literal["refuse", "answer"] = (
        "refuse"  #: calls from addresses that this file does not name; "answer": for labs
    )
    ca_file: str | None = None  #: whom the harness trusts on TLS; none means the system's own list
    #: How the simulated world behaves where a platform would not tell (docs/simulation.md); it alone reads this.
    simulated: dict[str, Any] = {}

    def trunk(self, name: str) -> Trunk:
        """The trunk of that name. Raises ``KeyError``."""
        for trunk in self.trunks:
            if trunk.name == name:
                return trunk
        raise KeyError(name)

    def numbers_of_line(self, line: str) -> Mapping[str, str]:
        """Trunk name → number of every number that ``line`` has."""
        entry = self.lines[line]
        return {entry.trunk or self.trunks[0].name: entry.did} if entry.did else entry.dids

    def did(self, line: str, trunk: str) -> str:
        """The number that reaches ``line`` over ``trunk``. Raises ``KeyError`` where the trunk does not carry it."""
        return self.numbers_of_line(line)[trunk]

    def all_dids(self) -> Iterator[tuple[str, str, str]]:
        """(line, trunk name, number) of every number at the platform."""
        for line in self.lines:
            for trunk, number in self.numbers_of_line(line).items():
                yield line, trunk, number

    @property
    def callers(self) -> list[str]:
        """The test phones that call: every one that is no agent, and not the campaign's customer."""
        agents = {agent for group in self.groups.values() for agent in group.agents}
        customer = self.campaign.customer if self.campaign else None
        return [name for name in self.phones if name not in agents and name != customer]

    @property
    def customer(self) -> str:
        """The test phone that a campaign calls."""
        return (self.campaign.customer if self.campaign else None) or self.callers[0]

    def timings_by(self, name: str) -> Timings:
        """The timings of a run; ``quick`` ones exist in a simulated deployment alone."""
        return (self.timings.quick if name == "quick" else None) or self.timings

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        mistakes: list[str] = []

        def known(where: str, name: str | None, table: Mapping[str, object], what: str) -> None:
            if name is not None and name not in table:
                allowed = ", ".join(table) or "none is defined"
                mistakes.append(f"{where}: no {what} is called {name!r}; allowed: {allowed}")

        trunks = {trunk.name: trunk for trunk in self.trunks}
        for key, line in self.lines.items():
            known(f"lines.{key}.assistant", line.assistant, self.assistants, "assistant")
            known(f"lines.{key}.group", line.group, self.groups, "group")
            known(f"lines.{key}.fallback", line.fallback, self.groups, "group")
            known(f"lines.{key}.trunk", line.trunk, trunks, "trunk")
            for trunk in line.dids:
                known(f"lines.{key}.dids", trunk, trunks, "trunk")
            if line.did and line.trunk is None and len(trunks) > 1:
                mistakes.append(f"lines.{key}.trunk: is missing: several trunks; allowed: {', '.join(trunks)}")
        for key, group in self.groups.items():
            for agent in group.agents:
                known(f"groups.{key}.agents", agent, self.phones, "phone")
        for key, assistant in self.assistants.items():
            known(f"assistants.{key}.transfer_to", assistant.transfer_to, self.groups, "group")
        for key, phone in self.phones.items():
            known(f"phones.{key}.account", phone.account, self.accounts, "account")
        if self.campaign is not None:
            known("campaign.line", self.campaign.line, self.lines, "line")
            known("campaign.customer", self.campaign.customer, self.phones, "phone")
        if self.timings.quick is not None and self.kind != "simulated":
            mistakes.append("timings.quick: real timings cannot be scaled; allowed: in a simulated deployment")
        if len(trunks) != len(self.trunks):
            mistakes.append("trunks: two trunks have one name; allowed: a name of its own for each")
        mistakes += self._shared_numbers()
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    def _shared_numbers(self) -> Iterator[str]:
        owners: dict[str, str] = {}
        roles = [
            *((f"lines.{line} ({trunk})", number) for line, trunk, number in self.all_dids()),
            *((f"groups.{key}", group.did) for key, group in self.groups.items()),
            *((f"assistants.{key}", assistant.did) for key, assistant in self.assistants.items()),
            *((f"phones.{key}", phone.number) for key, phone in self.phones.items() if phone.number),
        ]
        if self.numbers.no_such_number:
            roles.append(("numbers.no_such_number", self.numbers.no_such_number))
        for role, number in roles:
            if number in owners:
                yield f"{role}: {number} is already {owners[number]}; allowed: a number of its own for each role"
            owners.setdefault(number, role)


def from_plain(plain: dict[str, Any]) -> Deployment:
    """A filled-in deployment from the data the world printed (or :func:`to_plain` made)."""
    return Deployment.model_validate(plain)


def to_plain(deployment: Deployment) -> dict[str, Any]:
    """JSON-ready data with its secrets, for the pipe to another process of this run; never for a file."""
    return deployment.model_dump(mode="json", by_alias=True, exclude_none=True)
