"""What a scenario says and raises, and what the run makes of it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.report.evidence import latest
from harness.report.run_directory import read_cases
from tests.acceptance.conftest import HEAD, Tree

BODIES = {
    "HANGUP-CALLER": ("see()", "passed"),
    "HANGUP-AGENT": ("see(Verdict.FAILED, 'it was not')", "failed"),
    "HOLD": ("see(); assert 1 == 2, 'one is not two'", "failed"),
    "REINVITE-CODEC": ("pass", "failed"),
    "ANONYMOUS": ("see(Verdict.NOT_OBSERVABLE, 'nobody looked')", "not observable"),
    "XEI": ("see(); raise OSError('a socket went away')", "broken"),
    "KEEPALIVE": ("pytest.skip('not today')", "broken"),
}


def test_verdict_follows_findings_and_exceptions(tree: Tree) -> None:
    tests = [
        f'@scenario("{row}")\ndef test_{row.replace("-", "_").lower()}(see):\n    {body}\n'
        for row, (body, _) in BODIES.items()
    ]
    tree.scenarios("\n".join(tests))
    code, output = tree.run_lab("--transport", "udp")
    assert code == 1, output  # what failed is never hidden by what broke
    expected = {row: verdict for row, (_, verdict) in BODIES.items()}
    cases = tree.cases()
    assert {case["row"]: case["end"]["verdict"] for case in cases} == expected
    rows = json.loads((tree.path / "reports" / "latest" / "summary.json").read_text())["rows"]
    for row, verdict in expected.items():
        assert rows[row]["cases"] == rows[row][verdict.replace(" ", "_")] == 1


def test_failure_with_one_cause_is_printed_once(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see):
            see(Verdict.FAILED, "nobody answered")
    """)
    _, output = tree.run_lab("--codec", "pcma", "-n", "2")
    first = (
        "FAILED   TD-INBOUND[lab:synthflow-"  # of two cases with one cause, whichever ends first
    )
    (line,) = [line for line in output.splitlines() if line.startswith(first)]
    assert line.endswith("session.interval of caller.1: expected it to be so; nobody answered")
    assert (
        sum(
            line.startswith("FAILED   No documented cause fits: session.interval of caller.1: ")
            for line in output.splitlines()
        )
        == 1
    )
    _, output = tree.run_lab("--codec", "pcma", "-n", "2", "--every-failure")
    assert sum(line.startswith(first) for line in output.splitlines()) == 2


def test_json_option_prints_only_json(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see):
            see(Verdict.FAILED, "nobody answered")
    """)
    code, output = tree.run_lab("--codec", "pcma", "-n", "2", "--json")
    assert code == 1
    plain = json.loads(output)
    assert (plain["failed"], plain["cases"]) == (2, 2)
    (cause,) = plain["causes"]
    assert cause["rows"] == {"TD-INBOUND": 2}
    assert plain["files"]["report"].endswith("/report.html")


def test_failure_stays_a_failure_when_teardown_breaks(tree: Tree) -> None:
    """A teardown that fails breaks a case that passed, and hides no failure."""
    tree.scenarios("""
        @pytest.fixture
        def phone():
            yield
            raise OSError("could not hang up")

        @scenario("INBOUND")
        def test_inbound(see, phone):
            see(Verdict.FAILED, "nobody answered")

        @scenario("HANGUP-CALLER")
        def test_hangup(see, phone):
            see()
    """)
    code, output = tree.run_lab("--transport", "udp", "--codec", "pcmu")
    assert code == 1, output
    failed = "FAILED   TD-INBOUND[lab:synthflow-udp-ip-pcmu]  No documented cause fits: session.interval of caller.1"
    assert failed in output
    ends = {case["row"]: case["end"] for case in tree.cases()}
    assert ends["TD-INBOUND"]["verdict"] == "failed"
    assert ends["TD-INBOUND"]["diagnosis"] is not None
    assert "\nit also broke: OSError: could not hang up (" in ends["TD-INBOUND"]["message"]
    assert ends["HANGUP-CALLER"]["verdict"] == "broken"
    assert re.search(r"BROKEN   HANGUP-CALLER\[\S+\]  OSError: could not hang up", output)


#: What happens to a case: its findings; what setup, call and teardown raise; whether its worker
#: dies.
MIXTURES = """
    import json

    VERDICTS = list(Verdict)
    ERRORS = {
        "": None,
        "assertion": AssertionError("one is not two"),
        "never came": ExpectationError(Finding("timing", "x", Verdict.FAILED, "it", "it never came", 0.0)),
        "unseen": NotObservableError(Finding("session.interval", "x", Verdict.NOT_OBSERVABLE, "it", "nobody looked", 0.0)),
        "bug": ValueError("a mistake of ours"),
    }

    def fail(name):
        if ERRORS[name] is not None:
            raise ERRORS[name]

    @pytest.fixture
    def mixture(case, recorder):
        mixtures = json.loads(Path("mixtures.json").read_text())[case.id]
        attempt = min(recorder._case["attempt"], len(mixtures))
        return mixtures[attempt - 1]

    @pytest.fixture
    def around(mixture):
        fail(mixture["setup"])
        yield
        fail(mixture["teardown"])

    @scenario(ROWS)
    def test_mixture(see, mixture, around):
        for verdict in mixture["findings"]:
            see(Verdict(verdict))
        fail(mixture["call"])
        if mixture["dies"]:
            os.kill(os.getpid(), 9)
"""
_MEANS = {
    "assertion": "failed",
    "never came": "failed",
    "unseen": "not observable",
    "bug": "broken",
}


def drawn(random: Random) -> dict[str, Any]:
    errors = [""] * 16 + list(_MEANS)
    verdicts = ["passed"] * 9 + ["failed", "not observable", "broken"]
    return {
        "findings": random.choices(verdicts, k=random.randrange(4)),
        **{phase: random.choice(errors) for phase in ("setup", "call", "teardown")},
        "dies": random.random() < 0.15,
    }


def verdict_of(mixture: dict[str, Any]) -> str:
    """By the words of ARCHITECTURE.md alone."""
    if mixture["setup"]:
        return _MEANS[mixture["setup"]]
    raised = [mixture["call"]]
    if not mixture["call"] and mixture["dies"]:
        raised = ["bug"]
    else:
        raised.append(mixture["teardown"])
    said = [*mixture["findings"], *(_MEANS[error] for error in raised if error)]
    if not mixture["findings"] and not raised[0]:
        said.append("failed")  # it came to its end and had looked at nothing
    return next(
        verdict for verdict in ("failed", "broken", "not observable", "passed") if verdict in said
    )


@pytest.mark.parametrize(("found", "error"), [("passed", "OSError"), ("failed", "AssertionError")])
def test_plugin_error_after_the_case_reaches_every_view(tree: Tree, found: str, error: str) -> None:
    """Its evidence is closed by then, and its Allure result filled from that."""
    tree.scenarios(f"""
        @scenario("INBOUND")
        def test_inbound(see):
            see(Verdict("{found}"), "nobody answered")
    """)
    with (tree.path / "scenarios" / "conftest.py").open("a") as file:
        file.write(
            "\n\nimport pytest\n\n"
            "@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
            "def pytest_runtest_teardown():\n"
            "    yield\n"
            f"    raise {error}('a plugin of somebody else')\n"
        )
    files = ["--deployment", str(tree.deployment()), "--transport", "udp", "--codec", "pcmu"]
    _, output = tree.run(*files, "--every-failure")
    wanted = of_evidence(tree.run_directory, output)
    assert {
        reader(tree.run_directory, output)[case] for reader in READERS.values() for case in wanted
    } == {*wanted.values()}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_all_views_of_a_run_agree(tree: Tree, seed: int) -> None:
    rows = [
        "TD-INBOUND",
        "HANGUP-CALLER",
        "HANGUP-AI",
        "HOLD",
        "BUSY",
        "XEI",
        "ANONYMOUS",
        "KEEPALIVE",
        "NOANSWER",
    ]
    head = HEAD.replace("import Finding", "import ExpectationError, Finding, NotObservableError")
    tree.scenarios(
        MIXTURES.replace("ROWS", ", ".join(f'"{row.removeprefix("TD-")}"' for row in rows)),
        head=head,
    )
    random = Random(seed)
    files = [
        argument
        for name in ("one", "other")
        for argument in ("--deployment", str(tree.deployment(name)))
    ]
    _, planned = tree.run(*files, "--plan")
    ids = [
        line.partition("  ")[0]
        for line in planned.splitlines()
        if line[:1].isupper() and ":synthflow-" in line
    ]
    assert len(ids) >= 16
    mixtures = {case_id: [drawn(random) for _ in range(2)] for case_id in ids}
    (tree.path / "mixtures.json").write_text(json.dumps(mixtures))
    code, output = tree.run(*files, "-n", "2", "--retries", "1", "--every-failure")

    wanted = {}
    for case_id, (first, second) in mixtures.items():
        ended = [verdict_of(first)]
        died = first["dies"] and not first["setup"] and not first["call"]
        if ended[0] in ("failed", "broken") and not died:
            ended.append(verdict_of(second))
        # what breaks afterwards, or cannot be seen, hides no failure
        wanted[case_id] = ended[0] if ended[0] == "failed" and ended[-1] != "passed" else ended[-1]
    said = {name: reader(tree.run_directory, output) for name, reader in READERS.items()}
    for name, found in said.items():
        assert {case_id: found.get(case_id, "passed") for case_id in ids} == wanted, (name, output)
    assert len(set(wanted.values())) == 4
    assert code == 1


def of_evidence(run: Path, output: str) -> dict[str, str]:
    return {e.id: str(e.verdict) for e in latest(read_cases(run))}


def of_terminal(run: Path, output: str) -> dict[str, str]:
    lines = (
        re.match(r"(FAILED|BROKEN|NOT OBSERVABLE)\s+(\S+\[\S+\])", line)
        for line in output.splitlines()
    )
    return {found[2]: found[1].lower() for found in lines if found}


def of_junit(run: Path, output: str) -> dict[str, str]:
    cases = ET.parse(run / "junit.xml").getroot().iter("testcase")
    return {
        case.get("name", ""): child.get("type", "")
        for case in cases
        for child in case
        if child.get("type")
    }


def of_allure(run: Path, output: str) -> dict[str, str]:
    results = [
        json.loads(path.read_text()) for path in (run / "allure-results").glob("*-result.json")
    ]
    found = {}
    for result in sorted(results, key=lambda result: result["start"]):
        labels = {label["name"]: label["value"] for label in result["labels"]}
        expected = {"not observable": "failed"}.get(labels["verdict"], labels["verdict"])
        assert result["status"] == expected, result
        found[labels["case"]] = labels["verdict"]
    return found


def of_summary(run: Path, output: str) -> dict[str, str]:
    """Counts, compared with the evidence's."""
    summary = json.loads((run / "summary.json").read_text())
    found = of_evidence(run, output)
    for verdict in Verdict:
        assert summary[verdict.name.lower()] == list(found.values()).count(str(verdict))
    return found


READERS = {
    "evidence": of_evidence,
    "terminal": of_terminal,
    "JUnit": of_junit,
    "Allure": of_allure,
    "summary": of_summary,
}


def test_unreadable_scenario_breaks_the_run(tree: Tree) -> None:
    tree.scenarios("import no_such_module")
    for workers in ("0", "2"):
        code, output = tree.run_lab("-n", workers)
        assert code == 3, output
        assert "No module named 'no_such_module'" in output


def test_breakage_outside_cases_is_in_every_view(tree: Tree) -> None:
    """All cases that could be read passed; nobody knows what the others would have been."""
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see):
            see(Verdict.PASSED, "it is fine")
    """)
    (tree.path / "scenarios" / "test_other.py").write_text("import no_such_module\n")
    code, output = tree.run_lab("-n", "0", "--continue-on-collection-errors")
    assert code == 3
    summary = tree.summary()
    assert summary["passed"] == summary["cases"] > 0
    (line,) = summary["broke"]
    assert line.endswith(
        "test_other.py cannot be read: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert (
        "but the harness broke outside of them" in (tree.run_directory / "report.html").read_text()
    )
    assert (
        "The harness broke outside of any case" in (tree.run_directory / "signoff.html").read_text()
    )
    assert "broke outside of any case:" in output


def attempts(tree: Tree) -> dict[str, list[tuple[int, str]]]:
    """Of each case: its attempts in their order, with the verdict of each."""
    found: dict[str, list[tuple[int, str]]] = {}
    for path in tree.run_directory.glob("cases/*/case.json"):
        case = json.loads(path.read_text())
        found.setdefault(case["id"], []).append((case["attempt"], case["end"]["verdict"]))
    return {case_id: sorted(tried) for case_id, tried in found.items()}


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.nightly), "2"])
def test_retried_case_shows_both_attempts(tree: Tree, workers: str) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, case, recorder):
            earlier = Path(f"tried-{case.axes['transport']}-{case.axes['codec']}")
            tried = int(earlier.read_text()) if earlier.exists() else 0
            earlier.write_text(str(tried + 1))
            unsteady = case.axes["transport"] == "udp" and case.axes["codec"] == "pcmu"
            hopeless = case.axes["transport"] == "tcp" and case.axes["codec"] == "pcmu"
            unseen = case.axes["transport"] == "tcp" and case.axes["codec"] == "pcma"
            if unseen:
                see(Verdict.NOT_OBSERVABLE, "nobody looked")
            else:
                see(Verdict.FAILED if hopeless or (unsteady and tried < 2) else Verdict.PASSED, f"attempt {tried + 1}")
    """)
    code, output = tree.run_lab("-n", workers, "--retries", "2")
    assert code == pytest.ExitCode.TESTS_FAILED
    unsteady, hopeless = (
        "TD-INBOUND[lab:synthflow-udp-ip-pcmu]",
        "TD-INBOUND[lab:synthflow-tcp-ip-pcmu]",
    )
    assert attempts(tree) == {
        unsteady: [(1, "failed"), (2, "failed"), (3, "passed")],
        hopeless: [(1, "failed"), (2, "failed"), (3, "failed")],
        "TD-INBOUND[lab:synthflow-udp-ip-pcma]": [(1, "passed")],
        "TD-INBOUND[lab:synthflow-tcp-ip-pcma]": [(1, "not observable")],
    }
    assert output.count("RETRY    attempt") == 4
    assert f"PASSED ON RETRY  {unsteady}  at attempt 3" in output
    assert "1 passed on retry" in output
    summary = tree.summary()
    assert summary["passed_on_retry"] == [unsteady]
    results = [
        json.loads(path.read_text())
        for path in (tree.run_directory / "allure-results").glob("*-result.json")
    ]
    of_unsteady = sorted(
        result["status"]
        for result in results
        if unsteady in result["fullName"] + result["name"] + str(result)
    )
    assert of_unsteady == ["failed", "failed", "passed"]


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.nightly), "2"])
def test_starved_case_is_repeated_until_it_has_a_verdict(tree: Tree, workers: str) -> None:
    tree.scenarios("""
        from dataclasses import replace

        @scenario("INBOUND")
        def test_inbound(see, case, recorder):
            earlier = Path(f"tried-{case.axes['transport']}-{case.axes['codec']}")
            tried = int(earlier.read_text()) if earlier.exists() else 0
            earlier.write_text(str(tried + 1))
            never = case.axes["transport"] == "tcp" and case.axes["codec"] == "pcmu"
            once = case.axes["transport"] == "udp"
            if never or (once and tried == 0):
                late = Finding("session.interval", "caller.1", Verdict.BROKEN, "it to be soon", "it was late", time.monotonic())
                recorder.raised(replace(late, starved_s=0.7))
            else:
                see(Verdict.FAILED if once and case.axes["codec"] == "pcma" else Verdict.PASSED)
    """)
    code, output = tree.run_lab("-n", workers)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert {
        case_id.partition("synthflow-")[2]: tried for case_id, tried in attempts(tree).items()
    } == {
        "udp-ip-pcmu]": [(1, "broken"), (2, "passed")],
        "udp-ip-pcma]": [(1, "broken"), (2, "failed")],
        "tcp-ip-pcmu]": [(1, "broken"), (2, "broken"), (3, "broken")],
        "tcp-ip-pcma]": [(1, "passed")],
    }
    assert "4 cases in" in output
    assert "2 passed, 1 failed, 0 not observable, 1 broken" in output


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.nightly), "2"])
def test_case_with_a_killed_softphone_is_repeated_once_and_marked(tree: Tree, workers: str) -> None:
    tree.scenarios("""
        from harness.errors import PhoneLostError
        from harness.case.events import PhoneLost

        @scenario("INBOUND")
        def test_inbound(see, case, recorder):
            earlier = Path(f"tried-{case.axes['transport']}-{case.axes['codec']}")
            tried = earlier.exists()
            earlier.touch()
            always = case.axes["transport"] == "tcp" and case.axes["codec"] == "pcmu"
            if always or (case.axes["transport"] == "udp" and not tried):
                why = "its process ended by SIGABRT"
                recorder.event(PhoneLost(at=time.monotonic(), phone="caller", reason=why, log=""))
                raise PhoneLostError(f"phone caller was lost: {why}")
            see(Verdict.FAILED if (case.axes["transport"], case.axes["codec"]) == ("udp", "pcma") else Verdict.PASSED)
    """)
    code, output = tree.run_lab("-n", workers)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert {
        case_id.partition("synthflow-")[2]: tried for case_id, tried in attempts(tree).items()
    } == {
        "udp-ip-pcmu]": [(1, "broken"), (2, "passed")],
        "udp-ip-pcma]": [(1, "broken"), (2, "failed")],
        "tcp-ip-pcmu]": [(1, "broken"), (2, "broken")],
        "tcp-ip-pcma]": [(1, "passed")],
    }
    summary = tree.summary()
    assert [case.partition("synthflow-")[2] for case in summary["passed_on_retry"]] == [
        "udp-ip-pcmu]"
    ]
    assert "phone caller was lost: its process ended by SIGABRT" in output
