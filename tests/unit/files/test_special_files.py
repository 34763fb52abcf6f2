"""Where users name files, a FIFO, an endless device and 3 GB are a mistake in one line: nothing
waits, and nothing fills the memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.audio.prompts import check_prompt
from harness.audio.wav import read_wav
from harness.deployment import Report, numbers_csv
from harness.deployment import file as deployment_file
from harness.errors import FarEndError, MistakeError
from harness.report.nightly.problems import read_bounds
from harness.report.signoff import attest
from harness.report.signoff.rows import read_waivers
from harness.run.fleet import plan
from harness.support.resources import EXAMPLES
from harness.witness.platform_report import ReportSource


def authorities(path: Path) -> object:
    """A deployment file beside ``path``, which has it for its certificates."""
    example = (EXAMPLES / "live-talkdesk.toml").read_text("utf-8")
    file = path.with_name("live.toml")
    file.write_text(f'ca_file = "{path.name}"\n{example}', "utf-8")
    return deployment_file.load(file, secrets=False)


READERS: dict[str, Callable[[Path], object]] = {
    "deployment": deployment_file.load,
    "numbers": numbers_csv.read,
    "authorities": authorities,
    "prompt": check_prompt,
    "recording": read_wav,
    "fleet": plan.read_fleet,
    "bounds": read_bounds,
    "waivers": read_waivers,
    "private key": attest.signer_of,
    "public key": attest.public_key,
}

SAID = {
    "fifo": "Not a regular file (a FIFO)",
    "device": "Not a regular file (a device)",
    "huge": "File too large (limit",
}


@pytest.fixture(params=SAID)
def special(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Such a file, and what is said of it."""
    kind: str = request.param
    path = tmp_path / kind
    if kind == "fifo":
        os.mkfifo(path)  # nobody writes into it
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(3 << 30)  # takes no disk
    return path, SAID[kind]


@pytest.mark.parametrize("reader", READERS)
def test_it_is_a_mistake_in_one_line(reader: str, special: tuple[Path, str]) -> None:
    path, said = special
    with pytest.raises(MistakeError) as caught:
        READERS[reader](path)
    (line,) = [line for line in str(caught.value).splitlines() if path.name in line]
    assert said in line
    assert "[Errno" not in line


def test_a_platforms_report_is_not_waited_for(special: tuple[Path, str]) -> None:
    path, said = special
    source = ReportSource(Report.model_validate({"file": str(path), "columns": {}}))
    with pytest.raises(FarEndError) as caught:
        source.read(0.0)
    assert said in str(caught.value)
