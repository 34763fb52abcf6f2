"""An attempt at a shard, as its site runs it."""

import errno
import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from harness.integrations import load
from harness.report import scope
from harness.run.fleet import worker
from harness.run.fleet.state import ShardRef, State
from tests.ownership import give_away
from tests.unit.deployment.example_files import SECRETS, written

REF: dict[str, Any] = {"run": "r", "nonce": "n", "shard": 1, "attempt": 1}
TASK: dict[str, Any] = {
    "ref": REF,
    "cases": ["A"],
    "site": "ams",
    "trunks": [],
    "results": "r",
    "lease_s": 0.3,
    "as_of": "2026-03-04T15:00+00:00",
    "file": "none.toml",
    "hash": "",
    "scenarios": "",
    "workers": 1,
    "rows": [],
    "live": False,
}


class Redis:
    """A fake Redis in which the shard stays this worker's; it records the calls."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.ended: tuple[int, str] = (0, "")

    def claim(self, ref: ShardRef, lease_s: float) -> bool:
        return True

    def take(self, claims: list[str], token: str, for_s: float) -> None:
        self.told.append("take")

    def end(self, ref: ShardRef, code: int, words: str) -> None:
        self.told.append("end")
        self.ended = code, words

    def give_back(self, claims: list[str], token: str) -> None:
        self.told.append("give back")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment file matches the controller's and has one number."""
    monkeypatch.setattr(worker, "_read", lambda *_: None)
    monkeypatch.setattr(worker, "claims_of", lambda _: ["number +12065550100"])
    monkeypatch.setattr(worker, "longest_call_s", lambda _: 1.0)


def run(files: Path, scratch: Path, **changes: Any) -> Redis:
    """Run an attempt; returns the fake Redis."""
    redis = Redis()
    rules = worker.SiteRules(files)
    worker.run_shard(TASK | changes, cast("State", redis), rules, scratch)
    return redis


def verified(
    directory: Path, program: str | None, monkeypatch: pytest.MonkeyPatch, keep: Any = lambda: None
) -> Any:
    """Run an attempt with this Python program in the place of pytest; returns its exit code and
    last output.
    """
    if program is not None:
        monkeypatch.setattr(worker, "_command", lambda *_: [sys.executable, "-c", program])
    return worker._verify(
        TASK,
        ShardRef(**REF, token="t"),
        cast("State", Redis()),
        worker.SiteRules(directory),
        directory,
        keep,
    )


def test_shard_without_its_claims_ends_its_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a suspend that outlasted the claims: the shard is still this site's, the numbers are
    another's.
    """
    answers = iter([None, None, "number +12065550100"])
    until_let_go = "import os; os.read(int(os.environ['HARNESS_FLEET_LIFELINE']), 1)"
    assert verified(tmp_path, until_let_go, monkeypatch, lambda: next(answers))[0] is None
    assert list(answers) == []


@pytest.mark.parametrize(("code", "given_back"), [(0, True), (1, True), (-9, False)])
def test_claims_are_released_after_an_orderly_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: None, code: int, given_back: bool
) -> None:
    """The softphones of a killed pytest may still be hanging up, so its claims have to expire."""
    monkeypatch.setattr(worker, "_verify", lambda *_: (code, ""))
    assert run(tmp_path, tmp_path).told == ["take", "end", "give back"][: 2 + given_back]


def test_removed_scratch_directory_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: None
) -> None:
    """systemd-tmpfiles removes directories that were not used for ten days."""
    monkeypatch.setattr(worker, "_command", lambda *_: [sys.executable, "-c", ""])
    assert run(tmp_path, tmp_path / "gone").ended == (0, "")


@pytest.mark.parametrize("harness", [{}, {"harness": "0.0.1"}])
def test_site_with_another_release_begins_nothing(tmp_path: Path, harness: dict[str, str]) -> None:
    redis = run(tmp_path, tmp_path, **harness)
    assert redis.told == ["end"]
    assert redis.ended[0] == worker.NOT_BEGUN
    assert redis.ended[1].startswith(f"this site has harness {worker.RELEASE}")


TAKEN = ["by another user", "by a link", "by a file", "open to others"]


@pytest.mark.parametrize("taken", [*TAKEN, "by a full disk"])
def test_shard_refuses_a_directory_that_others_can_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: None, taken: str
) -> None:
    """Its name is predictable, and any user can create it in a shared temporary folder."""
    scratch = take(tmp_path / "harness-fleet-ams", taken, monkeypatch)
    redis = run(tmp_path, scratch)
    assert redis.told == ["end"], "no number is kept"
    assert redis.ended[0] == worker.NOT_BEGUN
    assert redis.ended[1].startswith(f"{scratch}: cannot be used: ")


def take(path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the directory unusable."""
    if how == "by a link":
        (path.parent / "target").mkdir(mode=0o700)
        path.symlink_to(path.parent / "target")
    elif how == "by a file":
        path.touch()
    else:
        path.mkdir(mode=0o700)
    if how == "open to others":
        path.chmod(0o777)
    if how == "by another user":
        give_away(path, monkeypatch)
    if how == "by a full disk":

        def write_bytes(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Path, "write_bytes", write_bytes)
    return path


@pytest.mark.parametrize("above", ["writable by its group", "writable by all", "of another user"])
@pytest.mark.parametrize("levels", [1, 2])
def test_shard_refuses_a_directory_below_one_that_others_can_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: None, above: str, levels: int
) -> None:
    """Another user could put a directory of theirs in its place between two shards."""
    changed = tmp_path / "shared"
    scratch = changed / ("x" if levels == 1 else "mine/x")
    scratch.parent.mkdir(parents=True)
    changed.chmod({"writable by its group": 0o775, "writable by all": 0o777}.get(above, 0o755))
    if above == "of another user":
        give_away(changed, monkeypatch)
    redis = run(tmp_path, scratch)
    assert redis.ended[0] == worker.NOT_BEGUN
    assert (
        redis.ended[1]
        == f"{scratch}: cannot be used: Other users can change {changed} (chmod go-w)"
    )
    assert not scratch.exists()


def test_shard_is_run_below_a_directory_in_which_others_remove_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: None
) -> None:
    """As /tmp is, through a link."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    (tmp_path / "link").symlink_to("tmp")
    monkeypatch.setattr(worker, "_command", lambda *_: [sys.executable, "-c", ""])
    assert run(tmp_path, tmp_path / "link" / "x").ended == (0, "")


def real(directory: Path, **changes: Any) -> dict[str, Any]:
    """A task for a deployment with real calls, of the file and release that the site has, too."""
    file = written(directory, "live-gladly")
    digest = scope.digest(scope.content_of(load(file, secrets=False)))
    return {"file": file.name, "hash": digest, "harness": worker.RELEASE, "live": True} | changes


@pytest.mark.parametrize(
    ("changes", "rules", "said"),
    [
        ({}, {}, "allowed: --live or HARNESS_LIVE=1 with fleet work at this site"),
        ({"live": False}, {}, "allowed: --live or HARNESS_LIVE=1 with fleet work at this site"),
        (
            {"scenarios": "/srv/of-others"},
            {"live": True},
            "the run wants --scenarios /srv/of-others, and this site has --scenarios; allowed: ",
        ),
        (
            {},
            {"live": True, "scenarios": "/srv/mine"},
            "the run wants --scenarios, and this site has --scenarios /srv/mine; allowed: ",
        ),
    ],
)
def test_task_wants_what_the_sites_command_line_lacks(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    rules: dict[str, Any],
    said: str,
) -> None:
    """Whoever can write to the queue places no real call, and runs no file of their own."""
    monkeypatch.setattr(worker, "_verify", lambda *_: pytest.fail("it was run"))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    task = real(tmp_path, **changes)
    redis = Redis()
    site = worker.SiteRules(tmp_path, **rules)
    worker.run_shard(TASK | task, cast("State", redis), site, tmp_path / "scratch")
    assert redis.ended[0] == worker.NOT_BEGUN
    assert said in redis.ended[1]


@pytest.mark.parametrize("variable", ["AWS_SECRET_ACCESS_KEY", "HARNESS_FLEET_REDIS"])
def test_site_reads_variables_for_a_file_as_its_own_command_line_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "of-the-site")
    changes = {"phones.caller": {"account": "carrier", "user": "x", "password_env": variable}}
    written(tmp_path, "live-gladly", changes)
    task = {"file": "file.toml", "harness": worker.RELEASE, "live": True}
    redis = Redis()
    site = worker.SiteRules(tmp_path, live=True, grant=("env=OTHER",))
    worker.run_shard(TASK | task, cast("State", redis), site, tmp_path / "scratch")
    assert redis.ended[0] == worker.NOT_BEGUN
    assert f"--grant env={variable}" in redis.ended[1]


@pytest.mark.parametrize(("asked", "allowed"), [(True, True), (True, False), (False, True)])
def test_shards_command_has_the_options_of_its_site(
    tmp_path: Path, asked: bool, allowed: bool
) -> None:
    site = worker.SiteRules(tmp_path, allowed, "/srv/mine", ("host=a.example", "env=A"))
    task = TASK | {"live": asked, "scenarios": "/srv/of-others"}
    command = worker._command(task, site, tmp_path)
    assert ("--live" in command) is (asked and allowed)
    assert [word for word in command if word.startswith("--grant")] == [
        "--grant=host=a.example",
        "--grant=env=A",
    ]
    assert "/srv/mine" in command
    assert "/srv/of-others" not in command


def test_shard_imports_no_file_of_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python -m pytest`` alone would search the current directory first."""
    for name in ("pytest", "xdist"):
        (tmp_path / f"{name}.py").write_text(
            "import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n"
        )
    code, words = verified(tmp_path, None, monkeypatch)
    assert (code, "none.toml" in words) == (4, True), "pytest itself has said what is wrong"
    assert not (tmp_path / "ran").exists()


def test_workers_of_a_shard_import_no_file_of_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """execnet starts the workers without Python options."""
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sys; print(repr(sys.path[0]))'])"
    words = verified(tmp_path, program, monkeypatch)[1]
    assert words
    assert words not in ("''", repr(str(tmp_path)))
