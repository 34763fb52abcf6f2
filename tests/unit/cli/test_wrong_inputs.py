"""What a user gets wrong in any command is a line that says what, where and what is allowed, and exit code 2."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.audio.wav import write_wav
from harness.run.cli import app, early, entry, fault, lists
from harness.run.fleet.config import REDIS_VARIABLE, redis_address
from harness.support.resources import EXAMPLES

WORLD = str(EXAMPLES / "simulated-talkdesk.toml")

#: What may be given where a file is asked for; what each is, is made by :func:`here`.
FILES = (
    "missing",
    "directory",
    "empty",
    "octets",
    "latin-1",
    "wrong-types",
    "",
    "\u202ename",
    "two\nlines",
    "x" * 300,
    "f/x",
    "fifo",
    "device",
    "huge",
)
RUNS = ("missing", "directory", "empty", "octets", "no-end", "", "two\nlines", "x" * 300, "f/x")
#: Commands with what they need besides a deployment file, a fleet's file, a run's directory, a recording.
OF_A_DEPLOYMENT = (
    ["preflight"],
    ["simulate"],
    ["load", "--calls", "1"],
    ["call", "+13125550100", "--deployment"],
    ["nightly"],
)
OF_A_FLEET = (["fleet", "plan"], ["fleet", "run"], ["fleet", "run", "--resume"])
OF_A_RUN = (
    ["report"],
    ["report", "no-end"],
    ["compare", "no-end"],
    ["explain"],
    ["signoff", "verify", "--key", "octets"],
)
OTHERS = (
    ["rows", "talkdsk"],
    ["examples", "simulated-talkdsk"],
    *(["examples", name, where] for name in ("simulated-talkdesk", "systemd") for where in ("f", "f/x", "x" * 300)),
    *(["signoff", "key", where] for where in ("f", "f/x", "directory")),
    ["signoff", "verify", "no-end"],
    *(["init", where] for where in ("f", "directory")),
    ["report", "no-end", "--into", "directory"],
    ["report", "no-end", "no-end", "--into", "directory"],
    ["compare", "no-end", "no-end", "--json", "--markdown"],
    ["fleet", "work"],
    ["fleet", "work", "--site", "oslo"],
    ["fleet", "run"],
    ["simulate", WORLD, "--tenants", "0"],
    ["simulate", WORLD, "--timings", "quik"],
    *(["load", WORLD, "--calls", calls] for calls in ("0", "-3", "x", "1e9", "99999")),
    *(["load", WORLD, "--calls", "1", "--cps", cps] for cps in ("0", "-1", "nan", "inf")),
    *(["load", WORLD, "--calls", "1", "--for", hold] for hold in ("-1", "nan", "inf", "1e12")),
    *(
        ["load", WORLD, "--calls", "1", *more]
        for more in (["--step", "0"], ["--trunk", "udp-ipp"], ["--line", "inbond"])
    ),
    ["load", str(EXAMPLES / "live-talkdesk.toml"), "--calls", "1"],
    *(["call", "+13125550100", "--deployment", WORLD, "--seconds", seconds] for seconds in ("-1", "nan", "x")),
    *(["call", "+13125550100", "--deployment", WORLD, "--press", digits] for digits in ("12x", "\u0661", "-")),
    *(["call", "+13125550100", "--deployment", WORLD, "--say", prompt] for prompt in ("helo-en", "directory")),
    *(
        ["nightly", WORLD, "--bounds", bounds]
        for bounds in ("missing", "directory", "octets", "fifo", "device", "huge")
    ),
    *(["nightly", WORLD, "--check-fresh", hours] for hours in ("-1", "nan", "x")),
    ["nightly", WORLD, "--verify", "'"],
    ["nightly", WORLD, "--reports", "f"],
    *(["listen", "octets", "--picture", where] for where in ("f/x", "directory")),
    *(
        ["verify", WORLD, *more]
        for more in (["-n", "-1"], ["-n", "\u00b2"], ["--retries", "-1"], ["--timings", "slow"])
    ),
    ["verif"],
    ["--nosuch"],
    ["report"],
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(REDIS_VARIABLE, raising=False)
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
    os.mkfifo("fifo")  # nobody writes into it
    Path("device").symlink_to("/dev/zero")
    with Path("huge").open("wb") as file:
        file.truncate(3 << 30)  # takes no disk


def ends(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["harness", *arguments])
    with pytest.raises(SystemExit) as caught:
        app.main()
    return caught.value.code


@pytest.mark.parametrize(
    "arguments",
    [
        *([*command, file] for command in OF_A_DEPLOYMENT for file in FILES),
        *([*command, file] for command in OF_A_FLEET for file in FILES),
        *([*command, run] for command in OF_A_RUN for run in RUNS),
        *(["listen", file] for file in FILES),
        *OTHERS,
    ],
    ids=lambda arguments: " ".join(map(ascii, arguments))[:90],
)
def test_it_is_said_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    before = sorted(Path().rglob("*"))
    assert ends(monkeypatch, *arguments) == app.MISTAKE
    said = capsys.readouterr().err.splitlines()
    assert said
    assert all(line.startswith("ERROR: ") for line in said), said
    assert any("allowed: " in line for line in said), said
    assert sorted(Path().rglob("*")) == before, "nothing was written"


def test_a_spectrogram_is_no_png(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No program opens an SVG of that name."""
    write_wav(Path("heard.wav"), np.zeros(8000, np.int16), 8000)
    assert ends(monkeypatch, "listen", "heard.wav", "--picture", "heard.png") == app.MISTAKE
    assert capsys.readouterr().err == "ERROR: --picture heard.png: the spectrogram is drawn as SVG; allowed: FILE.svg\n"
    assert not Path("heard.png").exists()
    assert ends(monkeypatch, "listen", "heard.wav", "--picture", "heard.SVG") == app.PASSED
    assert ends(monkeypatch, "listen", "directory") == app.MISTAKE
    assert "directory: is a directory; allowed: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code", "is_fault"),
    [
        (OSError(errno.EACCES, "Permission denied", "reports"), app.MISTAKE, False),
        (
            OSError(errno.EACCES, "Permission denied", "/dev/shm/scratch"),
            app.BROKEN,
            True,
        ),  # which the user never named
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "reports"), app.BROKEN, False),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), app.BROKEN, False),
        (OSError(errno.EACCES, "Permission denied"), app.BROKEN, True),
        # as tempfile says it in a container whose file system is read-only
        (OSError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), app.BROKEN, False),
        (OSError(errno.ENOENT, "No such file or directory"), app.BROKEN, True),
        (ZeroDivisionError("division by zero"), app.BROKEN, True),
    ],
)
def test_what_nobody_has_foreseen_is_no_failure_of_the_system_under_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: Exception, code: int, is_fault: bool
) -> None:
    def raises() -> None:
        raise raised

    monkeypatch.setattr(lists, "list_faults", raises)
    monkeypatch.setattr(tempfile, "tempdir", str(Path().absolute()))
    assert ends(monkeypatch, "faults") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR: ")
    kept = list(Path().glob("harness-fault-*.txt"))
    assert len(kept) == is_fault
    if is_fault:
        assert line.endswith(f"; please report it with {kept[0].absolute()}")
        assert type(raised).__name__ in line
        assert "Traceback (most recent call last):" in kept[0].read_text()
        assert kept[0].stat().st_mode & 0o777 == 0o600


def test_a_fault_is_one_line_without_a_place_for_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(Path("missing").absolute()))
    with pytest.raises(SystemExit) as caught:
        fault.end(ZeroDivisionError("division\nby zero"))
    assert caught.value.code == app.BROKEN
    assert capsys.readouterr().err == "ERROR: the harness has a fault: ZeroDivisionError: division by zero\n"


def test_a_fault_shows_no_number_and_no_control_character(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(Path().absolute()))
    fault.say(ValueError("no call to +13125550100\x1b[2J"))
    said = capsys.readouterr().err
    (kept,) = Path().glob("harness-fault-*.txt")
    assert "3125550100" not in said + kept.read_text()
    assert "\x1b" not in said


def test_a_fault_of_a_thread_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(Path().absolute()))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # as it was, afterwards
    fault.say_of_threads()
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "ERROR: the harness has a fault: ZeroDivisionError: division by zero at test_wrong_inputs.py:"
    )


#: Longer than the name of a file may be (NAME_MAX).
LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [["-k", LONG, "--plan"], ["--row", LONG], [f"--row={LONG}"], ["--fault", LONG], ["--reports", LONG], [LONG]],
)
def test_a_word_longer_than_a_file_name_is_a_mistake(arguments: list[str]) -> None:
    """As a user starts it: a traceback came before the command line was read, with the exit code of a failed case."""
    done = harness_in(Path(), "verify", WORLD, *arguments)
    assert done.returncode == app.MISTAKE, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["verify", WORLD], ["nightly", WORLD], ["report", "reports/latest"]])
def test_a_current_directory_that_is_gone_is_a_mistake(command: list[str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    start = f"import os; os.rmdir({str(gone)!r}); from harness.run.cli.entry import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", start, *command], cwd=gone, capture_output=True, text=True, check=False
    )
    assert done.returncode == app.MISTAKE
    (line,) = done.stderr.splitlines()
    assert line.startswith("ERROR: the current directory: No such file or directory; allowed: ")


def test_a_current_directory_that_cannot_be_read_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read all of them
    assert ends(monkeypatch, "rows") == app.MISTAKE
    assert "cannot be read; allowed: " in capsys.readouterr().err


def test_what_fails_before_the_command_line_is_read_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(tempfile, "tempdir", str(Path().absolute()))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # as it was, afterwards
    monkeypatch.setattr(early, "begun", raises)
    monkeypatch.setattr(sys, "argv", ["harness", "verify"])
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == app.BROKEN
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR: the harness has a fault: ZeroDivisionError: division by zero at ")


def harness_in(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    start = "from harness.run.cli.entry import main; main()"
    command = [sys.executable, "-P", "-c", start, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "address",
    [
        "redis.example:7001/0",
        "http://:secret@redis.example:7001/0",
        "redis://:se#cret@redis.example:7001/0",
        "redis://:12/secret@redis.example:7001/0",  # a port and a path, without a host
        "redis://user:12/secret@redis.example:7001/0",  # of a host called user
        "redis://:se[cret@redis.example:7001/0",
        "redis://:secret@redis.example:7o01/0",
        "redis://:secret@redis.example:7001/secret",
        "redis://:secret@redis.example:7001/0?db=secret",
    ],
)
def test_a_mistake_in_the_address_of_redis_shows_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    """It may hold a password, of which a traceback showed a part."""
    monkeypatch.setenv(REDIS_VARIABLE, address)
    assert ends(monkeypatch, "fleet", "work", "--site", "ams") == 2
    out, said = capsys.readouterr()
    assert (out, said.count("\n")) == ("", 1)
    assert said.startswith(f"ERROR: {REDIS_VARIABLE}: ")
    assert "percent-encoded" in said
    for part in ("ret", "se#", "se[", "example", "700", "7o01"):
        assert part not in said


@pytest.mark.parametrize(
    "address",
    [
        "redis://127.0.0.1",
        "redis://:p@ss@redis.example:7001/0",
        "rediss://user:p%23w%2Fx@[::1]:7001/3?ssl_cert_reqs=required",
    ],
)
def test_an_address_of_redis_is_taken_as_it_stands(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(REDIS_VARIABLE, address)
    assert redis_address() == address
