"""The table of checks: one line declares a check, and every other module reads its properties here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from harness.case.measurement import (
    AnsweredBy,
    Answers,
    Beneath,
    CallerId,
    CallsUp,
    Codec,
    Crossing,
    Delay,
    DigitDurations,
    Digits,
    Direction,
    Duration,
    EarlyMedia,
    Encryption,
    FinalResponse,
    Header,
    Landing,
    Lasted,
    Level,
    Loss,
    Machine,
    Measurement,
    Provisional,
    Reached,
    ReferMode,
    Repeated,
    RequestUser,
    Ringing,
    SessionInterval,
    Silence,
    Spoken,
    StopsRinging,
    Transport,
    Trunk,
    Wait,
    Withheld,
)
from harness.support.field_kinds import require_kinds

#: What a failed finding is a symptom of, in the order of a call: an earlier symptom may cause a
#: later one, never the reverse.
Symptom = Literal[
    "registration",
    "answered.first",
    "reach",
    "route",
    "codec",
    "audio",
    "quality",
    "caller_id.ai",
    "caller_id.agent",
    "caller_id.customer",
    "caller_id.withheld",
    "header.caller",
    "header.selector",
    "header.other",
    "transfer.unasked",
    "transfer",
    "audio.agent",
    "release",
    "fallback",
    "fallback.time",
    "final",
    "digits",
    "responsiveness",
    "other",
]
SYMPTOMS: Final[tuple[Symptom, ...]] = get_args(Symptom)
#: Who makes a finding, or saw an event.
Role = Literal["caller", "agent", "ai", "probe"]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its stable dotted name, what a failed finding says, and what a passed one claims in
    report and sign-off.
    """

    name: str
    failed: str
    claim: str  #: ``{}`` is the listener, or the header, that the finding is about
    measures: type[Measurement] | None = None
    symptom: Symptom | None = None  #: where the check alone decides it
    made_by: Role | None = None  #: where that does not depend on the finding's subject
    at_ai: bool = (
        False  #: made at the AI's end: where no harness phone is the AI, its record is the source
    )
    needs_call: bool = False  #: if a harness phone refused a call for lack of room, the call's absence proves nothing
    #: If a harness phone did not act on a request within a call, its absence proves nothing.
    needs_request: bool = False
    held: Held | None = None  #: where it compares a measured time with a limit of the deployment
    #: Judged by what a message or a voice says, not by when it comes: a stall of this machine excuses
    #: nothing.
    by_content: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A time of a call that is held to a limit, after the case."""

    event: str  #: what must come in time
    #: Title of the time (:mod:`harness.case.checks.responsiveness`, or of a call's facts).
    time: str
    limit: str  #: key of ``[responsiveness]``


# fmt: off
_ROWS: Final = (
    Check("registration", "the SIP number is not registered in time", "the SIP number is registered",
          FinalResponse, symptom="registration", made_by="ai", at_ai=True),
    Check("registration.refused", "a registration that must be refused is not", "a wrong registration is refused",
          FinalResponse, symptom="registration", made_by="ai", at_ai=True),
    Check("ringing", "the caller is not told that it rings", "it rings in time", Duration, needs_call=True),
    Check("answered", "the call is not answered in time", "the call is answered in time", Duration, needs_call=True),
    Check("call.up", "the call ends before anyone has hung up", "the call stays up", Lasted, needs_request=True),
    Check("answered.once", "more than one party answers the call", "one party answers", Answers),
    Check("answered.passed_on", "the caller is connected long after the AI has answered",
          "the caller is connected when the AI answers", Duration, symptom="quality", made_by="caller"),
    Check("answered.acknowledged", "an answer is repeated: its ACK does not arrive",
          "the ACK of the answer arrives", Repeated),
    Check("landing.answered_by", "not the AI, or not it alone, answered", "who answered",
          AnsweredBy, symptom="reach", made_by="ai", at_ai=True, needs_call=True),
    Check("route.tried", "the AI was not asked to take the call", "the AI was asked to take the call",
          Reached, symptom="reach", made_by="ai", at_ai=True),
    Check("route.not_answered", "a call was set up that must not be", "no call was set up", AnsweredBy, at_ai=True),
    Check("route.not_reached", "an INVITE was sent that must not be", "the AI was sent no INVITE", Reached,
          at_ai=True, by_content=True),
    Check("route.request_uri", "the Request-URI names another number", "the number called",
          RequestUser, symptom="route", at_ai=True, by_content=True),
    Check("route.transport", "the call came over another transport, or to another port", "transport",
          Transport, symptom="route", at_ai=True, by_content=True),
    Check("route.trunk", "the call came over another trunk", "trunk", Trunk, symptom="route", at_ai=True, by_content=True),
    Check("codec", "another codec, or none, was negotiated", "codec", Codec, symptom="codec", at_ai=True),
    Check("media.encrypted", "the media is not SRTP", "SRTP", Encryption, by_content=True),
    Check("audio", "one end does not hear the other", "audio to {}", Direction, needs_request=True),
    Check("audio.early", "nothing is heard before the answer", "audio before the answer", EarlyMedia),
    Check("audio.silent", "a voice is heard that must not be", "a voice that must be silent is", Silence, needs_request=True),
    Check("audio.crossed", "another call's voice is heard", "no voice of another call", Crossing, symptom="audio", by_content=True),
    Check("audio.echo", "an end hears itself", "no echo", Crossing, by_content=True),
    Check("audio.level", "a voice arrives much too quiet, or too loud", "loudness", Level, symptom="quality", by_content=True),
    Check("audio.beneath", "another sound is heard beneath a voice", "nothing beneath the voices", Beneath,
          symptom="quality"),
    Check("audio.loss", "too much RTP is lost", "RTP loss", Loss, symptom="quality"),
    Check("audio.first", "the first seconds of a voice do not arrive", "the first audio arrives in time",
          Delay, symptom="quality"),
    Check("audio.delay", "a voice arrives too late", "time until somebody is heard", Delay, symptom="quality"),
    Check("audio.words", "what is said after a pause arrives without its beginning", "words arrive whole",
          Delay, symptom="quality"),
    Check("audio.one_way_delay", "what one end says is under way too long", "one-way delay", Delay, symptom="quality"),
    Check("caller_id", "From does not name the caller as agreed", "the caller's number", CallerId, at_ai=True, by_content=True),
    Check("caller_id.asserted", "P-Asserted-Identity names somebody else", "P-Asserted-Identity names no one else",
          CallerId, at_ai=True, by_content=True),
    Check("caller_id.withheld", "a withheld number is shown, or is not asserted", "a withheld number stays withheld",
          Withheld, symptom="caller_id.withheld", at_ai=True, by_content=True),
    Check("header", "a header is missing, wrong, or there twice", "{}", Header, at_ai=True, by_content=True),
    Check("header.absent", "a header is there that must not be", "no {}", Header, at_ai=True, by_content=True),
    Check("landing", "the call does not ring where it should", "where it rang", Landing, made_by="agent", needs_call=True),
    Check("landing.turn", "agents ring in another order than their group is set up with, or before anybody asks for them",
          "agents ring in their turn", Ringing, needs_call=True),
    Check("landing.stops", "an agent's phone goes on ringing after another agent has answered",
          "the other agents' phones stop ringing", StopsRinging, needs_request=True),
    Check("landing.others", "a phone rings that must not", "no other phone rang", Ringing, made_by="agent"),
    Check("one_call", "a party has another call up, or none", "each party has one call", CallsUp, needs_request=True),
    Check("transfer.refer", "the platform treats the AI's REFER in another way than the file declares",
          "what the platform does with the AI's REFER", ReferMode, symptom="transfer"),
    Check("transfer.fails", "a transfer that cannot succeed is not refused", "a transfer that cannot succeed is refused",
          FinalResponse, symptom="transfer", made_by="ai", at_ai=True, needs_request=True),
    Check("announcement", "the platform does not speak before it calls anybody",
          "the platform speaks first", Duration, symptom="other"),
    Check("landing.accepted", "an agent's telephone is connected without the digit that accepts the call",
          "a telephone is connected once its digit is pressed", Ringing, symptom="other", by_content=True),
    Check("transfer.told", "a caller whose transfer reaches no one is released without a word",
          "a caller whose transfer reaches no one is told", Spoken, symptom="responsiveness"),
    Check("released", "a leg does not end in time", "the leg ends in time",
          Duration, symptom="release", at_ai=True, needs_request=True),
    Check("timing", "something does not take the time that is configured", "a configured time",
          Duration, symptom="fallback.time"),
    Check("timing.within", "something comes too late, or never", "what has to follow in time", Duration, needs_call=True),
    Check("final_response", "the call ends with another final response", "the final response",
          FinalResponse, symptom="final", needs_call=True),
    Check("dtmf", "the digits do not arrive as sent", "digits", Digits, symptom="digits", at_ai=True, needs_request=True),
    Check("dtmf.duration", "a digit is too short or too long", "the digits' length", DigitDurations, symptom="digits"),
    Check("session.interval", "no session interval, or a forbidden one, is agreed", "session timer", SessionInterval, by_content=True),
    Check("prack", "no provisional response is sent reliably", "reliable provisional responses", Provisional),
    Check("voicemail", "no machine takes a message in an empty group", "voicemail in an empty group", Machine),
    Check("campaign", "nothing can start the campaign", "the campaign starts"),
    Check("responsiveness.dead_air", "the AI says nothing for too long after its answer", "dead air within its limit",
          Duration, symptom="responsiveness",
          held=Held("the AI's first word comes", "dead air before the first word", "dead_air_s")),
    Check("responsiveness.answer", "the AI takes too long to answer the caller", "the AI's answers within their limit",
          Duration, symptom="responsiveness", held=Held("the AI answers the caller's last word", "answer time", "answer_s")),
    Check("responsiveness.transfer", "silence lasts too long while the AI hands over", "silence in the transfer within its limit",
          Duration, symptom="responsiveness",
          held=Held("the person is heard after the AI's last sound", "silence in the transfer", "transfer_silence_s")),
    Check("responsiveness.interruption", "the AI does not stop in time when it is interrupted",
          "the AI stops within its limit when interrupted", Duration, symptom="responsiveness",
          held=Held("the AI stops when the caller speaks", "stops when interrupted", "interruption_s")),
    Check("case", "the case looked at nothing", ""),
    Check("phone.wait", "what a phone waits for (ringing, an answer, a digit …) does not come", "",
          Wait, needs_call=True, needs_request=True),
)
# fmt: on

CHECKS: Final[Mapping[str, Check]] = {row.name: row for row in _ROWS}
#: The checks of a voice agent's responsiveness.
RESPONSIVENESS: Final[Mapping[str, Held]] = {row.name: row.held for row in _ROWS if row.held}


def check_named(name: str) -> Check:
    """The check of that name. A scenario's own check, which the table does not have, measures
    nothing and has no properties.
    """
    return CHECKS.get(name) or Check(name, name, name)


def read_measurement(check: str, plain: Mapping[str, Any]) -> Measurement:
    """The inverse of :meth:`Measurement.plain`. Raises ``KeyError`` for a check without one,
    ``TypeError`` for wrong fields.
    """
    kind = check_named(check).measures
    if kind is None:
        raise KeyError(check)
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
    }
    require_kinds(kind, values)
    return kind(**values)
