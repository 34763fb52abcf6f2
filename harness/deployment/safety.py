"""Rules on what may be called: only numbers of the deployment, and of those only harmless ones.

Targets are compared with a list made once from the deployment, as whole strings, so input from
elsewhere (a header, a Refer-To, an API's answer, the environment) cannot be read as a number in an
unforeseen way. What the file itself lists is read as networks read it, in one place
(:meth:`Guard.refusal`). The phones' parent process (:class:`harness.phone.pool.PhonePool`) applies
the rules to every INVITE and REFER; scenarios cannot bypass it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import chain
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneNumber, shortnumberinfo

from harness.deployment import PLAIN_PORT, TLS_PORT, TOPIC_HEADER, Deployment
from harness.deployment.tariffs import dear, regions_alike
from harness.errors import RefusedError, WrongTargetError
from harness.sip.dialled import Dialled, dialled, is_emergency, numbers_dialled
from harness.sip.grammar import SipSyntaxError, host_of, is_token, split_host_port
from harness.sip.identity import dialled_at_home, has_national_form, is_number
from harness.sip.uri import NameAddr, Uri
from harness.support.once_each import once_for_each

#: Answered as emergency calls by mobile and many other networks, wherever they are dialled (3GPP TS
#: 22.101 section 10.1.1).
_EMERGENCY_ANYWHERE = frozenset({"112", "911", "999"})
#: Extensions and short codes have no more digits; longer ones have to be a number.
_LONGEST_EXTENSION = 8
#: ``-``, ``.`` and brackets mean nothing in a tel URI (RFC 3966 section 3).
_VISUAL_SEPARATORS = re.compile(r"[-.()]")
#: Parameters of a SIP URI that lead no call elsewhere, and their values.
_PARAMETERS = {"transport": ("udp", "tcp", "tls"), "lr": ("",), "user": ("phone",)}
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
    groups; when :meth:`refusal` has nothing against it; and when its host is one of the
    deployment's, and no parameter or header leads elsewhere.

    Where another party is asked by REFER to place the call (:meth:`refer`), an extension of that
    party's own exchange is no short code of a network.

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
        number = self._listed_as(user)
        if number is None:
            raise self._wrong(uri, f"{user!r} is no number of {self._deployment.name}")
        if parsed.scheme != "tel":
            self._check_target(uri, parsed)
        reason = self.refusal(number, by_others=by_others)
        if reason is None and user != number and is_emergency(user):
            reason = f"{user} is an emergency number"  # where the national form is not dialled
        if reason:
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
            known, said = name.lower(), (value or "").lower()
            if known == "maddr" or (known == "method" and said != "invite"):
                raise self._wrong(uri, f"it has the parameter {name}")  # another place or request
            if said not in _PARAMETERS.get(known, ()):
                raise self._refused(uri, f"it has the parameter {name}, which may lead elsewhere")
        for name, value in parsed.headers:
            # A topic chooses among the platform's own groups; a wrong one is a finding.
            if name.lower() != TOPIC_HEADER.lower() or _CONTROL.search(value):
                raise self._refused(
                    uri, f"it carries the header {name!r}, which may lead elsewhere"
                )

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
        if self._listed_as(unquote(number)) != number:
            raise self._refused(number, "it is no number of the deployment")
        if reason := self.refusal(number):
            raise self._refused(number, reason)

    def refusal(self, number: str, *, by_others: bool = False) -> str | None:
        """Why a listed number (E.164), or the user of a phone, line or group, may still not be
        called; None when it may.

        A user is what a network may read in it (:func:`dialled`). Emergency numbers of any region
        have no exception.
        """
        read = dialled(number)
        if read is None:
            return f"{number} cannot be read as a number, an extension or a name"
        if is_number(read.keys):
            return self._refusal_of_e164(read.keys)
        return self._refusal_of_keys(number, read, by_others) if read.keys else None

    def _refusal_of_e164(self, number: str) -> str | None:
        try:
            parsed = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            return f"{number} is no telephone number"
        if not phonenumbers.is_valid_number(parsed):
            digits = phonenumbers.national_significant_number(parsed)
            home = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
            if shortnumberinfo.connects_to_emergency_number(digits, home):
                return f"{number} begins with the emergency number of {home}"
            if is_emergency(number):
                return f"{number} is an emergency number"
        return self._too_dear(number, parsed) or self._abroad(number, parsed)

    def _too_dear(self, number: str, parsed: PhoneNumber) -> str | None:
        why = None if number in self._exceptions else dear(parsed)
        return why and f"{number} {why} (safety.allow may name it)"

    def _abroad(self, number: str, parsed: PhoneNumber) -> str | None:
        """Why the number is of no country of the deployment.

        An unassigned number of the home country is not abroad: NOSUCHNUMBER needs to call one.
        Some numbers belong to several countries, for example North American toll-free ones.
        """
        if number in self._exceptions:
            return None
        countries = self._countries
        if any(phonenumbers.is_valid_number_for_region(parsed, each) for each in countries):
            return None
        # the library names a country for any number whose code belongs to one country only
        is_valid = phonenumbers.is_valid_number(parsed)
        region = phonenumbers.region_code_for_number(parsed) if is_valid else None
        is_home = parsed.country_code == self._home_code and phonenumbers.is_possible_number(parsed)
        if is_home and not is_valid:
            alike = regions_alike(parsed)
            if not alike or alike.intersection(countries):
                return None
            region = min(alike)
        nowhere = _NO_COUNTRY.get(region)
        key = "safety.allow" if nowhere else "safety.countries"  # names countries, and no networks
        home = ", ".join(countries)
        return f"{number} belongs to {nowhere or region}, and the deployment to {home} ({key} may name it)"

    def _refusal_of_keys(self, user: str, read: Dialled, by_others: bool) -> str | None:
        keys = read.keys
        if is_emergency(keys):
            return f"{user} is an emergency number"
        if user in self._exceptions:
            return None
        abroad: list[str | None] = []
        # the phone's network reads it, or, behind a REFER, the platform's
        networks = dict.fromkeys((self._dialled_in, self._deployment.region))
        for parsed in chain.from_iterable(numbers_dialled(keys, each) for each in networks):
            number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
            if why := self._too_dear(number, parsed):
                return f"{user} may reach another number: {why}"
            abroad.append(self._abroad(number, parsed))
        if abroad and all(abroad):
            return f"{user} may reach another number: {abroad[0]}"
        if read.is_name:
            return None
        refused = None if by_others else self._refusal_of_code(user, keys)
        is_of_a_plan = bool(abroad) and keys.isdecimal()
        if refused is None and len(keys) > _LONGEST_EXTENSION and not is_of_a_plan:
            return f"{user} is longer than an extension, and no number of a numbering plan"
        return refused

    def is_emergency(self, code: str) -> bool:
        """Whether these digits are an emergency number of the region, or of every mobile network."""
        return code in _EMERGENCY_ANYWHERE or shortnumberinfo.is_emergency_number(
            code, self._dialled_in
        )

    def _refusal_of_code(self, user: str, code: str) -> str | None:
        if shortnumberinfo.connects_to_emergency_number(code, self._dialled_in):
            return f"{user} begins with an emergency number (safety.allow may name it)"
        if len(code) <= 3 or not code.isdecimal() or self._is_short(int(code)):
            return f"{user} is a short code (safety.allow may name it)"
        return None

    def _is_short(self, code: int) -> bool:
        country = phonenumbers.country_code_for_region(self._dialled_in)
        number = phonenumbers.PhoneNumber(country_code=country, national_number=code)
        return shortnumberinfo.is_valid_short_number_for_region(number, self._dialled_in)

    @cached_property
    def _listed(self) -> frozenset[str]:
        return frozenset(numbers_of(self._deployment))

    def _listed_as(self, dialled: str) -> str | None:
        """What the deployment lists, as a number or a user, of what is dialled so."""
        if (user := self._users.get(dialled)) is not None:
            return user
        return dialled if dialled in self._listed else self._spelled.get(dialled)

    @cached_property
    def _users(self) -> dict[str, str]:
        """The users of the deployment's phones, lines and groups, by what is dialled for each."""
        users = {phone.user for phone in self._deployment.phones.values() if phone.user}
        return {unquote(user): user for user in users | users_called(self._deployment)}

    @cached_property  # 30 ms for two hundred numbers, and most are dialled with their plus
    def _spelled(self) -> dict[str, str]:
        """The deployment's numbers by the other ways to dial each."""
        return {
            digits: number
            for number in self._listed
            for digits in _spellings(number, self._dialled_in)
        }

    @cached_property
    def _home_code(self) -> int:
        return int(phonenumbers.country_code_for_region(self._deployment.region))

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


@once_for_each
def numbers_of(deployment: Deployment) -> tuple[str, ...]:
    """Every number of the deployment, E.164."""
    assistants, phones = deployment.assistants.values(), deployment.phones.values()
    return (
        *numbers_called(deployment),
        *(assistant.did for assistant in assistants if assistant.did),
        *(phone.number for phone in phones if phone.number),
    )


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


def check_never_called(uri: str) -> None:
    """Raise :class:`WrongTargetError` for a target that no run may call, whatever its deployment
    says: an emergency number of any region, or a user that cannot be read.

    A URI that cannot be read is left to the rules.
    """
    try:
        parsed = NameAddr.parse(uri).uri if "<" in uri else Uri.parse(uri)
    except SipSyntaxError:
        return
    read = dialled(parsed.user or "")
    if parsed.user and (read is None or is_emergency(read.keys)):
        what = "cannot be read" if read is None else "is an emergency number"
        raise WrongTargetError(f"{uri} is not called: its user {what}; no file can allow that")


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
