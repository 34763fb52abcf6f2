"""Allure results: those of running tests (in a pytest of their own), and those of cases that Allure never heard of."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import allure_commons
import pytest
from allure_commons import model2
from allure_commons.logger import AllureFileLogger

from harness.calls.events import SipMessage
from harness.calls.verdict import NEVER_REPORTED, Verdict
from harness.report import allure, allure_report, tables
from harness.report.evidence import CaseEvidence

_CONFTEST = """
import sys
from pathlib import Path
import pytest
sys.path.insert(0, {here!r})
import conftest as _own  # this file, under its own name
import importlib.util
spec = importlib.util.spec_from_file_location("samples", {samples!r})
samples = importlib.util.module_from_spec(spec)
sys.modules["samples"] = samples
spec.loader.exec_module(samples)
from harness.report import allure
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import case_directory

class Case:  # its repr changes from run to run
    def __init__(self, row): self.row = row

@pytest.fixture
def case(request):
    row, play = request.param.row, getattr(samples, request.node.name.removeprefix("test_").partition("[")[0])
    plain = samples.case_of(row, nodeid=request.node.nodeid, title="Title of " + row)
    directory = case_directory(Path(request.config.rootpath) / "run", plain)
    yield lambda: play(directory, plain)
    allure.complete(CaseEvidence.read(directory))
"""
_TESTS = """
import pytest
from conftest import Case

@pytest.mark.parametrize("case", [Case("TD-INBOUND"), Case("TD-SKILLS")], indirect=True)
def test_passed(case):
    case()

@pytest.mark.parametrize("case", [Case("TD-TRANSFER-BLIND")], indirect=True)
def test_failed(case):
    case()
    assert False, "in pytest's words"

@pytest.mark.parametrize("case", [Case("TD-OUTBOUND-IVR")], indirect=True)
def test_unobserved(case):
    case()
    raise AssertionError("nobody could look")
"""

#: Tests of which two are cases, and fixtures that these have for themselves, or with others.
_FIXTURES_OF_BOTH = """
import pytest
from harness.report import allure

def pytest_sessionstart():
    allure.write_cases_only()

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    if "case" in item.name:
        allure.begin_case()
    return (yield)

@pytest.fixture(scope="session")
def of_cases():
    yield

@pytest.fixture(scope="session")
def of_both():
    yield

@pytest.fixture
def of_case():
    yield

@pytest.fixture
def of_other():
    yield
"""

#: Ends the session amid the second case.
_INTERRUPTED = """
def pytest_sessionstart():
    allure.write_cases_only()

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    allure.begin_case()
    return (yield)

class Interrupting:
    def pytest_runtest_{phase}(self, item):
        if "case1" in item.name:
            raise KeyboardInterrupt

def pytest_configure(config):
    config.pluginmanager.register(Interrupting())
"""


def results(directory: Path) -> dict[str, dict[str, Any]]:
    """Results by row."""
    found = [json.loads(path.read_text()) for path in directory.glob("*-result.json")]
    return {labels(one)["feature"]: one for one in found}


def labels(result: dict[str, Any]) -> dict[str, str]:
    return {label["name"]: label["value"] for label in result["labels"]}


def parameters(result: dict[str, Any]) -> dict[str, str]:
    return {parameter["name"]: parameter["value"] for parameter in result["parameters"]}


def attachments(result: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {attachment["name"]: attachment for attachment in result["attachments"]}


def run_pytest(python: str, here: Path, results: Path) -> str:
    """Run the tests in ``here``, which have a configuration of their own, forked, with Allure's results; what pytest said."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--alluredir", str(results), str(here)]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def pytest_results(tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> list[dict[str, dict[str, Any]]]:
    """The results of two runs of the same tests."""
    here = tmp_path_factory.mktemp("inner")
    samples = Path(__file__).with_name("conftest.py")
    (here / "conftest.py").write_text(_CONFTEST.format(here=str(here), samples=str(samples)))
    (here / "test_inner.py").write_text(_TESTS)
    (here / "pytest.ini").write_text("[pytest]\n")
    made = []
    for name in ("one", "two"):
        said = run_pytest(forked_python, here, here / name)
        assert "2 failed, 2 passed" in said, said
        made.append(results(here / name))
    return made


class TestOfARunningTest:
    def test_says_what_the_case_is(self, pytest_results: list[dict[str, dict[str, Any]]]) -> None:
        result = pytest_results[0]["TD-INBOUND"]

        assert result["status"] == "passed"
        assert result["name"] == "Title of TD-INBOUND [udp (declared) · ip (declared) · pcmu · synthflow]"
        assert result["description"].startswith("The call to the Talkdesk number")
        assert parameters(result) == {
            "site": "local",
            "deployment": "talkdesk-sim",
            "row": "TD-INBOUND",
            "transport": "udp",
            "authentication": "ip",
            "codec": "pcmu",
            "ai": "synthflow",
            "id": "TD-INBOUND[talkdesk-sim:udp-ip-pcmu-synthflow]",
        }
        assert (
            labels(result).items()
            >= {
                "epic": "talkdesk",
                "feature": "TD-INBOUND",
                "story": "udp (declared) · ip (declared) · pcmu · synthflow",
                "severity": "critical",
                "suite": "TD-INBOUND",
                "verdict": "passed",
                "strength": "proved",
            }.items()
        )
        assert [(link["name"], link["url"]) for link in result["links"]] == [
            ("guide, Verification 1", "https://docs.synthflow.ai/sip-with-talkdesk#verification")
        ]

    def test_has_the_cases_own_steps_and_times(self, pytest_results: list[dict[str, dict[str, Any]]]) -> None:
        steps = pytest_results[0]["TD-INBOUND"]["steps"]

        assert [step["name"] for step in steps] == [
            "the caller dials the line",
            "they hear each other",
            "What was checked",
        ]
        assert steps[1]["stop"] - steps[1]["start"] == pytest.approx(1050, abs=2)
        assert [inner["status"] for inner in steps[2]["steps"]] == ["passed", "passed"]

    def test_takes_as_long_as_every_other_view_says(self, pytest_results: list[dict[str, dict[str, Any]]]) -> None:
        for result in pytest_results[0].values():
            steps = [step for step in result["steps"] if step["name"] != "What was checked"]
            assert result["start"] <= min(step["start"] for step in steps)
            assert max(step["stop"] for step in steps) <= result["stop"]

    def test_attaches_to_the_test_itself(self, pytest_results: list[dict[str, dict[str, Any]]]) -> None:
        found = attachments(pytest_results[0]["TD-TRANSFER-BLIND"])

        assert {
            "Diagnosis",
            "Ladder",
            "Ladder as text",
            "Marks heard",
            "SIP of caller.1",
            "SIP of billing.1",
            "Findings",
            "RTP statistics",
            "Capture",
        } == found.keys()

    def test_histories_are_stable_and_apart(self, pytest_results: list[dict[str, dict[str, Any]]]) -> None:
        one, two = ({row: result["historyId"] for row, result in run.items()} for run in pytest_results)

        assert one == two
        assert len(set(one.values())) == 4

    def test_a_failure_says_cause_fix_owner_expected_and_seen_and_no_trace(
        self, pytest_results: list[dict[str, dict[str, Any]]]
    ) -> None:
        result = pytest_results[0]["TD-TRANSFER-BLIND"]

        assert result["status"] == "failed"
        assert result["statusDetails"]["message"].splitlines()[0] == "The platform does not pass the caller's number on"
        assert result["statusDetails"]["message"].splitlines()[1:] == [
            "Fix: Set the From header to the caller's E.164 number.",
            "Owner: platform routing",
            "caller_id of billing.1",
            "  expected: From with +13125550100",
            "  seen:     anonymous",
        ]
        assert not result["statusDetails"].get("trace")  # where a finding was raised is of no use to anybody
        assert labels(result)["issue"] == "Caller ID missing"
        assert "Fix: Set the From header" in result["description"]

    def test_not_observable_never_looks_passed(self, pytest_results: list[dict[str, dict[str, Any]]]) -> None:
        result = pytest_results[0]["TD-OUTBOUND-IVR"]

        assert result["status"] == "failed"  # `unknown` and `skipped` do not count in Allure's success rate
        assert result["statusDetails"]["message"].startswith("not observable: ")
        assert labels(result)["tag"] == "not observable"
        category = allure_report.categories()[0]
        assert category["matchers"] == [{"statuses": ["failed"], "labels": {"verdict": "not observable"}}]


def test_two_findings_that_saw_the_same_have_each_what_it_saw(tmp_path: Path, samples: ModuleType) -> None:
    with samples.playing(tmp_path / "case") as sample:
        for leg in ("caller.1", "billing.1", "billing.1"):
            sample.finding("audio", leg, Verdict.FAILED, expected="it hears a voice", actual="no RTP packet arrived")
        sample.recorder.close(Verdict.FAILED, "audio of caller.1: expected it hears a voice; no RTP packet arrived")
    pair = "  expected: it hears a voice\n  seen:     no RTP packet arrived"
    message = allure._message(CaseEvidence.read(tmp_path / "case"))
    assert message.endswith(f"\naudio of caller.1\n{pair}\naudio of billing.1\n{pair}")


def test_what_could_not_be_seen_is_not_said_to_be_seen(tmp_path: Path, samples: ModuleType) -> None:
    unseen = {"expected": "UDP", "actual": "not observable: no message is shown"}
    with samples.playing(tmp_path / "case") as sample:
        sample.finding("route.transport", "the AI", Verdict.NOT_OBSERVABLE, **unseen)
        sample.recorder.close(Verdict.NOT_OBSERVABLE, "route.transport of the AI: expected UDP; not observable: …")
    message = allure._message(CaseEvidence.read(tmp_path / "case"))
    assert message.endswith("  expected: UDP\n  not seen: no message is shown")


@pytest.mark.parametrize("play", ["died", "unobserved"])
def test_an_attempt_that_says_nothing_is_labelled_as_the_failure_before_it(
    tmp_path: Path, samples: ModuleType, play: str
) -> None:
    """Allure's categories group failures by issue and cause; it has the last attempt alone, and that had none of its own."""
    first = CaseEvidence.read(samples.failed(tmp_path / "case", samples.case_of()))
    last = CaseEvidence.read(getattr(samples, play)(tmp_path / "case.2", samples.case_of(attempt=2)))
    allure.write_lost(last, tmp_path / "results")
    (path,) = (tmp_path / "results").glob("*-result.json")
    for _ in range(2):  # reports may be made again
        allure.overrule(path, last, first)
        result = json.loads(path.read_text())
        said = Counter((label["name"], label["value"]) for label in result["labels"])
        cause = {(key, first.diagnosis[0][key]) for key in ("cause", "issue", "owner")}
        assert said >= Counter({("verdict", "failed"), ("evidence", "case.2"), ("tag", "attempt 2"), *cause})
        assert said["tag", "not observable"] == 0
        assert max(said.values()) == 1
        assert result["status"] == "failed"


def test_without_allure_nothing_is_done(tmp_path: Path, samples: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allure_commons.plugin_manager, "get_plugins", set)

    assert allure.complete(CaseEvidence.read(samples.passed(tmp_path / "case"))) is False


class TestOfACaseAllureNeverHeardOf:
    def test_a_died_worker_is_broken(self, tmp_path: Path, samples: ModuleType) -> None:
        case = samples.case_of("TD-FALLBACK-DOWN", nodeid="scenarios/test_inbound.py::test_fallback[x]")
        evidence = CaseEvidence.read(samples.died(tmp_path / "case", case))
        allure.write_lost(evidence, tmp_path / "results")
        (result,) = results(tmp_path / "results").values()

        assert result["status"] == "broken"
        assert result["statusDetails"]["message"].startswith("worker died")
        assert result["fullName"] == "scenarios.test_inbound#test_fallback"
        assert result["historyId"]
        assert result["start"] == round(evidence.began_wall * 1000)
        assert "Ladder" in attachments(result)
        assert allure_report.Known(tmp_path / "results").cases == {("", "case")}

    def test_its_history_is_that_of_the_test_when_it_ran(
        self, tmp_path: Path, samples: ModuleType, pytest_results: list[dict[str, dict[str, Any]]]
    ) -> None:
        case = samples.case_of("TD-INBOUND", nodeid="test_inner.py::test_passed[case0]")
        allure.write_lost(CaseEvidence.read(samples.died(tmp_path / "case", case)), tmp_path / "results")
        (result,) = results(tmp_path / "results").values()

        ran = pytest_results[0]["TD-INBOUND"]
        assert (result["fullName"], result["historyId"]) == (ran["fullName"], ran["historyId"])
        assert result["testCaseId"] == ran["testCaseId"]

    def test_a_planned_case_without_evidence(self, tmp_path: Path, samples: ModuleType) -> None:
        allure.write_missing(samples.case_of(), "a-directory", tmp_path / "results", 1000.0)
        (result,) = results(tmp_path / "results").values()

        assert result["status"] == "broken"
        assert result["statusDetails"]["message"] == NEVER_REPORTED.message
        assert labels(result)["verdict"] == "broken"
        assert parameters(result)["site"] == "local"

    def test_recordings_are_heard_in_the_report_and_kept_as_wav(self, tmp_path: Path, samples: ModuleType) -> None:
        allure.write_lost(CaseEvidence.read(samples.failed(tmp_path / "case", sound=True)), tmp_path / "results")
        (result,) = results(tmp_path / "results").values()
        found = attachments(result)
        page = (tmp_path / "results" / found["Seen and heard"]["source"]).read_text()

        assert page.count('<audio controls preload="none" src="data:audio/mpeg;base64,') == 2
        assert "<script" not in page
        for name in (
            "WAV received by caller.1",
            "WAV sent by caller.1",
            "WAV received by billing.1",
            "WAV sent by billing.1",
        ):
            assert (tmp_path / "results" / found[name]["source"]).read_bytes()[:4] == b"RIFF"


class TestWhatQaSees:
    def test_fixtures_of_cases_alone_are_left_out(self, tmp_path: Path, forked_python: str) -> None:
        (tmp_path / "conftest.py").write_text(_FIXTURES_OF_BOTH)
        (tmp_path / "test_both.py").write_text(
            "def test_case(of_cases, of_case, of_both): pass\ndef test_case_again(of_cases, of_case): pass\n"
            "def test_other(of_other, of_both): pass\n"
        )
        (tmp_path / "pytest.ini").write_text("[pytest]\n")

        said = run_pytest(forked_python, tmp_path, tmp_path / "results")

        assert "3 passed" in said, said
        written = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("*-container.json")]
        assert {before["name"] for plain in written for before in plain["befores"]} == {"of_other", "of_both"}

    @pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
    def test_a_case_that_was_interrupted_is_no_passed_one(self, tmp_path: Path, forked_python: str, phase: str) -> None:
        """Nor are those behind it skipped: what the evidence says of them is written when the run ends."""
        text = _CONFTEST.format(here=str(tmp_path), samples=str(Path(__file__).with_name("conftest.py")))
        (tmp_path / "conftest.py").write_text(text + _INTERRUPTED.format(phase=phase))
        (tmp_path / "test_inner.py").write_text(_TESTS)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")

        said = run_pytest(forked_python, tmp_path, tmp_path / "results")

        assert "KeyboardInterrupt" in said, said
        found = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("*-result.json")]
        assert [(labels(one)["feature"], one["status"]) for one in found] == [("TD-INBOUND", "passed")]

    def test_history_is_kept_by_deployment_and_faults(self, tmp_path: Path) -> None:
        def name(*deployments: str, faults: tuple[str, ...] = (), is_merged: bool = False) -> str:
            return allure_report.history_of(tmp_path, deployments, faults, is_merged=is_merged).name

        assert name("b", "a") == "allure-history-a+b.jsonl"
        assert name("a", faults=("no-g711@inbound",)) == "allure-history-a+no-g711@inbound.jsonl"
        assert name("a", is_merged=True) == "allure-history-a+merged.jsonl"

    def test_the_gate_writes_no_history(self, tmp_path: Path) -> None:
        allure_report.write_config(tmp_path, name="n", cases=3, history=tmp_path / "h.jsonl")
        report, gate = (json.loads((tmp_path / n).read_text()) for n in (allure_report.CONFIG, allure_report.GATE))
        assert gate == report | {"appendHistory": False}

    def test_the_page_asks_nobody(self) -> None:
        page = (
            '<body><script src="app.js"></script>\n<script async src="https://www.googletagmanager.com/gtag/js?id=G"></script>\n'
            "<script>\n  function gtag(){dataLayer.push(arguments);}\n gtag('js', new Date());\n</script>\n"
            "<script>window.ready = true;</script></body>"
        )
        assert allure_report._untracked(page) == (
            '<body><script src="app.js"></script>\n<script>window.ready = true;</script></body>'
        )

    def test_a_trace_of_the_harness_is_masked_where_numbers_are_real(self, tmp_path: Path, samples: ModuleType) -> None:
        with samples.playing(tmp_path / "case", samples.case_of(mask=True)) as sample:
            sample.recorder.close(Verdict.BROKEN, "OSError")
        evidence = CaseEvidence.read(tmp_path / "case")
        assert allure._trace(evidence, "dial('+13125550100')") == "dial('+1312•••0100')"

    def test_no_attachment_is_empty(self, tmp_path: Path, samples: ModuleType) -> None:
        """A phone that only registers has messages outside of any leg."""
        with samples.playing(tmp_path / "case") as sample:
            sample.event(
                SipMessage, "support", direction="sent", transport="udp", local="a:1", remote="b:1", text="REGISTER x"
            )
            sample.recorder.close(Verdict.PASSED, "")
        evidence = CaseEvidence.read(tmp_path / "case")
        assert "REGISTER x" in tables.messages_text(evidence, "support")


def test_a_result_is_written_as_allures_own_logger_writes_it(tmp_path: Path) -> None:
    result = model2.TestResult(
        uuid="1",
        name="é",
        labels=[model2.Label("epic", "talkdesk")],
        parameters=[model2.Parameter(name="id", value="", excluded=False)],
        statusDetails=model2.StatusDetails(message="it failed", flaky=False),
        steps=[model2.TestStepResult(name="outer", steps=[model2.TestStepResult(name="inner", start=0, stop=1)])],
    )
    loggers: dict[str, Any] = {"own": allure.FileLogger, "allure's": AllureFileLogger}
    for directory, logger in loggers.items():
        logger(tmp_path / directory).report_result(result)
    (own,), (theirs,) = ((tmp_path / directory).iterdir() for directory in ("own", "allure's"))

    assert own.read_bytes() == theirs.read_bytes()
    assert own.name.endswith("-result.json")
