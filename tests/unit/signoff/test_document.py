"""What the document says, and what it never says."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import signoff
from harness.errors import MistakeError
from harness.events import StrangerRefused
from harness.integrations import load
from harness.matrix import Case
from harness.report.recorder import CaseRecorder
from harness.signoff import document, waivers
from harness.verdict import Verdict

ROW = "TD-INBOUND"


def text_of(run: Path, runs: ModuleType, **more: object) -> str:
    html = signoff.make(run, **more).html.read_text()  # type: ignore[arg-type]
    return runs.words(html)  # type: ignore[no-any-return]


def test_an_acceptance(tmp_path: Path, runs: ModuleType) -> None:
    text = text_of(runs.make_run(tmp_path).directory, runs, customer="Example GmbH")

    for words in ("Acceptance of call handling", "Example GmbH", "Signature", "For the customer", "Numbers dialled"):
        assert words in text
    assert "+1312•••0100" in text
    assert "3125550100" not in text
    assert "Talkdesk with Synthflow AI" in text
    assert "simulated" not in text


def test_what_is_not_accepted_has_no_place_for_a_signature(tmp_path: Path, runs: ModuleType) -> None:
    text = text_of(runs.make_run(tmp_path, plays={ROW: runs.fails}).directory, runs)

    assert "NOT ACCEPTED" in text
    assert "Acceptance" not in text
    assert "For the customer" not in text
    assert "every expectation" not in text.lower()


def test_strangers_are_counted_by_address(tmp_path: Path, runs: ModuleType) -> None:
    def plays(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        told: dict[str, Any] = {
            "phone": "stand-in",
            "transport": "udp",
            "user_agent": "friendly-scanner",
            "why": "address",
        }
        recorder.event(StrangerRefused(at=1.0, source="198.51.100.7", method="INVITE", count=41, **told))
        recorder.event(StrangerRefused(at=1.0, source="203.0.113.9", method="REGISTER", count=1, **told))
        return runs.passes(case, recorder)  # type: ignore[no-any-return]

    text = text_of(runs.make_run(tmp_path, plays={ROW: plays}, rows=(ROW,)).directory, runs)
    assert "strangers that got no answer: 42, from 2 addresses (198.51.100.7, 203.0.113.9)" in text


def test_an_interrupted_run_says_so(tmp_path: Path, runs: ModuleType) -> None:
    text = text_of(runs.make_run(tmp_path, interrupted="stopped by the user", lost=(ROW,)).directory, runs)
    assert "Interrupted: stopped by the user" in text


def test_a_simulated_run_says_so_on_every_page(tmp_path: Path, runs: ModuleType) -> None:
    deployment = load(runs.DEPLOYMENT)
    run = runs.make_run(tmp_path, deployment=deployment, rows=(ROW,)).directory
    html = signoff.make(run).html.read_text()

    assert re.search(r'@top-center\{content:"[^"]*SIMULATED PLATFORM', html)
    assert "with simulated Synthflow AI" in html
    assert "Acceptance of call handling" not in html


def test_a_stand_in_is_no_synthflow(tmp_path: Path, runs: ModuleType) -> None:
    deployment = runs.live()
    trunks = tuple(trunk.model_copy(update={"ai": "stand-in"}) for trunk in deployment.trunks)
    bind = deployment.stand_in.model_copy(update={"bind": "127.0.0.1"})
    stand_in = deployment.model_copy(update={"trunks": trunks, "kind": "stand-in", "stand_in": bind})
    text = text_of(runs.make_run(tmp_path, deployment=stand_in).directory, runs)

    assert "Talkdesk with a stand-in for the AI" in text
    assert "with Synthflow AI" not in text
    assert "A STAND-IN WAS THE AI" in text


def test_every_row_and_every_option_is_there(tmp_path: Path, runs: ModuleType) -> None:
    run = runs.make_run(tmp_path, rows=(ROW,), options={"retries": 2, "keyword": "pcmu", "require": []})
    text = text_of(run.directory, runs)

    assert "TD-CAPACITY" in text
    assert "not run" in text
    for words in ("--retries 2", "-k pcmu", f"--row {ROW}", "--fault none", "--require none"):
        assert words in text


def test_hostile_words_stay_words(tmp_path: Path, runs: ModuleType) -> None:
    run = runs.make_run(tmp_path, plays={ROW: runs.fails}).directory
    waiver = tmp_path / "w.toml"
    waiver.write_text(f'[[waiver]]\nrow="{ROW}"\nwho="<script>alert(1)</script>"\nwhy="x"\nuntil=2999-01-01\n')
    html = signoff.make(run, waiver_file=waiver, customer="<script>alert(2)</script>").html.read_text()

    assert "<script" not in html
    assert "&lt;script" in html


def test_waivers_with_mistakes_are_told_in_lines(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text('[[waiver]]\nrow="X"\nuntil=2026-01-01\nbecause="x"\nwho=""\n')
    with pytest.raises(MistakeError) as raised:
        waivers.read(path)
    assert len(str(raised.value).splitlines()) == 3
    with pytest.raises(MistakeError, match="no such file"):
        waivers.read(tmp_path / "none.toml")


@pytest.mark.skipif(not document.pdf_available(), reason="WeasyPrint (the extra `signoff`) finds no Pango here")
def test_pdf(tmp_path: Path, runs: ModuleType) -> None:
    made = signoff.make(runs.make_run(tmp_path, rows=(ROW,)).directory, pdf=True)
    assert made.pdf is not None
    raw = made.pdf.read_bytes()

    assert raw.startswith(b"%PDF-")
    streams = re.findall(rb"/FlateDecode[^>]*>>\s*stream\r?\n(.*?)endstream", raw, re.DOTALL)
    # What ends a stream may be its own last byte or the line's: the decompressor knows where it ends.
    assert any(b"pdfaid" in zlib.decompressobj().decompress(stream) for stream in streams)  # PDF/A says so
