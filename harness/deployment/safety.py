"""Rules on what may be called: only numbers of the deployment, and of those only harmless ones.

The rules compare whole strings with a list made once from the deployment, so input from elsewhere
(a header, a Refer-To, an API's answer, the environment) cannot be read as a number in an unforeseen
way. The phones' parent process (:class:`harness.phone.pool.PhonePool`) applies them; scenarios
cannot bypass it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType, shortnumberinfo

from harness.deployment import PLAIN_PORT, TLS_PORT, Deployment
from harness.errors import RefusedError, WrongTargetError
from harness.sip.grammar import SipSyntaxError, host_of, is_token, split_host_port
from harness.sip.identity import dialled_at_home, has_national_form, is_number
from harness.sip.uri import NameAddr, Uri

#: Answered as emergency calls by mobile and many other networks, wherever they are dialled (3GPP TS
#: 22.101 section 10.1.1).
_EMERGENCY_ANYWHERE = frozenset({"112", "911", "999"})
#: Kinds of number whose caller pays more than for an ordinary call.
_DEAR = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal number, which is charged like a premium-rate one",
    PhoneNumberType.PAGER: "a pager's number",
}
#: E.164 section 6.2.1, without the country code.
_MOST_DIGITS = 14
#: Premium exchange of every North American area code, which phonenumbers' data does not list.
_NANP_976 = re.compile(r"\+1\d{3}976\d{4}")
#: ``-``, ``.`` and brackets mean nothing in a tel URI (RFC 3966 section 3).
_VISUAL_SEPARATORS = re.compile(r"[-.()]")
#: Headers that a URI may carry into the request made from it. Route, From and their like would lead
#: it elsewhere.
_URI_HEADERS = re.compile(r"(X-[A-Za-z0-9_-]+|Replaces)\Z", re.IGNORECASE)
#: Headers a caller may add to a request: none that routes it, or is the business of the stack.
_FORBIDDEN_HEADERS = frozenset(
    {
        "route", "record-route", "via", "from", "to", "contact", "call-id", "cseq", "max-forwards", "content-length",
        "content-type", "refer-to", "referred-by", "replaces", "target-dialog", "authorization", "proxy-authorization",
        "path", "service-route",
    }
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


#: How the library says that a number is no country's.
_NO_COUNTRY = {None: "no country that is known", "001": "no country's network"}


class Guard:
    """Whether a URI may be called for a deployment: ``guard(uri)`` returns, or raises
    :class:`RefusedError`.

    It raises :class:`WrongTargetError` if the request itself is wrong, and not only forbidden by
    this run's rules.

    A URI passes when its user is, whole and to the letter, a number of the deployment (in E.164,
    with or without plus, or as ``dialled_in`` dials it) or the user of one of its phones, lines or
    groups; when the number is no emergency, premium, short-code or foreign one (or ``safety.allow``
    names it; emergency numbers never pass); and when its host is one of the deployment's.

    Where another party is asked by REFER to place the call (:meth:`refer`), an extension of that
    party's own exchange is no short code of a network, so that only emergency numbers are refused.

    ``dialled_in`` is the region whose network reads what the phone dials, the deployment's own
    unless said: there the digits of a national number of another country are a stranger's, or call
    for help.
    """

    def __init__(self, deployment: Deployment, dialled_in: str | None = None) -> None:
        self._deployment = deployment
        self._dialled_in = dialled_in or deployment.region
        self._countries = tuple(dict.fromkeys((deployment.region, *deployment.safety.countries)))
        self._exceptions = frozenset(deployment.safety.allow)

    def __call__(self, uri: str) -> None:
        """Raise :class:`RefusedError` unless ``uri`` (URI or name-addr) may be called."""
        self._check(uri, by_others=False)

    def refer(self, uri: str) -> None:
        """Raise :class:`RefusedError` unless another party may be asked to call ``uri``."""
        self._check(uri, by_others=True)

    def _check(self, uri: str, *, by_others: bool) -> None:
        try:
            parsed = NameAddr.parse(uri).uri if "<" in uri else Uri.parse(uri)
        except SipSyntaxError as error:
            raise WrongTargetError(
                f"{uri!r} is not called: {error}; allowed: the URI of a number of this deployment"
            ) from None
        user = parsed.user or ""
        if parsed.scheme == "tel":
            user = _VISUAL_SEPARATORS.sub("", user)
            if list(parsed.params):
                raise self._refused(uri, "a tel URI with parameters may mean another number")
        elif parsed.scheme not in ("sip", "sips"):
            raise self._wrong(uri, f"the scheme is {parsed.scheme}")
        number = self._strings.get(user)
        if number is None:
            raise self._wrong(uri, f"{user!r} is no number of {self._deployment.name}")
        if parsed.scheme != "tel":
            self._check_target(uri, parsed)
        if reason := self.refusal(number, by_others=by_others):
            raise self._refused(uri, reason)

    def _check_target(self, uri: str, parsed: Uri) -> None:
        if parsed.address.lower() not in self._hosts:
            raise self._refused(
                uri,
                f"{parsed.host!r} is no host of {self._deployment.name} (safety.hosts may add it)",
            )
        if parsed.port is not None and (parsed.address.lower(), parsed.port) not in self._places:
            raise self._refused(
                uri,
                f"port {parsed.port} is none of {self._deployment.name} (safety.hosts may add {parsed.host}:{parsed.port})",
            )
        if parsed.password is not None:
            raise self._wrong(uri, "it carries a password")
        for name, value in parsed.params:
            # RFC 3261 section 19.1.4: an escaped name is the same name, which some read as such and
            # some don't.
            if "%" in name:
                raise self._wrong(uri, f"it has the parameter {name}, whose name is escaped")
            if name.lower() in ("maddr", "method"):  # another destination, another request
                is_default = (
                    name.lower() == "method" and (value or "").upper() == "INVITE"
                )  # section 19.1.1
                raise (self._refused if is_default else self._wrong)(
                    uri, f"it has the parameter {name}"
                )
        for name, value in parsed.headers:
            if not _URI_HEADERS.match(name) or _CONTROL.search(value):
                raise self._refused(uri, f"it carries the header {name!r}")

    def _refused(self, uri: str, reason: str) -> RefusedError:
        return RefusedError(
            f"{uri} is not called: {reason}; allowed: the numbers of deployment {self._deployment.name}"
        )

    def _wrong(self, uri: str, reason: str) -> WrongTargetError:
        """A refusal that is no matter of this run's rules: who asks for such a call, as by a REFER,
        is wrong.
        """
        return WrongTargetError(str(self._refused(uri, reason)))

    def number(self, number: str) -> None:
        """Raise :class:`RefusedError` unless ``number`` (E.164, or a user) may be called, by
        whomever.
        """
        if self._strings.get(number) != number:
            raise self._refused(number, "it is no number of the deployment")
        if reason := self.refusal(number):
            raise self._refused(number, reason)

    def refusal(self, number: str, *, by_others: bool = False) -> str | None:
        """Why a listed number (E.164), or the user of a phone or group, may still not be called;
        None when it may.
        """
        if is_number(number):
            return self._refusal_of_e164(number)
        if number.isdecimal() or set(number) & set("*#"):
            return self._refusal_of_code(number, by_others)
        return None  # a name, which no network takes for a number

    def _refusal_of_e164(self, number: str) -> str | None:
        try:
            parsed = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            return f"{number} is no telephone number"
        assert parsed.country_code is not None  # the number begins with "+"
        home = phonenumbers.region_code_for_country_code(parsed.country_code)
        digits = phonenumbers.national_significant_number(parsed)
        valid = phonenumbers.is_valid_number(parsed)
        if not valid and shortnumberinfo.connects_to_emergency_number(digits, home):
            return f"{number} begins with the emergency number of {home}"
        if number in self._exceptions:
            return None
        if dear := _DEAR.get(phonenumbers.number_type(parsed)):
            return f"{number} is {dear} (safety.allow may name it)"
        if _NANP_976.fullmatch(number):
            return f"{number} is a premium-rate number (safety.allow may name it)"
        if not valid and (dear := _begins_dear(parsed)):
            return f"{number} {dear} (safety.allow may name it)"
        # the library names a country for any number whose code belongs to one country only
        region = phonenumbers.region_code_for_number(parsed) if valid else None
        if region is None and parsed.country_code == phonenumbers.country_code_for_region(
            self._deployment.region
        ):
            return None  # an unassigned number of the home country: NOSUCHNUMBER needs to call one
        # some numbers belong to several countries, for example North American toll-free ones
        if not any(
            phonenumbers.is_valid_number_for_region(parsed, country) for country in self._countries
        ):
            nowhere = _NO_COUNTRY.get(region)
            key = (
                "safety.allow" if nowhere else "safety.countries"
            )  # which names countries, and no other networks
            home = ", ".join(self._countries)
            return f"{number} belongs to {nowhere or region}, and the deployment to {home} ({key} may name it)"
        return None

    def is_emergency(self, code: str) -> bool:
        """Whether these digits are an emergency number."""
        return code in _EMERGENCY_ANYWHERE or shortnumberinfo.is_emergency_number(
            code, self._dialled_in
        )

    def _refusal_of_code(self, code: str, by_others: bool) -> str | None:
        if self.is_emergency(code):
            return f"{code} is an emergency number"
        if by_others or code in self._exceptions:
            return None
        if shortnumberinfo.connects_to_emergency_number(code, self._dialled_in):
            return f"{code} begins with an emergency number (safety.allow may name it)"
        if len(code) <= 3 or not code.isdecimal() or self._is_short(int(code)):
            return f"{code} is a short code (safety.allow may name it)"
        return None

    def _is_short(self, code: int) -> bool:
        country = phonenumbers.country_code_for_region(self._dialled_in)
        number = phonenumbers.PhoneNumber(country_code=country, national_number=code)
        return shortnumberinfo.is_valid_short_number_for_region(number, self._dialled_in)

    @cached_property
    def _listed(self) -> frozenset[str]:
        return frozenset(numbers_of(self._deployment))

    @cached_property
    def _strings(self) -> dict[str, str]:
        """Every way to dial each number of the deployment → the number; the users of its phones,
        lines and groups → themselves.
        """
        found: dict[str, str] = {}
        for number in self._listed:
            found[number] = number
            for digits in _spellings(number, self._dialled_in):
                found[digits] = number
        found |= {
            phone.user: phone.user for phone in self._deployment.phones.values() if phone.user
        }
        found |= {user: user for user in users_called(self._deployment)}
        return found

    @cached_property
    def _hosts(self) -> frozenset[str]:
        deployment = self._deployment
        names: list[str | None] = [
            deployment.platform.domain,
            deployment.platform.host,
            deployment.stand_in.bind,
        ]
        for account in deployment.accounts.values():
            names += [account.domain, account.host]
        for trunk in deployment.trunks:
            names += [trunk.host, trunk.termination_host]
        names += [host_of(place) for place in deployment.safety.hosts]
        return frozenset(name.strip("[]").lower() for name in names if name)

    @cached_property
    def _places(self) -> frozenset[tuple[str, int]]:
        """Host and port where a call may go: SIP's own ports and those the deployment names;
        further ones of one host alone.
        """
        deployment = self._deployment
        ports: set[int | None] = {5060, 5061, PLAIN_PORT, TLS_PORT, deployment.platform.port}
        ports |= {account.port for account in deployment.accounts.values()}
        ports |= {trunk.port for trunk in deployment.trunks}
        ports |= {trunk.termination_port for trunk in deployment.trunks}
        found = {(host, port) for host in self._hosts for port in ports if port is not None}
        named = ((host_of(place), split_host_port(place)[1]) for place in deployment.safety.hosts)
        return frozenset(found | {(host, port) for host, port in named if port is not None})


def numbers_of(deployment: Deployment) -> Iterator[str]:
    """Every number of the deployment, E.164."""
    yield from numbers_called(deployment)
    yield from (assistant.did for assistant in deployment.assistants.values() if assistant.did)
    yield from (phone.number for phone in deployment.phones.values() if phone.number)


def numbers_called(deployment: Deployment) -> Iterator[str]:
    """The deployment's numbers that a case may call, or have called by another party."""
    yield from (number for _, _, number in deployment.all_dids() if is_number(number))
    yield from (group.did for group in deployment.groups.values() if group.did)
    if deployment.numbers.no_such_number:
        yield deployment.numbers.no_such_number
    if (
        deployment.campaign is not None
        and deployment.callers
        and (to := deployment.phones[deployment.customer].number)
    ):
        yield to


def addresses_in_records(deployment: Deployment) -> Iterator[str]:
    """The addresses that an AI's record may name: the deployment's numbers, and the users of
    assistants and groups.
    """
    yield from numbers_of(deployment)
    addressed = (*deployment.assistants.values(), *deployment.groups.values())
    yield from (entry.user for entry in addressed if entry.user)


def users_called(deployment: Deployment) -> frozenset[str]:
    """The users of lines and groups without a number that a case may call, or have called by
    another party.
    """
    users = (
        entry.user for table in (deployment.lines, deployment.groups) for entry in table.values()
    )
    return frozenset(filter(None, users))


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raise :class:`RefusedError` for a header that would lead a request elsewhere, or break out of
    its line (CWE-93).
    """
    for name, value in headers:
        if not is_token(name) or _CONTROL.search(value):
            raise RefusedError(
                f"{name!r} is not sent: it would break out of its line; allowed: a token, and text in one line"
            )
        if name.lower() in _FORBIDDEN_HEADERS or len(name) == 1:
            raise RefusedError(
                f"{name} is not sent: it is the phone's own to write; allowed: X- headers and their like"
            )


def check_request(method: str, headers: Iterable[tuple[str, str]]) -> None:
    """Raise :class:`RefusedError` for a request that begins a call past the rules, or has others
    begin one.
    """
    if method.upper() in ("INVITE", "REFER"):
        raise RefusedError(
            f"{method} is not sent as a plain request; allowed: dial, transfer and re-INVITE, which keep the rules"
        )
    check_headers(headers)


def _begins_dear(number: phonenumbers.PhoneNumber) -> str | None:
    """What a number that no plan has may be taken for all the same: a short code, or one with
    digits that a network passes over.
    """
    if shortnumberinfo.is_valid_short_number(number):
        return "is a short code behind its country's code"
    kinds = (_DEAR.get(phonenumbers.number_type(like)) for like in _numbers_like(number))
    return next((f"begins with {kind}" for kind in kinds if kind), None)


def _numbers_like(number: phonenumbers.PhoneNumber) -> Iterator[phonenumbers.PhoneNumber]:
    """Numbers of the plan that begin alike: with fewer digits, with more, and the expensive ones
    with the same first three.
    """
    code, digits = number.country_code, phonenumbers.national_significant_number(number)
    shorter = phonenumbers.PhoneNumber(country_code=code, national_number=number.national_number)
    if phonenumbers.truncate_too_long_number(shorter):
        yield shorter
    for length in range(len(digits) + 1, _MOST_DIGITS + 1):
        for digit in "0123456789":
            longer = int(digits.ljust(length, digit))
            yield phonenumbers.PhoneNumber(
                country_code=code,
                national_number=longer,
                italian_leading_zero=number.italian_leading_zero,
            )
    assert code is not None
    for region in phonenumbers.region_codes_for_country_code(code):
        for kind in _DEAR:
            example = phonenumbers.example_number_for_type(region, kind)
            if (
                example is not None
                and phonenumbers.national_significant_number(example)[:3] == digits[:3]
            ):
                yield example


@lru_cache(
    maxsize=10_000
)  # each case has a guard of its own, and each asks for every number of the deployment
def _spellings(number: str, region: str) -> tuple[str, ...]:
    """The ways a switch in ``region`` takes a number that it has in E.164, besides that one, and
    that may be dialled.
    """
    spellings = [number[1:]]
    if has_national_form(number, region):
        spellings.append(dialled_at_home(number))
    # Without a plus the digits are what a switch sees first: 911 255 501 000 without its plus is no
    # call to India.
    return tuple(
        each for each in spellings if not shortnumberinfo.connects_to_emergency_number(each, region)
    )
