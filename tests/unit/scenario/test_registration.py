"""Registrations: the final answer, whether the password was shown, and the refresh."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import RegistrationState, SipMessage
from harness.case.legs import EventLog
from harness.case.verdict import Finding, Verdict
from harness.deployment.terms import Expectations
from harness.phone import PhoneConfig
from harness.scenario.context import CaseContext
from harness.scenario.registration import RegisterAnswer, Registration, answers_of_phone, attached
from tests.unit.checks.messages import OURS
from tests.unit.checks.messages import registering as message
from tests.unit.scenario.conftest import MakeContext

BARE = message("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", "Expires: 300")
WITH_PASSWORD = message(
    "sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", 'Authorization: Digest x="y"'
)
CHALLENGED = message(
    "received", "SIP/2.0 401 Unauthorized", 'WWW-Authenticate: Digest realm="x", nonce="1"'
)


def phone(code: int, reason: str, *messages: SipMessage) -> tuple[Any, list[float]]:
    """A phone that was told this outcome, after these messages; and for how long it was waited for."""
    state = RegistrationState(at=2.0, phone="p", code=code, reason=reason, expires=0, active=False)
    waited: list[float] = []

    def register(within: float) -> RegistrationState:
        waited.append(within)
        return state

    return SimpleNamespace(register=register, facts=EventLog(messages)), waited


def refused(context: CaseContext, of: Any, **how: bool) -> Finding:
    Registration(context, "the number", answers_of_phone(of)).is_refused_with((401, 403), **how)
    (finding,) = context.evidence.findings
    return finding


@pytest.mark.parametrize(
    ("code", "messages", "verdict"),
    [
        (403, (BARE, CHALLENGED, WITH_PASSWORD), Verdict.PASSED),
        (401, (BARE, CHALLENGED, WITH_PASSWORD, CHALLENGED), Verdict.PASSED),
        (
            401,
            (BARE, CHALLENGED),
            Verdict.NOT_OBSERVABLE,
        ),  # a realm, or an algorithm, that this phone does not answer
        (403, (BARE,), Verdict.NOT_OBSERVABLE),  # it refuses whoever asks
        (404, (BARE,), Verdict.FAILED),
        (200, (BARE, CHALLENGED, WITH_PASSWORD), Verdict.FAILED),
    ],
)
def test_a_wrong_password_is_refused_when_it_has_been_shown(
    make_context: MakeContext, code: int, messages: tuple[SipMessage, ...], verdict: Verdict
) -> None:
    of, _ = phone(code, "No", *messages, message("received", f"SIP/2.0 {code} No"))
    assert refused(make_context(), of, for_its_password=True).verdict is verdict


@pytest.mark.parametrize("code", [408, 503])
@pytest.mark.parametrize("came", [True, False])
def test_what_the_phone_made_of_silence_is_no_answer(
    make_context: MakeContext, code: int, came: bool
) -> None:
    """RFC 3261 section 8.1.3.1: a transaction that times out counts as 408, a transport's error as
    503.
    """
    told = [BARE, message("received", f"SIP/2.0 {code} Trouble")] if came else [BARE]
    of, _ = phone(code, "Trouble", *told)
    context = make_context()
    Registration(context, "the number", answers_of_phone(of)).is_accepted()
    (finding,) = context.evidence.findings
    assert finding.verdict is Verdict.FAILED
    assert finding.actual.startswith("it was answered" if came else "it was never answered")
    assert str(code) in finding.actual


@pytest.mark.parametrize("outside", [True, False])
def test_the_number_is_of_the_termination_uris_domain(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, outside: bool
) -> None:
    """RFC 3261 section 10.3 step 5: who registers an address of record of its own host's gets 404,
    whatever its password.
    """
    of_the_file = make_context().deployment
    place = of_the_file.stand_in.model_copy(
        update={"bind": "127.0.0.7", "stranger_bind": "127.0.0.8"}
    )
    own = {"termination": "SBC.example:5060", "username": "number"}
    trunks = [trunk.model_copy(update=own) for trunk in of_the_file.trunks]
    context = make_context("TD-REGISTER-OK", ai="stand-in", stand_in=place, trunks=trunks)
    leased: list[PhoneConfig] = []
    monkeypatch.setattr(context.phones, "lease", lambda config, **_: leased.append(config))
    with attached(context, from_outside=outside):
        pass
    (config,) = leased
    assert (config.address_of_record, config.proxy) == (
        "sip:number@sbc.example",
        "SBC.example:5060",
    )
    assert config.bind_address == ("127.0.0.8" if outside else "127.0.0.7")


@pytest.mark.parametrize(
    ("contact", "words"),
    [
        (f"{OURS};expires=60", None),
        (
            "<sip:another@198.51.100.8>;expires=60",
            "it was answered 200 OK, which does not list its Contact",
        ),
        (f"{OURS};expires=0", "it was answered 200 OK, which lists its Contact as expired"),
    ],
)
def test_a_refresh_binds_as_the_first_one_does(
    make_context: MakeContext, contact: str, words: str | None
) -> None:
    """RFC 3261 section 10.2.4: it is a REGISTER like the first, and its 200 lists the bindings
    there are.
    """
    bound = [BARE, message("received", "SIP/2.0 200 OK", f"Contact: {OURS};expires=60")]
    again = [BARE, message("received", "SIP/2.0 200 OK", f"Contact: {contact}")]
    first = RegistrationState(at=2.0, phone="p", code=200, reason="OK", expires=60, active=True)
    later = RegistrationState(at=7.0, phone="p", code=200, reason="OK", expires=60, active=True)
    events = [*bound, first, *(replace(told, at=6.9) for told in again), later]
    of = SimpleNamespace(
        register=lambda within: first, wait_for=lambda *_, **__: later, facts=EventLog(events)
    )
    context = make_context()
    registration = Registration(context, "the number", answers_of_phone(of))  # type: ignore[arg-type]
    registration.is_accepted()
    registration.is_refreshed(before_s=60.0)
    failed = [
        found.actual for found in context.evidence.findings if found.verdict is Verdict.FAILED
    ]
    assert failed == ([words] if words else [])


# -- A registration is refreshed before what was granted is over, be that less than was asked for, or more


@pytest.mark.parametrize(
    ("granted", "again_after", "verdict"),
    [
        (300, 295.0, Verdict.PASSED),
        (None, 295.0, Verdict.PASSED),
        (None, 301.0, Verdict.FAILED),
        (60, 55.0, Verdict.PASSED),
        (60, 295.0, Verdict.FAILED),  # it had lapsed by then
        (600, 595.0, Verdict.PASSED),  # 423, Min-Expires: 600 (RFC 3261 section 10.2.8)
        (600, 601.0, Verdict.FAILED),
        (600, 9999.0, Verdict.FAILED),
        (601, 600.0, Verdict.NOT_OBSERVABLE),  # longer than a case waits
    ],
)
def test_what_was_granted_counts(
    make_context: MakeContext, granted: int | None, again_after: float, verdict: Verdict
) -> None:
    context = make_context(expect=Expectations(refresh_within_s=600.0))

    def next_answer(within: float, after: RegisterAnswer | None) -> RegisterAnswer | None:
        if after is None:
            return RegisterAnswer(200, "OK", 100.0, granted)
        return RegisterAnswer(200, "OK", after.at + again_after) if again_after <= within else None

    registration = Registration(context, "the number", next_answer)
    registration.is_accepted()
    registration.is_refreshed(before_s=300.0)
    assert context.evidence.findings[-1].verdict is verdict
