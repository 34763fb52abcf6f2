"""What happens in the examples: a call that is refused, taken, handed over … up to the part that an
example is about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from harness.case.events import SipMessage
from harness.diagnosis import Diagnosis
from tests.unit.diagnosis.case import STRANGER, Example, description, dialled

GROUP = "+18155550101"  #: billing, at Talkdesk
OTHER_GROUP = "+18155550102"
NOBODY = "+17735550199"
QUEUE = "+18085550101"
#: As a file has it that is not of a simulated deployment.
RINGS_30_S = {"timings.ring_timeout_s": 30.0, "timings.quick": None}


@dataclass(frozen=True)
class Expected:
    """Evidence in, answer out: ``answer`` is what :func:`answer` makes of the diagnosis, which
    without ``rule`` is another.
    """

    rule: str
    example: Example
    answer: str


def answer(diagnosis: Diagnosis) -> str:
    """The causes in order, by confidence: "certain a; possible b", or "one of a, b" where one
    observation would decide.
    """
    groups = []
    for (_, confidence, is_candidate), group in groupby(
        diagnosis.causes,
        lambda cause: (cause.separating_observation, cause.confidence, cause.candidate),
    ):
        names = [cause.id for cause in group]
        groups.append(
            f"{'one of' if is_candidate and len(names) > 1 else confidence} {', '.join(names)}"
        )
    return "; ".join(groups)


def fallback(example: Example, after: float = 0.1) -> Example:
    """The AI was not had, and an agent's phone rang until the caller gave up."""
    return example.dials().after(after).rings("reception").after(4).gives_up()


def refused(example: Example, code: int, reason: str = "", **invite: object) -> Example:
    """The call got to the AI, which refused it."""
    fallback(example).ai_gets(**invite).ai_answers(code, reason)  # type: ignore[arg-type]
    return example.all_ports_answer().not_taken(
        "the phone reception", attempted=[f"failed:{example.did}"]
    )


def refused_unseen(code: int) -> Example:
    """The caller was refused, and nobody could look at the AI's side."""
    example = dialled().after(0.2).ends_here(code, "Not Acceptable Here").all_ports_answer()
    return example.finding(
        "landing.answered_by", "the call", answered=[], wanted="main", unseen=True
    )


def nothing(example: Example, after: float = 0.1) -> Example:
    """Nothing of the call reached the AI."""
    return fallback(example, after).not_taken("the phone reception")


def talk(example: Example | None = None, *, withheld: bool = False, **invite: Any) -> Example:
    """The AI answered."""
    called = (example or Example()).dials(withheld=withheld).after(0.1).ai_gets(**invite)
    return called.answered().taken().counted()


def heard(example: Example | None = None, **invite: Any) -> Example:
    """Caller and AI hear each other."""
    return talk(example, **invite).both_hear()


def people(row: str = "PEOPLE", line: str = "people", **fields: Any) -> Example:
    """A call to a number that leads to people."""
    return Example(row=row, line=line, **fields).dials()


def taken(ai: str = "synthflow") -> Example:
    """The AI answered, both sides have one codec, and nobody has counted any RTP."""
    example = dialled(ai=ai).after(0.1).ai_gets(address="198.51.100.20").answered().taken()
    example.codec("caller.1", "PCMU")
    return (
        example.codec("stand-in.1", "PCMU")
        if ai == "stand-in"
        else example.record(witness={"codec": "PCMU"})
    )


def transfer(example: Example | None = None, row: str = "TD-TRANSFER-BLIND") -> Example:
    """Caller and AI talk, and the AI is asked for a person."""
    example = example or Example()
    example.row = row
    return heard(example)


def referred(**fields: Any) -> Example:
    """The AI asks the platform to transfer the call to the group, and the platform accepts that."""
    return transfer(Example(**fields)).ai_refers(GROUP).platform_says(202)


def campaign() -> Example:
    return Example(row="TD-OUTBOUND-CAMPAIGN", line="campaign")


def refused_caller(code: int, words: str) -> Example:
    """The platform refuses the caller at once."""
    return dialled().ends_at_once(code, words).all_ports_answer().not_taken()


def warm(example: Example | None = None) -> Example:
    example = example or Example()
    example.line = "inbound-warm"
    return transfer(example, "TD-TRANSFER-WARM")


def register(code: int, reason: str = "", **trunk: str) -> Example:
    given = {"authentication": "digest"} | trunk
    example = Example(row="TD-REGISTER-OK", **given)  # type: ignore[arg-type]
    actual = f"it was answered {code} {reason}" if code else "it was never answered"
    example.finding("registration", "Synthflow's number", actual=actual, code=code, reason=reason)
    return example.all_ports_answer()


def from_outside() -> Example:
    """A REGISTER from an address that is not allowed, to which nothing is said."""
    example = register(0, ai="stand-in", authentication="ip")
    example._sip("sent", "REGISTER sip:sbc.example SIP/2.0")
    sent = example.events[-1]
    assert isinstance(sent, SipMessage)
    example.events[-1] = replace(sent, local=f"{STRANGER}:5062")
    return example


def challenged(example: Example) -> Example:
    """The registrar asked for credentials before it refused; seen at the stand-in's own phone."""
    return example._sip("received", "SIP/2.0 401 Unauthorized", "REGISTER")


def called(example: Example) -> Example:
    """The AI answered, and the caller has not been told yet."""
    return example.dials().after(0.1).ai_gets().ai_answers().taken()


ON_HOLD = description("192.0.2.2", "0", lines="a=inactive\r\n")


def refused_fallback() -> Example:
    """The AI refused, and the caller was left ringing."""
    example = dialled(row="TD-FALLBACK-REFUSED", line="fallback-refused")
    example.ai_gets().ai_answers(503, "Service Unavailable")
    return example.all_ports_answer().after(4)


def stood_in(**invite: str) -> Example:
    """A stand-in answers whatever it is asked for."""
    return dialled(ai="stand-in").ai_gets(**invite).ai_answers().answered()  # type: ignore[arg-type]


def left_up(example: Example) -> Example:
    """The AI's leg does not end when the caller hangs up."""
    example.row = "HANGUP-CALLER"
    return example.both_hear().still_up(example.ai_label)


def handed_on(example: Example, *answers: int, crossed: bool = False) -> Example:
    """The AI's side gets a BYE, behind one of its own where they cross, and answers it."""
    within = {"to": "<sip:ai@192.0.2.60>;tag=b", "number": "3"}
    if crossed:
        example._sip("sent", "BYE sip:platform SIP/2.0", **{**within, "number": "9"})
    example._sip("received", "BYE sip:ai@192.0.2.60 SIP/2.0", **within)
    for code in answers:
        example._sip("sent", f"SIP/2.0 {code} x", "BYE", **within)
    return example


def lost(example: Example) -> Example:
    return example.landed("billing").probed("termination", "answers")
