"""Checks of the caller ID in a message's identity headers (RFC 3261 section 8.1.1.3, RFC 3325, RFC
3323).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote

from harness.case import measurement
from harness.case.checks.claims import STRENGTH, Claim, Observation
from harness.case.checks.finding import judged
from harness.case.checks.registry import check
from harness.case.verdict import Finding
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import (
    Identity,
    asserted,
    digits_of,
    has_national_form,
    identity_of,
    is_spelling,
    national,
    national_forms,
    normalise,
)
from harness.sip.message import Message
from harness.sip.uri import Uri

ANONYMOUS_HOST = "anonymous.invalid"
#: User parts of anonymous callers; RFC 3323 section 4.1.1.3 recommends the first.
_ANONYMOUS_USERS = frozenset({"anonymous", "restricted", "private", "unavailable", "unknown", ""})
#: Headers that show the caller to the callee (RFC 3323 section 4.1). Contact is excluded: it has to
#: be a working address.
_SHOWN_TO_ALL = ("From", "Reply-To", "Subject")


@check("caller_id", compares_numbers=True)
def caller_id(
    invite: Message, subject: str, number: str, form: str, region: str, where: str = ""
) -> Finding:
    """From names the caller, ``number`` in E.164, written in ``form``: ``e164``, ``national`` or
    ``preserved``.

    ``preserved`` accepts any spelling of the number. ``national`` does so too for numbers of
    another country.
    """
    shown = _from(invite, region)
    if form == "national" and not (_is_e164(number) and has_national_form(number, region)):
        form = "preserved"
    right = shown is not None and _is_written(shown, number, form, region)
    trusted = [user_of(identity.uri) for identity in asserted(invite, region)]
    actual = f"From {_said(invite, shown)}"
    if trusted:
        actual += f", P-Asserted-Identity says {', '.join(repr(user) for user in trusted)}"
    return judged(
        "caller_id",
        subject,
        right,
        expected=f"From with the caller's number {number}"
        + (f" in {form} form" if form != "preserved" else ""),
        actual=actual,
        evidence=[where] if where else [],
        measured=_measured(shown, _number(shown, [number], region), number, trusted),
    )


@check("caller_id.asserted", compares_numbers=True)
def asserts_nobody_else(
    invite: Message,
    subject: str,
    number: str,
    others: Collection[str],
    region: str,
    where: str = "",
) -> Finding | None:
    """P-Asserted-Identity names the caller, ``number``, or one of ``others``, which the platform
    may show as well.

    None where it names no telephone number, or where the caller asks for privacy (RFC 3325 section
    9.3).
    """
    identities = [identity for identity in asserted(invite, region) if identity.number is not None]
    if not identities or invite.tokens("Privacy") & {"id", "user", "header"}:
        return None
    named = [_number(identity, [number, *others], region) for identity in identities]
    return judged(
        "caller_id.asserted",
        subject,
        {*named} <= {number, *others},
        expected=f"P-Asserted-Identity with the caller's number {number}, or one of the platform's, if there is one",
        actual=f"P-Asserted-Identity says {', '.join(map(str, named))}",
        evidence=[where] if where else [],
        measured=measurement.CallerId(asserted=tuple(map(str, named)), number=number),
    )


def _is_written(shown: Identity, number: str, form: str, region: str) -> bool:
    match form:
        case "e164":
            return digits_of(shown.uri) == number
        case "national":
            return digits_of(shown.uri) in national_forms(number)
        case _:
            return _number(shown, [number], region) == number


def number_shown(invite: Message, numbers: Collection[str], region: str) -> str | None:
    """The one of ``numbers`` that From shows, in any spelling; else the number in From, None if it
    has none.
    """
    return _number(_from(invite, region), numbers, region)


@check("caller_id.of_platform", compares_numbers=True)
def platforms_number(
    invite: Message, subject: str, numbers: Collection[str], region: str, where: str = ""
) -> Finding:
    """From shows one of the platform's ``numbers``. A platform may show its number when it calls an
    agent's telephone.
    """
    shown = _from(invite, region)
    seen = _number(shown, numbers, region)
    return judged(
        "caller_id",
        subject,
        seen in numbers,
        expected="From with one of the platform's numbers",
        actual=f"From {_said(invite, shown)}",
        evidence=[where] if where else [],
        measured=_measured(shown, seen, min({*numbers} & {seen} or numbers, default="")),
    )


def _measured(
    shown: Identity | None, seen: str | None, number: str, trusted: Collection[str] = ()
) -> measurement.CallerId:
    return measurement.CallerId(
        from_user=user_of(shown.uri) if shown else "",
        from_host=shown.uri.host if shown else None,
        from_e164=seen,
        unreadable=shown is None,
        asserted=tuple(trusted),
        anonymous=shown is not None and _is_anonymous(shown),
        number=number,
    )


@check("caller_id.in_record", compares_numbers=True)
def caller_in_record(shown: str, subject: str, number: str, region: str, call_id: str) -> Finding:
    """The far end's record names the caller, however it spells the number."""
    return judged(
        "caller_id",
        subject,
        shown == number or is_spelling(shown, number, region),
        expected=f"the caller's number {number} in the call's record",
        actual=f"the record says {shown!r}",
        evidence=[f"record {call_id}"],
        measured=measurement.CallerId(
            from_user=shown, from_e164=normalise(shown, region), number=number, record=True
        ),
    )


@check("caller_id.in_report", compares_numbers=True)
def caller_in_report(
    shown: str, subject: str, number: str, region: str, rows: Collection[str]
) -> Finding:
    """The platform's report names the caller in the ``rows`` of the call, however it spells the
    number.
    """
    right = shown == number or is_spelling(shown.removeprefix("tel:"), number, region)
    seen = number if right else normalise(shown, region)
    return judged(
        "caller_id",
        subject,
        right,
        expected=f"the number {number} in the platform's report",
        actual=f"the report says {seen or 'no number'}",
        strength=STRENGTH[Claim.TRANSFERRED][Observation.REPORT],
        evidence=rows,
        measured=measurement.CallerId(from_user=seen, from_e164=seen, number=number),
    )


@check("caller_id.withheld", compares_numbers=True)
def withheld(invite: Message, subject: str, number: str, region: str, where: str = "") -> Finding:
    """From is anonymous, and the number travels in P-Asserted-Identity with Privacy: id (RFC 3325
    9.3).
    """
    from_ = _from(invite, region)
    trusted = [
        _number(identity, [number], region) or user_of(identity.uri)
        for identity in asserted(invite, region)
    ]
    privacy = {
        token.strip().lower() for value in invite.get_all("Privacy") for token in value.split(";")
    }
    shown = [
        name
        for name in _SHOWN_TO_ALL
        if any(_names(value, number) for value in invite.get_all(name))
    ]
    anonymous = from_ is not None and _is_anonymous(from_)
    return judged(
        "caller_id.withheld",
        subject,
        anonymous and not shown and number in trusted and "id" in privacy,
        expected=f"an anonymous From, Privacy: id, and {number} in P-Asserted-Identity, not in From, Reply-To or Subject",
        actual=f"From {_said(invite, from_)}, Privacy {sorted(privacy) or 'is absent'}, "
        f"P-Asserted-Identity {trusted or 'is absent'}"
        + (
            f", and {' and '.join(shown)} {'names' if len(shown) == 1 else 'name'} the number"
            if shown
            else ""
        ),
        evidence=[where] if where else [],
        measured=measurement.Withheld(
            anonymous=anonymous and not shown,
            asserted=tuple(trusted),
            privacy=tuple(sorted(privacy)),
            shown=tuple(shown),
        ),
    )


def _names(value: str, number: str) -> bool:
    """Whether a header's value has the number's national digits, however they are set apart or
    escaped (RFC 3261 section 19.1.2).
    """
    plain = unquote(value)
    return (
        national(number) in re.sub(r"[\s().-]", "", plain) if _is_e164(number) else number in plain
    )


def _is_e164(number: str) -> bool:
    """Whether the caller has a number, not only a user name."""
    return number.startswith("+")


def _from(invite: Message, region: str) -> Identity | None:
    """The identity in From, None if From cannot be parsed."""
    try:
        return identity_of(invite.from_, region)
    except SipSyntaxError:
        return None


def _said(invite: Message, shown: Identity | None) -> str:
    return (
        f"cannot be read: {invite.get('From')!r}"
        if shown is None
        else f"says {user_of(shown.uri) or 'nothing'!r}"
    )


def _number(shown: Identity | None, numbers: Collection[str], region: str) -> str | None:
    """The one of ``numbers`` that the identity spells, else its number. Digits may spell numbers of
    several countries.
    """
    if shown is None:
        return None
    spelled = (
        n
        for n in numbers
        if n in (shown.number, user_of(shown.uri)) or is_spelling(shown.user, n, region)
    )
    return next(spelled, shown.number)


def _is_anonymous(shown: Identity) -> bool:
    """Whether From hides the caller (RFC 3323 4.1.1.3)."""
    return shown.uri.host.lower() == ANONYMOUS_HOST or shown.user.lower() in _ANONYMOUS_USERS


def user_of(uri: Uri) -> str:
    """The user part without the parameters some SBCs append to it (RFC 3261 19.1.6)."""
    return (uri.user or "").partition(";")[0]
