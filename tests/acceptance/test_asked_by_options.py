"""A platform that asks a trunk's far end by OPTIONS: a stand-in run is there for it from before its
first call until its last.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from tests.acceptance.outside import Outside
from tests.options_asker import OptionsAsker

EVERY_S = 1.0
_REPEATED_FOR_S = 6.0  # longer than a phone takes to come in the place of another
ROWS = ("HANGUP-CALLER", "HANGUP-AI", "TD-REGISTER-BADPASS", "PRACK", "TD-FALLBACK-REFUSED")


class Asking:
    """The platform's OPTIONS, one after the other: when each was sent, and whether it was answered."""

    def __init__(self, outside: Outside) -> None:
        deployment = outside.tenants[1]
        self._trunk = next(
            t for t in deployment.trunks if t.ai == "stand-in" and t.transport == "udp"
        )
        self._to = str(deployment.stand_in.bind), self._trunk.port
        self._callers = deployment.callers
        self._asker = OptionsAsker(str(deployment.platform.host))
        self._ended = threading.Event()
        self.asked: list[tuple[float, bool]] = []
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            answered = self._asker.asks(*self._to, within=_REPEATED_FOR_S) == 200
            self.asked.append((began, answered))
            self._ended.wait(max(0.0, began + EVERY_S - time.monotonic()))

    def methods_of_callers(self, outside: Outside, case: str) -> set[str]:
        """Of what the callers sent in that case."""
        events = [
            e
            for e in outside.events(case)
            if e["kind"] == "SipMessage" and e["direction"] == "sent"
        ]
        return {
            event["text"].partition(" ")[0] for event in events if event["phone"] in self._callers
        }

    @contextmanager
    def going_on(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()
            self._asker.close()


def every_second_with_one_caller(text: str) -> str:
    """One caller, whose registration the next case can take over."""
    text = re.sub(r"(?ms)^\[phones\.caller-\d\]\n.*?(?=^\[)", "", text)
    return text.replace("[stand_in]\n", f"[stand_in]\noptions_every_s = {EVERY_S}\n", 1)


def test_stand_in_stays_up_and_calls_wait_for_the_platforms_options(outside: Outside) -> None:
    file = outside.file("stand-in", "asked", every_second_with_one_caller)
    asking = Asking(outside)
    arguments = (
        *(f"--row={row}" for row in ROWS),
        "--transport=udp",
        "--auth=ip",
        "--codec=pcmu",
        "-n",
        "1",
    )
    code, plan = outside.harness("verify", file, *arguments, "--plan")
    assert code == 0, plan
    assert "calls to the stand-in wait for the platform's OPTIONS, 7 s at most" in plan
    with asking.going_on():
        code, output = outside.run(file, *arguments)
    assert code == 0, output

    blocks = [answered for answered, _ in groupby(answered for _, answered in asking.asked)]
    assert blocks.count(True) == 1, f"it was away meanwhile: {asking.asked}"
    cases = [
        json.loads(path.read_text()) for path in outside.run_directory.glob("cases/*/case.json")
    ]
    cases.sort(key=lambda case: float(case["began"]))
    assert [case["row"] for case in cases[-2:]] == list(ROWS[-2:]), (
        "those that have the address alone come last"
    )
    told = [
        e for case in cases for e in outside.events(case["id"]) if e["kind"] == "AskedByOptions"
    ]
    assert [(event["answered"], event["every_s"]) for event in told] == [(True, EVERY_S)] * len(
        cases
    )
    assert told[-1]["at"] - told[-1]["there_s"] > cases[-2]["began"], (
        "the phone has come again since"
    )
    assert next(at for at, answered in asking.asked if answered) < cases[0]["began"]
    methods = [asking.methods_of_callers(outside, case["id"]) for case in cases]
    assert {"INVITE"} <= set.union(*methods)
    assert any("INVITE" in sent and "REGISTER" not in sent for sent in methods), (
        "a registration is kept for the next case"
    )


def test_load_reports_missing_options_before_its_first_call(outside: Outside) -> None:
    file = outside.file("stand-in", "asked by nobody", every_second_with_one_caller)
    reports = outside.directory / "load"
    code, output = outside.load(file, reports, "--calls", "1", "--for", "0")
    assert code == 0, output
    assert "note: no OPTIONS came to" in output
