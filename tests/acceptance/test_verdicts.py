"""What a scenario says and raises, and what the run makes of it."""

from __future__ import annotations

import json

import pytest

BODIES = {
    "HANGUP-CALLER": ("see()", "passed"),
    "HANGUP-AGENT": ("see(Verdict.FAILED, 'it was not')", "failed"),
    "HOLD": ("see(); assert 1 == 2, 'one is not two'", "failed"),
    "REINVITE-CODEC": ("pass", "failed"),
    "ANONYMOUS": ("see(Verdict.NOT_OBSERVABLE, 'nobody looked')", "not observable"),
    "XEI": ("see(); raise OSError('a socket went away')", "broken"),
    "KEEPALIVE": ("pytest.skip('not today')", "broken"),
}


def test_a_case_ends_as_its_findings_and_exceptions_say(tree) -> None:
    tests = [
        f'@row("{row}")\ndef test_{row.replace("-", "_").lower()}(see):\n    {body}\n'
        for row, (body, _) in BODIES.items()
    ]
    tree.scenarios("\n".join(tests))
    code, output = tree.run("--deployment", str(tree.deployment()), "--transport", "udp")
    assert code == 1, output  # what failed is never hidden by what broke
    expected = {row: verdict for row, (_, verdict) in BODIES.items()}
    cases = [json.loads(path.read_text()) for path in tree.run_directory.glob("cases/*/case.json")]
    assert {case["row"]: case["end"]["verdict"] for case in cases} == expected
    rows = json.loads((tree.path / "reports" / "latest" / "summary.json").read_text())["rows"]
    for row, verdict in expected.items():
        assert rows[row]["cases"] == rows[row][verdict.replace(" ", "_")] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("see()", 0),
        ("see(Verdict.NOT_OBSERVABLE, 'nobody looked')", 1),
        ("raise OSError('gone')", 3),
        ("see(Verdict.BROKEN, 'it came late, and so was the harness')", 3),
        ("see(Verdict.BROKEN, 'it came late'); see(Verdict.FAILED, 'it was not')", 1),
    ],
)
def test_the_exit_code_says_what_the_worst_was(tree, body: str, code: int) -> None:
    tree.scenarios(f"""
        @row("TD-INBOUND")
        def test_inbound(see):
            {body}
    """)
    found, output = tree.run("--deployment", str(tree.deployment()), "--transport", "udp", "--codec", "pcmu")
    assert found == code, output


def test_the_first_line_of_a_failure_stands_in_the_output(tree) -> None:
    tree.scenarios("""
        @row("TD-INBOUND")
        def test_inbound(see):
            see(Verdict.FAILED, "nobody answered")
    """)
    _, output = tree.run("--deployment", str(tree.deployment()), "--codec", "pcma", "-n", "2")
    (line,) = [
        line for line in output.splitlines() if line.startswith("FAILED   TD-INBOUND[lab:synthflow-udp-ip-pcma]  ")
    ]
    assert line.endswith("seen of caller.1: expected it to be so; nobody answered")


def test_a_fault_in_the_teardown_breaks_the_case(tree) -> None:
    tree.scenarios("""
        @pytest.fixture
        def phone():
            yield
            raise OSError("could not hang up")

        @row("TD-INBOUND")
        def test_inbound(see, phone):
            see()
    """)
    code, output = tree.run("--deployment", str(tree.deployment()), "--transport", "udp", "--codec", "pcmu")
    assert code == 3, output
    assert "BROKEN   TD-INBOUND[lab:synthflow-udp-ip-pcmu]  OSError: could not hang up" in output


def test_a_scenario_that_cannot_be_read_breaks_the_run(tree) -> None:
    tree.scenarios("import no_such_module")
    for workers in ("0", "2"):
        code, output = tree.run("--deployment", str(tree.deployment()), "-n", workers)
        assert code == 3, output
        assert "No module named 'no_such_module'" in output


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_retried_case_shows_both_attempts(tree, workers: str) -> None:
    tree.scenarios("""
        @row("TD-INBOUND")
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
    code, output = tree.run("--deployment", str(tree.deployment()), "-n", workers, "--retries", "2")
    assert code == pytest.ExitCode.TESTS_FAILED
    unsteady, hopeless = "TD-INBOUND[lab:synthflow-udp-ip-pcmu]", "TD-INBOUND[lab:synthflow-tcp-ip-pcmu]"
    cases = [json.loads(path.read_text()) for path in tree.run_directory.glob("cases/*/case.json")]
    attempts = {
        case_id: {case["attempt"]: case["end"]["verdict"] for case in cases if case["id"] == case_id}
        for case_id in {case["id"] for case in cases}
    }
    assert attempts == {
        unsteady: {1: "failed", 2: "failed", 3: "passed"},
        hopeless: {1: "failed", 2: "failed", 3: "failed"},
        "TD-INBOUND[lab:synthflow-udp-ip-pcma]": {1: "passed"},
        "TD-INBOUND[lab:synthflow-tcp-ip-pcma]": {1: "not observable"},
    }
    assert output.count("RETRY    attempt") == 4
    assert f"PASSED ON RETRY  {unsteady}  at attempt 3" in output
    assert "1 passed on retry" in output
    summary = json.loads((tree.run_directory / "summary.json").read_text())
    assert summary["passed_on_retry"] == [unsteady]
    results = [json.loads(path.read_text()) for path in (tree.run_directory / "allure-results").glob("*-result.json")]
    of_unsteady = sorted(
        result["status"] for result in results if unsteady in result["fullName"] + result["name"] + str(result)
    )
    assert of_unsteady == ["failed", "failed", "passed"]
