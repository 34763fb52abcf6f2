"""The report and the sign-off document."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.calls.verdict import Finding, Verdict
from harness.report import html, processes
from harness.report.case_page import CasePage
from harness.report.evidence import CaseEvidence
from harness.report.history import Result, Run
from harness.report.recorder import CaseRecorder
from harness.report.run import FinishedRun, remake
from harness.report.run_directory import read_cases
from harness.report.summary import summarise
from harness.report.terminal import show
from harness.support.terminal import SafeConsole


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


def report(run: Any, **changes: Any) -> str:
    cases = read_cases(run.directory)
    summary = summarise(cases, run.planned, **{"run": "r", "wall_s": 1.0, "workers": 2, **changes})
    html.write(run.directory / "report.html", summary, cases, run.planned[-1:])
    text: str = (run.directory / "report.html").read_text()
    return text


def unpacked(text: str) -> Iterator[str]:
    for packed in re.findall(r'<script type="text/plain">([^<]+)</script>', text):
        yield zlib.decompress(base64.b64decode(packed)).decode()


class TestReport:
    def test_asks_for_nothing_from_elsewhere(self, run: Any, samples: ModuleType) -> None:
        recorded = samples.case_of("HOLD", title="The caller holds the call")
        samples.failed(samples.case_directory(run.directory, recorded), recorded, sound=True)
        text = report(run)
        page = Page(text + "".join(unpacked(text)))

        assert not any(page.all(tag) for tag in ("link", "img", "iframe", "object"))
        assert not [a for a in page.all("script") if a.get("src")]
        players = page.all("audio")
        assert players
        assert all((a.get("src") or "").startswith("data:") for a in players)
        assert "@import" not in text
        assert "url(http" not in text
        (policy,) = [a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
        assert (policy["content"] or "").startswith("default-src 'none'")

    def test_lists_every_case_once_with_its_verdict_first_what_failed(self, run: Any) -> None:
        listed = Page(report(run)).all("details", **{"class": "case"})

        assert [a["data-verdict"] for a in listed] == ["failed", "broken", "not observable", "passed"]
        assert {a["data-row"] for a in listed} == {case["row"] for case in run.planned[:-1]}

    def test_each_owner_that_one_may_choose_has_the_cases_of_its_causes(
        self, tmp_path: Path, samples: ModuleType
    ) -> None:
        """A case with two causes is the second one's owner's, too."""
        owners = ("Fernmeldeamt", "réseau & co")
        told = [
            {"id": f"c{n}", "cause": f"cause {n}", "title": f"cause {n}", "owner": owner, "candidate": False}
            for n, owner in enumerate(owners)
        ]
        for number, causes in enumerate((told, told[:1])):
            with samples.playing(tmp_path / str(number), samples.case_of(f"ROW-{number}")) as sample:
                sample.recorder.close(Verdict.FAILED, "it failed", causes)
        cases = [CaseEvidence.read(tmp_path / name) for name in ("0", "1")]
        summary = summarise(cases, [dict(case.case) for case in cases], run="r", wall_s=1.0, workers=1)
        html.write(tmp_path / "report.html", summary, cases)
        text = (tmp_path / "report.html").read_text()
        page = Page(text)

        chosen = [a["value"] for a in page.all("option") if a.get("value") in owners]
        listed = {a["data-row"]: (a["data-owner"] or "").split("\n") for a in page.all("details", **{"class": "case"})}
        assert sorted(map(str, chosen)) == sorted(owners)
        assert listed == {"ROW-0": [*owners], "ROW-1": [owners[0]]}
        index = next(zlib.decompress(base64.b64decode(p)).decode() for p in re.findall(r'id="index">([^<]+)<', text))
        assert "cause 1" in index

    def test_says_what_needs_attention(self, run: Any) -> None:
        text = " ".join(Page(report(run)).text)

        assert "1 of 5 cases failed" in text
        assert "The platform does not pass the caller's number on" in text
        assert "Set the From header" in text
        assert "1 case was planned, but never reported" in text

    def test_a_passed_case_is_there_when_it_is_opened(self, run: Any) -> None:
        (detail,) = unpacked(report(run))

        assert "they hear each other" in detail
        assert "From with +13125550100" in detail
        assert 'class="ladder"' in detail
        assert 'class="timeline"' in detail

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

    def test_a_failed_case_opens_with_cause_fix_owner_and_the_very_messages(self, run: Any) -> None:
        (body,) = re.findall(
            r'<details class="case"[^>]*data-verdict="failed".*?<div class="body">(.*?)<h4>', report(run), re.DOTALL
        )
        text = " ".join(" ".join(Page(body).text).split())
        for earlier, later in itertools.pairwise(
            (
                "does not pass the caller's number on",
                "Fix Set the From header",
                "Owner platform routing",
                "expected",
                "anonymous",
            )
        ):
            assert text.index(earlier) < text.index(later)
        assert [a["href"] for a in Page(body).all("a") if (a.get("href") or "").endswith("-m8")]
        assert "Shown by message m8 " in text
        assert "harness explain" in text
        assert "harness verify FILE --row TD-TRANSFER-BLIND --transport udp" in text

    def test_what_a_search_goes_through(self, run: Any) -> None:
        (packed,) = re.findall(r'<script type="text/plain" id="index">([^<]+)</script>', report(run))
        words = json.loads(zlib.decompress(base64.b64decode(packed)))
        listed = Page(report(run)).all("details", **{"class": "case"})
        assert len(words) == len(listed)
        assert "call-id: call-2" in words[0]
        assert "+13125550142" in words[0]
        assert "x-ei: s.abc;" in words[0]
        subjects = {one.subject.lower() for case in read_cases(run.directory) for one in case.findings}
        assert subjects
        assert subjects <= set("\n".join(words).splitlines())
        assert "call-2" not in words[-1]

    def test_cases_beyond_what_a_page_opens_with_are_deflated(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(html, "MOST_INLINE", 1)
        page = Page(report(run))
        assert len(list(unpacked(report(run)))) == len(page.all("details", **{"class": "case"})) - 1

    def test_what_prints_whole_is_told(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def told() -> str:
            (note,) = re.findall(r'<p class="print-note"[^>]*>(.*?) <button', report(run))
            return str(note)

        assert told() == "In print, a case that passed is a line; what was opened prints whole."
        monkeypatch.setattr(html, "MOST_INLINE", 1)
        assert (
            "and so is one that did not pass beyond the first 1, unless a filter leaves no more than 1 of these"
            in told()
        )

    def test_earlier_runs_are_shown_by_row(self, run: Any) -> None:
        result = Result("c", "talkdesk", "TD-INBOUND", Verdict.FAILED, 1, 1.0)
        past = [Run("x", 1e9, "d", "s", "k", "w", results=(result,))]
        page = Page(_with_past(run, past))

        assert [a["title"] for a in page.all("i")] == ["2001-09-09 01:46: failed"]

    def test_a_row_of_two_deployments_is_one_mark_in_an_earlier_run(self, run: Any) -> None:
        """The worst of them: neither hides the other, and no run counts twice."""
        results = [
            Result("c", "talkdesk", "TD-INBOUND", verdict, 1, 1.0) for verdict in (Verdict.PASSED, Verdict.FAILED)
        ]
        past = [Run("x", 1e9, name, "", "k", "w", results=(one,)) for name, one in zip("ab", results, strict=True)]

        assert [a["title"] for a in Page(_with_past(run, past)).all("i")] == ["2001-09-09 01:46: failed"]

    def test_a_large_run_s_cases_lie_beside_the_page(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(html, "MOST_WHOLE", 2)
        monkeypatch.setattr(html, "MOST_INLINE", 1)
        monkeypatch.setattr(processes, "WORTH", 2)  # as many as there are: each in a process of its own
        text = report(run)
        parts = {path.stem for path in (run.directory / html.PARTS).iterdir()}
        keys = [str(a["id"]) for a in Page(text).all("details", **{"class": "case"})]

        assert parts == {*keys[1:], "index"}
        assert not list(unpacked(text))
        monkeypatch.setattr(html, "MOST_WHOLE", 300)
        report(run)
        assert not (run.directory / html.PARTS).exists()

    def test_faults_that_were_injected_stand_at_its_head(self, run: Any) -> None:
        cases = read_cases(run.directory)
        summary = summarise(cases, run.planned, run="r", wall_s=1.0, workers=2)
        summary.faults = ["heavy-loss", "no-g711@inbound"]
        page = run.directory / "report.html"
        html.write(page, summary, cases)

        said = " ".join(Page(page.read_text()).text).split("Cases", 1)[0]
        assert "injected on purpose: heavy-loss, no-g711@inbound" in " ".join(said.split())
        assert "injected on purpose" not in report(run)

    def test_what_the_case_may_do_without_is_no_reason_for_its_verdict(
        self, tmp_path: Path, samples: ModuleType
    ) -> None:
        def why(*findings: tuple[str, bool]) -> str:
            home = tmp_path / "-".join(check for check, _ in findings)
            with samples.playing(home) as sample:
                for check, dispensable in findings:
                    sample.finding(
                        check, "the AI", Verdict.NOT_OBSERVABLE, actual="not observable: dark", dispensable=dispensable
                    )
                sample.recorder.close(Verdict.NOT_OBSERVABLE, "nobody could look")
            text = CasePage.of(CaseEvidence.read(home), home, "").html()
            return text.partition('<p class="about">')[0]

        both = why(("route.transport", True), ("audio", False))
        assert "<code>audio</code>" in both
        assert "<code>route.transport</code>" not in both
        assert '<span class="seen">not seen: <b>dark</b></span>' in both
        assert "<code>codec</code>" in why(("codec", True)), "nothing else says why"

    def test_hostile_text_stays_text(self, tmp_path: Path, samples: ModuleType) -> None:
        evil = "<script>alert(1)</script>\x00\ud800"
        case = samples.case_of(id=evil, title=evil, description=evil, axes={"codec": evil}, site=evil)
        with samples.playing(tmp_path / "case", case) as sample:
            sample.message("received", evil)
            sample.finding(evil, evil, Verdict.FAILED, expected=evil, actual=evil, evidence=(evil,))
            sample.recorder.note(evil)
            sample.recorder.close(Verdict.FAILED, evil, [{"cause": evil, "fix": evil, "link": 'x" onclick="evil'}])
        evidence = CaseEvidence.read(tmp_path / "case")
        summary = summarise([evidence], [case], run="r", wall_s=1.0, workers=1)
        html.write(tmp_path / "r.html", summary, [evidence])

        text = (tmp_path / "r.html").read_text()
        assert "<script>alert" not in text
        assert "\x00" not in text
        assert not [a for _, a in Page(text).tags if "onclick" in a]

    @pytest.mark.parametrize(
        ("play", "verdict", "words"),
        [
            ("passed", "passed", "1 case passed"),
            ("failed", "failed", "1 of 1 cases failed"),
            ("unobserved", "not observable", "1 of 1 cases could not be observed"),
            ("died", "broken", "1 of 1 cases broke: nothing is known about the system in them"),
        ],
    )
    def test_the_headline_is_the_worst(
        self, tmp_path: Path, samples: ModuleType, play: str, verdict: str, words: str
    ) -> None:
        case = samples.case_of()
        evidence = CaseEvidence.read(getattr(samples, play)(tmp_path / "case", case))

        assert html.headline(summarise([evidence], [case], run="r", wall_s=1.0, workers=1)) == (verdict, words)

    @pytest.mark.parametrize(
        ("play", "verdict", "words"),
        [
            ("passed", "broken", "Interrupted: stopped by the user; 1 of 2 cases passed"),
            ("failed", "failed", "1 of 2 cases failed, and the run was interrupted"),
            ("unobserved", "not observable", "1 of 2 cases could not be observed, and the run was interrupted"),
            ("died", "broken", "Interrupted: stopped by the user; 0 of 2 cases passed"),
        ],
    )
    def test_an_interrupted_run_says_so_at_once(
        self, tmp_path: Path, samples: ModuleType, play: str, verdict: str, words: str
    ) -> None:
        case, never_run = samples.case_of(), samples.case_of("HOLD")
        evidence = CaseEvidence.read(getattr(samples, play)(tmp_path / "case", case))
        summary = summarise(
            [evidence], [case, never_run], run="r", wall_s=1.0, workers=1, interrupted="stopped by the user"
        )
        assert html.headline(summary) == (verdict, words)

    @pytest.mark.parametrize(
        ("more", "verdict", "words"),
        [
            (
                {"required": ["acme: TD-CAPACITY (not asked for in this run)"]},
                "failed",
                "Required, and not run: acme: TD-CAPACITY",
            ),
            ({"broke": ["test_x.py cannot be read"]}, "broken", "1 case passed, but the harness broke outside of them"),
            ({"planned": False}, "broken", "1 case passed, of which 1 had not been planned"),
        ],
    )
    def test_a_run_whose_exit_code_is_not_0_is_not_green_though_all_passed(
        self, tmp_path: Path, samples: ModuleType, more: dict[str, Any], verdict: str, words: str
    ) -> None:
        case = samples.case_of()
        evidence = CaseEvidence.read(samples.passed(tmp_path / "case", case))
        planned = [case] if more.pop("planned", True) else []
        summary = summarise([evidence], planned, run="r", wall_s=1.0, workers=1, **more)
        html.write(tmp_path / "r.html", summary, [evidence])

        said = html.headline(summary)
        assert (said[0], said[1][: len(words)]) == (verdict, words)
        assert summary.exit_code == {"failed": 1, "broken": 3}[verdict]
        attention = (tmp_path / "r.html").read_text().partition('<section id="causes">')[2].partition("</section>")[0]
        for told in (*summary.required, *summary.broke, *summary.unplanned):
            assert told in unescape(attention)

    def test_each_filter_says_what_it_chooses_by(self, tmp_path: Path, samples: ModuleType) -> None:
        """The name of a line, and the number that was dialled, were both called a number."""
        cases = [samples.case_of(), samples.case_of()]
        for case, line, ask in zip(cases, ("Store 1", "Store 2"), ("digit", "prompt"), strict=True):
            case |= {"id": f"{case['id']}{line}", "axes": {**case["axes"], "number": line, "ask": ask}}
        evidences = [CaseEvidence.read(samples.passed(tmp_path / case["axes"]["ask"], case)) for case in cases]
        html.write(tmp_path / "r.html", summarise(evidences, cases, run="r", wall_s=1.0, workers=1), evidences)
        text = (tmp_path / "r.html").read_text()
        said = re.findall('<select[^>]*><option value="">([^<]*)', text)
        assert said == ["every verdict", "every row", "every number dialled", "every line", "every way to ask"]
        assert text.count('aria-label="line"') == 1

    def test_what_broke_beside_what_failed_is_counted(self, tmp_path: Path, samples: ModuleType) -> None:
        case, other = samples.case_of(), samples.case_of("HOLD")
        evidences = [
            CaseEvidence.read(play(tmp_path / one["row"], one))
            for play, one in ((samples.failed, case), (samples.died, other))
        ]
        summary = summarise(evidences, [case, other], run="r", wall_s=1.0, workers=1)
        assert html.headline(summary) == ("failed", "1 of 2 cases failed, 1 broke")

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

    def test_injected_faults_are_told_though_all_passed(self, tmp_path: Path, samples: ModuleType) -> None:
        case = samples.case_of()
        evidence = CaseEvidence.read(samples.passed(tmp_path / "case", case))
        summary = summarise([evidence], [case], run="r", wall_s=1.0, workers=1)
        summary.faults = ["heavy-loss@main"]
        html.write(tmp_path / "r.html", summary, [evidence])
        assert "Faults were injected on purpose:</b> heavy-loss@main" in (tmp_path / "r.html").read_text()

    def test_of_a_run_that_was_killed_no_time_is_told(self, tmp_path: Path, runs: ModuleType) -> None:
        made = runs.make_run(tmp_path, rows=("HOLD", "BUSY"), ended=False, lost=("BUSY",))
        finished = remake(made.directory)
        assert "0 workers" not in finished.report.read_text()
        assert "0.0 s" not in shown_in_terminal(finished)

    def test_a_run_in_which_no_case_began_has_its_own_time_and_deployment(
        self, tmp_path: Path, runs: ModuleType
    ) -> None:
        """Stopped before the first call, say."""
        made = runs.make_run(tmp_path, rows=("HOLD",), lost=("HOLD",))
        text = remake(made.directory).report.read_text()
        assert "2027-01-15 08:00:00 UTC" in text  # as its scope says
        assert "<bdi>example</bdi> (live)" in text
        (made.directory / "scope.json").unlink()
        assert "1970" not in remake(made.directory).report.read_text()

    def test_a_filter_counts_the_cases_that_it_can_show(self, tmp_path: Path, runs: ModuleType) -> None:
        """Of a run that was killed most cases left nothing to show."""
        rows = ("HOLD", "BUSY", "ABANDON", "REJECTED")
        made = runs.make_run(tmp_path, rows=rows, ended=False, lost=rows[1:])
        finished = remake(made.directory)
        text = finished.report.read_text()
        assert finished.summary.total.broken
        options = re.findall(r'<option value="([^"]+)">\1 \((\d+)\)</option>', text)
        assert options
        for verdict, count in options:
            assert text.count(f'data-verdict="{verdict}"') == int(count)

    def test_a_run_without_cases_is_not_green(self) -> None:
        assert html.headline(summarise([], [], run="r", wall_s=0.0, workers=1))[0] == "broken"


def shown_in_terminal(finished: FinishedRun) -> str:
    """What the terminal shows of a run."""
    out = io.StringIO()
    show(finished.summary, finished.groups, SafeConsole(file=out, width=100), run=finished.directory)
    return out.getvalue()


def _with_past(run: Any, past: list[Run]) -> str:
    cases = read_cases(run.directory)
    summary = summarise(cases, run.planned, run="r", wall_s=1.0, workers=2)
    html.write(run.directory / "report.html", summary, cases, (), past)
    text: str = (run.directory / "report.html").read_text()
    return text
