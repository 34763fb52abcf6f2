"""The report's page; ``tests/browser`` looks at it as its readers do."""

from __future__ import annotations

import base64
import dataclasses
import re
import zlib
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Verdict
from harness.report import html, processes
from harness.report.evidence import CaseEvidence
from harness.report.history import Result, Run, runs_of
from harness.report.run import remake
from harness.report.run_directory import RunEvidence, read_cases
from harness.report.standing import Past, standings
from harness.report.summary import summarise
from tests.unit import conftest as runs
from tests.unit.conftest import run_of
from tests.unit.report import samples


def report(run: Any, past: Sequence[Run] = ()) -> str:
    """The page of the run of every verdict, of whose cases the last was never run."""
    return page_of(
        run_of(*read_cases(run.directory), planned=run.planned, directory=run.directory), past
    )


def page_of(run: RunEvidence, past: Sequence[Run] = ()) -> str:
    run.directory.mkdir(exist_ok=True)
    html.write(
        run.directory / "report.html",
        run,
        summarise(run),
        Past(past, standings(past, runs_of(run))),
    )
    return (run.directory / "report.html").read_text()


def unpacked(text: str) -> str:
    """The page with the cases that open."""
    packed = re.findall(r'<script type="text/plain">([^<]+)</script>', text)
    return text + "".join(zlib.decompress(base64.b64decode(one)).decode() for one in packed)


def test_links_lead_to_messages_that_exist(run: Any) -> None:
    text = unpacked(report(run))
    ids = re.findall(r'\sid="([^"]+)"', text)
    hashes = set(re.findall(r'href="#([^"]*)"', text))

    assert len(ids) == len(set(ids))
    assert {target for target in hashes if "=" not in target} <= set(ids)
    targets = set(map(unescape, hashes))
    assert "row=TD-INBOUND&deployment=talkdesk-sim" in targets
    chosen = {target.partition("=")[2] for target in targets if target.startswith("cause=")}
    assert chosen
    assert chosen < set(ids), "each cause has an address of its own, and a filter"
    assert any(target.endswith("-m8") for target in hashes)


def test_a_row_of_two_sites_is_one_mark_in_an_earlier_run(run: Any) -> None:
    """The worst of them: neither hides the other, and no run counts twice."""
    verdicts = {"a": Verdict.PASSED, "b": Verdict.FAILED}
    results = {
        site: Result("c", "talkdesk", "TD-INBOUND", verdict, 1, 1.0)
        for site, verdict in verdicts.items()
    }
    past = [
        Run("x", 1e9, "talkdesk-sim", site, "k", results=(result,))
        for site, result in results.items()
    ]

    assert re.findall(r'<i class="v-\w+" title="([^"]*)">', report(run, past)) == [
        "2001-09-09 01:46: failed"
    ]


def test_a_large_run_s_cases_lie_beside_the_page(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MOST_WHOLE", 2)
    monkeypatch.setattr(html, "MOST_INLINE", 1)
    monkeypatch.setattr(processes, "WORTH", 2)  # made in other processes
    text = report(run)
    cases = re.findall(  # first of no cause
        r'<details class="case" id="([^"]+)" data-verdict[^>]* data-part="(\w+)"', text
    )

    parts = {path.stem: path.read_text() for path in (run.directory / html.PARTS).iterdir()}
    assert parts.keys() == {"index", *(part for _, part in cases)}
    assert len(cases) == text.count('<details class="case"') - text.count("<template>")
    assert all(f'part("{key}", ' in parts[part] for key, part in cases)
    assert unpacked(text) == text
    monkeypatch.setattr(html, "MOST_WHOLE", 300)
    report(run)
    assert not (run.directory / html.PARTS).exists()


@pytest.mark.parametrize(
    ("plays", "end", "said"),
    [
        (["passed"], {}, "1 case passed"),
        (["passed", "failed"], {}, "1 of 2 cases failed"),
        (["failed", "died"], {}, "1 of 2 cases failed, 1 broke"),
        (["unobserved"], {}, "1 of 1 cases could not be observed"),
        (["died"], {}, "1 of 1 cases broke: nothing is known about the system in them"),
        (["passed"], {"interrupted": "stopped"}, "Interrupted: stopped; 1 of 1 cases passed"),
        (
            ["failed"],
            {"interrupted": "stopped"},
            "1 of 1 cases failed, and the run was interrupted",
        ),
        (
            ["passed"],
            {"broke": ("no disk",)},
            "1 case passed, but the harness broke outside of them",
        ),
        (["passed"], {"planned": []}, "1 case passed, of which 1 had not been planned"),
        ([], {}, "No case ran"),
    ],
)
def test_the_headline_is_the_worst(
    tmp_path: Path, plays: list[str], end: dict[str, Any], said: str
) -> None:
    cases = [samples.case_of(play.upper()) for play in plays]
    played = [
        getattr(samples, play)(tmp_path / play, case)
        for play, case in zip(plays, cases, strict=True)
    ]
    more: dict[str, Any] = {"planned": cases, **end}
    run = run_of(*map(CaseEvidence.read, played), directory=tmp_path, **more)
    assert page_of(run).partition("<title>")[2].startswith(said)


def test_each_filter_says_what_it_chooses_by(tmp_path: Path) -> None:
    """The name of a line, and the number that was dialled, were both called a number."""
    cases = [samples.case_of(), samples.case_of()]
    for case, line, ask in zip(cases, ("Store 1", "Store 2"), ("digit", "prompt"), strict=True):
        case |= {"id": f"{case['id']}{line}", "axes": {**case["axes"], "number": line, "ask": ask}}
    evidences = [
        CaseEvidence.read(samples.passed(tmp_path / case["axes"]["ask"], case)) for case in cases
    ]
    text = page_of(run_of(*evidences, planned=cases, directory=tmp_path))
    said = re.findall('<select[^>]*><option value="">([^<]*)', text)
    assert said == [
        "every verdict",
        "every row",
        "every number dialled",
        "every line",
        "every way to ask",
    ]
    assert text.index("More filters") > text.index("every row")
    assert text.index("More filters") < text.index("every number dialled")


def test_what_was_not_verified_is_told_though_all_passed(tmp_path: Path) -> None:
    def plays(case: Any, recorder: CaseRecorder) -> tuple[Verdict, str]:
        unseen = Finding(
            "codec", "the AI", Verdict.NOT_OBSERVABLE, "PCMU", "not observable: dark", 1.0
        )
        recorder.raised(dataclasses.replace(unseen, dispensable=True))
        return runs.passes(case, recorder)

    finished = remake(
        runs.make_run(tmp_path, rows=("TD-INBOUND",), plays={"TD-INBOUND": plays}).directory
    )
    left_out = finished.summary.left_out
    text = finished.report.read_text()
    shown, section = (unescape(runs.words(part)) for part in text.split('id="unverified"'))
    assert {
        str(left[key]) for left in left_out for key in ("row", "why") if str(left[key]) not in shown
    } == set()
    assert left_out[0]["why"] not in section, "the matrix says it"
    guide = len({left["row"] for left in left_out if left["documented"]})
    assert f'<a href="#matrix">{guide} rows of the guide not run</a>' in text
    assert "1 row: seen in part in the cases that passed" in section
    unseen = {words for found in finished.summary.coverage.values() for words in found.unseen}
    assert unseen
    assert {words for words in unseen if words not in section} == set()
