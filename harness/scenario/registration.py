"""The SIP number's registration at the platform: made by a harness phone, or by Synthflow and told by its API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from harness.calls.checks import registration
from harness.calls.events import FarEndRecord, RegistrationState, SipMessage
from harness.calls.verdict import NotObservableError
from harness.deployment import SIP_NUMBER, in_uri
from harness.errors import BrokenError
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.context import CaseContext
from harness.scenario.phones import stand_in
from harness.witness.synthflow import path_segment

#: The guide: "Wait 1–2 minutes for SIP registration to complete."
REGISTERED_WITHIN_S = 120.0


@dataclass(frozen=True)
class RegisterAnswer:
    """One final answer to a REGISTER, or its absence (code 0)."""

    code: int
    reason: str
    at: float  #: monotonic
    expires: int | None = None  #: seconds granted, None when unknown
    unbound: str | None = None  #: why a 200 binds nothing all the same
    came: bool = True  #: whether it is an answer, and not what a phone made of there being none
    showed_password: bool = True  #: whether credentials had been sent by then, as far as anybody can tell


class Registration:
    """A registration under way, and what is expected of it."""

    def __init__(self, context: CaseContext, label: str, answers: PhoneAnswers | ApiAnswers) -> None:
        self._context = context
        self._label = label
        self._answers = answers
        self._first: RegisterAnswer | None = None

    def is_accepted(self) -> None:
        """Registered, within the guide's two minutes."""
        with self._context.evidence.step(f"{self._label} registers"):
            answer = self._first = self._answers.first(REGISTERED_WITHIN_S)
            unbound, came = (answer.unbound, answer.came) if answer else (None, True)
            self._context.evidence.add(
                registration.accepted(self._label, _told(answer), REGISTERED_WITHIN_S, unbound, came=came)
            )

    def is_refreshed(self, before_s: float) -> None:
        """Registered again before the registration ends; ``before_s`` is what was asked for first."""
        first = self._first
        if first is None or first.code != 200:
            return
        # What was granted counts (RFC 3261 section 10.2.1): less than was asked for, or more where a 423 wants it (10.2.8).
        granted_s = float(first.expires or before_s)
        with self._context.evidence.step(f"{self._label} registers again before {granted_s:g} s are over"):
            again = self._answers.next_success(first, max(granted_s, before_s) + 2.0)
            seconds = None if again is None else again.at - first.at
            self._context.evidence.scripted(seconds or 0.0, "the registration's own interval")
            self._context.evidence.add(registration.refreshed(self._label, seconds, granted_s, before_s))
            if again is not None and again.unbound:  # its 200 lists the bindings as the first one's does (section 10.3)
                self._context.evidence.add(
                    registration.accepted(self._label, _told(again), granted_s, again.unbound, came=again.came)
                )

    def is_refused_with(self, codes: tuple[int, ...], *, for_its_password: bool = False) -> None:
        """Refused with one of ``codes``, and not registered; where it is ``for_its_password``, after that was sent."""
        with self._context.evidence.step(f"{self._label} is refused"):
            answer = self._answers.first(self._context.patience)
            came, shown = (answer.came, answer.showed_password) if answer else (True, True)
            self._context.evidence.add(
                registration.refused(
                    self._label, _told(answer), codes, came=came, showed_password=shown or not for_its_password
                )
            )


def _told(answer: RegisterAnswer | None) -> registration.Answer | None:
    return None if answer is None else (answer.code, answer.reason)


@contextmanager
def attached(
    context: CaseContext, *, password: str | None = None, from_outside: bool = False
) -> Iterator[Registration]:
    """The SIP number of the case's trunk registers; with a wrong password, or from an address that is not allowed, if asked."""
    if context.has_stand_in:
        yield _by_phone(context, password, from_outside)
        return
    with _by_synthflow(context, password, from_outside) as registration:
        yield registration


# -- by a harness phone


class PhoneAnswers:
    """The answers to a harness phone's REGISTER."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def first(self, within: float) -> RegisterAnswer | None:
        """The first final answer that is no challenge."""
        try:
            answer = _answer(self._phone.register(within=within))
        except NeverCame:
            return None
        messages = self._messages(answer)
        return replace(
            answer,
            unbound=registration.unbound(messages),
            came=registration.came(messages, answer.code),
            showed_password=registration.showed_password(messages),
        )

    def next_success(self, after: RegisterAnswer, within: float) -> RegisterAnswer | None:
        """The next 200 after ``after``."""
        try:
            event = self._phone.wait(
                "the registration to be refreshed",
                lambda e: isinstance(e, RegistrationState) and e.active,
                within=within,
                since=after.at + 1e-6,
            )
        except NeverCame:
            return None
        assert isinstance(event, RegistrationState)
        again = _answer(event)
        return replace(again, unbound=registration.unbound(self._messages(again)))

    def _messages(self, until: RegisterAnswer) -> list[SipMessage]:
        return [e for e in self._phone.events if isinstance(e, SipMessage) and not e.unread and e.at <= until.at]


def _answer(state: RegistrationState) -> RegisterAnswer:
    return RegisterAnswer(state.code, state.reason, state.at, state.expires)


def _by_phone(context: CaseContext, password: str | None, from_outside: bool) -> Registration:
    trunk, place = context.trunk, context.deployment.stand_in
    config = stand_in(
        context.deployment,
        trunk,
        bind_port=0,
        registrar=trunk.termination,
        register_expires=context.timings.register_expires_s,
    )
    # Its address of record is the registrar's, as the AI's is; to call it shows its own host.
    domain = in_uri(trunk.termination_host or config.domain)
    config = replace(config, name=SIP_NUMBER, user=trunk.username or config.user, domain=domain)
    if password is not None:
        config = replace(config, password=password)
    if from_outside:
        if place.stranger_bind is None:
            raise BrokenError("stand_in.stranger_bind: is missing")
        config = replace(config, bind_address=place.stranger_bind)
    return Registration(context, "the stand-in's number", PhoneAnswers(context.phones.lease(config, register=False)))


# -- by Synthflow


class ApiAnswers:
    """The answers to Synthflow's REGISTER, as its API tells them."""

    def __init__(self, context: CaseContext, path: str) -> None:
        self._context = context
        self._path = path

    def first(self, within: float) -> RegisterAnswer | None:
        """The first final answer that is no challenge."""
        return self._find(within, lambda _: True)

    def next_success(self, after: RegisterAnswer, within: float) -> RegisterAnswer | None:
        """The next 200 after ``after``."""
        return self._find(within, lambda answer: answer.code == 200 and answer.at > after.at)

    def _find(self, within: float, wanted: Callable[[RegisterAnswer], bool]) -> RegisterAnswer | None:
        def look() -> RegisterAnswer | None:
            listed = self._context.far_end.api.ask("GET", self._path).get("registrations", [])
            return next(filter(wanted, map(self._answer, listed)), None)

        return self._context.ask_interface(look, time.monotonic() + within)

    def _answer(self, item: dict[str, Any]) -> RegisterAnswer:
        code, expires = int(item["code"]), item.get("expires")
        unbound = "which grants no time" if expires == 0 and code == 200 else None
        at = self._context.far_end.api.moment(item["at"])
        return RegisterAnswer(code, str(item["reason"]), at, None if expires is None else int(expires), unbound)


@contextmanager
def _by_synthflow(context: CaseContext, password: str | None, from_outside: bool) -> Iterator[Registration]:
    declared = context.deployment.synthflow
    if declared is None or "registration" not in declared.witness:
        why = "Synthflow's interface does not tell of registrations (synthflow.witness)"
        expected = "the outcome of the SIP number's REGISTER"
        raise NotObservableError(context.evidence.unseen("registration", "Synthflow's number", expected, why))
    trunk = context.trunk
    secret = password if password is not None else trunk.password.get_secret_value() if trunk.password else ""
    body = {
        "termination_uri": trunk.termination,
        "transport": trunk.transport,
        "username": trunk.username,
        "password": secret,
        "expires": context.timings.register_expires_s,
        "region": "other" if from_outside else "default",
    }
    created = context.far_end.api.ask("POST", "/sip_numbers", json=body)
    path = f"/sip_numbers/{path_segment(created['id'])}"
    try:
        yield Registration(context, "Synthflow's number", ApiAnswers(context, path))
    finally:
        record = context.far_end.api.ask("GET", path)
        context.evidence.event(
            FarEndRecord(at=time.monotonic(), phone="synthflow", source=f"GET /v2{path}", record=record)
        )
        context.far_end.api.ask("DELETE", path)
