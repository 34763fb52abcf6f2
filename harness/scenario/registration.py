"""The SIP number's registration at the platform: by a harness phone, or by Synthflow, whose API
reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from harness.case.checks import registration
from harness.case.events import RegistrationState, SipMessage
from harness.case.verdict import NotObservableError
from harness.deployment import SIP_NUMBER, in_uri
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.context import CaseContext, CasePart
from harness.scenario.phones import secret_of, stand_in, stranger
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
    unbound: str | None = None  #: why a 200 binds nothing
    came: bool = True  #: False if the phone itself ended the request without an answer
    showed_password: bool = (
        True  #: whether credentials had been sent by then, as far as it is known
    )


#: Waits for the first final answer that is no challenge, or for the next 200 after an answer; None
#: if none comes in that time.
NextAnswer = Callable[[float, RegisterAnswer | None], RegisterAnswer | None]


class Registration(CasePart):
    """A registration under way, and what is expected of it."""

    def __init__(self, context: CaseContext, label: str, next_answer: NextAnswer) -> None:
        super().__init__(context)
        self._label = label
        self._next_answer = next_answer
        self._first: RegisterAnswer | None = None

    def is_accepted(self) -> None:
        """Registered, within the guide's two minutes."""
        with self._evidence.step(f"{self._label} registers"):
            self._first = self._next_answer(REGISTERED_WITHIN_S, None)
            self._add_accepted(self._first, REGISTERED_WITHIN_S)

    def _add_accepted(self, answer: RegisterAnswer | None, within_s: float) -> None:
        unbound, came = (answer.unbound, answer.came) if answer else (None, True)
        self._evidence.expect(
            registration.accepted.of(self._label, _told(answer), within_s, unbound, came=came)
        )

    def is_refreshed(self, before_s: float) -> None:
        """Registered again before the registration ends; ``before_s`` is what was asked for first.

        Not observable if the registrar grants more than the deployment's longest wait and more than
        was asked for.
        """
        first = self._first
        if first is None or first.code != 200:
            return
        # What was granted counts (RFC 3261 section 10.2.1): less than was asked for, or more where
        # a 423 wants it (10.2.8).
        granted_s = float(first.expires or before_s)
        longest_s = max(self._deployment.expect.refresh_within_s, before_s)
        if granted_s > longest_s:
            expected = f"{registration.REFRESHED} within {granted_s:g} s"
            why = f"the registrar grants {granted_s:g} s, and a case waits {longest_s:g} s at most (expect.refresh_within_s)"
            self._evidence.unseen("timing.within", self._label, expected, why)
            return
        with self._evidence.step(f"{self._label} registers again before {granted_s:g} s are over"):
            again = self._next_answer(max(granted_s, before_s) + 2.0, first)
            seconds = None if again is None else again.at - first.at
            self._evidence.scripted(seconds or 0.0, "the registration's own interval")
            self._evidence.expect(
                registration.refreshed.of(self._label, seconds, granted_s, before_s)
            )
            # its 200 lists the bindings as the first one's does (section 10.3)
            if again is not None and again.unbound:
                self._add_accepted(again, granted_s)

    def is_refused_with(self, codes: tuple[int, ...], *, for_its_password: bool = False) -> None:
        """Refused with one of ``codes``, and not registered; where it is ``for_its_password``,
        after that was sent.
        """
        with self._evidence.step(f"{self._label} is refused"):
            answer = self._next_answer(self._context.patience, None)
            came, shown = (answer.came, answer.showed_password) if answer else (True, True)
            self._evidence.expect(
                registration.refused.of(
                    self._label,
                    _told(answer),
                    codes,
                    came=came,
                    showed_password=shown or not for_its_password,
                )
            )


def _told(answer: RegisterAnswer | None) -> registration.Answer | None:
    return None if answer is None else (answer.code, answer.reason)


@contextmanager
def attached(
    context: CaseContext, *, password: str | None = None, from_outside: bool = False
) -> Iterator[Registration]:
    """The SIP number of the case's trunk registers; with a wrong password, or from an address that
    is not allowed, if asked.
    """
    if context.has_stand_in:
        yield _by_phone(context, password, from_outside)
        return
    trunk, api = context.trunk, context.far_end.api
    if "registration" not in context.far_end.declared.witness:
        why = "Synthflow's interface does not tell of registrations (synthflow.witness)"
        expected = "the outcome of the SIP number's REGISTER"
        raise NotObservableError(
            context.evidence.unseen("registration", "Synthflow's number", expected, why)
        )
    secret = secret_of(trunk.password) if password is None else password
    body = {
        "termination_uri": trunk.termination,
        "transport": trunk.transport,
        "username": trunk.username,
        "password": secret or "",
        "expires": context.timings.register_expires_s,
        "region": "other" if from_outside else "default",
    }
    path = f"/sip_numbers/{path_segment(api.ask('POST', '/sip_numbers', json=body)['id'])}"
    try:
        yield Registration(context, "Synthflow's number", _answers_of_api(context, path))
    finally:
        record = api.ask("GET", path)
        context.evidence.record("synthflow", f"GET /v2{path}", record)
        api.ask("DELETE", path)


# -- by a harness phone


def answers_of_phone(phone: Phone) -> NextAnswer:
    """The answers to a harness phone's REGISTER."""

    def next_answer(within: float, after: RegisterAnswer | None) -> RegisterAnswer | None:
        try:
            if after is None:
                state = phone.register(within=within)
            else:
                goal, since = "the registration to be refreshed", after.at + 1e-6
                state = phone.wait_for(
                    RegistrationState, goal, lambda e: e.active and e.at >= since, within
                )
        except NeverCame:
            return None
        messages = [e for e in phone.facts.of(SipMessage) if not e.unread and e.at <= state.at]
        return RegisterAnswer(
            state.code,
            state.reason,
            state.at,
            state.expires,
            unbound=registration.unbound(messages),
            came=registration.came(messages, state.code),
            showed_password=registration.showed_password(messages),
        )

    return next_answer


def _by_phone(context: CaseContext, password: str | None, from_outside: bool) -> Registration:
    trunk = context.trunk
    at_place = stranger if from_outside else stand_in
    config = at_place(
        context.deployment,
        trunk,
        bind_port=0,
        register_expires=context.timings.register_expires_s,
    )
    # Its address of record is the registrar's, as the AI's is; to call it shows its own host.
    domain = in_uri(trunk.termination_host or config.domain)
    user = trunk.username or config.user
    config = replace(config, name=SIP_NUMBER, user=user, domain=domain, registrar=config.proxy)
    if password is not None:
        config = replace(config, password=password)
    return Registration(
        context,
        "the stand-in's number",
        answers_of_phone(context.phones.lease(config, register=False)),
    )


# -- by Synthflow


def _answers_of_api(context: CaseContext, path: str) -> NextAnswer:
    """The answers to Synthflow's REGISTER, as its API tells them."""

    def answer(item: dict[str, Any]) -> RegisterAnswer:
        code, expires = int(item["code"]), item.get("expires")
        unbound = "which grants no time" if expires == 0 and code == 200 else None
        return RegisterAnswer(
            code, str(item["reason"]), context.far_end.api.moment(item["at"]), expires, unbound
        )

    def next_answer(within: float, after: RegisterAnswer | None) -> RegisterAnswer | None:
        def look() -> RegisterAnswer | None:
            listed = context.far_end.api.ask("GET", path).get("registrations", [])
            for one in map(answer, listed):
                if after is None or (one.code == 200 and one.at > after.at):
                    return one
            return None

        return context.ask_interface(look, within)

    return next_answer
