"""The report and the sign-off document."""

from __future__ import annotations

import base64
import dataclasses
import re
import zlib
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.calls.verdict import Finding, Verdict
from harness.report import html, run_directory
from harness.report.evidence import CaseEvidence
from harness.report.history import Result, Run
from harness.report.recorder import CaseRecorder
from harness.report.run import remake
from harness.report.run_directory import RunEvidence, read_cases
from harness.report.summary import summarise
from tests.unit.conftest import run_of


class Page(HTMLParser):
    """Tags with their attributes, ids, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag and wanted.items() <= attrs.items()]


def report(run: Any, past: Sequence[Run] = (), **end: Any) -> str:
    """The page of the run of every verdict, of whose cases the last was never run."""
    return page_of(run_of(*read_cases(run.directory), planned=run.planned, directory=run.directory, **end), past)


def page_of(run: RunEvidence, past: Sequence[Run] = ()) -> str:
    run.directory.mkdir(exist_ok=True)
    html.write(run.directory / "report.html", run, summarise(run), past)
    return (run.directory / "report.html").read_text()


def unpacked(text: str) -> Iterator[str]:
    for packed in re.findall(r'<script type="text/plain">([^<]+)</script>', text):
        yield zlib.decompress(base64.b64decode(packed)).decode()


class TestReport:
    def test_links_lead_to_messages_that_exist(self, run: Any) -> None:
        text = report(run)
        page = Page(text + "".join(unpacked(text)))
        ids = [str(attrs["id"]) for _, attrs in page.tags if attrs.get("id")]
        hashes = {(a["href"] or "")[1:] for a in page.all("a") if (a.get("href") or "").startswith("#")}
        targets = {target for target in hashes if "=" not in target}

        assert len(ids) == len(set(ids))
        assert targets <= set(ids)
        assert {"cause=0", "row=TD-INBOUND"} <= hashes
        assert any(target.endswith("-m8") for target in targets)

    def test_a_row_of_two_deployments_is_one_mark_in_an_earlier_run(self, run: Any) -> None:
        """The worst of them: neither hides the other, and no run counts twice."""
        results = [
            Result("c", "talkdesk", "TD-INBOUND", verdict, 1, 1.0) for verdict in (Verdict.PASSED, Verdict.FAILED)
        ]
        past = [Run("x", 1e9, name, "", "k", "w", results=(one,)) for name, one in zip("ab", results, strict=True)]

        assert [a["title"] for a in Page(report(run, past)).all("i")] == ["2001-09-09 01:46: failed"]

    def test_a_large_run_s_cases_lie_beside_the_page(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(html, "MOST_WHOLE", 2)
        monkeypatch.setattr(html, "MOST_INLINE", 1)
        monkeypatch.setattr(run_directory, "WORTH", 2)  # as many as there are: each in a process of its own
        text = report(run)
        parts = {path.stem for path in (run.directory / html.PARTS).iterdir()}
        keys = [str(a["id"]) for a in Page(text).all("details", **{"class": "case"})]

        assert parts == {*keys[1:], "index"}
        assert not list(unpacked(text))
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
            (["failed"], {"interrupted": "stopped"}, "1 of 1 cases failed, and the run was interrupted"),
            (["passed"], {"broke": ("no disk",)}, "1 case passed, but the harness broke outside of them"),
            (["passed"], {"planned": []}, "1 case passed, of which 1 had not been planned"),
            ([], {}, "No case ran"),
        ],
    )
    def test_the_headline_is_the_worst(
        self, tmp_path: Path, samples: ModuleType, plays: list[str], end: dict[str, Any], said: str
    ) -> None:
        cases = [samples.case_of(play.upper()) for play in plays]
        evidences = [
            CaseEvidence.read(getattr(samples, play)(tmp_path / play, case))
            for play, case in zip(plays, cases, strict=True)
        ]
        more: dict[str, Any] = {"planned": cases, **end}
        run = run_of(*evidences, directory=tmp_path, **more)
        assert page_of(run).partition("<title>")[2].startswith(said)

    def test_each_filter_says_what_it_chooses_by(self, tmp_path: Path, samples: ModuleType) -> None:
        """The name of a line, and the number that was dialled, were both called a number."""
        cases = [samples.case_of(), samples.case_of()]
        for case, line, ask in zip(cases, ("Store 1", "Store 2"), ("digit", "prompt"), strict=True):
            case |= {"id": f"{case['id']}{line}", "axes": {**case["axes"], "number": line, "ask": ask}}
        evidences = [CaseEvidence.read(samples.passed(tmp_path / case["axes"]["ask"], case)) for case in cases]
        text = page_of(run_of(*evidences, planned=cases, directory=tmp_path))
        said = re.findall('<select[^>]*><option value="">([^<]*)', text)
        assert said == ["every verdict", "every row", "every number dialled", "every line", "every way to ask"]
        assert text.count('aria-label="line"') == 1

    def test_what_was_not_verified_is_told_though_all_passed(self, tmp_path: Path, runs: ModuleType) -> None:
        def plays(case: Any, recorder: CaseRecorder) -> tuple[Verdict, str]:
            unseen = Finding("codec", "the AI", Verdict.NOT_OBSERVABLE, "PCMU", "not observable: dark", 1.0)
            recorder.finding(dataclasses.replace(unseen, dispensable=True))
            return runs.passes(case, recorder)  # type: ignore[no-any-return]

        finished = remake(runs.make_run(tmp_path, rows=("TD-INBOUND",), plays={"TD-INBOUND": plays}).directory)
        left_out = finished.summary.left_out
        text = finished.report.read_text()
        section = " ".join(Page(text[text.index('id="unverified"') :]).text)
        assert {str(left["row"]) for left in left_out if left["row"] not in section} == set()
        assert {str(left["why"]) for left in left_out if left["why"] not in section} == set()
        guide = len({left["row"] for left in left_out if left["documented"]})
        assert f"{guide} rows of the guide: not run, or not at every number" in section
        head = text[text.index("<header>") : text.index("</header>")]
        assert f'<a href="#unverified">{guide} rows of the guide not run, or not at every number</a>' in head
        assert "1 row: seen in part in the cases that passed" in section
        unseen = {words for found in finished.summary.coverage.values() for words in found.unseen}
        assert unseen
        assert {words for words in unseen if words not in section} == set()
