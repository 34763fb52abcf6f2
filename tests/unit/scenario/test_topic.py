"""That a transfer's topic reached the platform, where the agent's phone may never be told of it."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.checks.headers import header
from harness.calls.verdict import Finding, Verdict
from harness.deployment import TOPIC_HEADER
from harness.scenario.cast import Cast
from harness.scenario.handover import SentTransfer
from harness.sip.message import Message
from tests.unit.scenario.conftest import MakeContext

REQUEST = (
    "{start} SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: c\r\n"
    "CSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
)
QUEUE = "+18155550194"


def invite(*topics: str) -> Any:
    more = "".join(f"{TOPIC_HEADER}: {topic}\r\n" for topic in topics)
    return Message.parse(REQUEST.format(start="INVITE sip:ada@p", method="INVITE", more=more))


def refer(topic: str | None) -> Any:
    to = f"sip:{QUEUE}@p.example" + (f"?{TOPIC_HEADER}={topic}" if topic else "")
    text = REQUEST.format(start="REFER sip:a@b", method="REFER", more=f"Refer-To: <{to}>\r\n")
    return SimpleNamespace(direction="received", text=text)


def arrives(
    make_context: MakeContext,
    got: Any,
    *,
    by_ai: list[SentTransfer] | None = None,
    passed_on: Any = None,
    alike: bool = False,
) -> Finding:
    """What is found of the topic "billing", where the AI's side tells that and the caller's phone was passed that on."""
    context = make_context("TD-TRANSFER-BLIND")
    context.far_end._declared = None
    leg = SimpleNamespace(messages=[passed_on] if passed_on else [])
    call: Any = SimpleNamespace(first_leg=leg, leg=leg)
    talk: Any = SimpleNamespace(transfers=lambda: by_ai or [])
    landed: Any = SimpleNamespace(label="ada.1", invite=got, record=None, invite_number="m7")
    its: Any = SimpleNamespace(name="Billing", entry=SimpleNamespace(present=("ada",)))
    others: Any = SimpleNamespace(name="Queue", entry=SimpleNamespace(present=("ada", "ben") if alike else ("ben",)))
    Cast(context).topic_arrives(call, talk, landed, "billing", (its, others))
    (finding,) = context.evidence.findings
    assert (finding.check, finding.subject) == ("header", "ada.1")
    return finding


@pytest.mark.parametrize("topics", [("billing",), ("support",), ("billing", "billing")])
def test_what_the_agent_s_invite_has_counts(make_context: MakeContext, topics: tuple[str, ...]) -> None:
    finding = arrives(make_context, invite(*topics), by_ai=[SentTransfer(QUEUE, "billing")])
    assert finding.verdict is header(invite(*topics), "ada.1", TOPIC_HEADER, "billing").verdict
    assert (finding.verdict is Verdict.PASSED) == (topics == ("billing",))


@pytest.mark.parametrize(
    ("topic", "by_refer", "alike"), list(itertools.product(["billing", "support", None], [True, False], [True, False]))
)
def test_a_telephone_is_told_no_topic(
    make_context: MakeContext, topic: str | None, by_refer: bool, alike: bool
) -> None:
    """Then the AI's transfer has to ask for it, and only its people may have taken the call.

    A REFER that the platform passed on to the caller without it shows nothing: the platform may have minded it.
    """
    if by_refer:
        finding = arrives(make_context, invite(), passed_on=refer(topic), alike=alike)
    else:
        finding = arrives(make_context, invite(), by_ai=[SentTransfer(QUEUE, topic)], alike=alike)
    right = Verdict.NOT_OBSERVABLE if alike else Verdict.PASSED
    wrong = Verdict.NOT_OBSERVABLE if by_refer and topic is None else Verdict.FAILED
    assert finding.verdict is (right if topic == "billing" else wrong)


@pytest.mark.parametrize("topic", ["billing", "support", None])
@pytest.mark.parametrize("passed_on", ["billing", "support", None])
def test_the_ai_s_own_side_tells_more_than_what_the_platform_passed_on(
    make_context: MakeContext, topic: str | None, passed_on: str | None
) -> None:
    """A B2BUA may look the topic up itself, and pass a REFER on without it, or with another."""
    finding = arrives(make_context, invite(), by_ai=[SentTransfer(QUEUE, topic)], passed_on=refer(passed_on))
    assert finding.verdict is (Verdict.PASSED if topic == "billing" else Verdict.FAILED)


@pytest.mark.parametrize(
    ("passed_on", "verdict"),
    [("billing", Verdict.PASSED), ("support", Verdict.FAILED), (None, Verdict.NOT_OBSERVABLE)],
)
def test_a_record_that_tells_the_number_alone_leaves_the_topic_to_what_was_passed_on(
    make_context: MakeContext, passed_on: str | None, verdict: Verdict
) -> None:
    by_ai = [SentTransfer(QUEUE, shows_topic=False)]
    assert arrives(make_context, invite(), by_ai=by_ai, passed_on=refer(passed_on)).verdict is verdict


@pytest.mark.parametrize("by_ai", [[], [SentTransfer(QUEUE, shows_topic=False)]])
def test_where_nobody_tells_nothing_is_shown(make_context: MakeContext, by_ai: list[SentTransfer]) -> None:
    assert arrives(make_context, invite(), by_ai=by_ai).verdict is Verdict.NOT_OBSERVABLE
