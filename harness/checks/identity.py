"""Who is calling: what a message's identity headers say (RFC 3261 8.1.1.3, RFC 3325, RFC 3323)."""

from __future__ import annotations

import re
from collections.abc import Collection

import phonenumbers

from harness import measurement
from harness.checks.finding import judged
from harness.sip.message import Message
from harness.sip.uri import NameAddr
from harness.verdict import Finding

_SEPARATORS = re.compile(r"[-.()]")
ANONYMOUS_HOST = "anonymous.invalid"
#: What callees are shown of a caller (RFC 3323 section 4.1). A Contact is not: a proxy may not change it, and it has to work.
_SHOWN_TO_ALL = ("From", "Reply-To", "Subject")


def caller_id(invite: Message, subject: str, number: str, form: str, region: str, where: str = "") -> Finding:
    """From names the caller, ``number`` in E.164, written in ``form``: ``e164``, ``national`` or ``preserved``.

    ``preserved`` accepts any spelling of the same number.
    """
    user = user_of(invite.from_)
    shown = e164(user, region)
    spelled = {"e164": number, "national": national(number)}.get(form)
    right = shown == number if spelled is None else _digits(invite.from_) == spelled
    asserted = [user_of(NameAddr.parse(value)) for value in invite.values("P-Asserted-Identity")]
    actual = f"From says {user or 'nothing'!r}"
    if asserted:
        actual += f", P-Asserted-Identity says {', '.join(repr(a) for a in asserted)}"
    return judged(
        "caller_id",
        subject,
        right,
        expected=f"From with the caller's number {number}" + (f" in {form} form" if spelled else ""),
        actual=actual,
        evidence=[where] if where else [],
        measured=measurement.CallerId(
            from_user=user,
            from_host=invite.from_.uri.host,
            from_e164=shown,
            asserted=tuple(asserted),
            anonymous=is_anonymous(invite),
            number=number,
        ),
    )


def platforms_number(invite: Message, subject: str, numbers: Collection[str], region: str, where: str = "") -> Finding:
    """From shows one of the platform's own ``numbers``, as a platform may that calls an agent's telephone."""
    user = user_of(invite.from_)
    shown = e164(user, region)
    return judged(
        "caller_id",
        subject,
        shown in numbers,
        expected="From with a number of the platform's own",
        actual=f"From says {user or 'nothing'!r}",
        evidence=[where] if where else [],
        measured=measurement.CallerId(
            from_user=user,
            from_host=invite.from_.uri.host,
            from_e164=shown,
            anonymous=is_anonymous(invite),
            number=min({*numbers} & {shown} or numbers, default=""),
        ),
    )


def caller_in_record(shown: str, subject: str, number: str, region: str, call_id: str) -> Finding:
    """The far end's record names the caller, however it spells the number."""
    return judged(
        "caller_id",
        subject,
        e164(shown, region) == number,
        expected=f"the caller's number {number} in the call's record",
        actual=f"the record says {shown!r}",
        evidence=[f"record {call_id}"],
        measured=measurement.CallerId(from_user=shown, from_e164=e164(shown, region), number=number, record=True),
    )


def withheld(invite: Message, subject: str, number: str, region: str, where: str = "") -> Finding:
    """From is anonymous, and the number travels in P-Asserted-Identity with Privacy: id (RFC 3325 9.3)."""
    asserted = [e164(user_of(NameAddr.parse(value)), region) for value in invite.values("P-Asserted-Identity")]
    privacy = {token.strip().lower() for value in invite.get_all("Privacy") for token in value.split(";")}
    shown = [name for name in _SHOWN_TO_ALL if any(_names(value, number) for value in invite.get_all(name))]
    anonymous = is_anonymous(invite)
    return judged(
        "caller_id.withheld",
        subject,
        anonymous and not shown and number in asserted and "id" in privacy,
        expected=f"an anonymous From, Privacy: id, and {number} in P-Asserted-Identity alone",
        actual=f"From says {user_of(invite.from_)!r}, Privacy {sorted(privacy) or 'is absent'}, "
        f"P-Asserted-Identity {asserted or 'is absent'}"
        + (f", and {' and '.join(shown)} {'names' if len(shown) == 1 else 'name'} the number" if shown else ""),
        evidence=[where] if where else [],
        measured=measurement.Withheld(
            anonymous=anonymous and not shown,
            asserted=tuple(asserted),
            privacy=tuple(sorted(privacy)),
            shown=tuple(shown),
        ),
    )


def _names(value: str, number: str) -> bool:
    """Whether a header's value has the number's national digits, however they are set apart."""
    return national(number) in re.sub(r"[\s().-]", "", value)


def is_anonymous(invite: Message) -> bool:
    """Whether From hides the caller (RFC 3323 4.1.1.3)."""
    uri = invite.from_.uri
    return uri.host.lower() == ANONYMOUS_HOST or (uri.user or "").lower() in ("anonymous", "restricted", "")


def user_of(address: NameAddr) -> str:
    """The user part without the parameters some SBCs append to it (RFC 3261 19.1.6)."""
    return (address.uri.user or "").split(";")[0]


def _digits(address: NameAddr) -> str:
    """The user part; of a telephone number without its visual separators, which mean nothing (RFC 3966 section 5.1.1)."""
    is_number = address.uri.scheme == "tel" or address.uri.params.get("user") == "phone"
    return _SEPARATORS.sub("", user_of(address)) if is_number else user_of(address)


def e164(user: str, region: str) -> str | None:
    """``user`` as an E.164 number, whatever form it came in; None when it is no number."""
    try:
        parsed = phonenumbers.parse(user, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def dialled_at_home(number: str) -> str:
    """The digits that reach an E.164 number from its own country, with the trunk prefix where the country has one."""
    parsed = phonenumbers.parse(number, None)
    return re.sub(r"\D", "", phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))


def national(number: str) -> str:
    """An E.164 number's national digits."""
    return str(phonenumbers.national_significant_number(phonenumbers.parse(number, None)))
