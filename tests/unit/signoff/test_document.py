"""What the document says, and what it never says."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.calls.events import StrangerRefused
from harness.calls.verdict import Strength, Verdict
from harness.integrations import load
from harness.integrations.matrix import Case
from harness.report import signoff
from harness.report.evidence import CaseEvidence
from harness.report.merge import merge
from harness.report.recorder import CaseRecorder
from harness.report.run_directory import RunEvidence
from harness.report.signoff import document, waivers
from harness.report.signoff.decision import decide as decide_on

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


def test_a_voice_agent_that_nobody_named_is_not_called_synthflow(tmp_path: Path, runs: ModuleType) -> None:
    """Whose it is the file says by its [synthflow] table: that of another vendor's has none (docs/any-sbc.md)."""
    deployment = runs.live().model_copy(update={"synthflow": None, "integration": "generic"})
    text = text_of(runs.make_run(tmp_path, deployment=deployment, rows=("SBC-INBOUND",)).directory, runs)

    assert "Generic with a voice agent" in text
    assert "AI: a voice agent in 1" in text
    assert "with Synthflow AI" not in text


def test_a_case_that_one_of_two_sites_lost_is_counted(tmp_path: Path, runs: ModuleType) -> None:
    """Two were planned, and one passed: the document said "1 of 1", and broken."""
    made = [
        runs.make_run(tmp_path, deployment=runs.live().model_copy(update={"site": site}), rows=("HOLD",), lost=lost)
        for site, lost in (("Austin", ()), ("Berlin", ("HOLD",)))
    ]
    html = signoff.seal(RunEvidence.read(merge([one.directory for one in made], tmp_path))).read_text()
    (row,) = re.findall(r"<small class=\"num\">HOLD</small>.*?</tr>", html, re.DOTALL)
    assert "1 planned case left no result" in row
    assert re.findall(r'<td class="num">(\d+ of \d+)</td>', row) == ["1 of 2"]


def test_the_evidence_can_be_checked_by_what_it_says_of_it(tmp_path: Path, runs: ModuleType) -> None:
    run = runs.make_run(tmp_path).directory
    found = re.search(r"SHA-256 of (\S+) in the run's directory[^:]*: (\w{64})", text_of(run, runs))
    assert found is not None
    assert hashlib.sha256((run / found[1]).read_bytes()).hexdigest() == found[2]


def test_cases_and_rows_are_counted_in_words(tmp_path: Path, runs: ModuleType) -> None:
    made = runs.make_run(tmp_path, rows=("HOLD",))
    text = text_of(made.directory, runs)
    assert "1 case was planned, 1 was run: 1 passed." in text
    rows = re.search(r"Of (\d+) rows: ([^.]*)\.", text)
    assert rows is not None
    assert "1 passed" in rows[2].split(", ")
    assert sum(int(part.split()[0]) for part in rows[2].split(", ")) == int(rows[1])
    both = merge([made.directory, runs.make_run(tmp_path, rows=("BUSY",)).directory], tmp_path)
    text = runs.words(signoff.seal(RunEvidence.read(both)).read_text())
    assert "2 cases were planned, 2 were run: 2 passed." in text
    assert f"The run was made of others: {made.directory.name}, " in text


def test_a_retry_is_told_with_what_failed_and_its_time_counts(tmp_path: Path, runs: ModuleType) -> None:
    made = runs.make_run(tmp_path, rows=("HOLD",))
    (case,) = made.cases
    earlier = runs.record(made.directory, made.deployment, case, runs.fails, attempt=1)
    again = runs.record(made.directory, made.deployment, case, runs.passes, attempt=2)
    for home, began in ((earlier, 1.8e9), (again, 1.8e9 + 7200)):
        plain = json.loads((home / "case.json").read_text())
        (home / "case.json").write_text(json.dumps(plain | {"began_wall": began}))
    headline = CaseEvidence.read(earlier).headline
    text = text_of(made.directory, runs)
    assert f"Passed on retry: {case.id} (attempt 1, failed: {headline})." in text
    assert "Verified 15 January 2027, 08:00 to 10:00 UTC" in text


@pytest.mark.parametrize("kind", ["live", "simulated"])
def test_options_say_nothing_of_deployments_that_the_run_had_not(tmp_path: Path, runs: ModuleType, kind: str) -> None:
    """Only simulated worlds have timings of their own, only real platforms have to be asked for."""
    deployment = runs.live().model_copy(update={"kind": kind})
    text = text_of(runs.make_run(tmp_path, deployment=deployment, options={"live": True}).directory, runs)
    assert ("--timings quick" in text) is (kind == "simulated")
    assert ("--live yes" in text) is (kind == "live")


def test_hostile_words_stay_words(tmp_path: Path, runs: ModuleType) -> None:
    run = runs.make_run(tmp_path, plays={ROW: runs.fails}).directory
    waiver = tmp_path / "w.toml"
    waiver.write_text(
        f'[[waiver]]\nrow="{ROW}"\nwho="<script>alert(1)</script>"\nwhy="x"\nuntil={datetime.datetime.now(datetime.UTC).date()}\n'
    )
    html = signoff.make(run, waiver_file=waiver, customer="<script>alert(2)</script>").html.read_text()

    assert "<script" not in html
    assert "&lt;script" in html


def test_a_hash_that_is_none_stays_words(tmp_path: Path, runs: ModuleType) -> None:
    """The run may be somebody else's: what it calls its deployment file's hash stood in the document as it was."""
    run = runs.make_run(tmp_path).directory
    plain = json.loads((run / "scope.json").read_text())
    plain["deployments"][0]["hash"] = "<script>alert(3)</script>\ud800"
    (run / "scope.json").write_text(json.dumps(plain))
    html = signoff.make(run).html.read_text()

    assert "<script" not in html
    assert "&lt;script" in html


@pytest.mark.skipif(not document.pdf_available(), reason="WeasyPrint (the extra `signoff`) finds no Pango here")
def test_pdf(tmp_path: Path, runs: ModuleType) -> None:
    made = signoff.make(runs.make_run(tmp_path, rows=(ROW,)).directory, pdf=True)
    assert made.pdf is not None
    raw = made.pdf.read_bytes()

    assert raw.startswith(b"%PDF-")
    streams = re.findall(rb"/FlateDecode[^>]*>>\s*stream\r?\n(.*?)endstream", raw, re.DOTALL)
    # What ends a stream may be its own last byte or the line's: the decompressor knows where it ends.
    assert any(b"pdfaid" in zlib.decompressobj().decompress(stream) for stream in streams)  # PDF/A says so


def test_of_several_deployments_each_line_says_whose_it_is(tmp_path: Path, runs: ModuleType) -> None:
    """A waiver that somebody answers for at one customer's is none at another's, and both have rows of the same names."""
    other = runs.live().model_copy(update={"name": "Ümbra"})

    def excused(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        more: Any = {
            "dispensable": True,
            "strength": Strength.UNKNOWN,
            "actual": "not observable: no messages are shown",
        }
        recorder.finding(runs.finding("route.transport", Verdict.NOT_OBSERVABLE, **more))
        return runs.passes(case, recorder)  # type: ignore[no-any-return]

    made = [runs.make_run(tmp_path, plays={"HOLD": excused}, deployment=one).directory for one in (runs.live(), other)]
    run = merge(made, tmp_path)
    until = datetime.date(2026, 12, 31)
    answered = [
        waivers.Waiver(row="TD-CAPACITY", deployment="Ümbra", who="Jane", why="later", until=until),
        waivers.Waiver(row="TD-SKILLS-MENU", who="Joe", why="later", until=until),
    ]
    decision = decide_on(RunEvidence.read(run), answered, today=datetime.date(2026, 1, 1))
    told = dataclasses.replace(decision, waivers=tuple(answered))
    document.write(run / "again.html", told, customer="", evidence="", signer="")
    text = runs.words((run / "again.html").read_text())

    assert "TD-CAPACITY of Ümbra Jane" in text
    assert "TD-SKILLS-MENU of every deployment Joe" in text
    assert "HOLD of example: transport: no messages are shown (" in text
    assert "HOLD of Ümbra: transport: no messages are shown (" in text
    assert "A waiver of TD-CAPACITY of Ümbra (Jane) was not needed." in decision.remarks
