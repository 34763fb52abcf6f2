"""What the document says, and what it never says."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import zlib
from pathlib import Path
from types import ModuleType

import pytest

from harness.case.recorder import CaseRecorder
from harness.integrations import load
from harness.integrations.matrix import Case
from harness.report import acknowledged, signoff
from harness.report.signoff import document

ROW = "TD-INBOUND"


def text_of(run: Path, runs: ModuleType, **more: object) -> str:
    html = signoff.make(run, **more).html.read_text()  # type: ignore[arg-type]
    return runs.words(html)  # type: ignore[no-any-return]


def test_first_page_has_decision_matrix_waivers_and_signatures(
    tmp_path: Path, runs: ModuleType
) -> None:
    html = signoff.make(runs.make_run(tmp_path).directory, customer="Example GmbH").html.read_text()
    text, first = runs.words(html), runs.words(html[: html.index("</section>")])

    places = [
        first.index(words)
        for words in (
            "ACCEPTED",
            "Example GmbH",
            "What was verified",
            "An outside call",
            "Waivers",
            "For the customer",
        )
    ]
    assert places == sorted(places)
    assert "Numbers dialled" not in first
    for words in (
        "Acceptance of call handling",
        "Talkdesk with Synthflow AI",
        "Numbers dialled",
        "+1312•••0100",
    ):
        assert words in text
    for words in ("3125550100", "simulated"):
        assert words not in text


def test_one_cause_is_one_reason_certain_or_not(tmp_path: Path, runs: ModuleType) -> None:
    """Whichever rows it is in, and however surely each case has it."""

    def fails(case: Case, recorder: CaseRecorder) -> tuple[object, ...]:
        verdict, words = runs.fails(case, recorder)
        hedged = "" if case.row.id == ROW else "probably "
        known = {
            "id": "x",
            "title": "the trunk is full",
            "issue": "Calls drop",
            "owner": "trunk",
            "fix": "More.",
        }
        cause = {
            **known,
            "cause": f"Calls drop: {hedged}the trunk is full",
            "confidence": "likely" if hedged else "certain",
        }
        return verdict, words, [cause]

    run = runs.make_run(tmp_path, rows=(ROW, "HOLD"), plays={ROW: fails, "HOLD": fails}).directory
    reasons = signoff.make(run).decision.reasons
    assert [reason for reason in reasons if "the trunk is full" in reason] == [
        f"{ROW}, HOLD: failed (Calls drop: the trunk is full)."
    ]


def test_what_is_not_accepted_has_no_place_for_a_signature(
    tmp_path: Path, runs: ModuleType
) -> None:
    text = text_of(runs.make_run(tmp_path, plays={ROW: runs.fails}).directory, runs)

    assert "NOT ACCEPTED" in text
    assert "Acceptance" not in text
    assert "For the customer" not in text
    assert "every expectation" not in text.lower()


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
    stand_in = deployment.model_copy(
        update={"trunks": trunks, "kind": "stand-in", "stand_in": bind}
    )
    text = text_of(runs.make_run(tmp_path, deployment=stand_in).directory, runs)

    assert "Talkdesk with a stand-in for the AI" in text
    assert "with Synthflow AI" not in text
    assert "A STAND-IN WAS THE AI" in text


def test_a_voice_agent_that_nobody_named_is_not_called_synthflow(
    tmp_path: Path, runs: ModuleType
) -> None:
    """Whose it is the file says by its [synthflow] table: that of another vendor's has none
    (docs/any-sbc.md).
    """
    deployment = runs.live().model_copy(update={"synthflow": None, "integration": "generic"})
    text = text_of(
        runs.make_run(tmp_path, deployment=deployment, rows=("SBC-INBOUND",)).directory, runs
    )

    assert "SBC with a voice agent" in text
    assert "AI: a voice agent in 1" in text
    assert "with Synthflow AI" not in text


def test_the_evidence_can_be_checked_by_what_it_says_of_it(
    tmp_path: Path, runs: ModuleType
) -> None:
    run = runs.make_run(tmp_path).directory
    found = re.search(r"SHA-256 of (\S+) in the run's directory[^:]*: (\w{64})", text_of(run, runs))
    assert found is not None
    assert hashlib.sha256((run / found[1]).read_bytes()).hexdigest() == found[2]


def test_hostile_words_stay_words(tmp_path: Path, runs: ModuleType) -> None:
    """The run may be somebody else's: what it calls its deployment file's hash, too."""
    run = runs.make_run(tmp_path, plays={ROW: runs.fails}).directory
    plain = json.loads((run / "scope.json").read_text())
    plain["deployments"][0]["hash"] = "<script>alert(3)</script>\ud800"
    (run / "scope.json").write_text(json.dumps(plain))
    waiver = tmp_path / "w.toml"
    waiver.write_text(
        f'[[waiver]]\nrow="{ROW}"\nwho="<script>alert(1)</script>"\nwhy="x"\nuntil={datetime.datetime.now(datetime.UTC).date()}\n'
    )
    html = signoff.make(
        run, waiver_file=waiver, customer="<script>alert(2)</script>"
    ).html.read_text()

    assert "<script" not in html
    assert html.count("&lt;script") >= 3


def are_on_the_first_page_side_by_side(html: Path) -> bool:
    """Whether customer and integrator sign there."""
    import weasyprint

    pages = weasyprint.HTML(filename=str(html)).render().pages
    parties = ("For the customer", "For the integrator")
    places = [
        (number, box.position_y)
        for number, page in enumerate(pages)
        for box in page._page_box.descendants()
        if getattr(box, "text", "") in parties
    ]
    return len(places) == 2 and places[0] == places[1] and places[0][0] == 0


def waive(run: Path, waivers: Path) -> Path:
    """A waiver of each row that stands against accepting the run."""
    waived = [row.scope.row for row in signoff.make(run).decision.rows if row.blocks]
    today = datetime.datetime.now(datetime.UTC).date()
    rest = f'who = "Jane Doe, Head of Operations"\nwhy = "It is known."\nuntil = {today}\n'
    waivers.write_text("".join(f'[[waiver]]\nrow = "{row}"\n{rest}' for row in waived))
    return waivers


def test_waived_cause_is_on_the_first_page_with_ticket_owner_and_cases(
    tmp_path: Path, runs: ModuleType
) -> None:
    """It was only in the row's line of the annex."""

    def fails(case: Case, recorder: CaseRecorder) -> tuple[object, ...]:
        cause = {"id": "full", "cause": "the trunk is full", "title": "the trunk is full"}
        return (*runs.fails(case, recorder), [{**cause, "owner": "network", "fix": "More lines."}])

    reports = tmp_path / "reports"
    run = runs.make_run(reports, plays={ROW: fails, "HOLD": runs.fails}).directory
    until = datetime.datetime.now(datetime.UTC).date()
    acknowledged.add(
        reports,
        acknowledged.Acknowledgement(cause="full", ticket="NET-12", owner="Ana Cruz", until=until),
    )
    made = signoff.make(run, waiver_file=waive(run, tmp_path / "waivers.toml"))
    html = made.html.read_text()
    first, annex = (runs.words(part) for part in html.split("</section>"))

    assert made.decision.to_mend == []
    assert f"the trunk is full known: NET-12, Ana Cruz, until {until} network 1 failed" in first
    assert "what was seen no ticket – 1 failed" in first
    assert "2 failed" in first
    assert "What was waived" in annex
    assert "More lines." in annex
    assert "What must be fixed" not in annex


def test_rows_that_were_not_run_stand_with_their_reason(tmp_path: Path, runs: ModuleType) -> None:
    text = text_of(runs.make_run(tmp_path, rows=(ROW,)).directory, runs)
    assert re.search(r"not run \d+ rows \(not asked for in this run\): The AI", text)


@pytest.mark.nightly
@pytest.mark.skipif(
    bool(document.why_no_pdf()), reason="WeasyPrint (the extra `signoff`) finds no Pango here"
)
def test_many_waivers_and_rows_not_run_leave_the_signatures_on_the_first_page(
    tmp_path: Path, runs: ModuleType
) -> None:
    """A line for each of 44 rows filled half of it."""
    run = runs.make_run(tmp_path / "reports", rows=(ROW,), plays={ROW: runs.fails}).directory
    waivers = waive(run, tmp_path / "waivers.toml")
    made = signoff.make(run, waiver_file=waivers)
    assert len(made.decision.waivers) > 10
    assert are_on_the_first_page_side_by_side(made.html)


@pytest.mark.nightly
@pytest.mark.skipif(
    bool(document.why_no_pdf()), reason="WeasyPrint (the extra `signoff`) finds no Pango here"
)
def test_pdf(tmp_path: Path, runs: ModuleType) -> None:
    made = signoff.make(runs.make_run(tmp_path).directory, pdf=True)
    assert made.pdf is not None
    raw = made.pdf.read_bytes()

    assert raw.startswith(b"%PDF-")
    streams = re.findall(rb"/FlateDecode[^>]*>>\s*stream\r?\n(.*?)endstream", raw, re.DOTALL)
    # What ends a stream may be its own last byte or the line's: the decompressor knows where it
    # ends.
    assert any(
        b"pdfaid" in zlib.decompressobj().decompress(stream) for stream in streams
    )  # PDF/A says so

    assert are_on_the_first_page_side_by_side(made.html)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("A row failed, and another.", "A row failed, and another."),
        ("x" * 400, "x" * 400),
        ("Not run: " + ", ".join(f"TD-ROW-{n:02}" for n in range(40)), " and 18 more"),
    ],
)
def test_the_first_page_cuts_no_reason_but_counts_a_long_list(reason: str, shown: str) -> None:
    assert document.brief(reason).endswith(shown)
    assert "…" not in document.brief(reason)
