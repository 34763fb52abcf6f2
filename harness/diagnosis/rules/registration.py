"""Why the SIP number does not register."""

from __future__ import annotations

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.refusals import ABOUT, THE_DOMAIN, WHO, elsewhere
from harness.diagnosis.registration import NEVER_ANSWERED, NONE, REFUSED, UNCLEAR
from harness.diagnosis.rule import Rule

_REFUSED = when("registration.answer", 401, 403, 404, 407)
#: What other rules judge by. Any other status is a refusal of the REGISTER as it is.
_JUDGED = (NONE, REFUSED, UNCLEAR, 200, 401, 403, 407, 408, 500, 502, 503, 504)

#: A server answered, and it was a refusal.
_ANSWERED = unless("registration.answer", NONE, REFUSED, UNCLEAR, 200)
#: What a refusal may say that it is about, which is neither who registers nor the trunk.
_ELSE = tuple(what for what in ABOUT if what not in (*WHO, "the trunk", THE_DOMAIN))

#: A challenge was answered in the right user's name, and nothing says that the refusal is about anything but the password.
_PASSWORD = (
    unless("registration.challenged", False, NEVER_ANSWERED),
    when("registration.user", "the trunk's"),
    not_shown("registration.stale", True),
    not_shown("registration.refusal", *elsewhere("the password")),
)

_NOT_ELSEWHERE = not_shown("registration.target", "another host")
#: The very port that answered the AI nothing.
_ANSWERS_US_ALONE = (when("registration.answer", NONE), when("probe.termination", "answers"))

REGISTRATION: tuple[Rule, ...] = (
    Rule(
        id="registration.user",
        cause="username-wrong",
        symptoms=("registration",),
        cells=cells("credentials", "AI"),
        essential=(_REFUSED,),
        conditions=(
            unless("registration.challenged", False, NEVER_ANSWERED),
            when("registration.user", "another"),
            not_shown("registration.stale", True),
            not_shown(
                "registration.refusal", "the password", "the source address", "the password or the source address"
            ),
        ),
        because="the refused credentials name another user than the trunk's",
    ),
    Rule(
        id="registration.user.said",
        cause="username-wrong",
        symptoms=("registration",),
        cells=cells("credentials", "AI"),
        essential=(_REFUSED, when("registration.refusal", "the user name")),
        conditions=(not_shown("registration.user", "the trunk's"),),
        because="the registrar says that it does not know the user",
        confidence="likely",  # whom nobody has seen: the trunk may be gone from the registrar
    ),
    Rule(
        id="registration.password.said",
        cause="password-wrong",
        symptoms=("registration",),
        cells=cells("credentials", "AI"),
        essential=(_REFUSED, when("registration.refusal", "the password")),
        conditions=(not_shown("registration.user", "another"),),
        because="the registrar says that the password is wrong",
    ),
    Rule(
        id="registration.password",
        cause="password-wrong",
        symptoms=("registration",),
        cells=cells("credentials", "AI"),
        essential=(when("registration.answer", 401, 407),),
        conditions=_PASSWORD,
        because="a challenge was answered in the right user's name and still refused, which leaves the password, or a user whom the "
        "registrar does not have",
        confidence="likely",  # one that hides from guessers who is known challenges an unknown user, too
    ),
    Rule(
        id="registration.password.forbidden",
        cause="password-wrong",
        symptoms=("registration",),
        cells=cells("credentials", "AI"),
        # Of a user who is known, and may not register, 403 is said as well (RFC 3261 section 10.3 step 4).
        essential=(when("registration.answer", 403),),
        conditions=_PASSWORD,
        because="a challenge was answered in the right user's name, and 403 followed",
        confidence="likely",
    ),
    Rule(
        id="registration.password.unsent",
        cause="password-wrong",
        symptoms=("registration",),
        cells=cells("credentials", "AI"),
        essential=(when("registration.answer", 401, 407), when("registration.challenged", NEVER_ANSWERED)),
        conditions=(),
        because="no REGISTER with credentials came behind the challenge, as where none are entered; who does not know the challenge's "
        "algorithm sends none, too",
        confidence="likely",
    ),
    Rule(
        id="registration.address",
        cause="synthflow-ip-not-allowed",
        symptoms=("registration",),
        essential=(when("registration.answer", 403),),
        conditions=(
            when("registration.challenged", False),
            not_shown("registration.refusal", *elsewhere("the source address")),
        ),
        because="403 came without a challenge: nobody looked at the credentials, which leaves the address",
        confidence="likely",
    ),
    Rule(
        id="registration.address.said",
        cause="synthflow-ip-not-allowed",
        symptoms=("registration",),
        essential=(_ANSWERED, when("registration.refusal", "the source address")),
        conditions=(),
        because="the registrar says that the address is not allowed",
    ),
    Rule(
        id="registration.address.silent",
        cause="synthflow-ip-not-allowed",
        symptoms=("registration",),
        essential=(*_ANSWERS_US_ALONE, not_shown("probe.ai", "ours")),
        conditions=(_NOT_ELSEWHERE,),
        because="REGISTER was not answered, and the same port answers us: many an SBC drops without a word what comes from an address "
        "that is on no list of its",
        confidence="likely",
    ),
    Rule(
        id="registration.inactive",
        cause="trunk-inactive",
        symptoms=("registration",),
        essential=(_ANSWERED, when("registration.refusal", "the trunk")),
        conditions=(_NOT_ELSEWHERE,),
        because="the registrar itself says that the trunk is not in service",
    ),
    Rule(
        id="registration.unavailable",
        cause="trunk-inactive",
        symptoms=("registration",),
        essential=(when("registration.answer", 503),),
        conditions=(
            unless("probe.termination", "silent", "refuses"),
            not_shown("registration.refusal", *ABOUT),
            _NOT_ELSEWHERE,
            not_shown("registration.retry", True),
        ),
        because="the registrar itself answered 503, and not why: a trunk out of service, maintenance and overload all look so",
        confidence="likely",
    ),
    Rule(
        id="registration.unavailable.or-none",
        cause="trunk-inactive",
        symptoms=("registration",),
        essential=(when("registration.answer", UNCLEAR), when("probe.termination", "answers")),
        conditions=(_NOT_ELSEWHERE,),
        because="the record says 503 and no more: a registrar's own, for a trunk out of service, or the stack's for no answer",
        confidence="likely",
    ),
    Rule(
        id="registration.later",
        cause="registrar-fails",
        symptoms=("registration",),
        essential=(when("registration.answer", 503), when("registration.retry", True)),
        conditions=(
            not_shown("registration.refusal", "the trunk", *WHO),
            _NOT_ELSEWHERE,
        ),
        because="the registrar itself answered 503, and says when to try again, as one does for a time (RFC 3261 section 21.5.4)",
        confidence="likely",
    ),
    Rule(
        id="registration.failing",
        cause="registrar-fails",
        symptoms=("registration",),
        # RFC 3261 sections 21.4.9 and 21.5: the request may be right, and this server or one behind it cannot serve it.
        essential=(when("registration.answer", 408, 500, 502, 504),),
        conditions=(
            not_shown("registration.refusal", *ABOUT),
            _NOT_ELSEWHERE,
        ),
        because="the registrar, or a server on the way to it, answered REGISTER with an error of its own",
        confidence="likely",
    ),
    Rule(
        id="registration.failing.said",
        cause="registrar-fails",
        symptoms=("registration",),
        essential=(
            when("registration.answer", 408, 500, 502, 503, 504),
            unless("registration.refusal", "the source address", "the trunk"),
        ),
        conditions=(_NOT_ELSEWHERE,),
        because="the registrar, or a server on the way to it, answered REGISTER with an error of its own, and says what for",
        confidence="likely",
    ),
    Rule(
        id="registration.lapsed",
        cause="registration-expires-early",
        symptoms=("registration",),
        cells=cells("timing", "AI"),
        essential=(when("registration.lapsed", True),),
        conditions=(when("registration.granted", "shorter"),),
        because="the 200 granted less than was asked for, and the next REGISTER came only after that had run out",
    ),
    Rule(
        id="registration.unanswered",
        cause="registration-unanswered",
        symptoms=("registration",),
        essential=(*_ANSWERS_US_ALONE, when("probe.ai", "ours")),
        conditions=(_NOT_ELSEWHERE, not_shown("registration.outside", True)),
        because="REGISTER was not answered, and the same port answers OPTIONS",
    ),
    Rule(
        id="registration.unanswered.outside",
        cause="registration-unanswered",
        symptoms=("registration",),
        essential=(*_ANSWERS_US_ALONE, when("registration.outside", True)),
        conditions=(_NOT_ELSEWHERE,),
        because="REGISTER from an address that is not allowed got no answer, as where an SBC drops it without a word; the same port "
        "answers another address of this machine",
        confidence="likely",
    ),
    Rule(
        id="registration.unanswered.there",
        cause="registration-unanswered",
        symptoms=("registration",),
        essential=(*_ANSWERS_US_ALONE, not_shown("probe.ai", "ours")),
        conditions=(_NOT_ELSEWHERE,),
        because="REGISTER was not answered, and the same port answers OPTIONS, though from another address",
        confidence="possible",
    ),
    Rule(
        id="registration.unanswered.or-503",
        cause="registration-unanswered",
        symptoms=("registration",),
        essential=(when("registration.answer", UNCLEAR), when("probe.termination", "answers")),
        conditions=(_NOT_ELSEWHERE,),
        because="the record says 503 and no more, as stacks do of a REGISTER without an answer (RFC 3261 section 8.1.3.1)",
        confidence="likely",
    ),
    Rule(
        id="registration.refuses",
        cause="registrar-refuses",
        symptoms=("registration",),
        essential=(unless("registration.answer", *_JUDGED, 404),),
        conditions=(
            not_shown("registration.refusal", "the source address", "the trunk", THE_DOMAIN),
            _NOT_ELSEWHERE,
        ),
        because="the refusal is about neither credentials nor service: the registrar does not take the REGISTER as it is",
        confidence="likely",
    ),
    Rule(
        id="registration.refuses.address",
        cause="registrar-refuses",
        symptoms=("registration",),
        # RFC 3261 section 10.3 step 5: the address of record is none of the domain's.
        essential=(when("registration.answer", 404),),
        conditions=(
            not_shown("registration.refusal", "the trunk", THE_DOMAIN, *WHO),
            not_shown("registration.user", "another"),
            _NOT_ELSEWHERE,
        ),
        because="404 to REGISTER: the registrar has no such address of record",
        confidence="likely",
    ),
    Rule(
        id="registration.refuses.said",
        cause="registrar-refuses",
        symptoms=("registration",),
        essential=(_REFUSED, when("registration.refusal", *_ELSE)),
        conditions=(_NOT_ELSEWHERE,),
        because="the registrar refuses, and says that it is for something else than who registers",
        confidence="likely",
    ),
    Rule(
        id="registration.refuses.domain",
        cause="registrar-refuses",
        symptoms=("registration",),
        essential=(
            _ANSWERED,
            when("registration.refusal", THE_DOMAIN),
            when("registration.target", "the Termination URI"),
        ),
        conditions=(),
        because="the registrar says that it does not serve the domain, which is the one that the deployment file has for it",
        confidence="likely",
    ),
    Rule(
        id="registration.refuses.user",
        cause="registrar-refuses",
        symptoms=("registration",),
        essential=(
            _REFUSED,
            when("registration.refusal", "the user name"),
            when("registration.user", "the trunk's"),
        ),
        conditions=(_NOT_ELSEWHERE,),
        because="the registrar says that it does not know the user, who is the one that the deployment file names for the trunk",
        confidence="likely",
    ),
    Rule(
        id="registration.stale",
        cause="registrar-fails",
        symptoms=("registration",),
        essential=(when("registration.answer", 401, 407), when("registration.stale", True)),
        conditions=(),
        because="the registrar calls the nonce too old each time, and so the digest right (RFC 7616 section 3.3): its servers do not "
        "share their nonces",
        confidence="likely",
    ),
    Rule(
        id="registration.elsewhere.said",
        cause="termination-uri-wrong",
        symptoms=("registration",),
        essential=(_ANSWERED, when("registration.refusal", THE_DOMAIN)),
        conditions=(not_shown("registration.target", "the Termination URI"),),
        because="the registrar says that it does not serve the domain that it was asked for, the host of the Termination URI",
        confidence="likely",
    ),
    Rule(
        id="registration.elsewhere",
        cause="termination-uri-wrong",
        symptoms=("registration",),
        essential=(when("registration.answer", NONE, REFUSED, UNCLEAR),),
        conditions=(when("registration.target", "another host"),),
        because="the REGISTER went to another host than the platform's SBC, and no answer from there was seen",
    ),
    Rule(
        id="registration.elsewhere.refused",
        cause="termination-uri-wrong",
        symptoms=("registration",),
        # A refusal alone speaks for no other host: where nobody said where it went, this is not its rival.
        essential=(
            unless("registration.answer", NONE, REFUSED, UNCLEAR, 200),
            when("registration.target", "another host"),
        ),
        conditions=(),
        because="the REGISTER went to another host than the platform's SBC, and was refused there",
        confidence="likely",
    ),
)
