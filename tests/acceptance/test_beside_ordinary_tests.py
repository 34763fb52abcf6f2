"""A verification in a project that has tests of its own: they are run, and neither is taken for the
other.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.acceptance.conftest import Tree

SCENARIO = """
    @scenario("INBOUND")
    def test_inbound(see):
        see()
"""


@pytest.mark.parametrize(
    ("workers", "body", "code"), [("0", "pass", 0), ("2", "raise ValueError('of its own')", 1)]
)
def test_ordinary_test_is_not_a_case(tree: Tree, workers: str, body: str, code: int) -> None:
    tree.scenarios(SCENARIO)
    (tree.path / "scenarios" / "test_ordinary.py").write_text(f"def test_ordinary():\n    {body}\n")
    found, output = tree.run_lab("-n", workers, "--codec", "pcmu")
    assert found == code, output
    assert "2 passed, 0 failed, 0 not observable, 0 broken" in output
    assert ("of its own" in output) == bool(code)
    assert f"tests beside the cases: 1 {'failed' if code else 'passed'}" in output


def test_ordinary_tests_alone_do_not_make_a_run(tree: Tree) -> None:
    (tree.path / "scenarios" / "test_ordinary.py").write_text("def test_ordinary():\n    pass\n")
    code, output = tree.run_lab("-n", "0")
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no case is left" in output


def test_scenario_without_a_row_of_its_own_is_reported(tree: Tree) -> None:
    tree.scenarios(SCENARIO)
    for name in ("NOWHERE", "INBOUND"):
        text = f"from harness.scenario import scenario\n\n@scenario({name!r})\ndef test_mine(see):\n    see()\n"
        (tree.path / "scenarios" / f"test_mine_{name}.py").write_text(text)
    said = (
        "@scenario(NOWHERE): no row has it",
        "@scenario(INBOUND): is that of scenarios/test_lab.py",
    )
    code, output = tree.run_lab("-n", "2", "--codec", "pcmu")
    assert code == 3, output
    assert [output.count(words) for words in said] == [2, 2], (
        output
    )  # as it comes and at the end, though each worker says so
    code, output = tree.run_lab("--plan")
    assert code == 3, output
    assert [output.count(words) for words in said] == [1, 1], output


@pytest.mark.parametrize(
    ("before", "argument"),
    [
        ('@pytest.mark.parametrize("digit", ["1", "2"])', "digit"),
        (
            '@pytest.fixture(params=["1", "2"])\ndef digit(request):\n    return request.param\n',
            "digit",
        ),
    ],
)
def test_parametrized_scenario_is_reported(tree: Tree, before: str, argument: str) -> None:
    """Its tests would be one case: what the second found stood in the place of what the first had."""
    mark = '@scenario("INBOUND")\n'
    body = f"def test_inbound(see, {argument}):\n    see(Verdict.FAILED if digit == '1' else Verdict.PASSED)\n"
    tree.scenarios(before + "\n" + mark + body)
    for workers in ("0", "2"):
        code, output = tree.run_lab("-n", workers, "--codec", "pcmu")
        assert code == 3, output
        assert (
            "test_inbound: is parametrized, and a case is one test; allowed: a custom row for each value"
            in output
        )


def test_error_in_a_scenario_names_its_line(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see):
            see()
            print("hello")
            {}["number"]
    """)
    arguments = (
        "--deployment",
        str(tree.deployment()),
        "-n",
        "0",
        "--codec",
        "pcmu",
        "--junitxml=j.xml",
    )
    code, output = tree.run(*arguments, "-rA", "--durations=2", "-s")
    assert code == 3, output
    said = """KeyError: 'number' (scenarios/test_lab.py, line 18: {}["number"])"""
    assert said in output
    ours, plain = (
        ET.parse(file).getroot() for file in (tree.run_directory / "junit.xml", tree.path / "j.xml")
    )
    assert {error.get("message") for error in ours.iter("error")} == {said}
    assert all((failure.text or "").startswith(said) for failure in plain.iter("failure"))
    for shown in ("hello", "slowest 2 durations", "FAILED scenarios/test_lab.py::test_inbound"):
        assert shown in output


def test_misspelt_fixture_is_named_in_a_line(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, assistantt):
            see()
    """)
    code, output = tree.run_lab("-n", "0", "--codec", "pcmu")
    assert code == 3, output
    assert (
        "scenarios/test_lab.py::test_inbound: there is no fixture 'assistantt' (perhaps assistant)"
        in output
    )


def test_run_works_without_the_terminal_reporter(tree: Tree) -> None:
    tree.scenarios(SCENARIO)
    arguments = (
        "--deployment",
        str(tree.deployment()),
        "-n",
        "0",
        "--codec",
        "pcmu",
        "-p",
        "no:terminal",
    )
    code, output = tree.run(*arguments)
    assert code == 0, output
    assert "2 passed, 0 failed, 0 not observable, 0 broken" in output


@pytest.mark.parametrize("how", [("-n", "0"), ("-n", "2"), ("--plan",)])
def test_row_declared_too_late_is_reported(tree: Tree, how: tuple[str, ...]) -> None:
    """In workers its cases were run, and called, though no plan had shown them; without, the
    scenario was left out in silence.
    """
    tree.scenarios(SCENARIO)
    late = tree.path / "scenarios" / "late"
    late.mkdir()
    row = "from harness.finding_kinds import ANSWERED\nfrom harness.integrations import own_row\n\n"
    (late / "conftest.py").write_text(
        row + "own_row('OWN-LATE', 'Late', required_findings={ANSWERED: 1})\n"
    )
    text = "from harness.scenario import scenario\n\n@scenario('OWN-LATE')\ndef test_mine(see):\n    see()\n"
    (late / "test_mine.py").write_text(text)
    code, output = tree.run_lab("--codec", "pcmu", *how)
    assert code == 3, output
    assert "own_row('OWN-LATE') was declared when the run was planned already; allowed: " in output
