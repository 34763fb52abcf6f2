"""The command line: what it hands to pytest, what comes back, and how it speaks of mistakes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer

from harness.deployment.safety import Guard
from harness.errors import BrokenError, DeploymentError
from harness.integrations import load
from harness.run.cli import app, call
from harness.support.resources import EXAMPLES


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["harness", *arguments])
    with pytest.raises(SystemExit) as caught:
        app.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def verifies(plugins: list[object]) -> None:
    """As a session does that ran the cases: nothing else may end with exit code 0."""
    for plugin in plugins:
        if hasattr(plugin, "is_verification"):
            plugin.is_verification = True


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pytest was given."""
    seen: list[str] = []

    def pass_all(arguments: list[str], plugins: list[object]) -> int:
        seen.extend(arguments)
        verifies(plugins)
        return pytest.ExitCode.OK

    monkeypatch.setattr(pytest, "main", pass_all)
    return seen


def test_everything_asked_for_reaches_pytest(monkeypatch: pytest.MonkeyPatch, handed: list[str]) -> None:
    code = run(
        monkeypatch,
        *(
            "verify",
            "one.toml",
            "other.toml",
            "--row",
            "TD-INBOUND",
            "--row",
            "HOLD",
            "--transport",
            "tls",
            "--auth",
            "ip",
        ),
        *("--codec", "pcmu", "--ai", "stand-in", "-n", "8", "--timings", "documented", "--fault", "no-g711@inbound"),
        *("--reports", "elsewhere", "-k", "not digest", "--plan", "--live"),
    )
    assert code == 0
    assert handed[0].endswith("scenarios")
    for expected in (
        "--deployment=one.toml",
        "--deployment=other.toml",
        "--row=TD-INBOUND",
        "--row=HOLD",
        "--transport=tls",
        "--auth=ip",
        "--codec=pcmu",
        "--ai=stand-in",
        "--fault=no-g711@inbound",
        "--reports=elsewhere",
        "--plan",
        "--live",
    ):
        assert expected in handed
    for name, value in (("-n", "8"), ("--timings", "documented"), ("-k", "not digest")):
        assert handed[handed.index(name) + 1] == value
    assert all(type(argument) is str for argument in handed)  # they cross to the workers


def test_what_nobody_foresaw_is_no_failure_of_the_system_under_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own exit code for an exception is 1, which says that something failed."""

    def surprise(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(pytest, "main", surprise)
    assert run(monkeypatch, "verify", "one.toml") == app.BROKEN
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_is_not_asked_for_is_left_to_the_plugin(monkeypatch: pytest.MonkeyPatch, handed: list[str]) -> None:
    assert run(monkeypatch, "verify", "one.toml") == 0
    assert handed[handed.index("-n") + 1] == "auto"
    assert not {"--plan", "--live", "-k"} & set(handed)
    assert not [argument for argument in handed if argument.startswith(("--row", "--fault", "--reports"))]
    assert not {"-q", "--json", "--every-failure"} & set(handed)


@pytest.mark.parametrize(("asked", "given"), [("--quiet", "-q"), ("--json", "--json"), ("-v", "--every-failure")])
def test_how_much_is_shown_reaches_pytest(
    monkeypatch: pytest.MonkeyPatch, handed: list[str], asked: str, given: str
) -> None:
    assert run(monkeypatch, "verify", "one.toml", asked) == 0
    assert given in handed


@pytest.mark.parametrize(
    ("of_pytest", "code"),
    [
        (pytest.ExitCode.OK, 0),
        (pytest.ExitCode.TESTS_FAILED, 1),
        (pytest.ExitCode.INTERRUPTED, 130),
        (pytest.ExitCode.INTERNAL_ERROR, 3),
        (pytest.ExitCode.USAGE_ERROR, 2),
        (pytest.ExitCode.NO_TESTS_COLLECTED, 2),
    ],
)
def test_exit_codes_are_the_documented_ones(
    monkeypatch: pytest.MonkeyPatch, of_pytest: pytest.ExitCode, code: int
) -> None:
    def end(arguments: list[str], plugins: list[object]) -> pytest.ExitCode:
        verifies(plugins)
        return of_pytest

    monkeypatch.setattr(pytest, "main", end)
    assert run(monkeypatch, "verify", "one.toml") == code


@pytest.mark.parametrize(
    ("error", "code"), [(DeploymentError("a.toml: one\na.toml: two"), 2), (BrokenError("a.toml: one\na.toml: two"), 3)]
)
def test_errors_are_lines_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def raises(arguments: list[str], plugins: list[object]) -> int:
        raise error

    monkeypatch.setattr(pytest, "main", raises)
    assert run(monkeypatch, "verify", "one.toml") == code
    assert capsys.readouterr().err == "ERROR: a.toml: one\nERROR: a.toml: two\n"


def test_a_wrong_number_of_workers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], handed: list[str]
) -> None:
    assert run(monkeypatch, "verify", "one.toml", "-n", "many") == 2
    assert capsys.readouterr().err.startswith("ERROR: -n many: not a number of workers; allowed: auto, 0")
    assert handed == []


def test_only_a_simulated_deployment_is_simulated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TALKDESK_TRUNK_PASSWORD", "SYNTHFLOW_API_TOKEN", "TEST_LINE_PASSWORD", "AGENT_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    path = EXAMPLES / "live-talkdesk.toml"
    assert run(monkeypatch, "simulate", str(path)) == 2
    assert capsys.readouterr().err == f"ERROR: {path}: kind: is 'live'; allowed: simulated\n"


def test_what_a_fleet_lacks_is_said_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(monkeypatch, "fleet", "plan", "fleet.toml") == 3
    said = capsys.readouterr().err
    assert (
        "celery, redis, fsspec: not installed; allowed: pip install 'FILE.whl[fleet]' with the wheel's file, or "
        in said
    )
    assert ".uv/bin/uv sync --extra fleet in a checkout" in said


def test_a_command_that_is_asked_for_comes_alone() -> None:
    alone, every = (typer.main.get_command(app.application(*asked)) for asked in (["verify"], []))
    assert list(getattr(alone, "commands", {})) == ["verify"]
    assert {"verify", "rows", "signoff"} <= getattr(every, "commands", {}).keys()


@pytest.mark.parametrize("asked", ["--help", "nonsense", "live_file"])
def test_what_is_no_command_is_answered_with_all_of_them(asked: str) -> None:
    every, found = (typer.main.get_command(app.application(*words)) for words in ([], [asked]))
    assert getattr(found, "commands", {}).keys() == getattr(every, "commands", {}).keys()


def test_help_says_what_may_be_repeated_and_what_holds_without_an_option() -> None:
    commands = getattr(typer.main.get_command(app.application()), "commands", {})
    several = [(name, option) for name, command in commands.items() for option in command.params if option.multiple]
    assert len(several) >= 10
    assert [(name, option.name) for name, option in several if "(repeatable" not in option.help] == []
    told = {(name, option.name): option.help for name, command in commands.items() for option in command.params}
    assert "(quick, default)" in told["verify", "timings"]
    assert "stop on a failure (default)" in told["verify", "preflight"]
    assert "default with --fault" in told["verify", "preflight"]
    assert "0: one after another" in told["verify", "workers"]
    with_default = {name for (command, name), text in told.items() if command == "init" and "(default" in (text or "")}
    assert with_default == {"region", "platform_host", "synthflow_host", "caller_domain"}


def test_every_command_is_explained() -> None:
    group = typer.main.get_command(app.application())
    commands = getattr(group, "commands", {})
    assert {"verify", "simulate"} <= commands.keys()
    for command in commands.values():
        assert command.help
        for parameter in command.params:
            assert parameter.name == "help" or parameter.help, (command.name, parameter.name)


def test_options_of_a_night_that_no_shell_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], handed: list[str]
) -> None:
    assert run(monkeypatch, "nightly", "simulated-talkdesk", "--verify", '--row "TD-INBOUND') == 2
    said = capsys.readouterr().err
    assert (
        said
        == 'ERROR: --verify --row "TD-INBOUND: No closing quotation; allowed: options of verify, as a shell takes them\n'
    )
    assert handed == []


def test_a_call_is_kept_in_a_directory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    asked = ["simulated-talkdesk", "--directory", str(tmp_path / "file")]
    assert run(monkeypatch, "call", "+13125550100", "--deployment", *asked) == 2
    assert capsys.readouterr().err.startswith(
        f"ERROR: {tmp_path / 'file'}: cannot be written: Not a directory; allowed: "
    )


@pytest.mark.parametrize(
    "number", ["+1 312 555-0100", "(312) 555-0100", "312.555.0100", "sip:+13125550100@carrier.example"]
)
def test_a_number_is_called_as_people_write_it(number: str) -> None:
    talkdesk = load(EXAMPLES / "simulated-talkdesk.toml")
    Guard(talkdesk)(call._uri(talkdesk, "caller", number))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "--retries", "many"], "Invalid value for '--retries': "),
        (["verify", "--retries", "-1"], "Invalid value for '--retries': "),
        (
            ["verify", "--timings", "slow"],
            "Invalid value for '--timings': 'slow' is not one of 'quick', 'documented'; ",
        ),
        (["verify", "--bogus"], "No such option: --bogus"),
        (["verifyy"], "No such command 'verifyy'. Did you mean 'verify'?"),
        (
            ["signoff", "verify", "reports"],
            "Missing option '--key'; allowed: what `harness signoff verify --help` says",
        ),
        (["preflight"], "Missing argument 'FILE…'"),
    ],
)
def test_a_slip_in_the_words_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert run(monkeypatch, *arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ERROR: {said}")
    assert "; allowed: what `" in line


def test_no_command_shows_them_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch) == 2
    assert "preflight" in "".join(capsys.readouterr())
    assert run(monkeypatch, "rows", "--help") == 0


def test_a_question_that_is_broken_off_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(*_: object, **__: object) -> str:
        raise typer.Abort

    monkeypatch.setattr(typer, "prompt", broken_off)
    monkeypatch.setattr("harness.run.cli.init.sys.stdin.isatty", lambda: True, raising=False)
    assert run(monkeypatch, "init", "nowhere.toml") == 130
