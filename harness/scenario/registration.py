"""The SIP number's registration at the platform: made by a phone of ours, or by Synthflow and told by its API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from harness.checks import registration
from harness.checks.finding import not_observable
from harness.errors import BrokenError
from harness.events import FarEndRecord, RegistrationState, SipMessage
from harness.far_end.synthflow import SynthflowApi
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.phones import stand_in
from harness.verdict import NotObservableError

if TYPE_CHECKING:
    from harness.scenario.stage import Stage

#: The guide: "Wait 1–2 minutes for SIP registration to complete."
REGISTERED_WITHIN_S = 120.0


@dataclass(frozen=True)
class Answer:
    """One final answer to a REGISTER, or its absence (code 0)."""

    code: int
    reason: str
    at: float  #: monotonic
    expires: int | None = None  #: seconds granted, None when nobody says
    unbound: str | None = None  #: why a 200 binds nothing all the same


class Answers(Protocol):
    """Where the answers to REGISTER are seen."""

    def first(self, within: float) -> Answer | None:
        """The first final answer that is no challenge."""

    def next_success(self, after: Answer, within: float) -> Answer | None:
        """The next 200 after ``after``."""


class Registration:
    """A registration under way, and what is expected of it."""

    def __init__(self, stage: Stage, label: str, answers: Answers) -> None:
        self._stage = stage
        self._label = label
        self._answers = answers
        self._begun = time.monotonic()
        self._first: Answer | None = None

    def is_accepted(self) -> None:
        """Registered, within the guide's two minutes."""
        with self._stage.step(f"{self._label} registers"):
            answer = self._answers.first(min(REGISTERED_WITHIN_S, self._stage.patience * 2))
            self._first = answer
            unbound = answer.unbound if answer else None
            self._stage.add(registration.accepted(self._label, _told(answer), REGISTERED_WITHIN_S, unbound))

    def is_refreshed(self, before_s: float) -> None:
        """Registered again before the registration ends."""
        first = self._first
        if first is None or first.code != 200:
            return
        with self._stage.step(f"{self._label} registers again before {before_s:g} s are over"):
            again = self._answers.next_success(first, before_s + 2.0)
            seconds = None if again is None else again.at - first.at
            granted_s = min(before_s, first.expires or before_s)  # what was granted counts (RFC 3261 section 10.2.1)
            self._stage.scripted(seconds or 0.0, "the registration's own interval")
            self._stage.add(registration.refreshed(self._label, seconds, granted_s, before_s))

    def is_refused_with(self, codes: tuple[int, ...]) -> None:
        """Refused with one of ``codes``, and not registered."""
        with self._stage.step(f"{self._label} is refused"):
            answer = self._answers.first(self._stage.patience)
            self._stage.add(registration.refused(self._label, _told(answer), codes))


def _told(answer: Answer | None) -> registration.Answer | None:
    return None if answer is None else (answer.code, answer.reason)


@contextmanager
def attached(stage: Stage, *, password: str | None = None, from_outside: bool = False) -> Iterator[Registration]:
    """The SIP number of the case's trunk registers; with a wrong password, or from an address nobody allowed, if asked."""
    if stage.ai.is_ours:
        yield _by_phone(stage, password, from_outside)
        return
    with _by_synthflow(stage, password, from_outside) as registration:
        yield registration


# -- by a phone of ours


class _PhoneAnswers:
    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def first(self, within: float) -> Answer | None:
        try:
            answer = _answer(self._phone.register(within=within))
        except NeverCame:
            return None
        messages = [e for e in self._phone.events if isinstance(e, SipMessage) and not e.unread and e.at <= answer.at]
        return replace(answer, unbound=registration.unbound(messages))

    def next_success(self, after: Answer, within: float) -> Answer | None:
        try:
            event = self._phone.wait(
                "the registration to be refreshed",
                lambda e: isinstance(e, RegistrationState) and e.code == 200,
                within=within,
                since=after.at + 1e-6,
            )
        except NeverCame:
            return None
        assert isinstance(event, RegistrationState)
        return _answer(event)


def _answer(state: RegistrationState) -> Answer:
    return Answer(state.code, state.reason, state.at, state.expires)


def _by_phone(stage: Stage, password: str | None, from_outside: bool) -> Registration:
    trunk, place = stage.trunk, stage.deployment.stand_in
    config = stand_in(
        stage.deployment,
        trunk,
        bind_port=0,
        registrar=trunk.termination,
        register_expires=stage.timings.register_expires_s,
    )
    config = replace(config, name="sip-number", user=trunk.username or config.user)
    if password is not None:
        config = replace(config, password=password)
    if from_outside:
        if place.stranger_bind is None:
            raise BrokenError("stand_in.stranger_bind: is missing")
        config = replace(config, bind_address=place.stranger_bind)
    return Registration(stage, "the stand-in's number", _PhoneAnswers(stage.phone(config, register=False)))


# -- by Synthflow


class _ApiAnswers:
    def __init__(self, stage: Stage, api: SynthflowApi, path: str) -> None:
        self._stage = stage
        self._api = api
        self._path = path

    def first(self, within: float) -> Answer | None:
        return self._find(within, lambda _: True)

    def next_success(self, after: Answer, within: float) -> Answer | None:
        return self._find(within, lambda answer: answer.code == 200 and answer.at > after.at)

    def _find(self, within: float, wanted: Any) -> Answer | None:
        from harness.far_end.clock import to_monotonic

        deadline = time.monotonic() + within
        while True:
            plain = self._api.ask("GET", self._path)
            for item in plain.get("registrations", []):
                answer = Answer(
                    int(item["code"]),
                    str(item["reason"]),
                    to_monotonic(float(item["at"])),
                    None if item.get("expires") is None else int(item["expires"]),
                    "which grants no time" if item.get("expires") == 0 and int(item["code"]) == 200 else None,
                )
                if wanted(answer):
                    return answer
            if time.monotonic() >= deadline:
                return None
            self._stage.pause(self._stage.poll_s)


@contextmanager
def _by_synthflow(stage: Stage, password: str | None, from_outside: bool) -> Iterator[Registration]:
    declared = stage.deployment.synthflow
    if declared is None or "registration" not in declared.witness:
        why = "Synthflow's interface does not tell of registrations (synthflow.witness)"
        expected = "the outcome of the SIP number's REGISTER"
        raise NotObservableError(
            stage.add(not_observable("registration", "Synthflow's number", expected=expected, why=why))
        )
    trunk = stage.trunk
    secret = password if password is not None else trunk.password.get_secret_value() if trunk.password else ""
    body = {
        "termination_uri": trunk.termination,
        "transport": trunk.transport,
        "username": trunk.username,
        "password": secret,
        "expires": stage.timings.register_expires_s,
        "region": "other" if from_outside else "default",
    }
    created = stage.api.ask("POST", "/sip_numbers", json=body)
    path = f"/sip_numbers/{created['id']}"
    try:
        yield Registration(stage, "Synthflow's number", _ApiAnswers(stage, stage.api, path))
    finally:
        record = stage.api.ask("GET", path)
        stage.sink(FarEndRecord(at=time.monotonic(), phone="synthflow", source=f"GET /v2{path}", record=record))
        stage.api.ask("DELETE", path)
