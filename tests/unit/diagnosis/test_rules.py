"""Each rule names its cause on the evidence it is for, and is missed when it is gone."""

from __future__ import annotations

import pytest

from harness.diagnosis import Diagnosis
from harness.diagnosis.causes import CAUSES
from harness.diagnosis.cells import KINDS, PLACES, UNTOLD
from harness.diagnosis.facts import KNOWN
from harness.diagnosis.rules import COMMON, rules_of
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.examples import EXAMPLES as OF_RULES
from tests.unit.diagnosis.leg_examples import LEGS
from tests.unit.diagnosis.own_examples import OWN
from tests.unit.diagnosis.stories import Expected
from tools.diagnosis import PAGE, causes_table, cells_table, rules_at, tables_of

EXAMPLES = [*OF_RULES, *LEGS, *OWN]
INTEGRATIONS = ("talkdesk", "gladly")
PORTS = ("udp-32681", "tcp-32681", "tls-32682")
EVERY = {rule.id: rule for name in INTEGRATIONS for rule in rules_of(name)}


def answer(diagnosis: Diagnosis) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Causes and candidates by id."""
    return tuple(c.id for c in diagnosis.causes), tuple(c.id for c in diagnosis.candidates)


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_the_evidence_names_the_cause(expected: Expected) -> None:
    diagnosis = expected.example.diagnose()
    causes, candidates = answer(diagnosis)
    assert causes == expected.causes, "\n".join(diagnosis.facts)
    assert candidates == expected.candidates
    assert not diagnosis.unexplained


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_without_its_rule_the_answer_is_another(expected: Expected) -> None:
    rules = [rule for rule in rules_of(expected.example.integration) if rule.id != expected.rule]
    assert len(rules) == len(rules_of(expected.example.integration)) - 1
    without = expected.example.diagnose(rules=rules)
    with_it = expected.example.diagnose()
    assert _said(without) != _said(with_it)


def _said(diagnosis: Diagnosis) -> list[tuple[str, bool, str]]:
    return [(cause.id, cause.candidate, cause.rule) for cause in diagnosis.causes]


def test_every_rule_has_an_example() -> None:
    assert set(EVERY) == {expected.rule for expected in EXAMPLES}


def test_rule_ids_are_unique_and_their_causes_are_catalogued() -> None:
    for name in INTEGRATIONS:
        ids = [rule.id for rule in rules_of(name)]
        assert len(ids) == len(set(ids))
    assert {rule.cause for rule in EVERY.values()} == set(CAUSES)


def test_every_fact_is_asked_for_by_a_rule_or_read_by_the_symptoms() -> None:
    asked = {condition.fact for rule in EVERY.values() for condition in rule.all_conditions}
    assert set(KNOWN) - asked <= {"caller.end"}


def test_an_integration_without_rules_of_its_own_has_the_common_ones() -> None:
    assert rules_of("genesys") == COMMON
    assert rules_of("../talkdesk") == COMMON


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_with_less_to_see_nothing_is_named_that_the_whole_evidence_would_not_name(expected: Expected) -> None:
    """The injected cause may become one of a list, or go unseen, but never turns into another that is sure."""
    for visibility in ("caller+agents", "caller"):
        seen = expected.example.diagnose(visibility)
        sure = {cause.id for cause in seen.causes if not cause.candidate and cause.confidence == "certain"}
        assert sure <= set(expected.causes), (visibility, seen.headline, seen.facts)


def test_a_passed_case_has_no_diagnosis() -> None:
    diagnosis = Example().dials().ai_gets().answered().taken().to_ai().to_caller().diagnose()
    assert diagnosis == Diagnosis()
    assert diagnosis.headline == ""


def test_the_page_has_the_tables_as_the_rules_are_now() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert list(tables_of(page)) == [cells_table(), causes_table()], "make diagnosis-page"


def test_every_cell_has_a_rule_or_the_reason_why_nothing_tells_it() -> None:
    for kind in KINDS:
        for place in PLACES:
            assert bool(rules_at((kind, place))) != ((kind, place) in UNTOLD), (kind, place)


_MEDIA = (415, 488, 606)
_NUMBER = (404, 410, 484, 485, 604)
_CALLER = (428, 433, 436, 437, 438, 607, 608)
_REQUEST = (
    400,
    401,
    402,
    403,
    405,
    406,
    407,
    413,
    414,
    416,
    420,
    421,
    422,
    423,
    429,
    481,
    489,
    491,
    493,
    494,
    501,
    505,
    513,
    580,
)
_NOBODY = (480, 486, 600)
_CIRCLE = (482, 483)
_ELSEWHERE = (300, 301, 302, 305, 380)
_SAID_OTHERWISE = (*_NUMBER, *_NOBODY, *_CIRCLE, *_ELSEWHERE, 500, 502, 504, 408, 503)
#: The statuses that rules ask for (RFC 3261 section 21, RFC 6585 section 4), by fact.
STATUSES: dict[str, dict[tuple[int, ...], tuple[str, ...]]] = {
    "registration.answer": {
        (200,): (
            *("registration.elsewhere.refused", "registration.elsewhere.said", "registration.address.said"),
            *("registration.inactive", "registration.refuses.domain"),
        ),
        (200, 401, 403, 407, 408, 500, 502, 503, 504, 404): ("registration.refuses",),
        (401, 403, 404, 407): (
            *("registration.user", "registration.user.said", "registration.password.said"),
            *("registration.refuses.said", "registration.refuses.user"),
        ),
        (401, 407): ("registration.password", "registration.password.unsent", "registration.stale"),
        (403,): ("registration.password.forbidden", "registration.address"),
        (404,): ("registration.refuses.address",),
        (503,): ("registration.unavailable", "registration.later"),
        (408, 500, 502, 504): ("registration.failing",),
        (408, 500, 502, 503, 504): ("registration.failing.said",),
    },
    "ai.code": {
        (404, 410, 604): ("reach.not-attached", "reach.nobodys-number"),
        (404, 410, 604, 486, 600, 429, *_MEDIA): ("reach.refused", "reach.refused.known"),
        (429,): ("limit.low", "reach.concurrency"),
        (420,): ("lost.refused",),
        (486, 600): ("reach.concurrency.busy",),
        _MEDIA: ("reach.no-g711", "reach.srtp", "reach.refused.media", "fallback.no-g711", "fallback.srtp"),
        (401, 407, 403, 429, 486, 600, *_MEDIA, 500, 502, 504, 503): ("reach.number-form.refused",),
    },
    "final.code": {
        (401, 407, *_NUMBER, *_MEDIA, *_ELSEWHERE): ("reach.turned-away",),
        _ELSEWHERE: ("reach.redirected",),
        (401, 407): ("reach.caller-credentials", "reach.realm", "reach.realm.second", "reach.algorithm"),
        (401, 403, 407, 433, 603): ("reach.withheld",),
        _NUMBER: (
            *("reach.form", "reach.unknown-number", "reach.unknown-number.again"),
            "fallback.none.or-number",
        ),
        _CIRCLE: ("reach.circle",),
        (420,): ("lost.refused",),
        _CALLER: ("reach.identity",),
        (*_MEDIA, *_REQUEST, *_CALLER, *_NUMBER, *_CIRCLE, 486, 600, *_ELSEWHERE, 487): (
            "reach.wrong-port",
            *(f"reach.firewall-{port}{end}" for port in PORTS for end in ("", ".here")),
            *(f"reach.firewall-{port}{end}.between" for port in PORTS for end in ("", "-rejected")),
        ),
        (408, 480, 486, 487, 600, 603, *_NUMBER): ("fallback.none", "fallback.none.passed-on"),
        (408, 480, 486, 487, 600, 603): ("fallback.none.or-nobody", "fallback.nobody.or-none"),
        _NOBODY: ("reach.nobody-there",),
        _MEDIA: (
            *("reach.no-g711.told", "reach.srtp.told", "reach.another-assistant", "reach.not-attached"),
            *("reach.caller-media", "reach.caller-media.answered", "reach.answer.refused"),
            *(
                "reach.nobodys-number",
                "reach.concurrency",
                "reach.concurrency.said",
                "reach.not-attached.said",
                "reach.no-credentials",
                "reach.trunk-elsewhere",
            ),
        ),
    },
    "transfer.answer": {
        (403,): (
            *("transfer.address", "transfer.credentials.forbidden"),
            *("transfer.nobody.said", "transfer.nobody.forbidden"),
        ),
        (403, 405, 501, 603): (
            *("transfer.rejected", "transfer.rejected.authenticated", "transfer.rejected.handed-on"),
        ),
        (*_SAID_OTHERWISE, 403, 405, 481, 501, 603): ("transfer.rejected.as-written",),
        (*_SAID_OTHERWISE, 403, 487, 603): ("transfer.call-refused",),
        (603,): ("transfer.call-declined", "transfer.dialled.declined"),
        (481,): ("transfer.no-such-call",),
        (408,): ("transfer.unanswered.timeout",),
        (408, 487): ("transfer.left-ringing.ended",),
        (*_NUMBER, *_NOBODY): (
            *("transfer.call-refused.though-there", "transfer.rejected.though-there"),
            "transfer.dialled",
        ),
        _NUMBER: ("transfer.unknown-number",),
        _NOBODY: ("transfer.nobody.at-once",),
        _CIRCLE: ("transfer.circle",),
        _ELSEWHERE: ("transfer.redirected", "transfer.redirected.recorded", "transfer.dialled.redirected"),
        (500, 502, 504): ("transfer.server", "transfer.server.recorded"),
        (503,): ("transfer.inactive", "transfer.inactive.recorded"),
        (500, 502, 504, 503): ("transfer.dialled.failed",),
        (401, 407): ("transfer.dialled.credentials",),
        _CALLER: ("transfer.dialled.identity",),
        _MEDIA: ("transfer.dialled.media",),
        (
            *(401, 407, *_NUMBER, *_NOBODY, *_CIRCLE, *_ELSEWHERE, *_CALLER, *_MEDIA),
            *(500, 502, 504, 503, 408, 487, 603),
        ): ("transfer.dialled.refused",),
        (408, 487, 603): ("transfer.dialled.given-up", "transfer.dialled.elsewhere"),
    },
    "transfer.recorded": {
        tuple(code for code in _REQUEST if code not in (401, 407, 481)): ("transfer.rejected.recorded",),
        (481,): ("transfer.no-such-call.recorded",),
        (401, 407): ("transfer.challenged.recorded", "transfer.credentials.recorded"),
        (408,): ("transfer.silent.recorded",),
        _ELSEWHERE: ("transfer.redirected.recorded",),
        (500, 502, 504): ("transfer.server.recorded",),
        (503,): ("transfer.inactive.recorded",),
        (487,): ("transfer.unanswered.recorded",),
        (486, 600, 603, *_MEDIA, *_CALLER): ("transfer.failed.recorded",),
        (408, *_REQUEST, 480, *_NUMBER, *_CIRCLE, 486, 600, 603, *_MEDIA, *_CALLER): (
            "transfer.failed.recorded.or-answered",
        ),
        (480,): ("transfer.nobody.recorded",),
        _NUMBER: ("transfer.unknown-number.recorded",),
        _CIRCLE: ("transfer.circle.recorded",),
    },
    "transfer.outcome": {
        (200,): ("transfer.untrue",),
        (*_NUMBER, 480, *_CIRCLE): ("transfer.failed", "transfer.failed.by-caller"),
        _NUMBER: ("transfer.unknown-number.notified",),
        _CIRCLE: ("transfer.circle.notified",),
        (*_NUMBER, *_NOBODY): ("transfer.failed.though-there",),
        (480,): ("transfer.nobody",),
    },
}


def test_the_statuses_that_rules_ask_for() -> None:
    asked: dict[str, dict[tuple[int, ...], set[str]]] = {}
    for rule in EVERY.values():
        for condition in rule.all_conditions:
            if codes := tuple(value for value in condition.values if type(value) is int):
                asked.setdefault(condition.fact, {}).setdefault(codes, set()).add(rule.id)
    assert asked == {fact: {codes: set(ids) for codes, ids in by.items()} for fact, by in STATUSES.items()}


def test_what_speaks_against_a_rule_is_that_something_is_so() -> None:
    """Of a fact that is yes or no; that there is no fallback is what the deployment file says, not what was seen."""
    conditions = [c for rule in EVERY.values() for c in rule.all_conditions if c.how == "not shown"]
    assert {c.fact for c in conditions if True in c.values} >= {"call.cut"}
    assert {c.fact for c in conditions if False in c.values} == {"fallback.configured"}
