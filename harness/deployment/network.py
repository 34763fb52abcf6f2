"""Network tables of the deployment file: the platform and its call report, trunks, accounts,
harness phones, the stand-in's address.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated, Literal, Self, get_args
from unicodedata import category, normalize

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from harness.deployment.hours import Zone
from harness.deployment.values import (
    E164,
    PLAIN_PORT,
    TLS_PORT,
    Ai,
    ApiAccess,
    Host,
    HostPort,
    Key,
    Model,
    NumberFormat,
    Port,
    Secret,
    SecretHeaders,
    Source,
    Transport,
    User,
    WebAddress,
    is_ipv6,
)
from harness.sip.grammar import host_of, split_host_port

#: What a report can say of a call.
ReportField = Literal["caller", "number", "group", "agent", "started", "type"]


def _time_format(form: str) -> str:
    moment = datetime(2026, 11, 23, 14, 5)
    try:
        # with an offset that %z writes and reads, and no name of a zone, which would say nothing
        # (%Z)
        read = datetime.strptime(
            moment.replace(tzinfo=timezone(timedelta(hours=1))).strftime(form), form
        )
    except ValueError:
        read = None
    if read is None or read.replace(tzinfo=None) not in (moment, datetime(2026, 11, 23, 14)):
        raise ValueError(
            f"{form!r}: no form of a date and a time; allowed: %d.%m.%Y %H:%M:%S or the like (strptime)"
        )
    return form


#: How a date and a time are written, as Python's ``strptime`` has it.
TimeFormat = Annotated[str, AfterValidator(_time_format)]


def plain_signs(text: str) -> str:
    """The text without invisible characters, and with ASCII dashes and apostrophes for their
    typographic variants.
    """
    signs = ("-" if category(sign) == "Pd" else sign for sign in text if category(sign) != "Cf")
    return re.sub("[\u2018\u2019\u02bc\u00b4`]", "'", "".join(signs))


def plain_name(name: str) -> str:
    """A group's name as it is compared: however it is composed, spaced and capitalised, with
    whichever dashes and apostrophes.
    """
    return " ".join(plain_signs(normalize("NFC", name)).casefold().split())


class Report(SecretHeaders):
    """The platform's report of its calls, CSV or JSON: where a call landed in a group without
    harness phones.
    """

    url: WebAddress | None = (
        None  #: gives the report; ``{since}`` is a minute before the call, in UTC
    )
    method: Literal["GET", "POST"] = "GET"  #: the request's
    body: str = ""  #: the request's; ``{since}`` as in ``url``
    ca_file: str | None = None  #: CA certificates (PEM); default: the system's
    timeout_s: float = Field(10.0, gt=0, le=120)  #: limit of one request
    #: Instead of ``url``: a file beside this one, put there after the calls.
    file: str | None = Field(None, min_length=1)
    #: Names of columns that are not known (above).
    columns: dict[ReportField, str] = {}
    #: Of its times, for Python's ``strptime``; default: ISO 8601, or seconds since 1970.
    time_format: TimeFormat | None = None
    zone: Zone | None = None  #: of times without an offset; default: UTC
    #: Names in the group column that are no people, e.g. the group that leads to the AI.
    ignore: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    stay_s: float = Field(
        20.0, ge=5, le=300
    )  #: how long a caller stays with people whom the harness does not hear
    within_s: float = Field(
        300.0, gt=0, le=7200
    )  #: how long after its end the report may list a call
    poll_s: float = Field(10.0, gt=0, le=600)  #: between two requests
    #: ``unknown``: a row may pass although it is not known whether the caller and these people hear
    #: each other.
    strength: Literal["unknown"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.url is None) == (self.file is None):
            raise ValueError("where the report is read is needed; allowed: url, or file")
        if self.file is not None and (self.headers or self.headers_env or self.body):
            raise ValueError(
                "a file takes no request; allowed: headers, headers_env and body with url"
            )
        return self


class Platform(Model):
    """The contact centre's platform."""

    domain: Host  #: its SIP domain
    host: Host | None = None  #: its SBC, for OPTIONS and registration of agents
    port: Port | None = None  #: port of that host, over the transport of the agents' account
    addresses: tuple[Source, ...] = ()  #: other sources of its signalling
    report: Report | None = None


class Trunk(Secret, ApiAccess):
    """A SIP trunk between the platform and the AI."""

    name: str = Field(min_length=1)  #: your name for it
    ai: Ai = "synthflow"  #: who is the AI: Synthflow, or a harness phone
    transport: Transport  #: of signalling to the AI
    port: Port  #: the AI's: 32681 for UDP and TCP, 32682 for TLS
    authentication: Literal["ip", "digest"] = (
        "ip"  #: by the AI's address, or by digest with ``username``
    )
    host: Host | None = None  #: the AI's signalling host, as the platform's trunk has it
    #: ``host:port`` at the platform where the AI sends its calls (Termination URI); default port:
    #: as its SRV records say (above), else the transport's.
    termination: HostPort | None = None
    max_concurrent_calls: int = Field(3, ge=1)  #: how many the platform allows on it
    #: Of the caller's number at the AI over this trunk, where it is another than ``[expect]`` has.
    number_format: NumberFormat | None = None
    #: Where the platform accepts calls and registrations from; preflight compares them.
    allowed_addresses: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _port_fits(self) -> Self:
        right = TLS_PORT if self.transport == "tls" else PLAIN_PORT
        if self.port in (PLAIN_PORT, TLS_PORT) and self.port != right:
            raise ValueError(
                f"port {self.port} does not fit transport {self.transport}; allowed: {right}"
            )
        if self.authentication == "digest" and not self.username:
            raise ValueError(
                'username is missing; allowed: the one of authentication = "digest", with password_env'
            )
        return self

    @property
    def termination_host(self) -> str | None:
        """The host of ``termination``, without its port."""
        return host_of(self.termination) if self.termination else None

    @property
    def termination_port(self) -> int | None:
        """The port of ``termination``: the transport's own where it says none (RFC 3261 section
        19.1.2).
        """
        return self._port_of(self.termination) if self.termination else None

    def is_termination(self, place: str) -> bool:
        """Whether ``place`` (``host`` or ``host:port``) is where the AI sends its calls."""
        return (
            host_of(place) == self.termination_host
            and self._port_of(place) == self.termination_port
        )

    def _port_of(self, place: str) -> int:
        return split_host_port(place)[1] or (5061 if self.transport == "tls" else 5060)


#: What is wrong with a certificate that must be refused.
BadCertificate = Literal["expired", "self-signed", "wrong-name"]


class CertificateFiles(Model):
    """A certificate and its key, PEM."""

    certificate: str
    private_key: str


def _pair(certificate: str | None, private_key: str | None) -> tuple[str, str] | None:
    return (certificate, private_key) if certificate and private_key else None


class StandIn(Model):
    """The address at which a harness phone listens as the AI."""

    bind: Host | None = None  #: this machine's address where the stand-in for the AI listens
    certificate: str | None = None  #: its TLS certificate (PEM)
    private_key: str | None = None  #: the certificate's key
    stranger_bind: Host | None = None  #: another address, in no allowlist
    shared: bool = False  #: strangers' calls come there, too; calls are distinguished by caller ID
    #: How often the platform probes the trunk by OPTIONS; calls then wait until it has.
    options_every_s: float | None = Field(None, ge=1, le=600)
    #: Certificates that must be refused (``TLS-BADCERT``): ``[stand_in.bad_certificates.expired]``,
    #: ``….self-signed]`` and ``….wrong-name]``, each with ``certificate`` and ``private_key``.
    bad_certificates: dict[BadCertificate, CertificateFiles] = {}

    @model_validator(mode="after")
    def _all_bad_certificates(self) -> Self:
        missing = [kind for kind in get_args(BadCertificate) if kind not in self.bad_certificates]
        if self.bad_certificates and missing:
            what = f"bad_certificates: {' and '.join(missing)} missing, and each kind is shown"
            raise ValueError(f"{what}; allowed: {', '.join(get_args(BadCertificate))}, or none")
        return self

    @property
    def own_pair(self) -> tuple[str, str] | None:
        """The files of the certificate that it shows, and of its key."""
        return _pair(self.certificate, self.private_key)


class Account(Model):
    """Where the harness's phones register, or send through."""

    domain: Host  #: its SIP domain
    transport: Transport = "udp"  #: of the phones' signalling
    host: Host | None = None  #: where they send to
    port: Port | None = (
        None  #: port of that host; default: as its SRV records say (above), else 5060, with TLS 5061
    )
    #: Whether they register. If not, they only call: none is an agent's, or the one that a campaign
    #: calls.
    register_: bool = Field(True, alias="register")
    ca_file: str | None = None  #: CA certificates for TLS (PEM); default: the file's ``ca_file``
    certificate: str | None = None  #: client certificate (PEM), for mutual TLS
    private_key: str | None = None  #: the certificate's key
    addresses: tuple[Source, ...] = ()  #: other sources of its signalling
    bind: Host | None = (
        None  #: this machine's address from which they send; default: the system's choice
    )
    public_address: Host | None = (
        None  #: what Contact and SDP name, behind a router with a fixed address
    )
    #: ``host:port`` that tells a public address that is not fixed (RFC 8489); default port 3478.
    stun_server: HostPort | None = None
    #: First and last port for audio, if a firewall limits them.
    rtp_ports: (
        tuple[Annotated[int, Field(ge=1024, le=65535)], Annotated[int, Field(ge=1024, le=65535)]]
        | None
    ) = None
    srtp: Literal["off", "optional", "mandatory"] = "off"  #: whether they encrypt audio (SDES)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _one_family(self) -> Self:
        six = [is_ipv6(place) for place in (self.bind, self.host) if place]
        if any(six) and not all(six):
            raise ValueError(
                "bind and host are not both IPv6; allowed: two IPv6 addresses (the softphones look names up in IPv4 alone), or none"
            )
        if any(six) and self.srtp != "off":
            raise ValueError(
                f"srtp = {self.srtp}: is not to be had over IPv6 with these softphones; allowed: off"
            )
        if any(six) and self.stun_server:
            raise ValueError(
                "stun_server: tells addresses of IPv4; allowed: none over IPv6, which needs no translation"
            )
        return self

    @property
    def own_pair(self) -> tuple[str, str] | None:
        """The files of the certificate that its phones show, and of its key."""
        return _pair(self.certificate, self.private_key)

    @model_validator(mode="after")
    def _pair_on_tls(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            missing = "private_key" if self.certificate else "certificate"
            raise ValueError(
                f"{missing} is missing; allowed: certificate and private_key, or neither"
            )
        if self.certificate and self.transport != "tls":
            raise ValueError(
                f'certificate: not used over {self.transport}; allowed: with transport = "tls"'
            )
        return self

    @model_validator(mode="after")
    def _ports_in_order(self) -> Self:
        if self.rtp_ports and self.rtp_ports[1] - self.rtp_ports[0] < 3:
            raise ValueError(
                "rtp_ports: too few; allowed: first and last of a range, two ports a call (RTP and RTCP)"
            )
        return self


class PhoneEntry(Secret):
    """One of the harness's own phones."""

    account: str  #: the account it belongs to
    number: E164 | None = (
        None  #: its number: a phone that calls, or an agent's outside the platform
    )
    user: User | None = None  #: its user name at the platform: an agent's phone
    bind: Host | None = None  #: an address of its own, instead of the account's
    #: Whose number is shown to an agent called by ``number``: the caller's, one of the platform's
    #: that this file has, or any.
    shows: Literal["original", "platform", "any"] = "original"
    accept: Key | None = None  #: the digit without which such an agent gets no call

    @property
    def aor_user(self) -> str:
        """The user part of its address of record."""
        return self.user or self.number or ""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.number and not self.user:
            raise ValueError("has no number and no user; allowed: number (E.164), or user, or both")
        return self
