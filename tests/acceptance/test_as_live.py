"""Runs against a world that is up by itself, as of a real platform."""

from __future__ import annotations

import html
import json
import random
import signal
import time
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from harness.integrations import load, matrix
from harness.integrations.matrix import calls_of
from tests.acceptance.outside import Outside


def test_live_and_stand_in_deployments_pass(outside: Outside) -> None:
    files = [outside.file("live"), outside.file("stand-in")]
    rows = [
        "TD-INBOUND",
        "TD-TRANSFER-BLIND",
        "TD-OUTBOUND-CAMPAIGN",
        "XEI",
        "TD-REGISTER-NOTALLOWED",
    ]
    code, output = outside.run(
        *files, *(f"--row={row}" for row in rows), "--transport=tls", "--codec=pcmu", "-n", "4"
    )
    assert code == 0, output
    assert outside.at_once() > 1, "cases of a real deployment run beside each other"
    verdicts = outside.verdicts()
    assert set(verdicts.values()) == {"passed"}
    assert {case.partition("[")[2].partition(":")[0] for case in verdicts} == {
        "live-talkdesk",
        "stand-in-talkdesk",
    }

    live = outside.findings("TD-INBOUND[live-talkdesk:synthflow-tls-ip-pcmu]")
    assert {f["strength"] for f in live if f["check"] == "audio"} == {2}, (
        "confirmed by words, not proved by marks"
    )
    unseen = [f for f in live if f["verdict"] == "not observable"]
    assert {f["check"] for f in unseen} == {"route.transport", "codec"}
    assert all(f["dispensable"] for f in unseen)
    own = outside.findings("TD-INBOUND[stand-in-talkdesk:stand-in-tls-ip-pcmu]")
    assert {f["strength"] for f in own if f["check"] == "audio"} == {3}
    assert not [f for f in own if f["verdict"] != "passed"]
    assert outside.calls_up() == []
    planned = {
        case.id: sum(call.by == "the harness" for call in calls_of(case, deployment))
        for deployment in (load(file, outside.secrets) for file in files)
        for case in matrix.cases([deployment])
    }
    for case in verdicts:
        dialled = [
            e
            for e in outside.events(case)
            if e["kind"] == "LegStarted" and e["direction"] == "outgoing"
        ]
        assert len(dialled) == planned[case], f"{case}: --plan shows other calls than were placed"


@pytest.mark.nightly
def test_limits_hold_over_all_workers_by_the_worlds_count(outside: Outside) -> None:
    def few(text: str) -> str:
        for old, new in {
            "concurrent_calls = 200": "concurrent_calls = 2",
            "calls_per_second = 200.0": "calls_per_second = 1.0",
        }.items():
            assert old in text
            text = text.replace(old, new)
        return text

    rows = ("--row=TD-INBOUND", "--row=HANGUP-CALLER", "--auth=ip", "--codec=pcmu")
    process = outside.start(
        outside.file("stand-in", "limited", few), *rows, "-n", "4", "--preflight=off"
    )
    most = 0
    while process.poll() is None:
        # Each call is up at the carrier and at the platform.
        up = Counter(name.split()[0] for name in outside.calls_up())
        most = max(most, *up.values(), 0)
        time.sleep(0.02)
    code, output = outside.finished(process)
    assert code == 0, output
    assert 0 < most <= 2
    events = [event for case in outside.verdicts() for event in outside.events(case)]
    begun = [e["at"] for e in events if e["kind"] == "LegStarted" and e["direction"] == "outgoing"]
    assert len(begun) >= 4
    assert max(begun) - min(begun) >= len(begun) - 2, (
        "one a second, and one second for what the machine holds up"
    )


@pytest.mark.nightly
def test_no_file_of_a_run_contains_a_secret(outside: Outside) -> None:
    """Byte by byte and in every spelling, in what the runs of this module left behind and said,
    those that failed included.
    """
    live, own = outside.file("live"), outside.file("stand-in")
    code, output = outside.run(live, own, "--row=XEI", "-n", "1")
    assert code == 0, output
    assert len(outside.secrets) >= 20
    said = [output]
    for arguments in (
        ("preflight", live, own, "--all"),
        (
            "call",
            outside.tenants[0].did("inbound", "udp-ip"),
            "--deployment",
            live,
            "--seconds",
            "1",
            "--directory",
            outside.directory / "calls",
        ),
    ):
        code, output = outside.harness(*arguments)
        assert code == 0, output
        said.append(output)
    wrong = {name: f"wr0ng+{number}/=&\"'%é" for number, name in enumerate(outside.secrets)}
    said += outputs_with(outside, wrong, live, own)
    needles = {
        needle
        for secret in (*outside.secrets.values(), *wrong.values())
        for needle in spellings(secret)
    }
    files = [
        path
        for path in outside.directory.rglob("*")
        if path.is_file() and "world" not in path.parts
    ]
    assert len(files) > 40
    leaks = [str(path) for path in files if any(needle in path.read_bytes() for needle in needles)]
    assert leaks == []
    assert not any(needle in output.encode() for needle in needles for output in said)
    # they hold numbers, and what people said
    runs = [path for kept in ("reports", "calls") for path in (outside.directory / kept).rglob("*")]
    assert len(runs) > 40
    assert [
        str(path)
        for path in runs
        if path.stat(follow_symlinks=False).st_mode & 0o077 and not path.is_symlink()
    ] == []


def outputs_with(outside: Outside, wrong: dict[str, str], *files: Path) -> list[str]:
    """What preflight and a run say with other secrets than the far ends have."""
    reports = outside.directory / "reports"
    right, outside.secrets = outside.secrets, wrong
    try:
        commands: tuple[tuple[str | Path, ...], ...] = (
            ("preflight", *files),
            ("verify", *files, "--row=XEI", "--preflight=tell", "-n", "1", "--reports", reports),
        )
        ended = [outside.harness(*command) for command in commands]
    finally:
        outside.secrets = right
    assert all(code != 0 for code, _ in ended), ended
    return [output for _, output in ended]


def spellings(secret: str) -> Iterator[bytes]:
    """As it is, as URLs, JSON and digests of user and password have it, and as a part of any base64
    text.
    """
    raw = secret.encode()
    yield from (
        raw,
        quote(secret).encode(),
        quote_plus(secret).encode(),
        raw.hex().encode(),
        raw.hex().upper().encode(),
    )
    yield from (
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        html.escape(secret).encode(),
    )
    for before in range(3):
        for encoded in (b64encode(bytes(before) + raw), urlsafe_b64encode(bytes(before) + raw)):
            # the characters at both ends depend on what stands beside it
            yield encoded.rstrip(b"=")[(before * 4 + 2) // 3 + (before > 0) : -1 - (before > 0)]


# -- a load

LOAD = ["--cps", "5"]


def test_load_calls_are_verified_by_transcript_and_by_marks(outside: Outside) -> None:
    """The stand-in hears marks; what a live AI heard its transcripts say when the calls are over."""
    for kind, strength in (("live", 2), ("stand-in", 3)):
        reports = outside.directory / f"load-{kind}"
        code, output = outside.load(
            outside.file(kind), reports, *LOAD, "--calls", "2", "--for", "0"
        )
        assert code == 0, output
        (run,) = (reports / "load").iterdir()
        found = json.loads((run / "load.json").read_text())
        assert [call["verdict"] for call in found["calls"]] == ["passed", "passed"]
        case = json.loads(next(run.glob("cases/*/case.json")).read_text())
        audio = [one for one in case["end"]["findings"] if one["check"] == "audio"]
        assert {finding["strength"] for finding in audio} == {strength}
        assert len(audio) >= 4, "both ways, of two calls"
    assert outside.calls_up() == []


def test_interrupted_load_leaves_no_call_up(outside: Outside) -> None:
    reports = outside.directory / "load-stopped"
    process = outside.command(
        "load",
        outside.file("stand-in"),
        *LOAD,
        "--calls",
        "3",
        "--step",
        "2",
        "--for",
        "60",
        "--reports",
        reports,
    )
    try:
        while len(outside.calls_up()) < 3:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert outside.calls_up() == []
    (run,) = (reports / "load").iterdir()
    found = json.loads((run / "load.json").read_text())
    assert found["interrupted"]
    assert all(call["ended"] for call in found["calls"])


# -- a runner that is killed

BUSY_ROWS = [
    f"--row={row}" for row in ("HOLD", "CONCURRENT", "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM")
]


@pytest.mark.parametrize("kind", ["verify, alone", "verify, with workers", "call"])
@pytest.mark.nightly
def test_killed_runner_leaves_no_call_up(outside: Outside, kind: str) -> None:
    """SIGKILL at random moments, four of each kind; the phones' processes hang up, as the world's
    control API shows.
    """
    chance = random.Random(kind)
    file = outside.file("stand-in" if kind.startswith("verify") else "live")
    workers = "2" if kind == "verify, with workers" else "0"
    for _ in range(4):
        if kind == "call":
            number = outside.tenants[0].did("inbound", "udp-ip")
            process = outside.command("call", number, "--deployment", file, "--seconds", "30")
        else:
            process = outside.start(file, *BUSY_ROWS, "-n", workers, "--preflight=off")
        try:
            while not outside.calls_up():
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.05)
            time.sleep(chance.uniform(0.0, 1.5))
            process.send_signal(signal.SIGKILL)
            process.communicate(
                timeout=300
            )  # the pipe closes when the last of its children is gone
        finally:
            process.kill()
        deadline = time.monotonic() + 30.0
        while (left := outside.calls_up()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []
