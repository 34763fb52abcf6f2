"""What the user may do wrong is said in a line, before anything is started."""

from __future__ import annotations

import getpass
import json
import os

import pytest

from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import Tree

SCENARIO = """
    @scenario("INBOUND")
    def test_inbound(see):
        see()
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--row", "TD-NOWHERE"], "ERROR: --row TD-NOWHERE: not in lab; `harness rows` lists them"),
        (["--row", "TD-INBOND"], "ERROR: --row TD-INBOND: not in lab; did you mean TD-INBOUND?"),
        (["--row", "GL-INBOUND"], "ERROR: --row GL-INBOUND: not in lab; it is a row of gladly"),
        (["--transport", "tls"], "ERROR: --transport tls: not in lab; allowed: tcp, udp"),
        (["--fault", "no-g711"], "ERROR: --fault no-g711: lab is not simulated; allowed: "),
        (
            ["-n", "99"],
            "ERROR: -n 99: every leg needs a mark of its own; allowed: up to 23 workers",
        ),
        (["--deployment", "missing.toml"], "ERROR: no such file: missing.toml"),
        (["-k", "and and"], "ERROR: -k and and: expected not"),
        *(
            (["-k", text], f"ERROR: -k {text[:80]}…: more than 250 operators and brackets; ")
            for text in ("(" * 3000 + "a" + ")" * 3000, "not " * 300 + "a", "a or " * 3000 + "a")
        ),
        (["-k", f"a(b={'9' * 5000})"], f"ERROR: -k a(b={'9' * 76}…: Exceeds the limit (4300 "),
        (
            ["-n", "2", "--dist", "each"],
            "ERROR: --dist each: every worker would run every case; allowed: load, ",
        ),
        (
            ["--dist", "load", "--tx", "2*popen"],
            "ERROR: --tx: workers are processes of this machine, ",
        ),
        (
            ["--setup-plan"],
            "ERROR: --setup-only, --setup-plan: a case without its calls shows nothing; allowed: --plan, ",
        ),
    ],
)
def test_invalid_choice_is_reported_with_the_valid_ones(
    tree: Tree, arguments: list[str], said: str
) -> None:
    tree.scenarios(SCENARIO)
    code, output = tree.run_lab(*arguments)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert output.startswith(said), output
    assert len(output.splitlines()) == 1
    assert not (tree.path / "reports").exists()


@pytest.mark.parametrize("options", [["--plan"], ["--plan", "--json"], ["-n", "0"]])
def test_keyword_that_matches_no_case_is_a_mistake(tree: Tree, options: list[str]) -> None:
    tree.scenarios(SCENARIO)
    code, output = tree.run_lab("-k", "nowhere", *options)
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
    (line,) = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    assert line.startswith("ERROR: -k nowhere: matches no case; allowed: ")


def test_largest_keyword_expression_is_taken(tree: Tree) -> None:
    tree.scenarios(SCENARIO)
    for text in ("(" * 250 + "udp" + ")" * 250, "not " * 250 + "udp", "x or " * 250 + "udp"):
        code, output = tree.run_lab("--plan", "-k", text)
        assert code == 0, output


@pytest.mark.parametrize("workers", ["0", "2"])
def test_scenarios_need_a_deployment(tree: Tree, workers: str) -> None:
    tree.scenarios(SCENARIO)
    code, output = tree.run("-n", workers)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert output.strip() == (
        "ERROR: scenarios need a deployment; allowed: --deployment FILE (`harness init` writes one, `harness examples` "
        "lists some)"
    )


def test_plan_places_no_call(tree: Tree) -> None:
    tree.scenarios(SCENARIO)
    code, output = tree.run_lab("--plan", "-n", "4", "--codec", "pcmu")
    assert code == 0
    left_out = [line for line in output.splitlines() if line.startswith("left out of lab: ")]
    assert "left out of lab: TD-TRANSFER-WARM (no assistant hands over warm)" in left_out
    declared = [
        line for line in output.splitlines() if line.startswith("declared in lab, not verified: ")
    ]
    assert any("groups.support" in line for line in declared)
    assert [line for line in output.splitlines() if line not in [*left_out, *declared]] == [
        "TD-INBOUND[lab:synthflow-udp-ip-pcmu]  An outside call reaches the AI",
        "    caller calls +13125550100, 120 s at most",
        "TD-INBOUND[lab:synthflow-tcp-ip-pcmu]  An outside call reaches the AI",
        "    caller calls +13125550101, 120 s at most",
        "lab: asks 127.9.9.4:9 with the value of HARNESS_LAB (synthflow.api_base)",
        "2 cases planned; no calls placed",
        "lab: 2 calls placed by the harness, 4 minutes at most; repeats of disturbed cases are not counted",
        "    audio to and from the AI: proved by the marks that the AI names",
        "    what the AI is sent: proved by the messages that the AI shows",
    ]
    _, output = tree.run_lab("--plan", "--codec", "pcmu", "--retries", "2")
    assert output.splitlines()[-3] == (
        "lab: 2 calls placed by the harness, 6 if every case is tried 3 times, 12 minutes at most; "
        "repeats of disturbed cases are not counted"
    )
    assert not (tree.path / "reports").exists()


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_collect_only_lists_the_cases_and_writes_nothing(
    tree: Tree, quiet: tuple[str, ...]
) -> None:
    """What an editor asks for before it shows any test: it wrote a report of a run that never was
    where it was started.
    """
    tree.scenarios(SCENARIO)
    file, before = str(tree.deployment()), {path.name for path in tree.path.iterdir()}
    code, output = tree.run(
        "--deployment", file, "--collect-only", "--codec", "pcmu", *quiet, live=False
    )
    assert code == 0, output
    assert "test_inbound[TD-INBOUND[lab:synthflow-udp-ip-pcmu]]" in output
    assert {path.name for path in tree.path.iterdir()} - before <= {
        ".pytest_cache",
        "__pycache__",
        "tmp",
    }


@pytest.mark.parametrize("look", ["--fixtures-per-test", "--cache-show", "--markers"])
def test_pytest_information_options_make_no_run(tree: Tree, look: str) -> None:
    tree.scenarios(SCENARIO)
    code, output = tree.run_lab(look, live=False)
    assert code in (0, pytest.ExitCode.NO_TESTS_COLLECTED), output
    assert "ERROR" not in output
    assert not (tree.path / "reports").exists()


@pytest.mark.parametrize("options", [["--plan"], []])
def test_what_the_simulated_world_cannot_play_is_a_mistake_of_the_file_before_any_call(
    tree: Tree, options: list[str]
) -> None:
    """The plan accepted it, and the run named no file."""
    text = (EXAMPLES / "simulated-generic.toml").read_text(encoding="utf-8")
    file = tree.path / "contact-centre.toml"
    file.write_text(text + "\n[simulated.groups.Support]\nqueue_s = 5.0\n", encoding="utf-8")
    code, output = tree.harness("verify", str(file), *options)
    assert code == 2
    line = text.count("\n") + 2
    said = "simulated.groups.Support: the file has none of that name; allowed: "
    assert f"ERROR: {file}: line {line}: {said}" in output


@pytest.mark.parametrize(
    "options", ["--collect-only", "--help", "--fixtures", "--markers", "--plan", "--version"]
)
def test_verification_that_placed_no_call_never_exits_with_zero(tree: Tree, options: str) -> None:
    """Left over in the environment, such an option ended a nightly verification at once, with 0."""
    file = str(tree.deployment())
    code, output = tree.harness("verify", file, "-n", "0", PYTEST_ADDOPTS=options, HARNESS_LIVE="1")
    assert code == 2, output
    assert output.splitlines()[-1] == (
        f"ERROR: no call was placed: PYTEST_ADDOPTS={options!r} only shows something; unset it, or use --plan"
    )
    assert not (tree.path / "reports").exists()


def test_requested_plan_exits_with_zero(tree: Tree) -> None:
    code, output = tree.harness(
        "verify", str(tree.deployment()), "--plan", PYTEST_ADDOPTS="-p no:logging"
    )
    assert code == 0, output


def test_plan_counts_calls_that_the_safety_rules_refuse(tree: Tree) -> None:
    tree.scenarios(SCENARIO)
    file = tree.deployment()
    file.write_text(file.read_text().replace("+13125550101", "+442079460101"))
    _, output = tree.run("--deployment", str(file), "--plan", "--codec", "pcmu")
    lines = output.splitlines()
    assert [lines[-4], lines[-1]] == [
        "lab: 2 calls placed by the harness, 4 minutes at most; repeats of disturbed cases are not counted",
        "    planned calls that are REFUSED, each with its reason above: 1",
    ]


def test_real_calls_need_live(tree: Tree) -> None:
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see()\n')
    arguments = ["--deployment", str(tree.deployment()), "-n", "0"]
    code, output = tree.run(*arguments, live=False)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert output == (
        "ERROR: lab: is of kind 'live', so its calls are real and may cost money; allowed: --live or HARNESS_LIVE=1, "
        "or --plan to see the calls first\n"
    )
    assert not (tree.path / "reports").exists()
    assert tree.run(*arguments, "--plan", live=False)[0] == 0
    assert tree.run(*arguments, "--live", live=False)[0] == 0


@pytest.mark.parametrize("workers", ["0", "2"])
def test_failed_preflight_ends_the_run_before_its_first_call(tree: Tree, workers: str) -> None:
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see()\n')
    arguments = ["--deployment", str(tree.deployment()), "-n", workers]
    code, output = tree.run(*arguments, "--preflight=stop")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "OPTIONS 127.9.9.1:5060/udp" in output
    assert output.splitlines()[-1].startswith("The run ends before its first call")
    assert list((tree.run_directory / "cases").iterdir()) == []
    assert not (tree.run_directory / "summary.json").exists()
    (told,) = json.loads((tree.run_directory / "preflight.json").read_text())
    assert {line["status"] for line in told["lines"]} >= {"ok", "failed"}


def test_first_worker_starts_before_preflight_and_gets_its_case_after_it(tree: Tree) -> None:
    (tree.path / "scenarios" / "conftest.py").write_text(
        "from pathlib import Path\n"
        "def note(what):\n"
        "    looked = list(Path('reports').glob('2*/preflight.json'))\n"
        "    Path(what).write_text(str(len(looked)))\n"
        "def pytest_configure_node(node):\n"
        "    note(node.gateway.id)\n"
        "def pytest_runtest_setup(item):\n"
        "    note('case')\n"
    )
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see()\n')
    code, output = tree.run_lab("-n", "1", "--preflight=tell")
    assert code == 0, output
    assert (tree.path / "gw0").read_text() == "0"
    assert (tree.path / "case").read_text() == "1"


def test_preflight_tell_only_reports(tree: Tree) -> None:
    tree.scenarios('@scenario("INBOUND")\ndef test_inbound(see):\n    see()\n')
    code, output = tree.run_lab("-n", "2", "--preflight=tell")
    assert code == 0
    assert "OPTIONS 127.9.9.1:5060/udp" in output


def test_files_of_another_user_in_the_temporary_folder_break_no_run(tree: Tree) -> None:
    """Anybody can make them first in /tmp: pytest's own directory and the harness's."""
    (tree.path / "elsewhere").mkdir()
    for name in (f"pytest-of-{getpass.getuser()}", f"harness-{os.geteuid()}"):
        (tree.path / "tmp" / name).symlink_to(tree.path / "elsewhere")
    tree.scenarios(SCENARIO)
    process = tree.start(
        "--deployment", str(tree.deployment()), "-n", "2", forked=True, HOME=str(tree.path)
    )
    code, output = tree.finished(process)
    assert code == pytest.ExitCode.OK, output
    assert not list((tree.path / "elsewhere").iterdir())
    assert len(list((tree.path / "tmp").iterdir())) == 2, "nothing is left of the run"


def test_run_without_a_private_directory_says_what_to_do(tree: Tree) -> None:
    (tree.path / "tmp" / f"harness-{os.geteuid()}").symlink_to(tree.path)
    tree.scenarios(SCENARIO)
    process = tree.start("--deployment", str(tree.deployment()), forked=True, HOME="/proc/nowhere")
    code, output = tree.finished(process)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert output.startswith("ERROR: /proc/nowhere")
    assert output.endswith("set TMPDIR to a directory that only you can write to\n")
    assert len(output.splitlines()) == 1
    assert not (tree.path / "reports").exists()
