"""Flow, ladder and time line."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.case.events import CallState
from harness.report.drawings import Ladder, ladder_svg, ladder_text, timeline_svg
from harness.report.evidence import CaseEvidence
from harness.report.flow import activities, arrows, leg_phases, name_mark, on_our_clock, sdp_summary
from tests.unit.report import samples

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def transfer(tmp_path: Path) -> CaseEvidence:
    return CaseEvidence.read(samples.failed(tmp_path / "case"))


class TestFlow:
    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
    def test_a_time_of_no_zone_is_not_taken_for_this_machines(
        self, transfer: CaseEvidence, monkeypatch: pytest.MonkeyPatch, zone: str
    ) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            began = datetime.fromtimestamp(transfer.began_wall + 2, UTC)
            assert on_our_clock(transfer, began.isoformat(), -1.0) == pytest.approx(
                transfer.began + 2
            )
            assert on_our_clock(transfer, began.replace(tzinfo=None).isoformat(), -1.0) == -1.0
        finally:
            monkeypatch.undo()
            time.tzset()

    def test_sdp_in_short(self) -> None:
        def body(**values: object) -> str:
            sdp = samples.SDP.format(
                **{"host": "127.0.0.1", "port": 4000, "direction": "sendrecv"} | values
            )
            return str(samples.sip("INVITE sip:a SIP/2.0", "1 INVITE", body=sdp))

        assert sdp_summary(body()) == "PCMU PCMA DTMF · 127.0.0.1:4000"
        assert (
            sdp_summary(body(direction="sendonly")) == "PCMU PCMA DTMF · 127.0.0.1:4000 · sendonly"
        )
        assert sdp_summary(body(port=0)) == "PCMU PCMA DTMF · refused"
        assert (
            sdp_summary(body().replace("RTP/AVP", "RTP/SAVP"))
            == "PCMU PCMA DTMF · 127.0.0.1:4000 · SRTP"
        )
        assert (
            sdp_summary(body().replace("a=rtpmap:0 PCMU/8000\r\n", ""))
            == "PCMU PCMA DTMF · 127.0.0.1:4000"
        )
        assert sdp_summary(samples.sip("BYE sip:a SIP/2.0", "1 BYE")) == ""
        assert sdp_summary("Content-Type: application/sdp\r\n\r\nm=audio what") == ""

    @pytest.mark.parametrize(
        "text", ["", "\r\n\r\n", "garbage", "\x00\xff", "SIP/2.0", "SIP/2.0 abc def"]
    )
    def test_what_is_no_message_still_is_an_arrow(self, tmp_path: Path, text: str) -> None:
        with samples.playing(tmp_path / "case") as sample:
            sample.message("received", text)
        evidence = CaseEvidence.read(tmp_path / "case")

        assert len(arrows(evidence)) == 1
        ET.fromstring(ladder_svg(Ladder.of(evidence)))
        assert "m1" in ladder_text(Ladder.of(evidence))


class TestLadder:
    def test_text_shows_each_message_on_a_line_of_its_own(self, transfer: CaseEvidence) -> None:
        text = ladder_text(Ladder.of(transfer))
        lines = text.splitlines()

        assert "caller" in lines[0]
        assert "Carrier" in lines[0]
        assert "127.0.2.1:5070" in lines[1]
        for message in transfer.messages:
            (line,) = [line for line in lines if f" {message.number} " in line]
            assert "▶" in line or "◀" in line
        (invite,) = [line for line in lines if " m1 " in line]
        assert invite.lstrip().startswith("0.000")
        assert invite.rindex("▶") > invite.index("INVITE")

    @pytest.mark.parametrize("met", [True, False])
    def test_a_challenge_is_red_only_where_nobody_met_it(self, tmp_path: Path, met: bool) -> None:
        credentials = {"Proxy_Authorization": "Digest username=caller"} if met else {}
        with samples.playing(tmp_path / "case") as sample:
            sample.message("sent", samples.sip("INVITE sip:a SIP/2.0", "1 INVITE"))
            sample.message(
                "received", samples.sip("SIP/2.0 407 Proxy Authentication Required", "1 INVITE")
            )
            sample.message("sent", samples.sip("INVITE sip:a SIP/2.0", "2 INVITE", **credentials))
        ladder = Ladder.of(CaseEvidence.read(tmp_path / "case"))
        assert ('class="er"' in ladder_svg(ladder)) is not met

    def test_every_lifeline_is_there_once(self, transfer: CaseEvidence) -> None:
        lifelines = Ladder.of(transfer).lifelines

        assert [(line.title, line.ours) for line in lifelines] == [
            ("caller", True),
            ("Carrier", False),
            ("Talkdesk SBC", False),
            ("synthflow", False),
            ("billing", True),
        ]

    def test_svg_is_xml_that_carries_or_links_each_message(self, transfer: CaseEvidence) -> None:
        ladder = Ladder.of(transfer)
        alone = ET.fromstring(ladder_svg(ladder))
        linked = ET.fromstring(ladder_svg(ladder, anchors="c7-"))

        tips = [title.text or "" for title in alone.iter(f"{SVG}title")]
        assert sum("Call-ID: call-1" in tip for tip in tips) == 7
        assert {a.get("href") for a in linked.iter(f"{SVG}a")} == {
            f"#c7-{m.number}" for m in transfer.messages
        }
        assert {m.get("id") for m in linked.iter(f"{SVG}marker")} == {
            f"c7-a-{kind}" for kind in ("rq", "ok", "pr", "er")
        }


class TestMoments:
    def test_states_of_a_leg_over_time(self, tmp_path: Path) -> None:
        with samples.playing(tmp_path / "case") as sample:
            sample.dials()
            sample.event(CallState, "caller.1", state="calling")
            sample.after(1).event(CallState, "caller.1", state="confirmed", code=200)
            sample.media("caller.1")
            sample.after(1).media("caller.1", "sendonly")
            sample.after(1).media("caller.1")
            sample.after(1).event(CallState, "caller.1", state="disconnected")
            evidence = sample.ends()

        assert [(s.phase, round(s.ended - s.began)) for s in leg_phases(evidence)] == [
            ("ringing", 1),
            ("talking", 1),
            ("held", 1),
            ("talking", 1),
        ]
        assert sum("media" in moment.text for moment in activities(evidence)) == 3

    @pytest.mark.parametrize(
        ("mark", "name"),
        [
            (12, "caller.1"),
            (268, "reply to caller.1"),
            (240, "assistant main"),
            (241, "AI voice 241"),
            (77, "mark 77 of another case"),
            (256 + 77, "reply to mark 77 of another case"),
            (0, "billing.1"),
        ],
    )
    def test_whose_mark(self, mark: int, name: str) -> None:
        assert name_mark(mark, {12: "caller.1", 0: "billing.1"}, {"240": "assistant main"}) == name


def test_the_timeline_draws_each_mark_by_its_name_and_time(transfer: CaseEvidence) -> None:
    tips = [title.text or "" for title in ET.fromstring(timeline_svg(transfer)).iter(f"{SVG}title")]
    assert any(
        tip.startswith("reply to caller.1 (mark 268) 0.630–1.130 s, -14 dBov") for tip in tips
    )


@pytest.mark.parametrize("kind", ["ladder", "timeline"])
def test_rules_of_a_picture_hold_for_that_picture_alone(transfer: CaseEvidence, kind: str) -> None:
    drawn = ladder_svg(Ladder.of(transfer)) if kind == "ladder" else timeline_svg(transfer)
    picture = ET.fromstring(drawn)
    (style,) = picture.iter(f"{SVG}style")
    selectors = re.sub(r"\{.*\}", ",", style.text or "").replace("\n", "").strip(",").split(",")
    assert selectors
    assert [one for one in selectors if not one.startswith(f".{picture.get('class')} ")] == []
