"""Allure results of a run, made of its evidence when it ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from allure_commons.utils import md5

from harness.case.verdict import NEVER_REPORTED, Strength, Verdict
from harness.report import allure
from harness.report.run import finish
from harness.report.run_directory import ALLURE, RunEnd, case_directory, create
from tests.unit.report import samples

#: Tests of which two are cases, and fixtures that these have for themselves, or with others.
_CONFTEST = """
import pytest
from harness.run.plugin import cases

def pytest_sessionstart():
    cases.leave_out_cases()

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    if "case" in item.name:
        cases.leave_out()
    return (yield)

@pytest.fixture(scope="session")
def of_cases():
    yield

@pytest.fixture(scope="session")
def of_both():
    yield

@pytest.fixture
def of_other():
    yield
"""


def results(run: Path) -> dict[str, dict[str, Any]]:
    """Results by row, the last attempt at each case."""
    found = [json.loads(path.read_text()) for path in (run / ALLURE).glob("*-result.json")]
    return {
        labels(one)["feature"]: one
        for one in sorted(found, key=lambda one: labels(one).get("tag", ""))
    }


def labels(result: Mapping[str, Any]) -> dict[str, str]:
    return {label["name"]: label["value"] for label in result["labels"]}


def ended(run: Path, *planned: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    finish(run, planned, RunEnd(workers=4, wall_s=9.0, allure_results=run / ALLURE))
    return results(run)


def test_a_result_says_what_the_case_is_and_what_it_did(run: Any) -> None:
    made = ended(run.directory, *run.planned)
    passed, failed, unseen = (
        made[row] for row in ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-OUTBOUND-IVR")
    )

    assert passed["status"] == "passed"
    assert passed["name"] == "An outside call reaches the AI [udp · ip · pcmu · synthflow]"
    assert passed["description"].startswith("The call to the Talkdesk number")
    assert passed["description"].endswith("not observed: transport udp, authentication ip.")
    assert {parameter["name"]: parameter["value"] for parameter in passed["parameters"]} == {
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
        labels(passed).items()
        >= {
            "epic": "Talkdesk",
            "parentSuite": "Talkdesk",
            "story": "udp · ip · pcmu · synthflow",
            "severity": "critical",
            "verdict": "passed",
            "strength": "proved",
        }.items()
    )
    assert [(link["name"], link["url"]) for link in passed["links"]] == [
        ("guide, Verification 1", "https://docs.synthflow.ai/sip-with-talkdesk#verification")
    ]
    steps = passed["steps"]
    assert [step["name"] for step in steps] == [
        "the caller dials the line",
        "they hear each other",
        "What was checked",
    ]
    assert steps[1]["stop"] - steps[1]["start"] == pytest.approx(1050, abs=2)
    assert [inner["status"] for inner in steps[2]["steps"]] == ["passed", "passed"]

    assert failed["statusDetails"] == {
        "message": "The platform does not pass the caller's number on\n"
        "Fix: Set the From header to the caller's E.164 number.\nOwner: platform administrator (platform routing)\n"
        "caller_id of billing.1\n  expected: From with +13125550100\n  seen:     anonymous"
    }
    assert labels(failed)["issue"] == "Caller ID missing"
    assert "Fix: Set the From header" in failed["description"]
    assert {attachment["name"] for attachment in failed["attachments"]} == {
        *(
            "Diagnosis",
            "Ladder",
            "Ladder and SIP messages",
            "Marks heard",
            "Findings",
        ),
        *("RTP statistics", "Capture"),
    }
    # `unknown` and `skipped` do not count in Allure's success rate
    assert (unseen["status"], labels(unseen)["tag"]) == ("failed", "not observable")
    assert unseen["statusDetails"]["message"].endswith(
        "  expected: what was promised\n  not seen: no witness"
    )
    assert made["TD-FALLBACK-DOWN"]["statusDetails"]["message"].startswith("worker died")
    absent = made["TD-FALLBACK-REFUSED"]
    assert (absent["status"], absent["statusDetails"]["message"]) == (
        "broken",
        NEVER_REPORTED.message,
    )


def test_the_ids_of_a_test_are_those_that_allure_pytest_makes(run: Any) -> None:
    planned = [
        {**case, "nodeid": "scenarios/test_inbound.py::test_fallback[x]"} for case in run.planned
    ]
    result = ended(run.directory, *planned)["TD-FALLBACK-REFUSED"]

    assert (result["fullName"], result["titlePath"]) == (
        "scenarios.test_inbound#test_fallback",
        ["scenarios", "test_inbound.py"],
    )
    assert result["testCaseId"] == md5(result["fullName"])  # type: ignore[no-untyped-call]
    values = [
        parameter["value"]
        for parameter in sorted(result["parameters"], key=lambda one: one["name"])
    ]
    assert result["historyId"] == md5(result["fullName"], *values)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("play", ["died", "unobserved"])
def test_an_attempt_that_says_nothing_is_told_as_the_failure_before_it(
    tmp_path: Path, play: str
) -> None:
    """Allure counts the last attempt alone; its categories group failures by issue and cause."""
    run, first, last = create(tmp_path), samples.case_of(), samples.case_of(attempt=2)
    samples.failed(case_directory(run, first), first)
    getattr(samples, play)(case_directory(run, last), last)
    result = ended(run, first)["TD-INBOUND"]

    said = [(label["name"], label["value"]) for label in result["labels"]]
    assert {("verdict", "failed"), ("tag", "attempt 2"), ("issue", "Caller ID missing")} <= set(
        said
    )
    assert len(said) == len(set(said))
    assert ("tag", "not observable") not in said
    assert result["status"] == "failed"
    assert result["statusDetails"]["message"].startswith(
        "Attempt 1, which counts, failed: The platform does not pass"
    )


def test_certain_and_probable_causes_are_one_category(tmp_path: Path) -> None:
    run = create(tmp_path)
    cases = [samples.case_of(row=row) for row in ("TD-INBOUND", "HOLD")]
    for case, hedge in zip(cases, ("", "probably "), strict=True):
        cause = {
            "id": "x",
            "title": "the trunk is down",
            "cause": f"Trunk: {hedge}the trunk is down",
            "issue": "Trunk",
        }
        with samples.playing(case_directory(run, case), case) as sample:
            sample.finding("caller_id", "billing.1", Verdict.FAILED)
            sample.recorder.close(Verdict.FAILED, "caller_id", [cause])

    assert {labels(one)["cause"] for one in ended(run, *cases).values()} == {"the trunk is down"}


def test_where_the_harness_broke_is_told_masked_where_numbers_are_real(tmp_path: Path) -> None:
    run, case = create(tmp_path), samples.case_of(mask=True)
    with samples.playing(case_directory(run, case), case) as sample:
        sample.finding("answered", "caller.1", strength=Strength.PROVED)
        try:
            raise OSError("no route to +13125550100")
        except OSError as error:
            sample.recorder.outcome.raised(error)
        sample.recorder.close(Verdict.BROKEN, "OSError")
    trace = ended(run, case)["TD-INBOUND"]["statusDetails"]["trace"]
    assert "Traceback" in trace
    assert __name__.rpartition(".")[2] in trace
    assert "OSError: no route to +1312•••0100" in trace


def test_recordings_are_heard_in_a_page_and_kept_as_wav(tmp_path: Path) -> None:
    run, case = create(tmp_path), samples.case_of()
    samples.failed(case_directory(run, case), case, sound=True)
    attachments = {
        one["name"]: run / ALLURE / one["source"]
        for one in ended(run, case)["TD-INBOUND"]["attachments"]
    }
    page = attachments["Seen and heard"].read_text()

    assert page.count('<audio controls preload="none" src="data:audio/mpeg;base64,') == 2
    assert "<script" not in page
    for leg in ("caller.1", "billing.1"):
        for way in ("received", "sent"):
            assert attachments[f"Sound {way} by {leg}"].read_bytes()[:4] == b"RIFF"


def test_allure_pytest_writes_tests_that_are_no_cases_and_their_fixtures(
    tmp_path: Path, forked_python: str
) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_both.py").write_text(
        "def test_case(of_cases, of_both): pass\ndef test_case_again(of_cases): pass\n"
        "def test_other(of_other, of_both): pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    results = tmp_path / "results"
    command = [
        forked_python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--alluredir",
        str(results),
    ]
    done = subprocess.run(
        [*command, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert [json.loads(path.read_text())["name"] for path in results.glob("*-result.json")] == [
        "test_other"
    ]
    written = [json.loads(path.read_text()) for path in results.glob("*-container.json")]
    assert {before["name"] for plain in written for before in plain["befores"]} == {
        "of_other",
        "of_both",
    }


#: A page as Allure writes it, which asks Google to count its readers.
TRACKED = (
    '<body><script src="app.js"></script>\n<script async src="https://www.googletagmanager.com/gtag/js?id=G"></script>\n'
    "<script>\n  function gtag(){dataLayer.push(arguments);}\n gtag('js', new Date());\n</script>\n"
    "<script>window.ready = true;</script></body>"
)


def test_config_lets_nothing_through(tmp_path: Path) -> None:
    path = allure.write_config(tmp_path, name="run", cases=155, history=None)
    config = json.loads(path.read_text())

    assert config["qualityGate"] == {"rules": [{"maxFailures": 0, "minTestsCount": 155}]}
    verdicts = {
        rule["name"]: rule["matchers"][0]["labels"]["verdict"]
        for rule in config["categories"]["rules"]
    }
    assert verdicts == {
        "Not observable: it could not be looked at": "not observable",
        "The harness or its surroundings broke": "broken",
        "The system under test failed": "failed",
    }


def test_without_allure_3_on_the_path_no_report_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert allure.generate(tmp_path, tmp_path) is None

    old = tmp_path / "allure"
    old.write_text("#!/bin/sh\necho 2.30.0\n")
    old.chmod(0o755)
    assert allure.generate(tmp_path, tmp_path) is None


def test_allure_3_is_told_where_everything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "allure"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo 3.18.0; exit; }\n'
        'echo "$@" > said; mkdir -p allure-report; cp ../page allure-report/index.html\n'
    )
    (tmp_path / "page").write_text(TRACKED)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    run = tmp_path / "run"
    earlier = run / "allure-report" / "data"
    earlier.mkdir(parents=True)

    assert allure.generate(run, run / "allure-results") == run / "allure-report" / "index.html"
    said = (run / "said").read_text().split()
    assert said == [
        "generate",
        "--config",
        str(run / "allurerc.json"),
        "--output",
        str(run / "allure-report"),
        str(run / "allure-results"),
    ]
    assert not earlier.exists(), "the page would go on to show what an earlier report says"
    page = (run / "allure-report" / "index.html").read_text()
    assert page.startswith(
        '<body><script src="app.js"></script>\n<script>window.ready = true;</script><a id="harness-report"'
    )
    assert 'href="../report.html"' in page


def test_a_report_made_again_is_no_further_run(tmp_path: Path) -> None:
    """Nor are the runs after it its past."""
    shared = tmp_path / "shared.jsonl"

    def past(name: str) -> str:
        config = json.loads(
            allure.write_config(tmp_path, name=name, cases=1, history=shared).read_text()
        )
        return str(config["historyPath"])

    assert past("first") == str(shared)
    points = [
        json.dumps({"uuid": name, "name": name}, separators=(",", ":")) + "\n"
        for name in ("one", "two", "three")
    ]
    shared.write_text("".join(points))
    assert past("four") == str(shared)
    again = Path(past("two"))
    assert again.read_text() == points[0]
    assert again.parent == tmp_path
    assert shared.read_text() == "".join(points)
