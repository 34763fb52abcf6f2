"""The command line: its commands and help, what ``harness verify`` hands to pytest, and exit codes."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from _pytest.main import resolve_collection_argument

from harness import integrations
from harness.deployment.file import load
from harness.errors import BrokenError, DeploymentError
from harness.report.run_directory import RunEnd, write_end
from harness.run.cli import app, startup
from harness.run.cli.help import COMMANDS
from harness.run.cli.verify import _of_pytest
from harness.support import resources
from harness.support.forkserver import ForkServer
from harness.support.resources import EXAMPLES
from harness.world.faults import FAULTS
from tests.unit.cli.conftest import Harness


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """pytest's arguments. Before the call the list's last entry is how pytest ends: an exit code,
    or an exception to raise.
    """
    seen: list[Any] = [pytest.ExitCode.OK]

    def main(arguments: list[str], plugins: list[Any]) -> Any:
        end = seen.pop()
        seen.extend(arguments)
        if isinstance(end, Exception):
            raise end
        for plugin in plugins:
            if hasattr(plugin, "is_verification"):
                plugin.is_verification = True  # as after a session with cases
        return end

    monkeypatch.setattr(pytest, "main", main)
    return seen


ASKED = """verify one.toml other.toml --row TD-INBOUND --row HOLD --transport tls --auth ip --codec pcmu --ai stand-in -n 8
--timings documented --fault no-g711@inbound --reports elsewhere -k 'not digest' --plan --live --retries 2 --no-manual
--preflight tell --require documented --quiet -v --json --last-failed --exitfirst --maxfail 3"""
HANDED = """--deployment=one.toml --deployment=other.toml --row=TD-INBOUND --row=HOLD --transport=tls --auth=ip --codec=pcmu
--ai=stand-in --fault=no-g711@inbound --reports=elsewhere --plan --live --retries=2 --no-manual --preflight=tell
--timings=documented --require=documented -q --every-failure --json --last-failed-cases -x --maxfail=3"""


def test_verify_passes_every_option_to_pytest(harness: Harness, handed: list[Any]) -> None:
    assert harness(*shlex.split(ASKED)).code == 0
    assert handed[0].endswith("scenarios")
    assert set(HANDED.split()) <= set(handed)
    for name, value in (("-n", "8"), ("-k", "not digest")):
        assert handed[handed.index(name) + 1] == value
    assert all(type(argument) is str for argument in handed)  # they cross to the workers


def test_verify_leaves_defaults_to_the_plugin(harness: Harness, handed: list[Any]) -> None:
    assert harness("verify", "one.toml").code == 0
    assert handed[handed.index("-n") + 1] == "auto"
    options = {argument.partition("=")[0] for argument in handed} - {"--deployment", "--cases-only"}
    assert options.isdisjoint(
        argument.partition("=")[0] for argument in [*HANDED.split()[2:], "-k"]
    )


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (pytest.ExitCode.OK, 0),
        (pytest.ExitCode.TESTS_FAILED, 1),
        (pytest.ExitCode.INTERRUPTED, 130),
        (pytest.ExitCode.INTERNAL_ERROR, 3),
        (pytest.ExitCode.USAGE_ERROR, 2),
        (pytest.ExitCode.NO_TESTS_COLLECTED, 2),
        (DeploymentError("a.toml: one\na.toml: two"), 2),
        (BrokenError("a.toml: one\na.toml: two"), 3),
    ],
)
def test_exit_codes_follow_the_documentation(
    harness: Harness, handed: list[Any], end: Any, code: int
) -> None:
    handed[0] = end
    ended = harness("verify", "one.toml")
    assert ended.code == code
    assert ended.err == (
        "ERROR: a.toml: one\nERROR: a.toml: two\n" if isinstance(end, Exception) else ""
    )


def test_own_scenarios_are_found_below_a_directory_with_brackets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest takes the part after a ``[`` in a path for the parameters of a test."""
    (tmp_path / "[prod]" / "scenarios").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "[prod]")
    package, own, *_ = _of_pytest(Path("scenarios"))
    assert Path(package) == resources.SCENARIOS
    assert resolve_collection_argument(Path.cwd(), own, 0).path == tmp_path / "[prod]" / "scenarios"
    (tmp_path / "[prod]" / "scenarios").rmdir()
    assert _of_pytest(Path("scenarios"))[:2] == [str(resources.SCENARIOS), "--rootdir"]
    monkeypatch.chdir(resources.ROOT)
    assert _of_pytest(Path("scenarios"))[:2] == ["scenarios", "--rootdir"], "once"


SIMULATED, LIVE = str(EXAMPLES / "simulated-gladly.toml"), str(EXAMPLES / "live-large.toml")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["verify"], True),
        (["verify", LIVE, "simulated-gladly"], True),
        (["verify", LIVE, "--live"], False),
        (["verify", SIMULATED, "--plan"], False),
        (["verify", "odd.toml"], False),
        (["preflight", SIMULATED], False),
    ],
)
def test_fork_server_for_worlds_lives_as_long_as_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd.toml").write_bytes(b'\xffkind = "simulated"')
    servers: list[ForkServer | None] = []

    def interrupted() -> None:
        with startup.begun(arguments):
            servers.append(server := startup.world_fork_server())
            if server:  # worlds trust no authority: aiohttp need not read all of them
                environ = Path(f"/proc/{server.pid}/environ")
                while not (environment := environ.read_bytes()):
                    os.sched_yield()  # Popen returns while the kernel still loads the program
                assert b"SSL_CERT_FILE=/dev/null" in environment.split(b"\0")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert startup.world_fork_server() is None
    (fork_server,) = servers
    assert isinstance(fork_server, ForkServer) is expected
    if fork_server:
        with pytest.raises(ProcessLookupError):
            os.kill(fork_server.pid, 0)
        assert not fork_server.path.parent.exists()


# -- commands and help


def commands(asked: str = "") -> dict[str, Any]:
    return getattr(typer.main.get_command(app.application(asked)), "commands", {})


def test_only_the_requested_command_is_imported() -> None:
    assert list(commands("verify")) == ["verify"]
    assert {"verify", "rows", "signoff"} <= commands().keys()
    for asked in ("--help", "nonsense", "live_file"):
        assert commands(asked).keys() == commands().keys()


def test_every_command_and_option_has_help() -> None:
    options = {
        (name, one.name): one for name, command in commands().items() for one in command.params
    }
    assert all(command.help for command in commands().values())
    assert not [name for name, option in options.items() if name[1] != "help" and not option.help]
    assert not [
        name for name, one in options.items() if one.multiple and "(repeatable" not in one.help
    ]
    flags = [one.opts for one in options.values() if one.opts[0].startswith("-")]
    assert all("--" in "".join(opts) for opts in flags), "a long form"
    defaults = {
        name
        for (command, name), one in options.items()
        if command == "init" and "(default" in (one.help or "")
    }
    assert defaults == {"region", "platform_host", "synthflow_host", "caller_domain", "zone"}
    root = {
        name
        for parameter in typer.main.get_command(app.application()).params
        for name in parameter.opts
    }
    assert {"--install-completion", "--show-completion"} <= root


def test_help_shows_the_commands_by_the_users_journey(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    shown = harness("--help").out
    assert "[bool]" not in shown
    assert "<bool>" not in shown
    parts = re.findall(r"^╭─ (?!Options)([\w ]+): (harness .*?) ─", shown, re.MULTILINE)
    assert [part for part, _ in parts] == ["Set up", "Run", "Read", "Sign", "Operate"]
    assert re.findall(r"^│ ([a-z]+) ", shown, re.MULTILINE) == list(COMMANDS)
    assert all(re.search(rf"^│ {example.split()[1]} ", shown, re.MULTILINE) for _, example in parts)


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("verify", "harness verify [OPTIONS] [FILE]…"),
        ("init", "harness init [OPTIONS] [FILE]"),
        ("report", "harness report [OPTIONS] RUN…"),
        ("call", "harness call [OPTIONS] FILE NUMBER"),
        ("fleet", "harness fleet [OPTIONS] COMMAND [ARGS]…"),
        ("signoff", "harness signoff verify [OPTIONS] RUN"),
    ],
)
def test_help_shows_arguments_and_flags_without_their_types(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, command: str, usage: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = harness(command, "--help").out
    assert f"Usage: {usage} " in shown
    assert re.findall(r"<(?:bool|str|path|list|int|float)\b|\[\[", shown) == []


def leaves(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, *names, name)
        else:
            yield (*names, name), command


def test_every_command_has_an_example_that_it_takes() -> None:
    root: Any = typer.main.get_command(app.application())
    shown = {names: command.epilog for names, command in leaves(root)}
    assert len(shown) == 23
    for names, epilog in shown.items():
        program, *words = shlex.split(epilog.removeprefix("Example: "))
        assert program == "harness"
        context = root.make_context("harness", words)
        while hasattr(context.command, "commands"):  # as click goes from a group to its command
            left = [*context._protected_args, *context.args]
            name, command, left = context.command.resolve_command(context, left)
            context = command.make_context(name, left, parent=context)
        taken = re.sub(" [A-Z]\\S*", "", context.command_path)  # usage may have arguments
        assert tuple(taken.split()[1:]) == names, epilog


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("verify simulated-t", ["simulated-talkdesk"]),
        ("preflight ac", ["acme.toml", "accounts/"]),
        ("examples sys", ["systemd"]),
        ("rows t", ["talkdesk"]),
        ("verify --row TD-FALLBACK-D", ["TD-FALLBACK-DOWN"]),
        ("verify --fault trunk-limit-", ["trunk-limit-lower", "trunk-limit-not-enforced"]),
        ("report run --for platform", ["platform-administrator"]),
        ("report run --zip a", ["all"]),
        ("report run --zip BUS", ["BUSY[acme:udp]"]),
        ("explain run HO", ["HOLD[acme:udp]"]),
        ("explain missing HO", []),
    ],
)
def test_shell_completes_names(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: str,
    offered: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("acme.toml", "ac`x`.toml", "ac;x\\.toml", "acme.txt"):
        Path(name).touch()
    Path("accounts").mkdir()
    ids = ("HOLD[acme:udp]", "HOLD$(x)", 'HO"LD', "BUSY[acme:udp]")
    end = RunEnd(workers=1, wall_s=1.0)
    Path("run").mkdir()
    write_end(Path("run"), [{"id": one, "row": "HOLD"} for one in ids], end)
    monkeypatch.setenv("_HARNESS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"harness {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(f"{words}x".split())))
    ended = harness()
    assert (ended.code, ended.out.split()) == (0, offered)


def test_harness_without_a_command_lists_the_commands(harness: Harness) -> None:
    code, *shown = harness()
    assert (code, "preflight" in "".join(shown)) == (2, True)
    assert harness("rows", "--help").code == 0
    assert re.fullmatch(r"harness \d+\.\d+\.\d+\n", harness("--version").out)


# -- lists and examples


def test_rows_lists_every_row_once(harness: Harness) -> None:
    rows = [
        (entry["integration"], entry["row"]) for entry in json.loads(harness("rows", "--json").out)
    ]
    assert len(set(rows)) == len(rows)
    assert rows == [
        (name, row.id) for name in integrations.names() for row in integrations.find(name).rows
    ]
    shown = set(re.findall(r"^  (\S+)", harness("rows", "gladly").out, re.MULTILINE))
    assert shown == {row for integration, row in rows if integration == "gladly"}


def test_faults_lists_every_fault_with_its_effect(harness: Harness) -> None:
    plain = json.loads(harness("faults", "--json").out)
    assert {fault["name"] for fault in plain} == set(FAULTS)
    assert all(fault["shows"] and fault["integrations"] for fault in plain)
    assert set(FAULTS) <= set(re.findall(r"^  (\S+) ", harness("faults").out, re.MULTILINE))


def test_help_works_in_a_latin_1_terminal() -> None:
    command = [str(Path(sys.executable).with_name("harness")), "verify", "--help"]
    environment = os.environ | {"PYTHONIOENCODING": "iso8859-1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert b"--fault" in done.stdout


@pytest.mark.parametrize("columns", ["\u00b2", "9" * 30, "-1", "0"])
def test_impossible_window_size_is_ignored(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    assert "preflight" in harness("--help").out


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_examples_lists_and_copies_files(harness: Harness, tmp_path: Path) -> None:
    kinds = [path.name for path in resources.TEMPLATES.iterdir() if path.is_dir()]
    listed = harness("examples").out
    assert not [name for name in (*resources.examples(), *kinds) if f"  {name} " not in listed]
    for kind in kinds:
        assert harness("examples", kind, str(tmp_path)).code == 0
        assert contents(tmp_path / kind) == contents(resources.TEMPLATES / kind) != {}
    assert harness("examples", "live-large", str(tmp_path / "new")).code == 0
    copied = load(tmp_path / "new" / "live-large.toml", {}, secrets=False)
    assert copied == load(Path("live-large"), {}, secrets=False)
    (said,) = harness("examples", "live-large", str(tmp_path / "new")).mistakes
    assert "exists already" in said
