"""Hands shards to sites, notices lost attempts, and runs their cases again; resumes after an
earlier controller was killed.

An attempt at a shard counts until it ended, or its worker gave no sign of life for a lease. Then
what its cases left so far is taken, and the others go into the next attempt; from that moment Redis
lets no call of the old attempt through.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from celery import Celery

from harness.case.log import CASE
from harness.errors import BrokenError, MistakeError, ResourceError
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import STOPPED
from harness.run.fleet.plan import FleetPlan, Shard
from harness.run.fleet.state import ShardRef, State
from harness.run.fleet.store import Store
from harness.run.fleet.worker import NOT_BEGUN, RELEASE, TASK, queue_of
from harness.support.files import own_directories, user_files, whole_file
from harness.support.network_text import line

_POLL_S = 0.1
#: Attempts at a shard before its cases count as not run. It is sent at least this often, and at
#: least once to each suitable site.
_MOST_ATTEMPTS = 4
#: A task that an idle live site has not taken for this long is sent again.
_SENT_AGAIN_S = 10.0
#: Time that workers have to hang up after Ctrl-C.
_END_WITHIN_S = 90.0

#: Characters shown of an attempt's last output.
_WORDS = 300

_LOSSES = "losses.jsonl"


@dataclass
class ShardProgress:
    """What the controller knows of a shard."""

    shard: Shard
    left: list[str]  #: cases without evidence so far
    attempt: int = 0  #: the one under way, or the last one
    site: str = ""  #: where it runs; empty: nowhere
    sent_at: float = 0.0
    begun: int = 0  #: attempts that were begun, and ended
    #: By site, its attempts that left no new evidence.
    in_vain: Counter[str] = field(default_factory=Counter)
    nobody_since: float | None = None  #: when none of its sites was there any more
    done: bool = False


@dataclass(frozen=True)
class Accepted:
    """Evidence of one attempt that counts."""

    site: str
    directory: Path
    cases: tuple[str, ...]


@dataclass
class Record:
    """What happened in a run besides the verdicts."""

    accepted: list[Accepted] = field(default_factory=list)
    #: Attempts that were lost, and run again.
    losses: list[dict[str, Any]] = field(default_factory=list)
    not_run: dict[str, list[str]] = field(default_factory=dict)  #: site: cases
    #: Cases that came with evidence of two attempts; the first counts.
    duplicates: list[str] = field(default_factory=list)
    interrupted: str = ""
    wall_s: float = 0.0


class Controller:
    """One run of a fleet. ``directory`` is the run's own; ``notify`` gets a line when something
    happens.
    """

    def __init__(
        self,
        plan: FleetPlan,
        directory: Path,
        state: State,
        app: Celery,
        notify: Callable[[str], None],
    ) -> None:
        self._plan, self._directory, self._state = plan, directory, state
        self._app, self._notify = app, notify
        self._store = Store(plan.fleet.results, plan.run)
        self.record = Record()
        self._shards = [ShardProgress(shard, list(shard.cases)) for shard in plan.shards]
        self._began = time.monotonic()
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = own_directories.shared_file(directory / "controller.lock")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MistakeError(f"{directory}: another controller runs this; allowed: one") from None

    def begin(self) -> None:
        """A new run."""
        self._state.begin(self._plan.run, self._plan.nonce)

    def resume(self) -> None:
        """Go on with what an earlier controller began. Raises :class:`ResourceError` when Redis
        does not know the run any more.
        """
        if not self._state.knows(self._plan.run, self._plan.nonce):
            raise ResourceError(
                f"{self._plan.run}: Redis has lost this run, and with it which calls may still be up; "
                "allowed: a new run, when the longest call and its hang-up are over"
            )
        losses = self._directory / _LOSSES
        if losses.exists():
            lines = user_files.read_text(losses, user_files.EVIDENCE).splitlines()
            self.record.losses = [json.loads(one) for one in lines]
        for progress in self._shards:
            known = self._state.shard(self._ref(progress))
            sites = {known.attempt: known.site}
            for loss in self.record.losses:
                if loss["shard"] == progress.shard.number:
                    self._count(progress, loss)
                    sites[loss["attempt"]] = loss["site"]
            for attempt in range(1, known.attempt + (known.state == "cancelled")):
                self._collect(progress, attempt, sites[attempt])
            progress.attempt = known.attempt
            if known.attempt and known.state in ("queued", "running", "ended"):
                progress.site, progress.sent_at = known.site, time.monotonic()
            progress.done = not progress.left

    def run(self) -> Record:
        """Run to the end; on Ctrl-C (``KeyboardInterrupt``) workers hang up and the rest is not
        run.
        """
        try:
            while not all(progress.done for progress in self._shards):
                for progress in self._shards:
                    if progress.site:
                        self._check(progress)
                self._hand_out()
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            self.record.interrupted = STOPPED
            self._stop()
        except BrokenError as error:
            self.record.interrupted = str(error)
        self._finish()
        return self.record

    # -- handing out

    def _hand_out(self) -> None:
        """Give each shard that runs nowhere to a free site that may run it; give up on one whose
        sites have all been gone for long.
        """
        alive = self._alive()
        free = alive - {progress.site for progress in self._shards}
        for progress in self._shards:  # the longest first
            if progress.done or progress.site:
                continue
            if able := [name for name in progress.shard.sites if name in alive]:
                progress.nobody_since = None
                best = [name for name in self._next(progress, able) if name in free]
                if best:
                    free.remove(best[0])
                    self._send(progress, best[0])
                continue
            now, patience_s = time.monotonic(), self._plan.fleet.patience_s
            progress.nobody_since = progress.nobody_since or now
            if now - progress.nobody_since >= patience_s:
                self._give_up(progress, f"none of its sites was there for {patience_s:g} s")

    def _alive(self) -> set[str]:
        return {site.name for site in self._plan.fleet.sites if self._state.is_alive(site.name)}

    @staticmethod
    def _next(progress: ShardProgress, able: Sequence[str]) -> list[str]:
        """The sites that failed it least often: a site that refuses everything is free again at
        once.
        """
        least = min(progress.in_vain[name] for name in able)
        return [name for name in able if progress.in_vain[name] == least]

    def _send(self, progress: ShardProgress, site: str) -> None:
        progress.attempt += 1
        if not self._state.queue(self._ref(progress), site):
            raise ResourceError(
                f"shard {progress.shard.number}: another controller has handed it out"
            )
        progress.site = site
        self._post(progress)

    def _post(self, progress: ShardProgress) -> None:
        """Send a shard's task, or send it again: a site claims an attempt only once."""
        progress.sent_at = time.monotonic()
        plan, shard = self._plan, progress.shard
        task = {
            "ref": asdict(self._ref(progress)),
            "site": progress.site,
            "file": shard.file,
            "hash": shard.hash,
            "cases": list(progress.left),
            "rows": list(shard.rows),
            "workers": plan.fleet.site(progress.site).workers,
            "lease_s": plan.fleet.lease_s,
            "results": plan.fleet.results,
            "trunks": [trunk.model_dump(mode="json") for trunk in plan.fleet.trunks],
            "as_of": plan.as_of,
            "live": plan.live,
            "scenarios": plan.scenarios,
            "harness": RELEASE,
        }
        try:
            self._app.send_task(TASK, args=[task], queue=queue_of(progress.site))
        # kombu has several error trees; an unsent task is sent again by _check
        except Exception as error:
            why = line(str(error))
            self._notify(f"shard {shard.number} could not be sent to {progress.site}: {why}")

    # -- how attempts end

    def _check(self, progress: ShardProgress) -> None:
        """Look whether a shard's attempt has ended, was lost, or must be sent again."""
        known = self._state.shard(self._ref(progress))
        lease_s = self._plan.fleet.lease_s
        # while Redis is unreachable, leases and heartbeats expire and cannot be renewed
        is_settled = self._state.answered_for_s >= lease_s
        match known.state:
            case "ended" if known.code == NOT_BEGUN:
                how = f"it was not begun there: {known.words[-_WORDS:]}"
                self._ended(progress, how, begun=False)
            case "ended":
                how = f"its pytest ended with exit code {known.code}"
                self._ended(progress, how, words=known.words)
            case "running":
                if is_settled and known.lease_left_s < 0:
                    self._lost(progress, f"its worker gave no sign of life for {lease_s:g} s")
            case "queued":
                waited = time.monotonic() - progress.sent_at
                may_be_lost = is_settled and waited >= lease_s
                if may_be_lost and not self._state.is_alive(progress.site):
                    self._lost(progress, "its site went before it began", begun=False)
                elif waited >= _SENT_AGAIN_S:
                    self._post(progress)
            case "":
                raise ResourceError("Redis has lost this run; nothing more is placed")

    def _ended(
        self, progress: ShardProgress, how: str, *, begun: bool = True, words: str = ""
    ) -> None:
        """Take an ended attempt's evidence. The cases it left are handed out again, unless that is
        hopeless.
        """
        site, before = progress.site, len(progress.left)
        self._collect(progress, progress.attempt, site)
        progress.site = ""
        if not progress.left:
            progress.done = True
            shard = progress.shard
            name = f"shard {shard.number} of {shard.deployment}"
            self._notify(f"{name}: {len(shard.cases)} cases, last at {site}")
            return
        loss = {
            "shard": progress.shard.number,
            "attempt": progress.attempt,
            "site": site,
            "why": how,
            "left": len(progress.left),
            "begun": begun,
            "in_vain": len(progress.left) == before,
        }
        self._count(progress, loss)
        if self._is_hopeless(progress):
            said = f": {words[-_WORDS:]}" if words else ""
            self._give_up(progress, f"{how}, after {progress.attempt} attempts{said}")
            return
        self.record.losses.append(loss)
        whole_file.append(self._directory / _LOSSES, json.dumps(loss) + "\n")
        self._notify(
            f"shard {loss['shard']} was lost at {site}: {how}; {loss['left']} of its cases are run again"
        )

    @staticmethod
    def _count(progress: ShardProgress, loss: Mapping[str, Any]) -> None:
        progress.begun += loss["begun"]
        progress.in_vain[loss["site"]] += loss["in_vain"]

    def _is_hopeless(self, progress: ShardProgress) -> bool:
        """Whether it was begun often enough, or sent so often and every site has had it in vain."""
        if progress.begun >= _MOST_ATTEMPTS:
            return True
        if progress.attempt < _MOST_ATTEMPTS:
            return False
        able = self._alive().intersection(progress.shard.sites)
        return all(progress.in_vain[name] for name in able)

    def _lost(self, progress: ShardProgress, why: str, *, begun: bool = True) -> None:
        # From here on no call of that attempt is admitted, even if its worker is still running.
        self._state.cancel(self._ref(progress), progress.site)
        self._ended(progress, why, begun=begun)

    def _collect(self, progress: ShardProgress, attempt: int, site: str) -> None:
        """Take an attempt's evidence; a case that already has evidence keeps it."""
        into = self._directory / "shards" / f"{progress.shard.number:05}.{attempt}"
        shutil.rmtree(into, ignore_errors=True)
        for name in self._store.fetch(progress.shard.number, attempt, into):
            self._notify(f"{name}: damaged, and left out: what is missing by it is run again")
        taken: list[str] = []
        for found in sorted(into.glob(f"cases/*/{CASE}")):
            try:
                evidence = CaseEvidence.read(found.parent)
            except MistakeError as error:
                self._notify(f"{error}; left out, and run again")
                shutil.rmtree(found.parent)
                continue
            if evidence.id not in progress.left and evidence.id not in taken:
                self.record.duplicates.append(evidence.id)
                shutil.rmtree(found.parent)
            elif evidence.id not in taken:
                taken.append(evidence.id)
        progress.left = [case for case in progress.left if case not in taken]
        if taken:
            self.record.accepted.append(Accepted(site, into, tuple(taken)))

    def _give_up(self, progress: ShardProgress, why: str) -> None:
        progress.done = True
        self.record.not_run.setdefault(progress.shard.sites[0], []).extend(progress.left)
        self._notify(f"NOT RUN: {len(progress.left)} cases of {progress.shard.deployment}: {why}")

    # -- its end

    def _stop(self) -> None:
        """Fence off every attempt: its worker ends it and hangs up."""
        self._notify("stopped: every call is hung up")
        under_way = [progress for progress in self._shards if progress.site]
        states = [self._state.shard(self._ref(progress)).state for progress in under_way]
        for progress in under_way:
            self._state.cancel(self._ref(progress), progress.site)
        if "running" in states:
            time.sleep(min(_END_WITHIN_S, self._plan.fleet.lease_s))  # until the workers notice
        for progress in under_way:
            self._collect(progress, progress.attempt, progress.site)
            progress.site, progress.done = "", not progress.left

    def _finish(self) -> None:
        for progress in self._shards:
            if not progress.done:
                self._give_up(progress, self.record.interrupted)
        self.record.wall_s = time.monotonic() - self._began
        os.close(self._lock)

    def _ref(self, progress: ShardProgress) -> ShardRef:
        return ShardRef(self._plan.run, self._plan.nonce, progress.shard.number, progress.attempt)
