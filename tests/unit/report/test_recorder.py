from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from harness.audio.wav import read_wav, write_wav
from harness.case.events import MarkHeard, Recorded, SipMessage
from harness.case.log import EVENTS, VERSION
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.errors import MistakeError, ResourceError
from harness.report.evidence import CaseEvidence
from tests.unit.phone_events import sip_message
from tests.unit.report import samples


def heard(mark: int) -> MarkHeard:
    return MarkHeard(
        at=1.0, phone="caller", leg="caller.1", mark=mark, began=1.0, level_dbov=-12.0, quality=0.9
    )


def message(text: str = "OPTIONS sip:a SIP/2.0\r\n\r\n", at: float = 1.0) -> SipMessage:
    return sip_message("sent", text, at=at)


def test_times_marks_and_counters_come_back(tmp_path: Path) -> None:
    evidence = CaseEvidence.read(samples.failed(tmp_path / "case"))

    assert (evidence.scripted_s, evidence.wall_s) == pytest.approx((1.0, 2.06))
    assert list(evidence.legs) == ["caller.1", "billing.1"]
    assert {span.mark for span in evidence.marks if span.leg == "caller.1"} == {240, 268, 13}
    assert evidence.statistics["billing.1"].rx_packets == 120


def test_a_case_whose_worker_died_is_broken_and_its_torn_line_left_out(tmp_path: Path) -> None:
    evidence = CaseEvidence.read(samples.died(tmp_path / "case"))

    assert evidence.verdict is Verdict.BROKEN
    assert evidence.message.startswith("worker died: ")
    assert evidence.damaged_lines == 1
    assert len(evidence.messages) == 1


def test_messages_are_numbered_as_they_come_and_findable(tmp_path: Path) -> None:
    recorder = CaseRecorder(tmp_path, {"id": "A"})
    late, early = message(at=2.0), message("BYE sip:a SIP/2.0\r\n\r\n", at=1.0)
    recorder.event(late)
    recorder.event(early)

    assert recorder.number(late) == "m1"
    assert recorder.number(message("BYE sip:a SIP/2.0\r\n\r\n", at=1.0)) == "m2"
    assert recorder.number(message(at=3.0)) is None
    assert [m.number for m in CaseEvidence.read(tmp_path).messages] == ["m2", "m1"]


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    recorder = CaseRecorder(tmp_path, {"id": "A"})
    text = b"INVITE sip:a SIP/2.0\r\nX-A: \xff\x00\r\n\r\n".decode("utf-8", "surrogateescape")
    recorder.event(message(text))

    assert CaseEvidence.read(tmp_path).messages[0].event.text == text


def test_a_step_keeps_what_went_wrong_in_it(tmp_path: Path) -> None:
    recorder = CaseRecorder(tmp_path, {"id": "A"})
    with pytest.raises(AssertionError), recorder.step("expects"):
        raise AssertionError("no audio")
    with pytest.raises(OSError, match="gone"), recorder.step("breaks"):
        raise OSError("gone")

    expects, breaks = CaseEvidence.read(tmp_path).steps
    assert (expects.failed, expects.error) == (True, "no audio")
    assert (breaks.failed, breaks.error) == (False, "gone")


def test_attachments_and_notes(tmp_path: Path) -> None:
    outside = tmp_path / "far.log"
    outside.write_text("line")
    recorder = CaseRecorder(tmp_path / "case", {"id": "A"})
    recorder.attach("far end's log", outside, "text/plain")
    recorder.attach("a/../b", "text", "text/plain")
    recorder.note("the trunk was busy")
    recorder.close(Verdict.PASSED, "")
    evidence = CaseEvidence.read(tmp_path / "case")

    assert [item.path.read_text() for item in evidence.attachments] == ["line", "text"]
    assert all(
        item.path.parent == tmp_path / "case" / "attachments" for item in evidence.attachments
    )
    assert evidence.notes[0].text == "the trunk was busy"


class TestFullDisk:
    """``os.write`` is replaced: a full disk takes part of a line, and then nothing."""

    @pytest.fixture
    def room(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The bytes left on the disk."""
        write, room = os.write, [30]

        def limited(file: int, data: bytes) -> int:
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken = write(file, data[: room[0]])
            room[0] -= taken
            return taken

        monkeypatch.setattr(os, "write", limited)
        return room

    def test_is_said_at_once_and_again_when_the_case_ends(
        self, tmp_path: Path, room: list[int]
    ) -> None:
        recorder = CaseRecorder(tmp_path, {"id": "A"})
        with pytest.raises(ResourceError, match="disk is full"):
            recorder.event(heard(1))
        with pytest.raises(ResourceError, match="disk is full"):
            recorder.note("later")
        with pytest.raises(ResourceError, match="disk is full"):
            recorder.close(Verdict.PASSED, "")

        assert CaseEvidence.read(tmp_path).verdict is Verdict.BROKEN
        assert len((tmp_path / EVENTS).read_bytes().splitlines()) == 1  # no torn line is left


class TestMasked:
    def test_no_number_and_no_digest_answer_reaches_the_disk(self, tmp_path: Path) -> None:
        case = samples.case_of(mask=True, id="A[+13125550100]")
        spelled = (
            *(
                "01.23.45.67.89",
                "06-12-34-56-78",
                "+49 30/1234567",
                "0049 30 1234567",
                "13125550100.0",
            ),
            *(
                "+33\u00a01\u00a023\u00a045\u00a067\u00a089",
                "+33\u202f1\u202f23\u202f45\u202f67\u202f89",
                "312\u2011555\u20110100",
            ),
        )
        with samples.playing(tmp_path / "case", case) as sample:
            sample.inbound()
            sample.message(
                "sent",
                samples.sip(
                    "REGISTER sip:a SIP/2.0", "9 REGISTER", Authorization='Digest response="abc123"'
                ),
            )
            sample.recorder.note(
                "call 13125550100, 3125550100, +1 (312) 555-0100 or tel:+13125550100"
            )
            for number in spelled:
                sample.recorder.note(f"call {number}, please")
            sample.recorder.attach("log of +13125550100", "from sip:3125550100@host", "text/plain")
            sample.recorder.close(
                Verdict.FAILED, "+13125550100 was not shown", [{"cause": "+13125550100 is wrong"}]
            )

        raw = b"".join(
            path.read_bytes() for path in (tmp_path / "case").rglob("*") if path.is_file()
        )
        names = " ".join(path.name for path in (tmp_path / "case").rglob("*"))
        for number in ("3125550100", "555-0100", "2065550110", "abc123"):
            assert number not in raw.decode() + names
        notes = " ".join(note.text for note in CaseEvidence.read(tmp_path / "case").notes)
        assert [number for number in spelled if number in notes] == []
        assert b"+1312\\u2022\\u2022\\u20220100" in raw

    def test_a_recording_named_after_a_number_is_renamed(self, tmp_path: Path) -> None:
        recorder = CaseRecorder(tmp_path, {"id": "A", "mask": True})
        wav = tmp_path / "13125550100.wav"
        wav.write_bytes(b"RIFF")
        recorder.event(Recorded(at=1.0, phone="caller", leg="caller.1", path=str(wav)))

        (recording,) = CaseEvidence.read(tmp_path).recordings
        assert recording.received is not None
        assert recording.received.name == "1312xxx0100.wav"
        assert recording.received.read_bytes() == b"RIFF"


class TestVersion:
    @pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
    def test_another_one_is_not_misread(self, tmp_path: Path, version: int) -> None:
        CaseRecorder(tmp_path, {"id": "A"}).close(Verdict.PASSED, "")
        (tmp_path / EVENTS).write_text(f'{{"format":{{"version":{version}}}}}\n')
        with pytest.raises(
            MistakeError,
            match=rf"events.jsonl: version {version}; this harness reads version {VERSION}",
        ):
            CaseEvidence.read(tmp_path)


@pytest.mark.parametrize("verdict", [Verdict.PASSED, Verdict.FAILED])
def test_the_recordings_of_a_passed_case_become_flac(tmp_path: Path, verdict: Verdict) -> None:
    samples = np.arange(800, dtype=np.int16)
    directory = tmp_path / "case"
    recorder = CaseRecorder(directory, {"row": "TD-INBOUND"})
    files = {name: directory / f"{name}.wav" for name in ("received", "sent", "fetched")}
    for path in files.values():
        write_wav(path, samples, 8000)
    empty = directory / "caller.2.sent.wav"
    write_wav(empty, samples[:0], 8000)
    recorder.attach("the AI's recording", files["fetched"], "audio/wav")
    paths = {"path": str(files["received"]), "sent_path": str(files["sent"])}
    recorder.event(Recorded(at=1.0, phone="caller", leg="caller.1", **paths))
    recorder.close(verdict, "")

    (recording,) = CaseEvidence.read(directory).recordings
    kind = ".flac" if verdict is Verdict.PASSED else ".wav"
    assert recording.received == files["received"].with_suffix(kind)
    assert recording.sent == files["sent"].with_suffix(kind)
    for path in (recording.received, recording.sent):
        assert read_wav(path)[0].tolist() == samples.tolist()
    left = {path.name for path in directory.glob("*.wav")}
    assert left == (
        {"fetched.wav", empty.name}
        | ({path.name for path in files.values()} if kind == ".wav" else set())
    )
