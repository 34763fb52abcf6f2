"""Hands shards to sites, notices what is lost, and runs the rest of it again; resumes where an earlier controller was killed.

An attempt at a shard counts until it ended, or its worker gave no sign of life for a lease. Then what its cases left so far is
taken, and the others go into the next attempt; from that moment Redis lets no call of the old attempt through.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celery import Celery

from harness.errors import BrokenError, MistakeError, ResourceError
from harness.filenames import stem_of
from harness.fleet import worker
from harness.fleet.plan import FleetPlan, Shard
from harness.fleet.shard import RELEASE
from harness.fleet.state import ShardRef, State
from harness.fleet.store import Store
from harness.report.evidence import CaseEvidence
from harness.report.recorder import CASE
from harness.report.run import STOPPED

_POLL_S = 0.1
#: How often a shard is begun anew before its cases are given up as not run.
_MOST_ATTEMPTS = 4
#: A task that nobody has taken for so long, at a site that is alive and has nothing else to do, is sent again.
_SENT_AGAIN_S = 10.0
#: After Ctrl-C workers have so long to hang up.
_END_WITHIN_S = 90.0

_LOSSES = "losses.jsonl"

Told = Callable[[str], None]


@dataclass
class ShardProgress:
    """What the controller knows of a shard."""

    shard: Shard
    left: list[str]  #: cases without evidence so far
    attempt: int = 0  #: the one under way, or the last one
    site: str = ""  #: where it is; empty: nowhere
    sent_at: float = 0.0
    done: bool = False
    last_words: str = ""


@dataclass(frozen=True)
class Accepted:
    """Evidence of one attempt that counts."""

    shard: int
    attempt: int
    site: str
    directory: Path
    cases: tuple[str, ...]


@dataclass
class Record:
    """What became of a run besides the verdicts."""

    accepted: list[Accepted] = field(default_factory=list)
    losses: list[dict[str, Any]] = field(default_factory=list)  #: attempts that were lost: shard, attempt, site, why
    not_run: dict[str, list[str]] = field(default_factory=dict)  #: site: cases
    #: Cases that came with evidence of two attempts; the first counts.
    duplicates: list[str] = field(default_factory=list)
    interrupted: str = ""
    wall_s: float = 0.0


class Controller:
    """One run of a fleet. ``directory`` is the run's own; ``told`` gets a line when something happens."""

    def __init__(self, plan: FleetPlan, directory: Path, state: State, app: Celery, told: Told) -> None:
        self._plan, self._directory, self._state, self._app, self._told = plan, directory, state, app, told
        self._store = Store(plan.fleet.results, plan.run)
        self.record = Record()
        self._progress = [ShardProgress(shard, list(shard.cases)) for shard in plan.shards]
        self._began = time.monotonic()
        self._nobody_since: dict[int, float] = {}
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(directory / "controller.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MistakeError(f"{directory}: another controller runs this; allowed: one") from None

    def begin(self) -> None:
        """A new run."""
        self._state.begin(self._plan.run, self._plan.nonce)

    def resume(self) -> None:
        """Go on with what an earlier controller began. Raises :class:`ResourceError` when Redis does not know the run any more."""
        if not self._state.knows(self._plan.run, self._plan.nonce):
            raise ResourceError(
                f"{self._plan.run}: Redis has lost this run, and with it which calls may still be up; "
                "allowed: a new run, when the longest call and its hang-up are over"
            )
        losses = self._directory / _LOSSES
        if losses.exists():
            self.record.losses = [json.loads(line) for line in losses.read_text(encoding="utf-8").splitlines()]
        for one in self._progress:
            known = self._state.shard(self._ref(one))
            for attempt in range(1, known.attempt + (known.state == "cancelled")):
                self._collect(one, attempt, self._site_of(one, attempt))
            one.attempt = known.attempt
            if known.attempt and known.state in ("queued", "running", "ended"):
                one.site, one.sent_at = self._site_of(one, known.attempt), time.monotonic()
            one.done = not one.left

    def run(self) -> Record:
        """To the end; on Ctrl-C (``KeyboardInterrupt``) workers hang up, and the rest is not run."""
        try:
            while not all(one.done for one in self._progress):
                for one in self._progress:
                    if one.site:
                        self._look(one)
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
        alive = [site.name for site in self._plan.fleet.sites if self._state.is_alive(site.name)]
        busy = {one.site for one in self._progress}
        free = [name for name in alive if name not in busy]
        for one in self._progress:  # the longest first
            if one.done or one.site:
                continue
            able = [name for name in one.shard.sites if name in free]
            if able:
                free.remove(able[0])
                self._send(one, able[0])
            elif not any(name in alive for name in one.shard.sites):
                since = self._nobody_since.setdefault(one.shard.number, time.monotonic())
                if time.monotonic() - since >= self._plan.fleet.patience_s:
                    self._give_up(one, f"none of its sites was there for {self._plan.fleet.patience_s:g} s")
            else:
                self._nobody_since.pop(one.shard.number, None)

    def _send(self, one: ShardProgress, site: str) -> None:
        one.attempt += 1
        self._note_site(one, one.attempt, site)
        if not self._state.queue(self._ref(one)):
            raise ResourceError(f"shard {one.shard.number}: another controller has handed it out")
        one.site = site
        self._post(one)

    def _post(self, one: ShardProgress) -> None:
        one.sent_at = time.monotonic()
        plan, shard = self._plan, one.shard
        task = {
            "ref": dataclasses.asdict(self._ref(one)),
            "site": one.site,
            "file": shard.file,
            "hash": shard.hash,
            "cases": list(one.left),
            "rows": list(shard.rows),
            "workers": plan.fleet.site(one.site).workers,
            "lease_s": plan.fleet.lease_s,
            "results": plan.fleet.results,
            "trunks": [trunk.model_dump(mode="json") for trunk in plan.fleet.trunks],
            "live": plan.live,
            "timings": plan.timings,
            "scenarios": plan.scenarios,
            "harness": RELEASE,
        }
        try:
            self._app.send_task(worker.TASK, args=[task], queue=worker.queue_of(one.site))
        except Exception as error:  # kombu's own trees; a task that was not sent is sent again below
            self._told(f"shard {shard.number} could not be sent to {one.site}: {error}")

    # -- what became of it

    def _look(self, one: ShardProgress) -> None:
        known = self._state.shard(self._ref(one))
        if known.state == "ended":
            one.last_words = known.words
            self._ended(one, f"its pytest ended with exit code {known.code}")
        elif known.state == "running" and known.lease_left_s < 0:
            self._lost(one, f"its worker gave no sign of life for {self._plan.fleet.lease_s:g} s")
        elif known.state == "queued":
            waited = time.monotonic() - one.sent_at
            if not self._state.is_alive(one.site) and waited >= self._plan.fleet.lease_s:
                self._lost(one, "its site went before it began")
            elif waited >= _SENT_AGAIN_S:
                self._post(one)
        elif known.state == "":
            raise ResourceError("Redis has lost this run; nothing more is placed")

    def _ended(self, one: ShardProgress, how: str) -> None:
        site = one.site
        self._collect(one, one.attempt, site)
        one.site = ""
        if not one.left:
            one.done = True
            self._told(
                f"shard {one.shard.number} of {one.shard.deployment}: {len(one.shard.cases)} cases, last at {site}"
            )
        elif one.attempt >= _MOST_ATTEMPTS:
            self._give_up(one, f"{how}, after {one.attempt} attempts: {one.last_words[-300:]}")
        else:
            self._note_loss(one, site, how)

    def _lost(self, one: ShardProgress, why: str) -> None:
        # From here on no call of that attempt is let through, whoever may still be at it.
        self._state.queue(dataclasses.replace(self._ref(one), attempt=one.attempt), "cancelled")
        self._ended(one, why)

    def _note_loss(self, one: ShardProgress, site: str, why: str) -> None:
        loss = {"shard": one.shard.number, "attempt": one.attempt, "site": site, "why": why, "left": len(one.left)}
        self.record.losses.append(loss)
        with (self._directory / _LOSSES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(loss) + "\n")
        self._told(f"shard {one.shard.number} was lost at {site}: {why}; {len(one.left)} of its cases are run again")

    def _collect(self, one: ShardProgress, attempt: int, site: str) -> None:
        """Take what an attempt has left, once; a case that has evidence already keeps it."""
        into = self._directory / "shards" / f"{one.shard.number:05}.{attempt}"
        shutil.rmtree(into, ignore_errors=True)
        for name in self._store.fetch(one.shard.number, attempt, into):
            self._told(f"{name}: damaged, and left out: what is missing by it is run again")
        taken: list[str] = []
        for found in sorted(into.glob(f"cases/*/{CASE}")):
            try:
                evidence = CaseEvidence.read(found.parent)
            except MistakeError as error:
                self._told(f"{error}; left out, and run again")
                shutil.rmtree(found.parent)
                continue
            if evidence.id not in one.left and evidence.id not in taken:
                self.record.duplicates.append(evidence.id)
                shutil.rmtree(found.parent)
            elif evidence.id not in taken:
                taken.append(evidence.id)
        one.left = [case for case in one.left if case not in taken]
        if taken:
            self.record.accepted.append(Accepted(one.shard.number, attempt, site, into, tuple(taken)))

    def _give_up(self, one: ShardProgress, why: str) -> None:
        one.done = True
        self.record.not_run.setdefault(one.shard.sites[0], []).extend(one.left)
        self._told(f"NOT RUN: {len(one.left)} cases of {one.shard.deployment}: {why}")

    # -- its end

    def _stop(self) -> None:
        """Shut every attempt out: its worker ends it, and hangs up."""
        self._told("stopped: every call is hung up")
        under_way = [one for one in self._progress if one.site]
        before = {one.shard.number: self._state.shard(self._ref(one)).state for one in under_way}
        for one in under_way:
            self._state.queue(self._ref(one), "cancelled")
        running = [one.site for one in under_way if before[one.shard.number] == "running"]
        if running:
            time.sleep(min(_END_WITHIN_S, self._plan.fleet.lease_s))  # until they have noticed
        for one in under_way:
            self._collect(one, one.attempt, one.site)
            one.site, one.done = "", not one.left

    def _finish(self) -> None:
        for one in self._progress:
            if not one.done:
                self._give_up(one, self.record.interrupted)
        self.record.wall_s = time.monotonic() - self._began
        os.close(self._lock)

    # -- which attempt was where: kept on disk, for a controller that takes over

    def _ref(self, one: ShardProgress) -> ShardRef:
        return ShardRef(self._plan.run, self._plan.nonce, one.shard.number, one.attempt)

    def _place(self, one: ShardProgress, attempt: int) -> Path:
        return self._directory / "sent" / stem_of(f"{one.shard.number:05}.{attempt}")

    def _note_site(self, one: ShardProgress, attempt: int, site: str) -> None:
        place = self._place(one, attempt)
        place.parent.mkdir(exist_ok=True)
        place.write_text(site, encoding="utf-8")

    def _site_of(self, one: ShardProgress, attempt: int) -> str:
        try:
            return self._place(one, attempt).read_text(encoding="utf-8")
        except OSError:
            return one.shard.sites[0]
