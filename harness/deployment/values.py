"""The forms that values of a deployment file have: numbers, addresses, names of what there is to
choose from.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Literal, get_args

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
    ValidationInfo,
    field_serializer,
)

from harness.sip.grammar import SipSyntaxError, split_host_port
from harness.sip.identity import is_number, readings
from harness.support.model_words import form, nearest
from harness.support.network_text import hidden
from harness.support.resources import is_wav, prompt_names

#: Who plays platform and AI.
Kind = Literal["simulated", "stand-in", "live"]
Transport = Literal["udp", "tcp", "tls"]
Ai = Literal["synthflow", "stand-in"]
NumberFormat = Literal["e164", "national", "preserved"]
CallerIdMode = Literal["original", "agent", "fixed", "header"]
Behaviour = Literal["talks", "early-media", "never-answers", "unavailable", "busy", "declines"]
#: By which a caller asks for a person.
Way = Literal["digit", "prompt", "silence"]
Witness = Literal["marks", "in-band", "messages", "dtmf", "registration", "record"]

#: Synthflow's signalling ports (guide, Prerequisites).
PLAIN_PORT, TLS_PORT = 32681, 32682
#: Phones that the harness adds: as stand-in for the AI, registered as the AI's number, outside the
#: platform.
STAND_IN, SIP_NUMBER, STRANGER = "stand-in", "sip-number", "stranger"
#: Names that phones of the file must not have: those above, the stand-in per transport, the port
#: probes, and the AI's record.
OWN_PHONES: Final = frozenset(
    {
        STAND_IN,
        SIP_NUMBER,
        STRANGER,
        *(f"ai-{transport}" for transport in get_args(Transport)),
        "probe",
        "synthflow",
    }
)
#: Simultaneous calls of a harness phone: the limit of one process with the current pjsua2 wheels.
CALLS_A_PHONE = 4


_EXTENSION = re.compile(r"[0-9]{2,6}")
#: As spreadsheets show long numbers, with the comma of some countries.
_EXPONENT = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)


# Each copy of a deployment has the same numbers, and reading one takes a tenth of a millisecond.
@lru_cache(maxsize=1 << 16)
def _e164(number: str) -> str:
    if _EXPONENT.fullmatch(number):
        allowed = "the column as text, each with its plus"
        raise ValueError(
            f"{number!r}: a spreadsheet made a number of it, and lost digits; allowed: {allowed}"
        )
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException as error:
        raise ValueError(
            f"{number!r} is not E.164; allowed: + and country code, e.g. +12065550100"
        ) from error
    plain = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if plain != number or not phonenumbers.is_possible_number(parsed):
        raise ValueError(f"{number!r} is not E.164; allowed: + and country code, e.g. +12065550100")
    return number


def _e164_of_file(number: str, info: ValidationInfo) -> str:
    try:
        return _e164(number)
    except ValueError as error:
        region = info.context.get("region") if isinstance(info.context, dict) else None
        # a file may have anything there, as a list of them
        is_known = isinstance(region, str) and region in phonenumbers.SUPPORTED_REGIONS
        meant = _meant(number, str(region)) if is_known else None
        also = f"; read in {region} it is {meant}" if meant else ""
        if info.field_name in ("did", "number") and _EXTENSION.fullmatch(number):
            also = f'; an extension stands as user = "{number}"'
        raise ValueError(f"{error}{also}") from None


def _meant(number: str, region: str) -> str | None:
    """The number as read in ``region``, in both readings where it has two. Some people write a
    trunk prefix after the country code: +49 (0)30 ….
    """
    if _EXPONENT.fullmatch(number):
        return None
    plain = number.replace("(0)", " ") if number.startswith(("+", "00")) else number
    return " or, less likely, ".join(readings(plain, region)) or None


E164 = Annotated[str, AfterValidator(_e164_of_file)]


def _line_of_text(text: str) -> str:
    """Text for a header or a line of a report, without line breaks (RFC 3261 section 25.1). Raises
    ``ValueError``.
    """
    what = hidden_in(text) if text else "is empty"
    if what:
        raise ValueError(f"{text!r}: {what}; allowed: text in one line, or no such key")
    return text


def hidden_in(text: str) -> str:
    """Which character of the text is not seen, or breaks its line, and where; empty without one.
    Two names that differ by it would look the same.
    """
    for at in hidden(text):
        return f"character {at + 1} is U+{ord(text[at]):04X}, a control or invisible character"
    return ""


LineOfText = Annotated[str, AfterValidator(_line_of_text)]


def _web_address(url: str) -> str:
    try:
        _HTTP_URL.validate_python(url)
    except ValidationError:
        is_one = False
    else:
        is_one = web_place(url) is not None
    if not is_one:
        allowed = "https://host/path, and http:// on this machine's loopback addresses alone"
        raise ValueError(f"{url!r}: no address that HTTP can ask; allowed: {allowed}")
    return url


_HTTP_URL = TypeAdapter(HttpUrl)
WebAddress = Annotated[str, AfterValidator(_web_address)]
#: Scheme, host and port. Parsers of URLs disagree about a user, a backslash or a placeholder in
#: front of the path, so that the host that was granted might not be the one that is asked.
_AUTHORITY = re.compile(
    r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?(?![^/?#])", re.IGNORECASE
)
_HTTP_PORTS = {"http": 80, "https": 443}


def web_place(url: str) -> str | None:
    """``host:port`` of an address that HTTP may ask: in clear on loopback alone; None for others."""
    if (read := _AUTHORITY.match(url)) is None:
        return None
    scheme, host = read[1].lower(), read[2].lower()
    if scheme == "http" and not is_loopback(host):
        return None
    return f"{host}:{int(read[3] or _HTTP_PORTS[scheme])}"


#: A label of a host name. Underscores are in use, although RFC 1123 section 2.1 excludes them.
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")


def _plain_host(place: str) -> str | None:
    """The host without a trailing dot (RFC 3261 section 25.1); None if it is neither a name nor an
    address.

    The last label of a name is not a number, so 192.0.2.300 is neither (RFC 3696 section 2).
    """
    if is_address(place):
        return place
    name = place.removesuffix(".")
    labels = name.split(".")
    is_name = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal() and len(name) <= 253
    return name if is_name else None


def _source(place: str) -> str:
    """An address, a network or a name that requests come from. Raises ``ValueError``."""
    if "/" in place:
        try:
            ip_network(place, strict=False)
        except ValueError:
            raise ValueError(
                f"{place!r}: no network; allowed: an address, a network (192.0.2.0/24) or a name"
            ) from None
        return place
    if (host := _plain_host(place)) is None:
        raise ValueError(
            f"{place!r}: no source of calls; allowed: an address, a network (192.0.2.0/24) or a name"
        )
    return host


Source = Annotated[str, AfterValidator(_source)]


def _host_port(place: str) -> str:
    try:
        host, port = split_host_port(place)
    except SipSyntaxError:
        host, port = "", None
    if (plain := _plain_host(host)) is None:
        raise ValueError(
            f"{place!r}: no host; allowed: sbc.example, sbc.example:5061, [2001:db8::1]:5061"
        )
    return plain if port is None else f"{plain}:{port}"


#: ``host`` or ``host:port``, an IPv6 address in brackets.
HostPort = Annotated[str, AfterValidator(_host_port)]


def _host(place: str) -> str:
    """A name or an address, without scheme, user and port. Raises ``ValueError``."""
    if (host := _plain_host(place)) is None:
        ascii_only = "" if place.isascii() else ", in ASCII (xn--…)"
        raise ValueError(
            f"{place!r}: no host; allowed: a name or an address, without port{ascii_only}"
        )
    return host


Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _region(name: str) -> str:
    if name not in phonenumbers.SUPPORTED_REGIONS:
        hint = nearest(name, phonenumbers.SUPPORTED_REGIONS)
        raise ValueError(f"{name!r}: no country{hint}; allowed: two letters, e.g. US, DE or GB")
    return name


Region = Annotated[str, AfterValidator(_region)]


def _prompt(name: str) -> str:
    if name not in prompt_names() and not is_wav(
        name
    ):  # files are looked at where the deployment's own is read
        raise ValueError(
            f"no prompt is called {name!r}; allowed: {', '.join(prompt_names())}, or a WAV file (….wav)"
        )
    return name


Prompt = Annotated[str, AfterValidator(_prompt)]


_DIGIT = re.compile(r"[0-9*#A-D]")
#: One digit of a telephone, as RFC 4733 section 3.2 has them.
Digit = Annotated[str, form(_DIGIT.pattern, "one digit, of 0 to 9, *, # and A to D")]
#: In the place of a menu's last digit: the caller says and presses nothing.
SILENCE: Final = "silence"
#: Likewise, with a name behind it: the caller says something.
SAY: Final = "say-"
_LAST = r"(silence|say-[a-z0-9-]+)"
_KEY = re.compile(rf"{_LAST}|{_DIGIT.pattern}")
#: The way to a menu's choice: the digit of each level.
Pressed = Annotated[
    str,
    form(
        rf"[0-9*#A-D](\.?[0-9*#A-D]){{0,7}}(\.?{_LAST})?|{_LAST}",
        "one digit to eight, of 0 to 9, *, # and A to D, e.g. 1, 21 or 2.1; or silence or say-NAME, also as the last",
    ),
]
Digits = Annotated[Pressed, AfterValidator(lambda pressed: pressed.replace(".", ""))]
DigitsBack = Annotated[str, form(r"[0-9*#A-D]+", "digits, of 0 to 9, *, # and A to D")]
#: One that a telephone has a key for.
Key = Annotated[str, form(r"[0-9*#]", "one digit, of 0 to 9, * and #")]


def keys_of(pressed: str) -> list[str]:
    """What the caller does in each level of the menus: a digit, or at last :data:`SILENCE`, or
    :data:`SAY` with a name.
    """
    return [found[0] for found in _KEY.finditer(pressed)]


def is_key(text: str) -> bool:
    """Whether it is what a caller does in one level of a menu."""
    return keys_of(text) == [text]


def _answer(name: str) -> str:
    return name if is_digit(name) else _prompt(name)


#: What a caller answers an AI that asks back: a digit, or a prompt.
Answer = Annotated[str, AfterValidator(_answer)]


def is_digit(text: str) -> bool:
    """Whether it is one digit of a telephone."""
    return _DIGIT.fullmatch(text) is not None


def is_ipv6(place: str) -> bool:
    """Whether a host, or a ``host:port``, is an IPv6 address; brackets are allowed, and with a port
    needed.
    """
    return place.startswith("[") or place.count(":") > 1


def in_uri(host: str) -> str:
    """RFC 3261 section 25.1: an IPv6 address stands in brackets."""
    return f"[{host}]" if is_ipv6(host) and not host.startswith("[") else host


def is_address(host: str) -> bool:
    """Whether ``host`` is an IPv4 or IPv6 address (brackets allowed), so that nothing has to be
    looked up.
    """
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine's own: an address, or its name (RFC 6761 section 6.3)."""
    return host.lower() == "localhost" or (
        is_address(host) and ip_address(host.strip("[]")).is_loopback
    )


def _variable(name: str) -> str:
    if not VARIABLE.fullmatch(name):
        # a secret that was put in its place must not be shown
        raise ValueError(
            "no name of an environment variable (it is not shown); allowed: letters, digits and _"
        )
    return name


#: RFC 3261 section 25.1, ``user``; and the sign of a telephone's keys that has to be escaped there.
User = Annotated[
    str,
    form(
        r"([A-Za-z0-9\-_.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})+",
        "the part before the @ of its address, such as maria or 1001 (username is for the digest)",
        "no user of a SIP address",
    ),
]


def _no_number(user: str) -> str:
    if is_number(user):
        raise ValueError(f"{user!r} is a number; allowed: did for it")
    return user


#: The user of an address that calls go to, where it has no number.
UserCalled = Annotated[User, AfterValidator(_no_number)]
#: Ids of Synthflow's, UUIDs or numbers, as they may stand in a path, a query and a header.
SYNTHFLOW_ID = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
SynthflowId = Annotated[str, form(SYNTHFLOW_ID, "letters, digits and . _ : - behind the first")]
#: A header of somebody's own (RFC 3261 section 7.3.1, ``token``).
OwnHeader = Annotated[
    str, form(r"X-[A-Za-z0-9\-_]+", "a header that begins with X-, as X-Show-Number")
]
SiteName = Annotated[str, form(r"[\w .-]{1,60}", "letters, digits, blanks and . _ -, 60 at most")]
#: A number as it is dialled, short codes among them.
Dialled = Annotated[
    str,
    form(
        r"\+[1-9][0-9]{2,14}|[0-9]|[0-9*#]{2,8}",
        "a number in E.164, or a short code of 1 to 8 digits",
    ),
]
#: POSIX has upper-case letters, digits and underscores (XBD 8.1); many shells take small ones.
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
Variable = Annotated[str, AfterValidator(_variable)]


class Model(BaseModel):
    """A table of the file: frozen, without unknown keys."""

    # No limit is infinite, and TOML knows inf and nan.
    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False
    )


class ApiAccess(Model):
    """Where the AI's interface is asked, and with which token; Synthflow has one for each region."""

    #: Its API, e.g. ``https://api.synthflow.ai/v2``; without it what only the AI's side shows is
    #: not observed. An assistant's own counts before its trunk's, and that before
    #: ``[synthflow]``'s.
    api_base: WebAddress | None = None
    api_token_env: Variable | None = None  #: holds the token
    api_token: SecretStr | None = None

    @field_serializer("api_token", when_used="json")
    def _reveal_token(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value else None


class SecretHeaders(Model):
    """The headers of an HTTP request, some of them with values from the environment."""

    headers: dict[str, str] = {}  #: the request's, without secrets
    headers_env: dict[str, Variable] = {}  #: header name → variable with its value
    headers_secret: dict[str, SecretStr] | None = None

    @field_serializer("headers_secret", when_used="json")
    def _reveal_headers(self, value: dict[str, SecretStr] | None) -> dict[str, str] | None:
        if value is None:
            return None
        return {name: secret.get_secret_value() for name, secret in value.items()}


class Secret(Model):
    """A user name with a password that stands only in the environment, or comes from the world by
    pipe.
    """

    username: LineOfText | None = None  #: for digest; a phone's default is its number or user
    #: the digest realm of the password; default: the one that asks first; ``*``: any
    realm: LineOfText | None = None
    password_env: Variable | None = None  #: holds the password
    password: SecretStr | None = None

    @field_serializer("password", when_used="json")
    def _reveal(self, value: SecretStr | None) -> str | None:
        # only ever serialised into the pipe between processes of one run (to_plain)
        return value.get_secret_value() if value else None
