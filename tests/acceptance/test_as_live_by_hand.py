"""A campaign that a person starts, as of a real platform."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.acceptance.outside import Outside

CAMPAIGN = ["--row=TD-OUTBOUND-CAMPAIGN", "--transport=udp", "--auth=ip", "--codec=pcmu", "-n", "1"]


def by_hand(text: str) -> str:
    assert 'trigger = "http"' in text
    return text.replace('trigger = "http"', 'trigger = "manual"').replace(
        "manual_within_s = 180.0", "manual_within_s = 60.0"
    )


@dataclass
class Terminal:
    """A run at a terminal, and who sits there."""

    process: subprocess.Popen[str]
    screen: int

    def reads(self, pattern: bytes) -> Iterator[re.Match[bytes]]:
        """Whenever that is on the screen, until the run ends."""
        said = b""
        while True:
            if found := re.search(pattern, said):
                said = said[found.end() :]
                yield found
            elif select.select([self.screen], [], [], 0.2)[0]:
                said += os.read(self.screen, 4096)
            elif self.process.poll() is not None:
                return


@contextlib.contextmanager
def at_a_terminal(outside: Outside, *arguments: str | Path) -> Iterator[Terminal]:
    screen, terminal = (
        pty.openpty()
    )  # kept open here: Linux says EIO while nobody has the other side
    process = outside.start(*arguments, terminal=terminal)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.communicate()
        os.close(terminal)
        os.close(screen)


def test_campaign_by_hand_asks_the_user_at_the_terminal(outside: Outside) -> None:
    world = outside.tenants[0]
    assert world.campaign is not None
    assert world.campaign.url is not None
    answers = []
    with at_a_terminal(outside, outside.file("live", "by-hand", by_hand), *CAMPAIGN) as sitting:
        # More than once where the machine had no processor for the first attempt.
        for asked in sitting.reads(rb">>> .*have the campaign of (\+\d+) call (\+\d+) now"):
            line, customer = (number.decode() for number in asked.groups())
            answers.append(
                httpx.post(world.campaign.url, json={"from": line, "to": customer}).status_code
            )
        output, _ = sitting.process.communicate(timeout=300)
        assert sitting.process.returncode == 0, output
    assert set(answers) == {202}
    assert set(outside.verdicts().values()) == {"passed"}


def test_campaign_by_hand_needs_a_terminal(outside: Outside) -> None:
    file = outside.file("live", "by-nobody", by_hand)
    with at_a_terminal(outside, file, *CAMPAIGN, "--no-manual") as sitting:
        output, _ = sitting.process.communicate(timeout=300)
        assert select.select([sitting.screen], [], [], 0)[0] == [], "nothing is said there"
        assert sitting.process.returncode == 1
    assert set(outside.verdicts().values()) == {"not observable"}, output
    assert "no person is there to do it" in output
