"""What files that others made show of what a case expected: the judge judges it with that again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from harness.case.checks.audio import Sound
from harness.case.checks.claims import Denial, Observation
from harness.case.checks.registry import plain_argument
from harness.case.events import Expected, FileEvent, MarkInFile, MessageInFile, VoiceInFile
from harness.case.model import messages_of, read
from harness.case.verdict import Finding, Verdict
from harness.report.evidence import CaseEvidence
from harness.report.flow import FlowEnd, captured_number
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response
from harness.sip.sdp import Description, SdpError
from harness.support.mask import DOT, fill_plain

#: ``MarkInFile.made_at`` of a recording made at the AI.
AT_AI: Final = "ai"
_BY_MARK: Final = Observation.MARK.name.lower()  #: a harness phone heard it at the AI's end
_LATER_S: Final = 1.0  # a mark is heard this much later than it is sent
#: What ``hosts`` of a case calls the AI's address.
_AI: Final = "synthflow"


class FileEvidence:
    """The events that files add to a case, as far as checks ask for them."""

    def __init__(self, evidence: CaseEvidence, added: Sequence[FileEvent]) -> None:
        self._evidence = evidence
        self._marks = [event for event in added if isinstance(event, MarkInFile)]
        voices = [event for event in added if isinstance(event, VoiceInFile)]
        self._voices = [event for event in voices if event.made_at == AT_AI]
        self._messages = [event for event in added if isinstance(event, MessageInFile)]
        asked = (one.given.get("value") for one in evidence.events.of(Expected))
        #: Header values whose numbers are masked, with zeros: what was sent is not known.
        self._unknown = {fill_plain(value) for value in asked if value and DOT in value}

    def expected(self, expected: Expected, found: Finding | None) -> Expected | None:
        """The expectation with what files show of it; None where no file shows anything of it.

        ``found``: its finding without them.
        """
        if found is None:
            return None
        if expected.check == "audio":
            given = self._direction(expected, found)
            return None if given is None else replace(expected, given=given)
        if not expected.given.get("subject", "").startswith("assistant "):
            return None
        is_unknown = found.verdict is Verdict.NOT_OBSERVABLE
        if not is_unknown and expected.check != "header.in_record":
            return None
        if self._invite is None:
            return None
        match expected.check:
            case "header.in_record" | "header":
                return self._header(expected)
            case "route.transport":
                invite = self._invite
                return self._with(expected, seen=invite.transport, local=invite.destination)
            case "codec" if seen := self._codec:
                return self._with(expected, seen=seen)
            case _:
                return None

    def _with(self, expected: Expected, **seen: Any) -> Expected:
        return replace(expected, given={**expected.given, **seen, "where": self._where})

    # -- by recordings of the AI

    def _direction(self, expected: Expected, found: Finding) -> Mapping[str, Any] | None:
        """The arguments of ``audio`` with what files show.

        A mark in a recording of the AI proves that the AI was reached; a recording of the time
        without it, or a capture of the way to the AI, is evidence against.
        """
        given = expected.given
        if given["towards"] == "caller" and given["speaker"].startswith("assistant "):
            return self._to_caller(given)
        if given["towards"] != "ai":
            return None
        until = found.at + _LATER_S  # the call may have been changed then
        reported = []
        for event in self._marks:
            ended = event.at + (event.heard_s or event.covered_s)
            is_in_time = event.at <= until and ended >= given["since"]
            if event.leg == given["speaker"] and is_in_time:
                reported.append(event)
        at_ai = [event for event in reported if event.made_at == AT_AI]
        captured = self._missing_on_the_way([event for event in reported if "→" in event.made_at])
        denial = None if captured is None else Denial(Observation.RECORDING, captured)
        if heard := [event for event in at_ai if event.heard_s]:
            first = min(heard, key=lambda event: event.at)
            words = f"{first.file} has mark {first.mark} at {first.file_s:.1f} s, for {first.heard_s:.1f} s"
            sound = Sound(max(first.at, given["since"]), Observation.RECORDING, words, first.mark)
            proof = {"sound": plain_argument(sound), "account": None}
            against = given.get("denial") if denial is None else plain_argument(denial)
            return {**given, **proof, "denial": against}
        if at_ai:
            longest = max(at_ai, key=lambda event: event.covered_s)
            words = f"{longest.file} covers {longest.covered_s:.1f} s of the call without mark {longest.mark}"
            denial = Denial(Observation.RECORDING, f"{words}; {captured}" if captured else words)
        elif found.failed or found.facts.get("observation") == _BY_MARK:
            return None  # to a failure, a capture adds the hop in the diagnosis
        if denial is None:
            return None
        return {**given, "denial": plain_argument(denial)}

    def _missing_on_the_way(self, marks: Sequence[MarkInFile]) -> str | None:
        """Where captures do not have a leg's mark on its way to the AI, and where it was seen last;
        None where they do not say that it is missing.

        What counts is the part of the way that is nearest to the AI. Where the mark is in one of
        several calls there (the AI may have called an agent meanwhile), it is not missing.
        """
        if not marks:
            return None
        to_ai = {message.call_id for _, message in self._to_ai()}
        own = self._own_calls(marks[0].leg)
        by_nearness = (
            [event for event in marks if event.call_id in to_ai],
            [event for event in marks if event.call_id not in own],
            marks,
        )
        nearest = next(filter(None, by_nearness))
        if any(event.heard_s for event in nearest):
            return None
        longest = max(nearest, key=lambda event: event.covered_s)
        where = f"{longest.file} ({longest.made_at})"
        words = f"{where} covers {longest.covered_s:.1f} s of the call without mark {longest.mark}"
        heard = [event for event in marks if event.heard_s]
        if not heard:
            return words
        seen = next((event for event in heard if event.call_id not in own), heard[0])
        return f"{words}, last seen in {seen.file} ({seen.made_at})"

    def _own_calls(self, leg: str | None) -> set[str]:
        """The Call-IDs of a leg's own dialogs."""
        events = self._evidence.legs.get(leg or "", ())
        return {one.message.call_id for one in messages_of(events)}

    def _to_caller(self, given: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The caller heard this AI, if the AI's recording has the voice; after a change of the call
        it is not known when that was.
        """
        of_caller = [event for event in self._voices if event.leg == given["listener"]]
        heard = next((event for event in of_caller if event.found), None)
        sound = given["sound"]
        if heard is None or sound is None or given.get("again"):
            return None
        agreeing = f"{heard.agreeing} of {heard.parts} parts, match {heard.match:.2f}"
        words = f"{heard.file} has the voice that {heard.leg} heard ({agreeing})"
        proved = {**sound, "observation": Observation.RECORDING.name.lower(), "evidence": words}
        return {**given, "sound": proved, "denial": None}

    # -- by captures of the way to the AI

    @cached_property
    def _invite(self) -> MessageInFile | None:
        """The INVITE that was sent to the AI, as a capture shows it; of several, the one that was
        let in.
        """
        found = None
        for event, message in self._to_ai():
            if isinstance(message, Request) and message.method == "INVITE" and not message.to.tag:
                found = event
        return found

    def _to_ai(self) -> Iterator[tuple[MessageInFile, Message]]:
        """The messages in captures that go to a host of the AI, by address or by Request-URI."""
        named = self._evidence.case.get("hosts") or {}
        hosts = {str(host) for host, name in named.items() if name == _AI}
        for event in self._messages:
            message = read(event.text)
            if message is None:
                continue
            towards = {FlowEnd.parse(event.destination).host}
            if isinstance(message, Request):
                # a URI that cannot be read leads to no known host
                with suppress(SipSyntaxError):
                    towards.add(message.uri.host)
            if towards & hosts:
                yield event, message

    @property
    def _where(self) -> str:
        assert self._invite is not None
        return f"{captured_number(self._messages.index(self._invite))} in {self._invite.file}"

    def _header(self, expected: Expected) -> Expected | None:
        invite, given = self._invite, expected.given
        if invite is None or given["value"] in self._unknown:
            return None
        wanted = {name: given[name] for name in ("subject", "name", "value")}
        given = {"message": invite.text, **wanted, "where": self._where}
        return replace(expected, check="header", given=given)

    @cached_property
    def _codec(self) -> str:
        """The first codec of the answer to that INVITE, which is the one in use (RFC 3264 section
        6.1); empty where none is shown.
        """
        assert self._invite is not None
        asked = read(self._invite.text)
        if asked is None:
            return ""
        for event in self._messages:
            message = read(event.text)
            if not isinstance(message, Response) or message.call_id != asked.call_id:
                continue
            if message.status == 200 and "INVITE" in (message.get("CSeq") or ""):
                return _first_codec(message)
        return ""


def _first_codec(answer: Response) -> str:
    try:
        audio = Description.parse(answer.part("application/sdp") or "").audio
    except SdpError:
        return ""
    names = [codec.name for codec in audio.codecs] if audio else []
    return next((name for name in names if name != "telephone-event"), "")
