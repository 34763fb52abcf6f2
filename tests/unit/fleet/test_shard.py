"""A shard under way at a site."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from harness.deployment.hours import AS_OF_VARIABLE
from harness.errors import MistakeError
from harness.run.fleet import shard, worker
from harness.run.fleet.config import REDIS_VARIABLE
from harness.run.fleet.state import ShardRef, State
from tests.ownership import give_away

#: Ends when the worker lets go of it, as a site's pytest does.
UNTIL_LET_GO = "import os; os.read(int(os.environ['HARNESS_FLEET_LIFELINE']), 1)"
TASK: dict[str, Any] = {
    "cases": [],
    "site": "ams",
    "trunks": [],
    "results": "r",
    "lease_s": 0.3,
    "as_of": "2026-03-04T15:00+00:00",
}


class Known:
    """A Redis by which the shard stays this worker's."""

    def renew(self, ref: ShardRef, lease_s: float) -> bool:
        return True


def test_whoever_lost_numbers_to_another_site_ends_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was suspended for longer than its claims last: nobody has taken its shard, but somebody its numbers."""
    monkeypatch.setattr(shard, "_command", lambda *_: [sys.executable, "-c", UNTIL_LET_GO])
    answers = iter([None, None, "number +12065550100"])
    ref = ShardRef("r", "n", 1, 1, "t")
    code, _ = shard._verify(TASK, ref, cast("State", Known()), tmp_path, tmp_path, lambda: next(answers))
    assert code is None
    assert list(answers) == []


def test_hours_are_judged_by_the_moment_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own a site has other cases than the plan, as soon as a number opens or closes."""
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-08T03:00+00:00")
    monkeypatch.setattr(
        shard, "_command", lambda *_: [sys.executable, "-c", f"import os; print(os.environ['{AS_OF_VARIABLE}'])"]
    )
    ref = ShardRef("r", "n", 1, 1, "t")
    state = cast("State", Known())
    assert shard._verify(TASK, ref, state, tmp_path, tmp_path, lambda: None) == (0, TASK["as_of"])


@pytest.mark.parametrize(("code", "given_back"), [(0, True), (1, True), (-9, False)])
def test_numbers_are_given_back_where_all_has_hung_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, given_back: bool
) -> None:
    """Of a pytest that was killed the softphones hang up by themselves, in their own time: the claims run out."""
    told: list[str] = []

    class Queued(Known):
        def claim(self, ref: ShardRef, lease_s: float) -> bool:
            return True

        def take(self, claims: list[str], token: str, for_s: float) -> None:
            return None

        def end(self, ref: ShardRef, code: int, words: str) -> None:
            told.append("end")

        def give_back(self, claims: list[str], token: str) -> None:
            told.append("give back")

    monkeypatch.setattr(shard, "_read", lambda *_: None)
    monkeypatch.setattr(shard, "claims_of", lambda _: ["number +12065550100"])
    monkeypatch.setattr(shard, "longest_call_s", lambda _: 1.0)
    monkeypatch.setattr(shard, "_verify", lambda *_: (code, ""))
    task = {"ref": {"run": "r", "nonce": "n", "shard": 1, "attempt": 1}, "lease_s": 15, "cases": []}
    shard.run(task, cast("State", Queued()), files=tmp_path, scratch=tmp_path)
    assert told == ["end", "give back"][: 1 + given_back]


@pytest.mark.parametrize("is_full", [False, True])
def test_a_site_that_can_write_nothing_says_so_and_keeps_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    """The controller was told that its worker gave no sign of life, and no other site got the numbers for minutes."""
    told: list[object] = []

    class Queued(Known):
        def claim(self, ref: ShardRef, lease_s: float) -> bool:
            return True

        def take(self, claims: list[str], token: str, for_s: float) -> None:
            told.append("take")

        def end(self, ref: ShardRef, code: int, words: str) -> None:
            told.extend((code, words))

    def write_bytes(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shard, "_read", lambda *_: None)
    scratch = tmp_path / "scratch"
    if is_full:
        monkeypatch.setattr(Path, "write_bytes", write_bytes)
    else:
        scratch.touch()  # no directory
    task = {"ref": {"run": "r", "nonce": "n", "shard": 1, "attempt": 1}, "lease_s": 15, "cases": ["A"]}
    shard.run(task, cast("State", Queued()), files=tmp_path, scratch=scratch)
    code, words = told
    assert code == shard.NOT_BEGUN
    assert str(words).startswith(f"{scratch}: cannot be used: ")
    assert not is_full or list(scratch.iterdir()) == []


def test_a_site_makes_its_place_again_that_the_system_has_tidied_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd-tmpfiles removes from /tmp what nobody has used for ten days; its worker works for months."""
    ended: list[int] = []

    class Queued(Known):
        def claim(self, ref: ShardRef, lease_s: float) -> bool:
            return True

        def end(self, ref: ShardRef, code: int, words: str) -> None:
            ended.append(code)

        def take(self, claims: list[str], token: str, for_s: float) -> None: ...

        def give_back(self, claims: list[str], token: str) -> None: ...

    monkeypatch.setattr(shard, "_read", lambda *_: None)
    monkeypatch.setattr(shard, "claims_of", lambda _: [])
    monkeypatch.setattr(shard, "longest_call_s", lambda _: 1.0)
    monkeypatch.setattr(shard, "_command", lambda *_: [sys.executable, "-c", ""])
    task = {**TASK, "ref": {"run": "r", "nonce": "n", "shard": 1, "attempt": 1}}
    shard.run(task, cast("State", Queued()), files=tmp_path, scratch=tmp_path / "gone")
    assert ended == [0]


@pytest.mark.parametrize("harness", [{}, {"harness": "0.0.1"}])
def test_a_site_with_another_harness_than_the_controllers_begins_nothing(
    tmp_path: Path, harness: dict[str, str]
) -> None:
    ended: list[tuple[int, str]] = []

    class Queued:
        def claim(self, ref: ShardRef, lease_s: float) -> bool:
            return True

        def end(self, ref: ShardRef, code: int, words: str) -> None:
            ended.append((code, words))

    ref = {"run": "r", "nonce": "n", "shard": 1, "attempt": 1}
    task = {"ref": ref, "lease_s": 15, "file": "lab.toml", "hash": "", **harness}
    shard.run(task, cast("State", Queued()), files=tmp_path, scratch=tmp_path)
    ((code, words),) = ended
    assert code == shard.NOT_BEGUN
    assert words.startswith(f"this site has harness {shard.RELEASE}")


class Queued(Known):
    """A Redis in which a shard waits; it keeps how the attempt ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, str]] = []

    def claim(self, ref: ShardRef, lease_s: float) -> bool:
        return True

    def end(self, ref: ShardRef, code: int, words: str) -> None:
        self.ended.append((code, words))


@pytest.mark.parametrize("taken", ["by another user", "by a link", "open to others"])
def test_no_shard_runs_in_a_directory_that_others_can_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """Its name is known, and everybody can make it first in a shared temporary folder."""
    scratch = take(tmp_path / "harness-fleet-ams", taken, monkeypatch)
    monkeypatch.setattr(shard, "_read", lambda *_: None)
    monkeypatch.setattr(shard, "_verify", lambda *_: pytest.fail("no process is started"))
    state = Queued()
    task = {**TASK, "ref": {"run": "r", "nonce": "n", "shard": 1, "attempt": 1}}
    shard.run(task, cast("State", state), files=tmp_path, scratch=scratch)
    ((code, words),) = state.ended
    assert code == shard.NOT_BEGUN
    assert words.startswith(f"{scratch}: cannot be used: ")


@pytest.mark.parametrize("taken", ["by another user", "by a link", "open to others"])
def test_a_worker_does_not_begin_where_others_have_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    monkeypatch.setenv(REDIS_VARIABLE, "redis://127.0.0.1:1/0")
    scratch = take(tmp_path / "harness-fleet-ams", taken, monkeypatch)
    with pytest.raises(MistakeError, match=f"{scratch}: cannot be used: .*; allowed: --scratch DIR"):
        worker.work("ams", tmp_path, tmp_path)


def take(path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have somebody else make that directory first."""
    if how == "by a link":
        (path.parent / "target").mkdir(mode=0o700)
        path.symlink_to(path.parent / "target")
        return path
    path.mkdir(mode=0o700)
    if how == "by another user":
        give_away(path, monkeypatch)
    else:
        path.chmod(0o777)
    return path


@pytest.mark.parametrize("name", ["pytest", "xdist", "execnet"])
def test_a_file_in_its_directory_is_no_library_of_a_shard(tmp_path: Path, name: str) -> None:
    """``python -m pytest`` looked into the current directory first."""
    (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n")
    task = {**TASK, "scenarios": "", "workers": 1, "file": "none.toml", "timings": "quick", "rows": [], "live": False}
    state = cast("State", Known())
    code, words = shard._verify(task, ShardRef("r", "n", 1, 1, "t"), state, tmp_path, tmp_path, lambda: None)
    assert (code, "none.toml" in words) == (4, True), "pytest itself has said what is wrong"
    assert not (tmp_path / "ran").exists()


def test_workers_of_a_shard_import_nothing_from_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """execnet starts them, without options."""
    started = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sys; print(repr(sys.path[0]))'])"
    monkeypatch.setattr(shard, "_command", lambda *_: [sys.executable, "-c", started])
    ref = ShardRef("r", "n", 1, 1, "t")
    _, words = shard._verify(TASK, ref, cast("State", Known()), tmp_path, tmp_path, lambda: None)
    assert words
    assert words not in ("''", repr(str(tmp_path)))
