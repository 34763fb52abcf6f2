"""Files that others made are added to a run: its own evidence stays, and verdicts, views and the
sign-off follow from both.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from harness.audio.marks import waveform
from harness.audio.prompts import prompt_samples
from harness.case.checks import audio, signalling
from harness.case.checks.audio import Sound
from harness.case.checks.claims import Denial, Observation
from harness.case.events import (
    CallState,
    Expected,
    FarEndRecord,
    LegStarted,
    Listened,
    MarkEnded,
    MarkHeard,
    MarkInFile,
    MessageInFile,
    Recorded,
)
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Strength, Verdict
from harness.deployment import to_plain
from harness.errors import MistakeError
from harness.integrations import load
from harness.integrations.matrix import Case
from harness.phone import rtp_log
from harness.report import signoff, witnesses
from harness.report.bundle import zipped
from harness.report.coverage import source_of
from harness.report.drawings import Ladder
from harness.report.evidence import CaseEvidence
from harness.report.flow import arrows
from harness.report.merge import merge
from harness.report.rejudge import rejudge
from harness.report.run import remake
from harness.report.run_directory import read_witnesses
from harness.report.signoff import attest, manifest
from harness.report.signoff.decision import Acceptance
from harness.report.witnesses import Told, add, read_files
from harness.witness.sound_file import read_sound
from tests.unit import conftest as runs
from tests.unit.judging import expect
from tests.unit.phone_events import sip_message
from tests.unit.report.samples import command
from tests.unit.witness.made_captures import BEGAN, hop, invite, ok, pcap, pcapng, rtp, sdp, udp

ROW = "TD-INBOUND"
AI = 240  #: its voice
SHA = "5501001234567890" * 4  #: looks like telephone numbers


def to_the_ai(sound: Sound | None = None, **terms: Any) -> Expected:
    """The AI hears the caller."""
    usual: dict[str, Any] = {"since": 1.5, "own": (), "least": Strength.PROVED, "names": {}}
    return audio.direction.of(
        "caller.1", "assistant main", sound, None, towards="ai", **usual | terms
    )


def counted(observation: Observation, least: Strength = Strength.PROVED) -> Expected:
    """The AI's end received packets of the caller, or its words."""
    return to_the_ai(Sound(2.0, observation, "RTCP counts 98 of 98 RTP packets"), least=least)


def is_up(recorder: CaseRecorder, leg: str) -> None:
    """A call of six seconds."""
    which: Any = {"phone": leg.partition(".")[0], "leg": leg, "code": 200, "reason": ""}
    recorder.event(CallState(at=2.0, state="confirmed", **which))
    recorder.event(CallState(at=8.0, state="disconnected", **which))


def hears(recorder: CaseRecorder, leg: str, mark: int) -> None:
    """A leg hears a mark all the time."""
    heard: Any = {"phone": leg.partition(".")[0], "leg": leg, "mark": mark}
    recorder.event(MarkHeard(at=1.1, began=1.0, level_dbov=-15.0, quality=0.9, **heard))
    recorder.event(MarkEnded(at=60.0, **heard))


def heard_by(observation: Observation, least: Strength = Strength.PROVED) -> Any:
    """What happens in a case whose AI names no marks: this is how its hearing is known."""

    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        recorder.deployment(to_plain(load(runs.DEPLOYMENT)))
        hears(recorder, "caller.1", AI)
        recorder.event(sip_message("sent", invite(call_id="carrier").decode()))
        others = [one for one in runs.promised(case) if one.facts.get("towards") != "ai"]
        for finding in others:
            recorder.raised(finding)
        expect(recorder, counted(observation, least))
        conclusion = recorder.outcome.conclusion
        return conclusion.verdict, conclusion.message

    return play


def of_file(heard_s: float, name: str = "pbx.mp3", sha256: str = SHA) -> MarkInFile:
    return MarkInFile(
        at=1.8,
        phone="caller",
        leg="caller.1",
        file=name,
        sha256=sha256,
        made_at="ai",
        mark=3,
        file_s=0.4,
        heard_s=heard_s,
        covered_s=4.0,
    )


def captured(heard_s: float, hop: str) -> MarkInFile:
    """What a capture has of the caller's mark, in the call of that hop."""
    at = of_file(heard_s, f"{hop}.pcap", sha256=hop * 8)
    return replace(at, made_at=f"{hop}:1 → {hop}:2", call_id=hop)


def told(directory: Path, event: MarkInFile) -> Told:
    return Told(
        event.file,
        event.sha256,
        1000,
        "recording",
        {directory.name: [event]},
        ["12 s without a mark"],
    )


Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a run of the row, in which that is played, or whose AI's end counts packets."""

    def made(play: Any = None) -> Any:
        plays = {ROW: play or heard_by(Observation.RTCP)}
        return runs.make_run(tmp_path / "reports", rows=(ROW,), plays=plays)

    return made


def with_files(made: runs.Made, *events: MarkInFile) -> CaseEvidence:
    """The case, with what files show of it."""
    add(made.directory, [told(made.case_directory(ROW), event) for event in events])
    (case,) = made.evidence.cases
    return case


@pytest.mark.parametrize(
    ("observation", "least", "heard_s", "verdict"),
    [
        (Observation.RTCP, Strength.PROVED, 0.6, Verdict.PASSED),
        (Observation.RTCP, Strength.PROVED, 0.0, Verdict.FAILED),  # counted packets are no sound
        (
            Observation.WORDS,
            Strength.CONFIRMED,
            0.0,
            Verdict.NOT_OBSERVABLE,
        ),  # a transcript contradicts the recording
    ],
)
def test_a_case_is_judged_by_its_evidence_and_the_file(
    make: Make,
    observation: Observation,
    least: Strength,
    heard_s: float,
    verdict: Verdict,
) -> None:
    made = make(heard_by(observation, least))
    directory = made.case_directory(ROW)
    before = {path: path.read_bytes() for path in manifest.files(made.directory)}
    assert add(made.directory, [told(directory, of_file(heard_s))]) == [directory.name]
    assert {path: path.read_bytes() for path in before} == before
    assert manifest.differences(made.directory) == []
    run = made.evidence
    (case,) = run.cases
    finding = next(
        one for one in case.findings if one.check == "audio" and one.facts["towards"] == "ai"
    )
    assert case.verdict is finding.verdict is verdict
    assert (finding.strength is Strength.PROVED) is (verdict is Verdict.PASSED)
    assert bool(case.diagnosis) is (verdict is Verdict.FAILED)
    assert [one.differences for one in rejudge(made.directory)] == [()]
    # another file of the same name is another file; the first stays
    add(made.directory, [told(directory, of_file(0.6, sha256="b" * 64))])
    assert [one["sha256"] for one in made.evidence.witnesses] == [SHA, "b" * 64]


@pytest.mark.parametrize(
    ("hops", "verdict"),
    [
        ({}, Verdict.PASSED),
        ({"trunk": 0.0}, Verdict.NOT_OBSERVABLE),  # a recording of another place, passed off
        ({"carrier": 0.6, "trunk": 0.0}, Verdict.NOT_OBSERVABLE),
        ({"trunk": 0.6, "consult": 0.0}, Verdict.PASSED),  # the AI called an agent meanwhile
    ],
)
def test_a_capture_without_the_mark_contradicts_a_recording_that_has_it(
    make: Make, hops: dict[str, float], verdict: Verdict
) -> None:
    made = make()
    case = with_files(
        made, of_file(0.6), *(captured(heard_s, hop) for hop, heard_s in hops.items())
    )
    assert case.verdict is verdict
    if verdict is Verdict.NOT_OBSERVABLE:
        missing = "trunk.pcap (trunk:1 → trunk:2) covers 4.0 s of the call without mark 3"
        assert (
            f"contradictory: pbx.mp3 has mark 3 at 0.4 s, for 0.6 s; but {missing}" in case.message
        )


def test_a_recording_does_not_hide_what_the_transcript_says(make: Make) -> None:
    denial = Denial(Observation.WORDS, "the transcript has no words of the caller")

    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        expect(recorder, to_the_ai(denial=denial))
        return Verdict.FAILED, "audio"

    made = make(play)
    case = with_files(made, of_file(0.6))
    (finding,) = (one for one in case.findings if one.check == "audio")
    assert finding.verdict is Verdict.PASSED
    assert denial.evidence in finding.actual


def test_a_trunk_capture_without_the_mark_fails_and_names_the_hop(make: Make) -> None:
    made = make()
    case = with_files(made, captured(0.6, "carrier"), captured(0.0, "trunk"))
    assert case.verdict is Verdict.FAILED
    assert "without mark 3, last seen in carrier.pcap (carrier:1 → carrier:2)" in case.message
    assert [cause["rule"] for cause in case.diagnosis] == ["audio.way.to_ai.between"]
    assert (
        "caller.1's mark is not in trunk.pcap (trunk:1 → trunk:2)"
        in case.diagnosis[0]["evidence"][-1]
    )


def test_explain_shows_the_diagnosis_that_a_file_has_changed(make: Make) -> None:
    made = make()
    case = with_files(made, of_file(0.0))
    (cause, *_) = case.diagnosis
    explained = command("explain", case.directory)
    assert explained.exit_code == 0, explained.output
    assert cause["title"] in " ".join(explained.output.split())


def test_a_mark_after_a_finding_was_made_changes_nothing_in_it(make: Make) -> None:
    made = make()
    assert with_files(made, replace(of_file(0.6), at=1e9)).verdict is Verdict.NOT_OBSERVABLE


def test_every_view_names_the_file(tmp_path: Path, make: Make) -> None:
    made = make()
    assert remake(made.directory).summary.exit_code == 1
    with_files(made, of_file(0.6))
    finished = remake(made.directory)
    assert finished.summary.exit_code == 0
    (line,) = json.loads((made.directory / "summary.json").read_text())["witnesses"]
    assert (line["file"], line["sha256"], line["unmatched"]) == (
        "pbx.mp3",
        SHA,
        ["12 s without a mark"],
    )
    page = runs.words(finished.report.read_text())
    assert "pbx.mp3 (recording, SHA-256 550100123456…), added 20" in page
    assert 'failures="0"' in (made.directory / "junit.xml").read_text()
    assert zipped(made.directory, "all").stat().st_size
    other = runs.hold(tmp_path / "reports").directory
    assert [
        one["file"] for one in read_witnesses(merge([made.directory, other], tmp_path / "merged"))
    ] == ["pbx.mp3"]


def test_an_older_signature_no_longer_verifies_and_says_why(tmp_path: Path, make: Make) -> None:
    public = attest.make_keys(tmp_path / "key.pem")
    made = make()
    signoff.make(made.directory, key=tmp_path / "key.pem")
    with_files(made, of_file(0.6))
    why = "evidence was added after signing: pbx.mp3; make the sign-off again and sign it"
    assert signoff.verify(made.directory, public) == (None, [why])
    signed = signoff.make(made.directory, key=tmp_path / "key.pem")
    assert signed.decision.outcome is Acceptance.NOT_ACCEPTED  # other rows were not run
    assert "pbx.mp3, a recording that others made, added 20" in runs.words(signed.html.read_text())
    assert SHA in signed.html.read_text()
    assert signoff.verify(made.directory, public)[1] == []
    (made.case_directory(ROW) / "witness.json").write_text("{}")
    assert signoff.verify(made.directory, public)[1] == [
        f"cases/{made.case_directory(ROW).name}/witness.json: was changed"
    ]


def test_the_command_takes_files_of_any_name_and_goes_on_after_a_broken_one(
    tmp_path: Path, make: Make
) -> None:
    made = make()
    folder = tmp_path / "from the portal"
    folder.mkdir()
    caller = np.concatenate([np.zeros(8000), np.tile(waveform(3), 12), np.zeros(4000)])
    call = np.concatenate([caller, np.tile(waveform(AI), 6)])
    soundfile.write(
        folder / "2019-01-01 someone.mp3", call, 8000, format="MP3", subtype="MPEG_LAYER_III"
    )
    soundfile.write(folder / "other.wav", np.tile(waveform(200), 12), 8000)
    soundfile.write(folder / "yesterday.wav", caller, 8000)
    (folder / "broken.mp3").write_bytes(b"ID3" + bytes(100))
    (folder / "log.pcap").write_text("INVITE sip:a@b SIP/2.0\n" * 90)
    (folder / "packed.pcapng.gz").write_bytes(gzip.compress(pcapng(hop("a1"))))
    (folder / "torn.pcapng").write_bytes(pcapng(hop("a1"))[300:])
    asked = "witness", made.directory, folder
    ended = command(*asked)
    assert ended.exit_code == 1, (
        ended.output
    )  # who made it was not said, so it proves nothing of the AI
    ended = command(*asked, "--made-at", "ai")
    assert ended.exit_code == 0, ended.output
    (case,) = made.evidence.cases
    lines = ended.output.splitlines()
    assert lines[0].startswith(f"{folder}/broken.mp3: not a sound file")
    assert lines[1].startswith(f"{folder}/log.pcap: text, perhaps a log; of calls, captures (pcap")
    assert lines[2].startswith(
        f"{folder}/torn.pcapng: a torn capture: its beginning, with the header"
    )
    assert f"2019-01-01 someone.mp3: {case.id}: mark 3 of caller.1" in lines
    assert any(line.startswith("packed.pcapng.gz: call a1 from ") for line in lines)
    assert "other.wav: mark 200 is of no call of this run" in lines
    assert any(
        line.startswith("yesterday.wav: mark 3 at 1.0 s may be of TD-INBOUND") for line in lines
    )
    assert f"{case.id}: not observable → passed" in lines
    missing = command("witness", made.directory, "nothing.wav")
    assert isinstance(missing.exception, MistakeError)
    assert (
        str(missing.exception)
        == "nothing.wav: no such file; name sound files, captures, or folders of them"
    )


@pytest.mark.parametrize(
    ("agent_speaks_at", "others_have_callers", "second", "verdict"),
    [
        (
            3.0,
            True,
            "incoming",
            Verdict.FAILED,
        ),  # the folder's files hold callers, this one does not
        (3.0, False, "incoming", Verdict.NOT_OBSERVABLE),  # a source that may record one side alone
        (
            0.5,
            True,
            "incoming",
            Verdict.NOT_OBSERVABLE,
        ),  # a mark beneath another as loud is not always found
        (3.0, True, "outgoing", Verdict.NOT_OBSERVABLE),  # two callers have a call each
    ],
)
def test_a_caller_who_is_missing_is_evidence_where_callers_are_recorded(
    tmp_path: Path,
    agent_speaks_at: float,
    others_have_callers: bool,
    second: str,
    verdict: Verdict,
) -> None:
    def sends(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        for leg, mark, direction in (("caller.1", 3, "outgoing"), ("agent.1", 9, second)):
            phone = leg.partition(".")[0]
            way: Any = {"direction": direction, "remote_uri": "sip:a@example.com"}
            recorder.event(LegStarted(at=1.0, phone=phone, leg=leg, mark=mark, **way))
            recorder.event(Listened(at=1.0, phone=phone, leg=leg, seconds=0.0, level_dbov=-15.0))
            sent = np.zeros(6 * 8000, np.float32)
            began = 0 if leg == "caller.1" else round(agent_speaks_at * 8000)
            sent[began : began + 16000] = np.tile(waveform(mark), 13)[:16000]
            soundfile.write(recorder.directory / f"{leg}.sent.wav", sent, 8000)
            recorder.event(
                Recorded(
                    at=7.0, phone=phone, leg=leg, path=f"{leg}.wav", sent_path=f"{leg}.sent.wav"
                )
            )
            recordings[leg] = sent
        hears(recorder, "agent.1", AI)
        ended: tuple[Verdict, str] = heard_by(Observation.RTCP)(case, recorder)
        return ended

    recordings: dict[str, Any] = {}
    made = runs.make_run(
        tmp_path / "reports", rows=(ROW, "HOLD"), plays={ROW: sends, "HOLD": runs.passes}
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    voice = np.tile(waveform(AI), 6)
    soundfile.write(folder / "a.wav", np.concatenate([recordings["agent.1"], voice]), 8000)
    if others_have_callers:
        soundfile.write(
            folder / "b.wav", np.concatenate([recordings["caller.1"][:12000], voice]), 8000
        )
    add(
        made.directory, read_files(made.directory, [folder], "ai")[0][:1]
    )  # b.wav would prove the caller's side itself
    case = next(case for case in made.evidence.cases if case.row == ROW)
    assert case.verdict is verdict


@pytest.mark.parametrize(
    ("hours", "refused"),
    [
        ([], []),
        (["--max-hours", "0.002"], ["long.flac", "long.ogg"]),
        (["--max-hours", "0.01"], []),
    ],
)
def test_recordings_longer_than_allowed_are_named_and_the_others_count(
    tmp_path: Path, make: Make, hours: list[str], refused: list[str]
) -> None:
    made = make(runs.passes)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, seconds in (("long.flac", 9), ("long.ogg", 12), ("short.wav", 2)):
        soundfile.write(folder / name, np.zeros(seconds * 8000, np.int16), 8000)
    lines = command("witness", made.directory, folder, *hours).output.splitlines()
    long = [line for line in lines if "up to 0.002 hours are read" in line]
    assert [Path(line.partition(":")[0]).name for line in long] == refused
    read = [line.partition(":")[0] for line in lines if "no mark of a call" in line]
    assert sorted([*read, *refused]) == ["long.flac", "long.ogg", "short.wav"]


def seen_at_the_sbc(tmp_path: Path, looks: runs.Play, x_ei: str, **of_case: Any) -> CaseEvidence:
    """A case with the capture of its call to the AI, which has that header."""
    made = runs.make_run(tmp_path / "reports", rows=(ROW,), lost=(ROW,))
    case = next(one for one in made.cases if one.row.id == ROW)
    hosts = {"192.0.2.2": "synthflow"}
    directory = runs.record(made.directory, made.deployment, case, looks, hosts=hosts, **of_case)
    headers = "X-Talkdesk-Other-Leg-Call-Id: 1", f"X-EI: {x_ei}"
    asked = invite(sdp(("192.0.2.1", 4000)), "b2", "+12065550100", *headers)
    taken = ok(sdp(("192.0.2.2", 4002), "8 101"), "b2")
    sbc, ai = ("192.0.2.1", 5060), ("192.0.2.2", 32681)
    file = tmp_path / "sbc.pcap"
    file.write_bytes(pcap([(BEGAN, udp(sbc, ai, asked)), (BEGAN + 0.9, udp(ai, sbc, taken))]))
    told, problems = read_files(made.directory, [file], "platform")
    assert problems == []
    add(made.directory, told)
    return CaseEvidence.read(directory)


def test_a_capture_proves_what_was_sent_to_the_ai_and_its_messages_are_on_the_ladder(
    tmp_path: Path,
) -> None:
    def looks(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        recorder.deployment(to_plain(load(runs.DEPLOYMENT)))
        at_ai = "assistant main"
        expect(recorder, signalling.header_in_record.of("S.1;", at_ai, "X-EI", "S.1;", "abc"))
        expect(recorder, signalling.transport.of(at_ai, "udp", 32681))
        expect(recorder, signalling.codec.of(at_ai, ["PCMU", "PCMA"], None))
        return Verdict.NOT_OBSERVABLE, "route.transport of assistant main"

    trunk = load(runs.DEPLOYMENT).trunks[0].name
    evidence = seen_at_the_sbc(tmp_path, looks, "S.1;", trunk=trunk)
    assert {one.check: (one.verdict, one.actual, one.evidence) for one in evidence.findings} == {
        "header": (Verdict.PASSED, "X-EI is 'S.1;'", ("h1 in sbc.pcap",)),
        "route.transport": (Verdict.PASSED, "UDP to 192.0.2.2:32681", ("h1 in sbc.pcap",)),
        "codec": (Verdict.PASSED, "PCMA", ("h1 in sbc.pcap",)),
    }
    assert evidence.verdict is Verdict.PASSED
    assert [note.text.partition(", added ")[0] for note in evidence.notes] == ["sbc.pcap"]
    assert {source_of(one, evidence.gist.ours, stand_in=False) for one in evidence.findings} == {
        "capture"
    }
    shown = [arrow for arrow in arrows(evidence) if arrow.file]
    assert [(arrow.numbers, arrow.label, arrow.detail) for arrow in shown] == [
        (("h1",), "INVITE", "PCMU PCMA DTMF · 192.0.2.1:4000; by sbc.pcap"),
        (("h2",), "200 OK", "PCMA DTMF · 192.0.2.2:4002; by sbc.pcap"),
    ]
    assert {"192.0.2.1:5060", "synthflow"} <= {
        lifeline.title for lifeline in Ladder.of(evidence).lifelines
    }


def test_a_capture_says_nothing_of_a_header_whose_number_is_masked(tmp_path: Path) -> None:
    value = "O.+12065550142;"

    def looks(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        at_ai = "assistant main"
        expect(recorder, signalling.header_in_record.of(value, at_ai, "X-EI", value, "abc"))
        return Verdict.PASSED, ""

    (finding,) = seen_at_the_sbc(tmp_path, looks, value, mask=True).findings
    assert (finding.verdict, finding.evidence) == (Verdict.PASSED, ("record abc",))


@pytest.mark.parametrize(
    "trunk_is", ["whole", "torn", "begun in mid-call", "of 96 octets", "RTP alone"]
)
def test_captures_of_two_hops_show_where_the_audio_is_lost(
    tmp_path: Path, make: Make, trunk_is: str
) -> None:
    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        recorder.deployment(to_plain(load(runs.DEPLOYMENT)))
        log = rtp_log.RtpLog(rtp_log.path_of(recorder.directory, "caller.1"))
        log.sent(rtp_log.record(2.0, rtp(1, 160, bytes(160), ssrc=1)))
        log.close()
        own = invite(sdp(("192.0.2.1", 4000)), call_id="a1").decode()
        recorder.event(sip_message("sent", own))
        is_up(recorder, "caller.1")
        denial = Denial(Observation.WORDS, "the transcript has no words of the caller")
        expect(recorder, to_the_ai(since=2.0, denial=denial))
        return recorder.outcome.conclusion.verdict, recorder.outcome.conclusion.message

    made = make(play)
    trunk, carrier = tmp_path / "trunk.pcap", tmp_path / "carrier.pcap"
    packets = sorted(hop("a1", to_callee=3), key=lambda packet: packet[0])
    later = [packet for packet in packets if packet[0] > BEGAN + 2]
    trunk.write_bytes(
        {
            "whole": pcap(packets),
            "torn": pcap(packets)[:-40_000],
            "begun in mid-call": pcap(later),
            "of 96 octets": pcap(packets, snap=96),
            "RTP alone": pcap(
                hop("", to_callee=3, to_caller=None, is_told=False, ports=6000), snap=96
            ),
        }[trunk_is]
    )
    port = 6000 if trunk_is == "RTP alone" else 4000
    inside = hop("b2", to_callee=None, to_caller=40, header="X-Talkdesk-Other-Leg-Call-Id: a1")
    carrier.write_bytes(
        pcap(
            sorted([*inside, *hop("c3", dialled="+13125550188", at=BEGAN + 60)], key=lambda p: p[0])
        )
    )
    ended = command("witness", made.directory, trunk, carrier)
    assert ended.exit_code == 1, ended.output
    (case,) = made.evidence.cases
    assert case.verdict is Verdict.FAILED
    (cause,) = [one for one in case.diagnosis if one["id"] == "audio-lost-on-the-way"]
    assert cause["rule"] == "audio.way.to_ai.between"
    where = "caller.1's mark is not in carrier.pcap (192.0.2.1:5060 → 192.0.2.2:5062, no RTP)"
    assert any(where in line for line in cause["evidence"])
    assert any(
        f"caller.1's mark is in trunk.pcap (192.0.2.1:{port} → 192.0.2.2:{port + 2}" in line
        for line in cause["evidence"]
    )
    assert (
        "carrier.pcap: call c3 from 192.0.2.1 to sip:+13125550188@192.0.2.2 is of no call of this run"
        in ended.output
    )
    texts = [
        event.text
        for event in case.log.added
        if isinstance(event, MessageInFile) and event.file == "carrier.pcap"
    ]
    assert len(texts) == 3


def test_each_of_several_callers_has_the_captured_call_with_its_mark(
    tmp_path: Path, make: Make
) -> None:
    """The AI's records do not tell which caller theirs is."""
    marks, other_leg = {"caller": 3, "bob": 4}, "X-Talkdesk-Other-Leg-Call-Id"

    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        bob: Any = {
            "phone": "bob",
            "leg": "bob.1",
            "direction": "outgoing",
            "remote_uri": "sip:a@example.com",
        }
        recorder.event(LegStarted(at=1.0, mark=marks["bob"], **bob))
        for name in marks:
            is_up(recorder, f"{name}.1")
            record = {"call_id": name, "prompt_variables": {other_leg: f"of-{name}"}}
            recorder.event(FarEndRecord(at=9.0, phone="synthflow", source="GET", record=record))
        return Verdict.PASSED, ""

    made = make(play)
    packets = [
        packet
        for name, mark in marks.items()
        for packet in hop(name, to_callee=mark, header=f"{other_leg}: of-{name}", ports=mark * 1000)
    ]
    (tmp_path / "trunk.pcap").write_bytes(pcap(sorted(packets, key=lambda packet: packet[0])))
    (told,), _ = read_files(made.directory, [tmp_path / "trunk.pcap"], "platform")
    (events,) = told.events.values()
    assert {
        (event.leg, event.heard_s > 0) for event in events if isinstance(event, MarkInFile)
    } == {
        ("caller.1", True),
        ("bob.1", True),
    }


@pytest.mark.parametrize(
    ("recorded", "verdict"),
    [
        ("the call", Verdict.PASSED),
        ("the call from 1.5 s on", Verdict.PASSED),
        ("the call, 30 dB quieter", Verdict.PASSED),
        ("another voice", Verdict.NOT_OBSERVABLE),
        ("the same greeting, and another answer", Verdict.NOT_OBSERVABLE),
    ],
)
def test_both_directions_are_proved_by_a_recording_of_the_ai(
    tmp_path: Path,
    make: Make,
    recorded: str,
    verdict: Verdict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def voice(*prompts: str) -> Any:
        return (
            np.concatenate([prompt_samples(name) for name in prompts])[: 3 * 8000].astype(
                np.float32
            )
            / 32768
        )

    greeting = voice("agent-please-en", "hello-en", "how-can-i-help-en")
    answer = voice("goodbye-en", "agent-please-fr")
    other = voice("agent-please-de", "agent-please-es", "connecting-you-en")
    pause = np.zeros(8 * 8000)
    heard = np.concatenate([greeting, pause, answer]) / 2
    sent = np.zeros(len(heard), np.float32)
    sent[40000:56000] = np.tile(waveform(3), 13)[:16000]

    def talks(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        leg: dict[str, Any] = {"phone": "caller", "leg": "caller.1"}
        recorder.event(Listened(at=1.0, seconds=0.0, level_dbov=-15.0, **leg))
        for name, samples in (("received", heard), ("sent", sent)):
            soundfile.write(recorder.directory / f"caller.1.{name}.wav", samples, 8000)
        recorder.event(
            Recorded(at=9.0, path="caller.1.received.wav", sent_path="caller.1.sent.wav", **leg)
        )
        sound = Sound(2.0, Observation.SOUND, "sound at caller.1")
        names: dict[str, Any] = {
            "own": (3,),
            "least": Strength.PROVED,
            "names": {},
            "towards": "caller",
        }
        expect(
            recorder,
            audio.direction.of("assistant main", "caller.1", sound, None, since=1.5, **names),
        )
        expect(recorder, counted(Observation.RTCP))
        return Verdict.NOT_OBSERVABLE, "audio"

    made = make(talks)
    mix = {
        "the call": heard + sent,
        "the call from 1.5 s on": (heard + sent)[12000:],
        "the call, 30 dB quieter": (heard + sent) * 10 ** (-30 / 20),
        "another voice": np.concatenate([other, pause, other[: len(answer)]]) + sent,
        "the same greeting, and another answer": np.concatenate([greeting, pause, other])[
            : len(sent)
        ]
        + sent,
    }[recorded]
    soundfile.write(tmp_path / "call.mp3", mix, 8000, format="MP3", subtype="MPEG_LAYER_III")
    decoded: list[str] = []

    def decodes(path: Path, *limit: float) -> Any:
        decoded.append(path.name)
        return read_sound(path, *limit)

    monkeypatch.setattr(witnesses, "read_sound", decodes)
    add(made.directory, read_files(made.directory, [tmp_path / "call.mp3"], "ai")[0])
    case = next(case for case in made.evidence.cases)
    assert {one.subject: one.verdict for one in case.findings} == {
        "caller.1 → assistant main": verdict,  # without the voice, the mark may be an earlier run's
        "assistant main → caller.1": verdict,
    }
    assert case.verdict is verdict
    assert decoded.count("call.mp3") == 1
