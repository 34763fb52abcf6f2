"""However a run ends, nothing of it is left running, and its evidence is kept."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Tree

WAITS = """
    import threading

    @scenario("INBOUND")
    def test_inbound(see, case):
        see()
        Path(f"begun-{case.axes['transport']}-{case.axes['codec']}").touch()
        threading.Event().wait(50)
"""


def begun(tree: Tree, process: subprocess.Popen[str]) -> None:
    while not list(tree.path.glob("begun-*")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


@pytest.fixture
def _no_nohup() -> Iterator[None]:
    """What is ignored where the tests were started, as below nohup, what they start ignores as
    well.
    """
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_no_nohup")
@pytest.mark.parametrize(
    ("ending", "workers"),
    [
        (signal.SIGINT, "2"),
        (signal.SIGTERM, "0"),
        pytest.param(signal.SIGHUP, "2", marks=pytest.mark.nightly),
    ],
)
def test_interrupted_run_ends_its_cases_and_keeps_the_evidence(
    tree: Tree, ending: signal.Signals, workers: str
) -> None:
    tree.scenarios(WAITS)
    files = [
        argument
        for name in ("one", "other")
        for argument in ("--deployment", str(tree.deployment(name)))
    ]
    process = tree.start(*files, "-n", workers, "--codec", "pcmu", "--transport", "udp")
    try:
        begun(tree, process)
        process.send_signal(ending)
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "the run was interrupted: stopped by the user" in output
    given = json.loads((tree.run_directory / "scope.json").read_text())["command"]
    assert given.partition(" ")[0] == "pytest", "harness has no such options"
    assert given.endswith("--codec pcmu --transport udp")
    tree.nothing_left()
    cases = tree.cases()
    assert cases
    assert all(case["end"]["verdict"] == "broken" for case in cases)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-n", "0", "-x"), "stopping after 1 failures"),
        (("-n", "1", "--maxfail=1"), "stopping after 1 failures"),
        (("-n", "0", "--stepwise"), "Test failed, continuing from this test next run."),
    ],
)
def test_run_ended_by_pytest_is_not_reported_as_ctrl_c(
    tree: Tree, options: tuple[str, ...], why: str
) -> None:
    """What failed first is why it ended: it is no harness that broke, and nobody pressed Ctrl-C."""
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see(Verdict.FAILED)\n')
    code, output = tree.run_lab("--codec", "pcmu", *options)
    assert code == pytest.ExitCode.TESTS_FAILED, output
    assert f"the run was interrupted: pytest ended it: {why}" in output
    assert "stopped by the user" not in output
    summary = tree.summary()
    assert (summary["failed"], len(summary["planned"]["missing"])) == (1, 1)
    results = [
        json.loads(path.read_text())
        for path in tree.run_directory.glob("allure-results/*-result.json")
    ]
    assert [one["fullName"] for one in results] == ["scenarios.test_lab#test_inbound"] * 2, (
        "one test, also where it never began"
    )
    assert len({one["historyId"] for one in results}) == 2


@pytest.mark.parametrize(
    "options", [("-n", "0", "-x"), ("-n", "1", "--maxfail=1"), ("-n", "0", "--stepwise")]
)
def test_run_ends_at_a_case_and_not_at_an_attempt_that_does_not_pass(
    tree: Tree, options: tuple[str, ...]
) -> None:
    """The first case passes on its second attempt, the second one never."""
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, case):
            mine = Path(f"tried-{case.axes['transport']}-{case.axes['codec']}")
            is_again = mine.exists()
            mine.touch()
            is_first = len(list(Path().glob("tried-*"))) == 1
            see(Verdict.PASSED if is_first and is_again else Verdict.FAILED)
    """)
    code, output = tree.run_lab("--retries", "1", *options)
    assert code == pytest.ExitCode.TESTS_FAILED, output
    summary = tree.summary()
    assert (summary["passed"], summary["failed"]) == (1, 1)
    assert len(summary["passed_on_retry"]) == 1
    assert len(summary["planned"]["missing"]) == 2
    assert "pytest ended it: " in summary["interrupted"]


def test_cases_that_did_not_pass_are_run_again_and_annotated(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, case):
            see(Verdict.FAILED if case.axes["transport"] == "tcp" else Verdict.PASSED)
    """)
    arguments = ("--deployment", str(tree.deployment()), "-n", "0", "--codec", "pcmu")
    for options, counts in (((), "1 passed, 1 failed"), (("--last-failed-cases",), "0 passed, 1")):
        code, output = tree.finished(tree.start(*arguments, *options, GITHUB_ACTIONS="true"))
        assert code == pytest.ExitCode.TESTS_FAILED, output
        assert counts in output
        assert len(re.findall("^::error title=failed%3A 1 case::", output, re.MULTILINE)) == 1
    given = [
        json.loads(path.read_text())["options"]["last_failed"]
        for path in sorted((tree.path / "reports").glob("2*/scope.json"))
    ]
    assert given[0] == ""
    assert (tree.path / "reports" / given[1]).is_dir()


def test_run_whose_last_case_fails_counts_as_complete(tree: Tree) -> None:
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see(Verdict.FAILED)\n')
    code, output = tree.run_lab("--codec", "pcmu", "-n", "0", "--maxfail=2")
    assert code == pytest.ExitCode.TESTS_FAILED, output
    assert "2 cases" in output
    assert "interrupted" not in output


@pytest.mark.parametrize(
    "options", [("-n", "0"), pytest.param(("-n", "2", "--json"), marks=pytest.mark.nightly)]
)
@pytest.mark.parametrize("verdict", ["failed", "passed"])
def test_run_goes_on_when_its_output_pipe_is_closed(
    tree: Tree, options: tuple[str, ...], verdict: str
) -> None:
    """As where it is piped into ``less`` or ``head``: the cases that were left were broken, and a
    passed run exited with 1.
    """
    tree.scenarios(f"""
        @scenario("INBOUND")
        def test_inbound(see, case):
            see(Verdict.{verdict.upper()}, f"it was so over {{case.axes['transport']}} with {{case.axes['codec']}}")
    """)
    process = tree.start("--deployment", str(tree.deployment()), "--every-failure", *options)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=600) == (
        pytest.ExitCode.OK if verdict == "passed" else pytest.ExitCode.TESTS_FAILED
    )
    summary = tree.summary()
    assert (summary["cases"], summary[verdict], summary["broke"]) == (4, 4, [])
    assert (tree.run_directory / "report.html").exists()
    tree.nothing_left()


@pytest.mark.parametrize("target", ["gone/history.sqlite", "/proc/version"])
def test_history_that_cannot_be_written_is_a_note(tree: Tree, target: str) -> None:
    """A line said BROKEN, and the exit code 0. The run's verdicts and reports are whole."""
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see()\n')
    arguments = ("--deployment", str(tree.deployment()), "-n", "0", "--codec", "pcmu")
    history = tree.path / "reports" / "history.sqlite"
    history.parent.mkdir()
    history.symlink_to(target)  # root may write all files but those of /proc
    code, output = tree.run(*arguments)
    assert code == 0, output
    assert "BROKEN" not in output
    (note,) = re.findall("^later runs will not know of this one: .*", output, re.MULTILINE)
    assert "history.sqlite: what earlier runs found cannot be read or written: " in note
    assert (tree.run_directory / "report.html").exists()
    assert tree.summary()["broke"] == []


def test_plan_into_a_closed_pipe_exits_with_zero(tree: Tree) -> None:
    command = (
        "harness=$0; $harness verify simulated-talkdesk --plan | head -n 1; exit ${PIPESTATUS[0]}"
    )
    harness = str(Path(sys.executable).with_name("harness"))
    code, output = tree.finished(tree.command(["bash", "-c", command, harness]))
    assert (code, len(output.splitlines())) == (0, 1), output


@pytest.mark.parametrize(
    "closed",
    [*(pytest.param(one, marks=pytest.mark.nightly) for one in (">&-", "2>&-")), "<&- >&- 2>&-"],
)
def test_run_with_closed_standard_streams_works(tree: Tree, closed: str) -> None:
    harness = str(Path(sys.executable).with_name("harness"))
    for command, exits in (
        (f"verify {tree.deployment()} --plan", 0),
        ("rows", 0),
        ("init x.toml", 2),
    ):
        code, output = tree.finished(
            tree.command(["bash", "-c", f'"$0" {command} {closed}', harness])
        )
        assert code == exits, output
        assert "Traceback" not in output


def test_killed_runner_leaves_no_process_behind(tree: Tree) -> None:
    tree.scenarios(WAITS)
    process = tree.start("--deployment", str(tree.deployment()), "-n", "2")
    try:
        begun(tree, process)
        process.kill()
        process.communicate(
            timeout=300
        )  # its workers hold the pipe, so this returns when the last one is gone
    finally:
        process.kill()
    tree.nothing_left()
    cases = tree.cases()
    assert [case["end"]["verdict"] for case in cases] == ["broken"]


def test_report_refuses_a_run_under_way(tree: Tree) -> None:
    """Its cases would be broken in Allure's results, beside what they then come to."""
    tree.scenarios(WAITS)
    process = tree.start("--deployment", str(tree.deployment()), "-n", "0")
    try:
        begun(tree, process)
        left = {path.name for path in tree.run_directory.iterdir()}
        for command in (["report"], ["signoff"]):
            code, output = tree.finished(tree.start_harness(*command, str(tree.run_directory)))
            assert code == 2, output
            assert "this run is still under way; allowed: one that has ended" in output
        assert {path.name for path in tree.run_directory.iterdir()} == left
        process.kill()
        process.communicate(timeout=300)
        code, output = tree.finished(tree.start_harness("report", str(tree.run_directory)))
        assert "never came to its end" in output
    finally:
        process.kill()


def test_breakage_outside_cases_is_recorded_without_reports(tree: Tree) -> None:
    """A site of a fleet makes none: whoever makes them has to know."""
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see()\n')
    (tree.path / "scenarios" / "test_torn.py").write_text("def test_torn(:\n")
    arguments = [
        "--deployment",
        str(tree.deployment()),
        "-n",
        "0",
        "--continue-on-collection-errors",
        "--no-reports",
    ]
    code, output = tree.run(*arguments)
    assert code == 3, output
    end = json.loads((tree.run_directory / "run.json").read_text())["end"]
    assert [line.partition(":")[0] for line in end["broke"]] == [
        "scenarios/test_torn.py cannot be read"
    ]
    code, output = tree.harness("report", str(tree.run_directory))
    assert code == 3, output


@pytest.mark.nightly
def test_full_disk_breaks_the_run(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see):
            for _ in range(2000):
                see()
    """)

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # a limit on the size of files is as good; but Python would take a half-written module for a
    # whole one
    process = tree.start(
        "--deployment", str(tree.deployment()), "-n", "2", PYTHONDONTWRITEBYTECODE="1"
    )
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (262144, hard))  # inherited by the workers
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 3, output
    assert "evidence cannot be written" in output
    assert "Traceback" not in output
    tree.nothing_left()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("ENOSPC", "the disk is full"),
        pytest.param("EROFS", "Read-only file system", marks=pytest.mark.nightly),
    ],
)
def test_failing_disk_breaks_the_case_with_the_reason(tree: Tree, error: str, words: str) -> None:
    """A file system is remounted read-only by the kernel when its device fails."""
    tree.scenarios(f"""
        import errno

        @scenario("INBOUND")
        def test_inbound(see, case):
            see()
            if case.axes["transport"] == "udp":
                return
            write = os.write

            def refused(file, data):
                if os.readlink(f"/proc/self/fd/{{file}}").endswith("events.jsonl"):
                    raise OSError(errno.{error}, os.strerror(errno.{error}))
                return write(file, data)

            os.write = refused
            try:
                see()
            finally:
                os.write = write
    """)
    code, output = tree.finished(
        tree.start("--deployment", str(tree.deployment()), "-n", "2", "--codec", "pcmu")
    )
    assert code == 3, output
    assert f"evidence cannot be written: {words}" in output
    assert "1 passed, 0 failed, 0 not observable, 1 broken" in output
    assert "Traceback" not in output
    tree.nothing_left()


def with_few_files(tree: Tree, soft: int, hard: int) -> tuple[int, str]:
    """A run with several calls at once that is started with these limits on open files."""
    file = Path(__file__).parents[2] / "scenarios" / "deployments" / "simulated-talkdesk.toml"
    arguments = [
        "verify",
        str(file),
        "--transport=udp",
        "--auth=ip",
        "--codec=pcmu",
        "-n",
        "0",
        "--preflight=tell",
    ]
    limited = (
        f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
    )
    starts = f"{limited} os.execv(sys.argv[1], sys.argv[1:])"
    harness = str(Path(sys.executable).with_name("harness"))
    return tree.finished(
        tree.command([sys.executable, "-c", starts, harness, *arguments, "--row=CONCURRENT"])
    )


@pytest.mark.nightly
def test_soft_limit_on_open_files_is_raised(tree: Tree) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code, output = with_few_files(tree, 80, hard)
    assert code == 0, output


@pytest.mark.parametrize("files", [pytest.param(64, marks=pytest.mark.nightly), 80])
def test_world_without_open_files_fails_no_case(tree: Tree, files: int) -> None:
    code, output = with_few_files(tree, files, files)
    assert code == 3, output
    assert "FAILED" not in output
    assert "Too many open files" in output


def test_unwritable_reports_directory_is_reported_at_once(tree: Tree) -> None:
    tree.scenarios("def test_nothing(): pass")
    blocked = tree.path / "blocked"
    blocked.write_text("a file, not a directory")
    code, output = tree.run_lab("--reports", str(blocked / "reports"))
    assert code == pytest.ExitCode.USAGE_ERROR
    assert (
        output
        == f"ERROR: {blocked / 'reports'}: cannot be written: Not a directory; allowed: a path that can be\n"
    )


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.nightly
def test_reports_deleted_during_the_run_break_it(tree: Tree, workers: str) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, case):
            see()
            Path(f"begun-{case.axes['transport']}-{case.axes['codec']}").touch()
            while not Path("gone").exists():
                time.sleep(0.02)
            see()
    """)
    process = tree.start("--deployment", str(tree.deployment()), "-n", workers, "--codec", "pcmu")
    try:
        begun(tree, process)
        shutil.rmtree(tree.run_directory)
        (tree.path / "gone").touch()
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 3, output
    assert "Traceback" not in output
    tree.nothing_left()


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_clock_change_alters_no_verdict_and_no_duration(tree: Tree, jump_s: float) -> None:
    """Somebody sets the machine's clock, or NTP does, in the middle of a case; what is measured is
    measured by the monotonic one.
    """
    tree.scenarios(f"""
        @scenario("INBOUND")
        def test_inbound(see):
            see()
            real = time.time
            time.time = lambda: real() + {jump_s}
            see()
    """)
    code, output = tree.run_lab("-n", "1", "--codec", "pcmu")
    assert code == 0, output
    summary = tree.summary()
    assert 0 <= summary["wall_s"] < 300
    cases = tree.cases()
    assert cases
    assert all(0 <= case["end"]["at"] - case["began"] < 300 for case in cases), cases
    times = [
        float(found)
        for found in re.findall(
            r'<testcase [^>]*time="(-?[\d.]+)"', (tree.run_directory / "junit.xml").read_text()
        )
    ]
    assert times
    assert all(0 <= seconds < 300 for seconds in times), times
