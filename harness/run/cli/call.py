"""``harness call``: one call by hand, its course, what is heard, and its ladder; ``harness load``:
many calls at once, in steps.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from harness import integrations
from harness.audio.dtmf import DIGITS
from harness.audio.marks import REPLY_OFFSET, SAMPLE_RATE
from harness.audio.prompts import prompt_path, prompt_samples, prompt_text
from harness.case.events import CallState, Event, LegStarted, Listened, MarkHeard
from harness.case.legs import SOUND_DBOV
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.deployment import Deployment
from harness.deployment.grants import Grants
from harness.deployment.limits import CallGate
from harness.deployment.safety import Guard
from harness.errors import HarnessError, MistakeError, RefusedError, SelectionError, writing
from harness.phone import Wav
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.rules import Rules
from harness.phone.waiter import NeverCame
from harness.report.case_document import is_masked, names
from harness.report.drawings import Ladder, ladder_text
from harness.report.evidence import CaseEvidence
from harness.report.flow import said_of
from harness.run.cli.app import (
    FAILED,
    INTERRUPTED,
    PASSED,
    AsJson,
    Grant,
    Live,
    Repeated,
    echo_json,
    end_as_by_ctrl_c,
)
from harness.run.cli.completion import deployment_files
from harness.run.load import plan, result
from harness.run.load.call import LoadCall
from harness.run.load.result import LoadResult, Percentiles
from harness.run.load.run import load as run_load
from harness.run.plugin.leases import in_turn
from harness.run.plugin.options import live_is_allowed, live_refusal
from harness.run.plugin.worlds import one_world
from harness.scenario.phones import own_phone
from harness.support.files.own_directories import Scratch
from harness.support.mask import mask_text
from harness.support.terminal import SafeConsole


def _may_call(file: Path, live: bool, grant: Sequence[str] | None) -> Deployment:
    """The deployment of a file. Raises :class:`RefusedError` for a real platform without
    ``--live``.
    """
    deployment = integrations.load(file, grants=Grants.given(grant))
    if deployment.kind != "simulated" and not live_is_allowed(live):
        raise live_refusal(str(file), deployment.kind)
    return deployment


@contextlib.contextmanager
def _complete(deployment: Deployment, file: Path, scratch: Path) -> Iterator[Deployment]:
    """The deployment to call: itself, its phones held meanwhile, or a tenant of a world that is up
    as long as this lasts.
    """
    if deployment.kind != "simulated":
        with in_turn([deployment]):
            yield deployment
        return
    with one_world(file, deployment, scratch) as world:
        yield world.tenants[0]


# -- harness call

#: How long a registration, and the gate, may take, in seconds.
_PATIENCE_S = 10.0


def call(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE NUMBER",
            help="A deployment file; its number, E.164 or as its region dials it.",
            autocompletion=deployment_files,
        ),
    ],
    deployment: Annotated[
        Path | None,
        typer.Option("--deployment", metavar="FILE", help="The file, where NUMBER stands alone."),
    ] = None,
    phone: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who calls (default: the first with a number)."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Seconds from the answer to the hang-up.")
    ] = 10.0,
    press: Annotated[
        str, typer.Option(metavar="DIGITS", help="Press these digits after the answer.")
    ] = "",
    say: Annotated[
        Repeated,
        typer.Option(metavar="PROMPT", help="Say this prompt after the answer (repeatable)."),
    ] = None,
    live: Live = False,
    grant: Grant = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            "--directory",
            metavar="DIR",
            help="Keep recordings and evidence there, in a new directory.",
        ),
    ] = None,
) -> None:
    """Place one call and watch it. Exit code 0 when it was answered, 1 when not."""
    if len(words) != (2 if deployment is None else 1):
        raise MistakeError(
            f"{' '.join(words)}: allowed: a deployment file and a number, or a number and --deployment FILE"
        )
    number, file = words[-1], deployment or Path(words[0])
    chosen = _may_call(file, live, grant)
    for name in say or ():
        prompt_path(name)  # raises before the call
    if unknown := sorted(set(press.upper()) - set(DIGITS)):
        raise SelectionError(
            f"--press {press}: {', '.join(unknown)}: no digit of a telephone; allowed: 0 to 9, *, #, A to D"
        )
    end_as_by_ctrl_c()
    console = SafeConsole()
    with Scratch() as scratch, _complete(chosen, file, scratch.path) as world:
        caller = _caller(world, phone)
        guard, uri = Guard(world, world.region_at(caller)), _uri(world, caller, number)
        guard(uri)  # refuse before anything is sent
        kept = _kept(directory) if directory else scratch.path / "call"
        attempt = _Attempt(console, world, guard, caller, kept, scratch.path)
        code = attempt.run(uri, seconds, press, say or [])
        console.say(ladder_text(Ladder.of(CaseEvidence.read(kept))))
        if directory:
            console.print(f"kept in {kept}")
    raise typer.Exit(code)


def _kept(directory: Path) -> Path:
    """A new directory there."""
    kept = directory / f"{time.strftime('call-%Y%m%dT%H%M%S')}-{os.getpid()}"
    with writing(directory):
        kept.mkdir(parents=True)
    return kept


def _caller(deployment: Deployment, asked: str | None) -> str:
    phones = deployment.phones
    if asked is None:
        with_number = [name for name, entry in phones.items() if entry.number]
        return with_number[0] if with_number else next(iter(phones))
    if asked not in phones:
        raise SelectionError(f"--phone {asked}: there is none; allowed: {', '.join(phones)}")
    return asked


def _uri(deployment: Deployment, caller: str, number: str) -> str:
    if re.fullmatch(r"[+\d\s().-]+", number):
        number = re.sub(r"[\s().-]", "", number)  # as people write it
    if ":" in number:
        return number
    account = deployment.accounts[deployment.phones[caller].account]
    return f"sip:{number}@{account.domain}"


@dataclass
class _Attempt:
    """The call, and what is shown of it while it lasts."""

    _console: SafeConsole
    _deployment: Deployment
    _guard: Guard
    _caller: str
    _directory: Path
    _scratch: Path

    def __post_init__(self) -> None:
        case = {
            "id": f"call by {self._caller}",
            "row": "CALL",
            "integration": self._deployment.integration,
            "axes": {},
            "title": "A call by hand",
            **names(self._deployment),
        }
        self._recorder = CaseRecorder(self._directory, case)
        self._began = time.monotonic()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._sounds = False
        self._marks: set[tuple[str | None, int]] = set()

    def run(self, uri: str, seconds: float, press: str, prompts: list[str]) -> int:
        """Register, call, watch, hang up. The exit code."""
        limits = self._deployment.limits
        gate = CallGate(self._scratch / "gate", limits)
        rules = Rules(
            self._guard, gate.admit, _PATIENCE_S, limits.seconds_per_call, self._guard.refer
        )
        code, verdict, message = FAILED, Verdict.FAILED, ""
        with PhonePool(self._scratch / "phones") as pool:
            config = own_phone(self._deployment, self._caller)
            phone = pool.lease(
                config,
                sink=self._take,
                marks=itertools.count(),
                directory=self._directory,
                rules=rules,
            )
            try:
                code = self._place(phone, uri, seconds, press, prompts)
                verdict = Verdict.PASSED if code == PASSED else Verdict.FAILED
            except NeverCame as error:
                message = str(error).splitlines()[0]
                self._say(message, "red")
            except KeyboardInterrupt:
                code, verdict, message = INTERRUPTED, Verdict.BROKEN, "interrupted"
                self._say("hung up")
            except HarnessError as error:
                verdict, message = Verdict.BROKEN, str(error).splitlines()[0]
                raise
            finally:
                phone.release()
                self._show_events()
                self._recorder.close(verdict, message)
        return code

    def _place(
        self,
        phone: Phone,
        uri: str,
        seconds: float,
        press: str,
        prompts: list[str],
    ) -> int:
        if phone.config.registrar:
            state = phone.register(within=_PATIENCE_S)
            self._show_events()
            if not state.active:
                return FAILED
        leg = phone.dial(uri)
        if not self._watch(leg, until=lambda: leg.state == "confirmed"):
            return FAILED
        if press:
            self._say(f"{leg.id} presses {press}")
            leg.send_digits(press)
        for prompt in prompts:
            self._say(f"{leg.id} says {prompt}: “{prompt_text(prompt)}”")
            leg.play(Wav(prompt_path(prompt)))
            over = time.monotonic() + len(prompt_samples(prompt)) / SAMPLE_RATE
            self._watch(leg, until=lambda over=over: time.monotonic() >= over)  # type: ignore[misc]
        end = time.monotonic() + seconds
        self._watch(leg, until=lambda: time.monotonic() >= end)
        return PASSED

    def _watch(self, leg: Leg, until: Callable[[], bool]) -> bool:
        """Show events until ``until`` holds or the call is over; returns whether it held. Raises
        the error that lost the phone.
        """
        while True:
            self._show_events(0.1)
            if (error := leg.phone.error) is not None:
                raise error
            if until():
                return True
            current = leg
            while current.successor is not None:  # it was transferred, and the phone followed
                current = current.successor
            if current.state == "disconnected":
                return False

    def _take(self, event: Event) -> None:
        self._recorder.event(event)
        self._events.put(event)

    def _show_events(self, within_s: float = 0.0) -> None:
        """Show all events so far; wait at most ``within_s`` for the first."""
        with contextlib.suppress(queue.Empty):
            self._show(self._events.get(timeout=within_s))
            while True:
                self._show(self._events.get_nowait())

    def _show(self, event: Event) -> None:
        """Print what an event says, and nothing for most."""
        match event:
            case LegStarted():
                self._say(f"{event.leg} {event.direction} {event.remote_uri}")
            case CallState():
                code = f" {event.code} {event.reason}" if event.code else ""
                style = "green" if event.state == "confirmed" else ""
                self._say(f"{event.leg} {event.state}{code}", style)
            case MarkHeard():
                self._heard(event)
            case Listened():
                sounds = event.level_dbov > SOUND_DBOV
                if sounds != self._sounds:
                    self._sounds = sounds
                    what = f"sound, {event.level_dbov:.0f} dBov" if sounds else "nothing any more"
                    self._say(f"{event.leg} hears {what}")
            case _:
                if said := said_of(event):
                    text, is_bad = said
                    self._say(text, "red" if is_bad else "")

    def _heard(self, event: MarkHeard) -> None:
        if (event.leg, event.mark) in self._marks:
            return
        self._marks.add((event.leg, event.mark))
        whose = "an answer in band" if event.mark >= REPLY_OFFSET else "a leg"
        for name, assistant in self._deployment.assistants.items():
            if assistant.voice == event.mark:
                whose = f"assistant {name}"
                break
        level = f"{event.level_dbov:.0f} dBov"
        self._say(f"{event.leg} hears mark {event.mark} ({whose}), {level}", "cyan")

    def _say(self, text: str, style: str = "") -> None:
        self._console.say(f"{time.monotonic() - self._began:7.2f}  {text}", style)


# -- harness load


def load(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A deployment file.", autocompletion=deployment_files),
    ],
    calls: Annotated[int, typer.Option("--calls", min=1, metavar="N", help="Calls at once.")],
    cps: Annotated[float, typer.Option("--cps", metavar="R", help="Calls per second.")] = 1.0,
    hold: Annotated[
        float, typer.Option("--for", min=0.0, metavar="T", help="Hold all of them for T seconds.")
    ] = 10.0,
    step: Annotated[
        int | None, typer.Option(min=1, metavar="S", help="Calls added in a step (default: N/5).")
    ] = None,
    trunk: Annotated[
        Repeated,
        typer.Option(metavar="NAME", help="Over this trunk (repeatable; default: the first)."),
    ] = None,
    line: Annotated[
        str | None, typer.Option(metavar="NAME", help="Call this line of the file.")
    ] = None,
    reports: Annotated[Path, typer.Option(metavar="DIR", help="Where its results go.")] = Path(
        "reports"
    ),
    live: Live = False,
    grant: Grant = None,
    as_json: AsJson = False,
) -> None:
    """Place calls in steps, verify each both ways, hold them, end them. Exit code 0 only when all
    asked for were.
    """
    if not cps > 0:  # NaN as well
        raise RefusedError(f"--cps {cps:g}: no calls would be placed; allowed: more than 0")
    chosen = _may_call(file, live, grant)
    asked = plan.plan(chosen, calls, cps, hold, step)
    cases = plan.cases(chosen, trunk or (), line)
    plan.check_marks(calls, cases)
    end_as_by_ctrl_c()
    console = SafeConsole(stderr=as_json, least_width=132)
    with Scratch() as scratch, _complete(chosen, file, scratch.path) as world:
        found, run = run_load(
            world,
            cases,
            asked,
            timings=world.timings_by("quick"),
            reports=reports.absolute(),
            scratch=scratch.path,
            on_step=lambda number, placed: _step_ended(console, number, placed),
        )
    if as_json:
        echo_json(found)
    _show_load(console, found, run)
    raise typer.Exit(INTERRUPTED if found.interrupted else found.exit_code)


def _step_ended(console: SafeConsole, number: int, calls: Sequence[LoadCall]) -> None:
    """Say how many calls are up, and why the first of the others failed."""
    bad = [call for call in calls if call.failed_in is not None]
    said = f"step {number}: {len(calls) - len(bad)} of {len(calls)} calls up and verified"
    if bad:
        first = bad[0]
        message = first.message
        if is_masked(first.lane.context.deployment):
            message = mask_text(message)
        said += f"; call {first.index}: {message}"
    console.say(said)


def _show_load(console: SafeConsole, found: LoadResult, run: Path) -> None:
    """Print the figures of each step, the notes, the verdict and the files."""
    table = Table(title=f"load of {found.deployment}")
    for heading in ("step", "calls", "placed", "verified", "held", "calls/s"):
        table.add_column(heading, justify="right")
    for time_ms in ("setup ms", "post-dial delay ms", "two-way ms"):
        table.add_column(f"{time_ms}\np50/p95/p99", justify="right")
    table.add_column("verdict")
    for step in found.steps:
        table.add_row(
            str(step.step),
            str(step.calls),
            str(step.placed),
            str(step.verified),
            str(step.held),
            "" if step.cps is None else f"{step.cps:g}",
            _percentiles(step.setup_ms),
            _percentiles(step.post_dial_delay_ms),
            _percentiles(step.two_way_ms),
            str(step.verdict),
        )
    console.print(table)
    for note in found.notes:
        console.say(f"note: {note}")
    if found.interrupted:
        console.print(f"interrupted in step {len(found.steps)}: what was up was hung up")
    if (first := found.first_failing) is not None:
        console.print(f"first failing step: {first.step} ({first.calls} calls)", style="red")
        console.say(first.message or "not all of its calls were placed")
    held = f"{found.calls_held} of {found.asked.calls} calls held"
    ended = f"{sum(call.ended for call in found.calls)} of {len(found.calls)} ended"
    style = "green" if found.exit_code == 0 else "red"
    console.print(f"{found.verdict}: {held}, {ended}", style=style)
    for name in (result.FILE, result.PICTURE):
        console.say(str(run / name))


def _percentiles(percentiles: Percentiles) -> str:
    known = (percentiles.p50, percentiles.p95, percentiles.p99)
    shown = ["–" if value is None else f"{value:.0f}" for value in known]
    return f"{'/'.join(shown)} of {percentiles.of}"
