"""What calls are held to, where a harness phone sees all of it: digits, encryption, one call each,
nobody rings on.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings

from harness.audio.dtmf import dtmf
from harness.audio.wav import to_int16
from harness.case.checks.finding import judged
from harness.case.events import DtmfReceived, Event
from harness.case.verdict import Verdict
from harness.deployment import Expectations
from harness.integrations import load
from harness.report.evidence import CaseEvidence
from harness.scenario.call import Call
from harness.scenario.cast import Cast
from harness.scenario.conclusion import require_promised_findings
from harness.scenario.context import line_of
from harness.scenario.expect import Expect
from harness.sip.message import Request
from harness.support.resources import EXAMPLES
from harness.witness.call_record import CallRecord
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, ScriptedLeg, ScriptedPhone, invite, leg

quickly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
FILE = EXAMPLES / "simulated-talkdesk.toml"
PASSED, FAILED = Verdict.PASSED, Verdict.FAILED


def expecting(make_context: MakeContext, *events: Event) -> tuple[Any, Expect]:
    """A case, and what is expected of a call with these events."""
    context = make_context(expect=Expectations(released_within_s=0.2))
    return context, Expect(context, Call(context, leg(*events), "caller"))


def verdicts(context: Any) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in context.evidence.findings}


# -- who calls


@pytest.mark.parametrize(
    ("agent", "caller", "written", "verdict"),
    [
        (
            "+442079460188",
            "+442079460100",
            "02079460100",
            PASSED,
        ),  # as London writes it, whatever the file's region
        ("+442079460188", "+442079460100", "+442079460100", PASSED),
        ("+442079460188", "+14155550101", "0014155550101", PASSED),
        ("+442079460188", "+442079460100", "02079460101", FAILED),
        (
            "+13125550177",
            "+442079460100",
            "02079460100",
            FAILED,
        ),  # Chicago writes no number of London so
        ("+13125550177", "+442079460100", "011442079460100", PASSED),
    ],
)
def test_a_telephone_s_own_country_has_the_national_form(
    make_context: MakeContext, agent: str, caller: str, written: str, verdict: Verdict
) -> None:
    context = make_context()
    assert context.deployment.region == "US"
    phones = context.deployment.phones
    telephone = phones["billing"].model_copy(update={"number": agent})
    context.deployment = context.deployment.model_copy(
        update={"phones": {**phones, "billing": telephone}}
    )
    invite = Request.parse(TO_AGENT.format(written=written))
    end: Any = SimpleNamespace(
        label="billing.1",
        role="agent",
        phone_name="billing",
        invite=invite,
        invite_number="",
        record=None,
    )
    Expect(context, end).caller_id(caller)
    assert verdicts(context) == {"caller_id": verdict}


@pytest.mark.parametrize(
    ("of_agents", "of_group"), [(None, "national"), ("national", None), ("e164", "national")]
)
@pytest.mark.parametrize("written", ["4155550101", "+14155550101"])
def test_agents_may_be_shown_numbers_in_another_form_than_the_ai(
    make_context: MakeContext, of_agents: Any, of_group: Any, written: str
) -> None:
    context = make_context(expect=Expectations(agent_number_format=of_agents))
    groups = dict(context.deployment.groups)
    groups["billing"] = groups["billing"].model_copy(update={"number_format": of_group})
    context.deployment = context.deployment.model_copy(update={"groups": groups})
    agent = Call(context, leg(invite(written), name="billing.1"), "agent")
    agent.group = "billing"
    Expect(context, agent).caller_id("+14155550101")
    assert verdicts(context) == {"caller_id": FAILED if written.startswith("+") else PASSED}


TO_AGENT = (
    "INVITE sip:billing@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:{written}@p.example>;tag=1\r\n"
    "To: <sip:billing@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)


# -- digits


def digit(at: float, sign: str, method: str = "rfc4733", ms: int = 100) -> DtmfReceived:
    return DtmfReceived(at=at, digit=sign, duration_ms=ms, method=cast("Any", method), **TOLD)


@pytest.mark.parametrize(
    ("method", "ms", "asked", "expected"),
    [
        ("rfc4733", 100, "rfc4733", {"dtmf": PASSED, "dtmf.duration": PASSED}),
        ("rfc4733", 20, "rfc4733", {"dtmf": PASSED, "dtmf.duration": FAILED}),
        ("inband", 100, "rfc4733", {"dtmf": FAILED, "dtmf.duration": PASSED}),
        ("info", 0, "info", {"dtmf": PASSED}),  # an INFO need not say how long
        ("rfc4733", 100, "info", {"dtmf": FAILED}),
    ],
)
def test_digits_come_in_the_way_that_was_asked_for(
    make_context: MakeContext, method: str, ms: int, asked: str, expected: dict[str, Verdict]
) -> None:
    context, expect = expecting(make_context, digit(1.0, "7", method, ms))
    expect.digits("7", asked)
    assert verdicts(context) == expected


def test_digits_in_the_audio_are_told_from_none(make_context: MakeContext) -> None:
    """A trunk may make tones of events; with events, the tones beside them do not count."""
    tones = to_int16(dtmf("15#"))
    context = make_context(expect=Expectations(released_within_s=0.2))
    heard = ScriptedLeg(heard=lambda since: tones)
    Expect(context, Call(context, cast("Any", heard), "caller")).digits("15#", "rfc4733")
    assert verdicts(context) == {"dtmf": FAILED, "dtmf.duration": PASSED}
    assert context.evidence.findings[0].actual == "15# by tones in the audio (in-band)"


# -- a BYE of ours


# -- what a case as a whole promises


@pytest.mark.parametrize(
    ("named", "verdict"),
    [
        (("confirmed",), PASSED),
        (("confirmed", "disconnected"), PASSED),
        (("confirmed", "confirmed"), FAILED),  # the leg that was transferred away is still up
        (("confirmed", "incoming"), FAILED),  # a second call rings
        (("disconnected",), FAILED),
    ],
)
def test_each_phone_has_its_one_call_up(
    make_context: MakeContext, named: tuple[str, ...], verdict: Verdict
) -> None:
    context, phone = make_context(expect=Expectations(patience_s=0.05)), ScriptedPhone("caller")
    legs = [
        phone.add(leg(name=f"caller.{number}", state=state))
        for number, state in enumerate(named, start=1)
    ]
    Cast(context).one_call_each(Call(context, legs[0], "caller"))
    assert verdicts(context) == {"one_call": verdict}


def test_what_the_row_promises_and_nobody_looked_at_is_not_observable(
    make_context: MakeContext,
) -> None:
    context = make_context()
    promised = context.case.required_findings
    assert promised
    require_promised_findings(context)
    unseen = context.evidence.findings
    assert {finding.verdict for finding in unseen} == {Verdict.NOT_OBSERVABLE}
    assert [finding.check for finding in unseen] == [kind.check for kind in promised]
    once = make_context()
    kind, least = next(
        (kind, least) for kind, least in promised.items() if kind.each() and "." in kind.check
    )
    for _ in range(least):
        once.evidence.raised(judged(kind.check, "x", True, expected="so", actual="so"))
    require_promised_findings(once)
    assert len(once.evidence.findings) == least + len(promised) - 1


# -- what only the far end's record tells


NUMBER, ANOTHER, DID = "+14155550101", "+14155550199", "+12065550100"


def recorded(make_context: MakeContext, **fields: Any) -> tuple[Any, Expect]:
    """A call of the AI's of which its record is all there is."""
    context = make_context()
    told = CallRecord("c1", fields)
    end = SimpleNamespace(
        label="assistant main",
        record=told,
        invite=None,
        invite_number="",
        arrival=None,
        role="ai",
    )
    return context, Expect(context, cast("Any", SimpleNamespace(**vars(end), phone_name="")))


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        (NUMBER, PASSED),
        ("(415) 555-0101", PASSED),
        (ANOTHER, FAILED),
        ("anonymous", FAILED),
        (None, None),
        ("+1415*****01", None),  # what hides digits hides who called
    ],
)
def test_a_record_s_caller_is_held_to_the_caller_s_number(
    make_context: MakeContext, shown: str | None, verdict: Verdict | None
) -> None:
    context, expect = recorded(make_context, phone_number_from=shown)
    expect.caller_id(NUMBER)
    assert verdicts(context) == {"caller_id": verdict or Verdict.NOT_OBSERVABLE}


OWN, OVER, OTHER = "198.51.100.20:5060", "198.51.100.21:5061", "198.51.100.22:5060"


@pytest.mark.parametrize(
    ("came_from", "received_on", "verdict", "said"),
    [
        (OWN, ("udp", "192.0.2.60:32681"), PASSED, False),
        (OVER, ("tls", "192.0.2.60:32682"), PASSED, True),
        (OTHER, ("tcp", "192.0.2.60:32681"), FAILED, False),
        # behind a host that no trunk names, the transport tells
        ("192.0.2.99:5061", ("tls", "192.0.2.60:32682"), PASSED, True),
        ("192.0.2.99:5060", ("tcp", "192.0.2.60:32681"), FAILED, False),
    ],
)
def test_a_call_may_come_over_the_failover_trunk(
    make_context: MakeContext,
    came_from: str,
    received_on: tuple[str, str],
    verdict: Verdict,
    said: bool,
) -> None:
    places = {"udp-ip": OWN, "tls-ip": OVER, "tcp-ip": OTHER}
    named = [trunk for trunk in load(FILE).trunks if trunk.name in places]
    trunks = [t.model_copy(update={"termination": places[t.name]}) for t in named]
    context = make_context(trunks=tuple(trunks))
    end = SimpleNamespace(
        label="stand-in.1",
        record=None,
        invite=None,
        invite_number="",
        role="ai",
        phone_name="",
        arrival=SimpleNamespace(transport=received_on[0], local=received_on[1], remote=came_from),
    )
    line = line_of(context.deployment, context.deployment.trunk("udp-ip"), "trunk-failover")
    Expect(context, cast("Any", end)).addressed_to(line)
    found = verdicts(context)
    assert found["route.transport"] == found.get("route.trunk", verdict) == verdict
    notes = CaseEvidence.read(context.evidence.directory).notes
    assert ["tls-ip, the failover trunk" in note.text for note in notes] == [True] * said
