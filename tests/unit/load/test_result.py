from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from harness.calls.events import SipMessage
from harness.calls.verdict import INTERRUPTED, Verdict
from harness.run.load import picture
from harness.run.load.call import refusal_in
from harness.run.load.result import Percentiles
from tests.unit.load.load_spec import LOAD, call, step


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (None, None, None)),
        ([None], (None, None, None)),
        ([7.0], (7.0, 7.0, 7.0)),
        ([float(n) for n in range(1, 101)], (50.0, 95.0, 99.0)),
        ([3.0, None, 1.0, 2.0], (2.0, 3.0, 3.0)),
    ],
)
def test_percentiles_are_values_that_were_measured(values: list[float | None], expected: object) -> None:
    found = Percentiles.among(values)
    assert (found.p50, found.p95, found.p99) == expected
    assert found.of == len(values) - values.count(None)


def test_the_first_failing_step_is_told() -> None:
    assert (LOAD.first_failing_step, LOAD.calls_held, LOAD.exit_code) == (2, 1, 1)
    assert replace(LOAD, steps=LOAD.steps[:1], verdict=Verdict.PASSED).exit_code == 0
    assert replace(LOAD, verdict=Verdict.BROKEN).exit_code == 3


@pytest.mark.parametrize(
    ("verdict", "messages", "first"),
    [
        (Verdict.BROKEN, [INTERRUPTED], None),
        (Verdict.BROKEN, [INTERRUPTED, "phone caller was lost"], 2),  # before, or amid, the ending of its calls
        (Verdict.FAILED, ["nobody answered"], 2),
    ],
)
def test_a_step_that_ctrl_c_ended_did_not_fail(verdict: Verdict, messages: list[str], first: int | None) -> None:
    calls = [replace(call(at, verdict), message=words, failed_in=2) for at, words in enumerate(messages, 2)]
    stopped = replace(LOAD, steps=[LOAD.steps[0], step(2, 2, 0, verdict)], calls=calls, interrupted=True)
    assert stopped.first_failing_step == first


def said(direction: str, first_line: str, cseq: int | str = 1) -> SipMessage:
    text = f"{first_line}\r\nCSeq: {cseq} INVITE\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n"
    values = {"transport": "udp", "local": "127.0.2.1:5070", "remote": "127.0.3.1:5060"}
    return SipMessage(at=1.0, phone="caller", leg="caller.1", direction=direction, text=text, **values)  # type: ignore[arg-type]


INVITE, CHALLENGE = "INVITE sip:+13125550100@acme.example SIP/2.0", "SIP/2.0 407 Proxy Authentication Required"
CANCEL = "CANCEL sip:+13125550100@acme.example SIP/2.0"


@pytest.mark.parametrize(
    ("answers", "refused"),
    [
        ([], ""),
        (["SIP/2.0 180 Ringing"], ""),
        (["SIP/2.0 180 Ringing", CANCEL, "SIP/2.0 487 Request Terminated"], ""),
        (["SIP/2.0 487 Request Terminated"], "487 Request Terminated"),  # no harness phone had given it up
        (["SIP/2.0 486 Busy Here"], "486 Busy Here"),
        (["SIP/2.0 100 Trying", "SIP/2.0 503 Service Unavailable"], "503 Service Unavailable"),
        ([CHALLENGE], "407 Proxy Authentication Required"),
    ],
)
@pytest.mark.parametrize("challenged", [False, True])
def test_a_call_that_we_gave_up_was_not_refused(answers: list[str], refused: str, challenged: bool) -> None:
    before = [said("sent", INVITE), said("received", CHALLENGE)] if challenged else []
    came = [said("sent" if line is CANCEL else "received", line, 2) for line in answers]
    assert refusal_in([*before, said("sent", INVITE, 2), *came]) == refused


def test_a_response_whose_cseq_nobody_can_read_ends_no_load() -> None:
    """Its figures are made when all of its calls are over."""
    unread = said("received", "SIP/2.0 486 Busy Here", "first")
    assert refusal_in([said("sent", INVITE), unread]) == ""
    assert refusal_in([said("sent", INVITE), unread, said("received", "SIP/2.0 503 x")]) == "503 x"


def test_the_picture_shows_each_call_and_each_step() -> None:
    root = ElementTree.fromstring(picture.svg(LOAD))
    said = "".join(root.itertext())
    assert "lab: 1 of 2 calls held and verified" in said
    assert "step 1 (1): passed" in said
    assert "step 2 (2): failed" in said
    assert len(root.findall(".//{*}circle")) == 4, "setup and post-dial delay of two calls"
    assert len(root.findall(".//{*}path")) == 1, "one did not pass"
    (line,) = root.findall(".//{*}polyline")
    heights = [float(point.partition(",")[2]) for point in line.attrib["points"].split()]
    assert min(heights) == heights[0] - 190 / 2, "one of two calls was up"
    assert heights[-1] == heights[0]
