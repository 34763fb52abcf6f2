"""Which handover a call landed by, and whether its topic reached the platform."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.verdict import Finding, Verdict
from harness.deployment import TOPIC_HEADER, Group, Handover
from harness.scenario import handover
from harness.scenario.cast import Cast
from harness.scenario.context import CaseContext
from harness.scenario.handover import SentTransfer
from harness.sip.message import Message
from tests.unit.scenario.conftest import MakeContext, judged

BOTH, ONE, OTHER = "+18155550191", "+18155550192", "+18155550193"
HEADERS = "Via: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: c\r\n"


@pytest.fixture
def landed(make_context: MakeContext) -> Callable[..., CaseContext]:
    """Asked for "both" (Ada and Ben), "one" (Ada), or "other" (Ben and Eve), and who rang then."""

    def landed(asked: str, *rang: str) -> CaseContext:
        groups = {
            "Both": Group(did=BOTH, agents=("ada", "ben")),
            "One": Group(did=ONE, agents=("ada",)),
            "Other": Group(did=OTHER, agents=("ben", "eve")),
        }
        handovers = {
            "both": Handover(transfer="cold", transfer_to="Both", digit="1"),
            "one": Handover(transfer="cold", transfer_to="One", digit="2"),
            "other": Handover(transfer="cold", transfer_to="Other", digit="3"),
        }
        context = make_context("TD-TRANSFER-BLIND")
        name = str(context.deployment.lines[str(context.case.line)].assistant)
        entry = context.deployment.assistants[name].model_copy(
            update={"transfer": None, "transfer_to": None, "handovers": handovers}
        )
        assistants = {**context.deployment.assistants, name: entry}
        context.deployment = context.deployment.model_copy(
            update={"groups": groups, "assistants": assistants}
        )
        context.case = replace(context.case, axes=context.case.axes | {"handover": asked})
        context.phones.rang = lambda *_, **__: list(rang)  # type: ignore[method-assign]
        return context

    return landed


@pytest.mark.parametrize(
    ("sent", "verdict", "actual"),
    [
        ([SentTransfer(BOTH)], Verdict.PASSED, "it landed at Both (ada)"),
        ([SentTransfer("8155550191")], Verdict.PASSED, "it landed at Both (ada)"),
        ([SentTransfer(ONE)], Verdict.FAILED, "it landed at One (ada)"),
        ([SentTransfer(BOTH), SentTransfer(ONE)], Verdict.FAILED, "it landed at One (ada)"),
        ([], Verdict.NOT_OBSERVABLE, "not tell where it transferred to"),
        (
            [SentTransfer("+18155550199")],
            Verdict.NOT_OBSERVABLE,
            "is the number of none of them",
        ),  # whose alias, nobody knows
    ],
)
def test_what_the_ai_sent_tells(
    landed: Callable[..., CaseContext], sent: list[SentTransfer], verdict: Verdict, actual: str
) -> None:
    found = judged(handover.landing_by(landed("both", "ada"), "Both", ["One"], sent))
    assert (found.check, found.verdict) == ("landing", verdict)
    assert actual in found.actual


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (
            f"REFER sip:p SIP/2.0\r\n{HEADERS}To: <sip:c@d>;tag=2\r\nCSeq: 2 REFER\r\n"
            f"Refer-To: <sip:{ONE}@p.example;transport=tls?X-Gladly-Routing-Selector=one>\r\nContent-Length: 0\r\n\r\n",
            [SentTransfer(ONE, "one")],
        ),
        (
            f"INVITE sip:{ONE}@p.example SIP/2.0\r\n{HEADERS}To: <sip:c@d>\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
            [SentTransfer(ONE)],
        ),
        (
            f"INVITE sip:{ONE}@p SIP/2.0\r\n{HEADERS}To: <sip:c@d>;tag=2\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
            [],
        ),
        ("REFER sip:p SIP/2.0\r\nnonsense", []),
    ],
)
def test_a_transfer_in_messages(text: str, sent: list[SentTransfer]) -> None:
    assert list(handover.in_messages([text])) == sent


def test_a_transfer_in_a_record() -> None:
    actions: list[Any] = [
        "transfer",
        {"name": "end_call", "to": BOTH},
        {"name": "transfer_call", "to": None},
        {"name": "live_transfer", "to": ONE},
        {"name": "transfer_call", "to": f"sip:{BOTH}@p.example;transport=tls"},
        {"name": "transfer_call", "to": "the billing people"},
    ]
    assert list(handover.in_actions(actions[:-1])) == [SentTransfer(BOTH, shows_topic=False)]
    assert (
        list(handover.in_actions(actions)) == []
    )  # by the last it may have landed, wherever that leads


# -- That a transfer's topic reached the platform, where the agent's phone may never be told of it


REQUEST = (
    "{start} SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: c\r\n"
    "CSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
)
OTHER_QUEUE = "+18155550194"


def invite(*topics: str) -> Any:
    more = "".join(f"{TOPIC_HEADER}: {topic}\r\n" for topic in topics)
    return Message.parse(REQUEST.format(start="INVITE sip:ada@p", method="INVITE", more=more))


def refer(topic: str | None) -> Any:
    to = f"sip:{OTHER_QUEUE}@p.example" + (f"?{TOPIC_HEADER}={topic}" if topic else "")
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
    """What is found of the topic "billing", where the AI's side tells that and the caller's phone
    was passed that on.
    """
    context = make_context("TD-TRANSFER-BLIND")
    context.far_end.lag_s = 0.0
    leg = SimpleNamespace(messages=[passed_on] if passed_on else [])
    call: Any = SimpleNamespace(received=leg.messages)
    talk: Any = SimpleNamespace(transfers=lambda: by_ai or [])
    landed: Any = SimpleNamespace(label="ada.1", invite=got, record=None, invite_number="m7")
    its: Any = SimpleNamespace(name="Billing", entry=SimpleNamespace(present=("ada",)))
    others: Any = SimpleNamespace(
        name="Queue", entry=SimpleNamespace(present=("ada", "ben") if alike else ("ben",))
    )
    Cast(context).topic_arrives(call, talk, landed, "billing", (its, others))
    (finding,) = context.evidence.findings
    assert (finding.check, finding.subject) == ("header", "ada.1")
    return finding


@pytest.mark.parametrize(
    ("topic", "by_refer", "alike"),
    list(itertools.product(["billing", "support", None], [True, False], [True, False])),
)
def test_a_telephone_is_told_no_topic(
    make_context: MakeContext, topic: str | None, by_refer: bool, alike: bool
) -> None:
    """Then the AI's transfer has to ask for it, and only its people may have taken the call.

    A REFER that the platform passed on to the caller without it shows nothing: the platform may
    have minded it.
    """
    if by_refer:
        finding = arrives(make_context, invite(), passed_on=refer(topic), alike=alike)
    else:
        finding = arrives(
            make_context, invite(), by_ai=[SentTransfer(OTHER_QUEUE, topic)], alike=alike
        )
    right = Verdict.NOT_OBSERVABLE if alike else Verdict.PASSED
    wrong = Verdict.NOT_OBSERVABLE if by_refer and topic is None else Verdict.FAILED
    assert finding.verdict is (right if topic == "billing" else wrong)
