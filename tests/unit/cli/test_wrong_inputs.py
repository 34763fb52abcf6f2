"""Invalid input to any command gives lines that say what, where and what is allowed, and exit code
2.
"""

import errno
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import typer

from harness.audio.wav import write_wav
from harness.run.cli import app, entry, lists, startup
from harness.run.fleet.state import REDIS_VARIABLE, redis_address
from harness.support.resources import EXAMPLES
from tests.unit.cli.conftest import Harness

WORLD, LIVE = str(EXAMPLES / "simulated-talkdesk.toml"), str(EXAMPLES / "live-talkdesk.toml")
#: Longer than a file name may be (NAME_MAX).
LONG = "x" * 300

#: Names passed where a file or a run's directory is expected; :func:`here` makes them. FIFOs,
#: devices and large files are in ``tests/unit/files/test_special_files.py``.
FILES = [
    "missing",
    "directory",
    "empty",
    "octets",
    "latin-1",
    "wrong-types",
    "",
    "\u202ename",
    "two\nlines",
    LONG,
]
FILES += ["f/x"]
RUNS = ["missing", "directory", "empty", "octets", "no-end", "", "two\nlines", LONG, "f/x"]
#: Commands whose last argument is a file or a run's directory.
OF_A_FILE = """preflight
simulate
load --calls 1
call +13125550100 --deployment
nightly
fleet plan
fleet run
fleet run --resume
listen"""
OF_A_RUN = """report
report no-end
compare no-end
explain
signoff verify --key octets"""
#: Command → further arguments, each of them invalid.
WRONG_WORDS = {
    "": ["verif", "--nosuch"],
    "verify --nosuch": [""],
    "rows": ["talkdsk"],
    "examples": ["simulated-talkdsk"],
    "examples simulated-talkdesk": ["f", "f/x", LONG],
    "examples systemd": ["f", "f/x", LONG],
    "signoff key": ["f", "f/x", "directory"],
    "signoff verify": ["no-end"],
    "init": ["f", "directory"],
    "report no-end --into": ["directory"],
    "report no-end no-end --into": ["directory"],
    "compare no-end no-end --json": ["--markdown"],
    "fleet work": ["--site", "--site=oslo"],
    "simulate WORLD": ["--tenants=0", "--timings=quik"],
    "simulate": [LIVE],
    "load WORLD --calls": ["0", "-3", "x", "1e9", "99999"],
    "load WORLD --calls 1 --cps": ["0", "-1", "nan", "inf"],
    "load WORLD --calls 1 --for": ["-1", "nan", "inf", "1e12"],
    "load WORLD --calls 1": ["--step=0", "--trunk=udp-ipp", "--line=inbond"],
    "load --calls 1": [LIVE],
    "call +13125550100 --deployment WORLD --seconds": ["-1", "nan", "x"],
    "call +13125550100 --deployment WORLD --press": ["12x", "\u0661", "-"],
    "call +13125550100 --deployment WORLD --say": ["helo-en", "directory"],
    "call +13125550100 --deployment WORLD --directory": ["f"],
    "nightly WORLD --bounds": ["missing", "directory", "octets"],
    "nightly WORLD --check-fresh": ["-1", "nan", "x"],
    "nightly WORLD --verify": ["'", '--row "TD-INBOUND'],
    "nightly WORLD --reports": ["f"],
    "listen octets --picture": ["f/x", "directory", "heard.png"],
    "verify WORLD -n": ["-1", "\u00b2", "many"],
    "verify WORLD": ["--retries=-1", "--retries=many", "--timings=slow"],
    "report": [],
    "preflight": [],
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(REDIS_VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("directory", "no-end"):
        Path(name).mkdir()
    Path("no-end", "cases").mkdir()
    for name, octets in {
        **dict.fromkeys(("empty", "f"), b""),
        "octets": bytes(range(256)),
        "latin-1": "name = 'Müller'".encode("latin-1"),
        "wrong-types": b"name = ['a']\nkind = 3\nsites = 'x'\nverify = -1\nresults = {}",
    }.items():
        Path(name).write_bytes(octets)


def _commands() -> list[list[str]]:
    found = [[*command.split(), name] for command in OF_A_FILE.splitlines() for name in FILES]
    found += [[*command.split(), name] for command in OF_A_RUN.splitlines() for name in RUNS]
    for command, words in WRONG_WORDS.items():
        given = [WORLD if word == "WORLD" else word for word in command.split()]
        found += [[*given, *([word] if word else [])] for word in words or [""]]
    return found


@pytest.mark.parametrize(
    "arguments", _commands(), ids=lambda arguments: " ".join(map(ascii, arguments))[:90]
)
def test_invalid_input_is_reported_in_lines(harness: Harness, arguments: list[str]) -> None:
    before = sorted(Path().rglob("*"))
    assert any("allowed: " in line for line in harness(*arguments).mistakes)
    assert sorted(Path().rglob("*")) == before, "nothing was written"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["verify", "--timings", "slow"],
            "Invalid value for '--timings': 'slow' is not one of 'quick', 'documented'; ",
        ),
        (
            ["verifyy"],
            "No such command 'verifyy'. Did you mean 'verify'?; allowed: what `harness --help` says",
        ),
        (
            ["signoff", "verify", "reports"],
            "Missing option '--key'; allowed: what `harness signoff verify --help` says",
        ),
        (["listen", "directory"], "directory: cannot be read: Is a directory; allowed: "),
        (
            ["listen", "heard.wav", "--picture", "heard.png"],
            "--picture heard.png: the spectrogram is drawn as SVG; ",
        ),
        (
            ["fleet", "run", "--scenarios", "own"],
            "--scenarios own: is no whole path; allowed: one, the same at each site",
        ),
    ],
)
def test_invalid_input_is_reported_with_the_valid_one(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("COLUMNS", "60")  # no line is wrapped
    write_wav(Path("heard.wav"), np.zeros(8000, np.int16), 8000)
    (line,) = harness(*arguments).mistakes
    assert line.startswith(said)


def test_missing_fleet_packages_are_reported_with_the_install_command(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ended = harness("fleet", "plan", "fleet.toml")
    assert ended.code == app.BROKEN
    assert ended.err.startswith(
        "ERROR: celery, redis, fsspec: not installed; allowed: pip install "
    )


def test_aborted_question_exits_with_130(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(*_: object, **__: object) -> str:
        raise typer.Abort

    monkeypatch.setattr(typer, "prompt", broken_off)
    monkeypatch.setattr("harness.run.cli.init.sys.stdin.isatty", lambda: True, raising=False)
    assert harness("init", "nowhere.toml").code == app.INTERRUPTED


# -- faults of the harness and its environment


@pytest.mark.parametrize(
    ("raised", "code", "is_fault"),
    [
        (OSError(errno.EACCES, "Permission denied", "reports"), app.MISTAKE, False),
        (
            OSError(errno.EACCES, "Permission denied", "/dev/shm/scratch"),
            app.BROKEN,
            True,
        ),  # not a path of the user's
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "reports"), app.BROKEN, False),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), app.BROKEN, False),
        (OSError(errno.EACCES, "Permission denied"), app.BROKEN, True),
        # tempfile's message on a read-only file system
        (
            OSError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            app.BROKEN,
            False,
        ),
        (ValueError("no call to +13125550100\x1b[2J,\nnone"), app.BROKEN, True),
    ],
)
def test_unexpected_exception_is_a_fault_of_the_harness(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, raised: Exception, code: int, is_fault: bool
) -> None:
    """Python's own exit code for an exception is 1, which means "failed" here."""

    def raises() -> None:
        raise raised

    monkeypatch.setattr(lists, "list_faults", raises)
    ended = harness("faults")
    (line,) = ended.err.splitlines()
    assert (ended.code, line[:7]) == (code, "ERROR: ")
    kept = list(Path().glob("harness-fault-*.txt"))
    assert len(kept) == is_fault
    if is_fault:
        assert line.endswith(f"; please report it with {kept[0].absolute()}")
        assert type(raised).__name__ in line
        told = kept[0].read_text()
        assert "Traceback (most recent call last):" in told
        assert kept[0].stat().st_mode & 0o777 == 0o600
        assert "3125550100" not in line + told, "a number is masked"
        assert "\x1b" not in line


def test_fault_in_a_thread_is_one_line_even_without_a_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(Path("missing").absolute()))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # restored afterwards
    monkeypatch.setattr(startup, "_thread_died", threading.Event())
    startup.say_of_threads()
    assert [startup.exit_code(code) for code in (0, 1, 2)] == [0, 1, 2]
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    assert [startup.exit_code(code) for code in (0, 1, 2)] == [app.BROKEN, 1, 2]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "ERROR: the harness has a fault: ZeroDivisionError: division by zero at test_wrong_inputs.py:"
    )


def test_fault_before_the_command_line_is_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # restored afterwards
    monkeypatch.setattr(startup, "begun", raises)
    monkeypatch.setattr(sys, "argv", ["harness", "verify"])
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == app.BROKEN
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "ERROR: the harness has a fault: ZeroDivisionError: division by zero at "
    )


# -- in a process, as a user starts it


def started(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"{before}\nfrom harness.run.cli.entry import main; main()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments", [["--reports", LONG], pytest.param([LONG], marks=pytest.mark.nightly)]
)
def test_argument_longer_than_a_file_name_is_a_mistake(arguments: list[str]) -> None:
    done = started("verify", WORLD, *arguments)
    assert done.returncode == app.MISTAKE, done.stderr
    assert "Traceback" not in done.stderr


def test_removed_current_directory_is_a_mistake() -> None:
    done = started(
        "verify",
        WORLD,
        before="import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir(os.getcwd())",
    )
    assert done.returncode == app.MISTAKE
    (line,) = done.stderr.splitlines()
    assert line.startswith("ERROR: the current directory: No such file or directory; allowed: ")


def test_unreadable_current_directory_is_a_mistake(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read all of them
    (line,) = harness("rows").mistakes
    assert "cannot be read; allowed: " in line


# -- the address of Redis


@pytest.mark.parametrize(
    "address",
    [
        "redis.example:7001/0",
        "http://:secret@redis.example:7001/0",
        "redis://:se#cret@redis.example:7001/0",
        "redis://:12/secret@redis.example:7001/0",  # parsed as port and path, without a host
        "redis://user:12/secret@redis.example:7001/0",  # parsed as the host "user"
        "redis://:se[cret@redis.example:7001/0",
        "redis://:secret@redis.example:7o01/0",
        "redis://:secret@redis.example:7001/secret",
        "redis://:secret@redis.example:7001/0?db=secret",
    ],
)
def test_invalid_redis_address_is_not_shown(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """It may hold a password."""
    monkeypatch.setenv(REDIS_VARIABLE, address)
    (said,) = harness("fleet", "work", "--site", "ams").mistakes
    assert said.startswith(f"{REDIS_VARIABLE}: ")
    assert "percent-encoded" in said
    assert not [part for part in ("ret", "se#", "se[", "example", "700", "7o01") if part in said]


@pytest.mark.parametrize(
    "address",
    [
        "redis://127.0.0.1",
        "redis://:p@ss@redis.example:7001/0",
        "rediss://user:p%23w@[::1]:7001/3?x=required",
    ],
)
def test_valid_redis_address_is_kept(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(REDIS_VARIABLE, address)
    assert redis_address() == address
