from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.deployment.file import load
from harness.errors import MistakeError
from harness.run.cli.app import application
from harness.support import resources


def said(*arguments: str) -> str:
    outcome = CliRunner().invoke(application(), ["examples", *arguments])
    if outcome.exception is not None:
        raise outcome.exception
    return outcome.output


def test_all_are_listed() -> None:
    output = said()
    for name in (*resources.examples(), "systemd", "github", "gitlab"):
        assert f"  {name} " in output


def test_a_deployment_is_copied_with_its_numbers(tmp_path: Path) -> None:
    said("live-large", str(tmp_path / "new"))
    copied = load(tmp_path / "new" / "live-large.toml", {}, secrets=False)
    assert copied == load(Path("live-large"), {}, secrets=False)
    assert len(copied.lines) > 10


KINDS = sorted(path.name for path in resources.TEMPLATES.iterdir() if path.is_dir())


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_templates_are_copied_as_they_are(tmp_path: Path, kind: str) -> None:
    said(kind, str(tmp_path))
    assert contents(tmp_path / kind) == contents(resources.TEMPLATES / kind) != {}


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "live-gladly.toml").write_text("mine")
    with pytest.raises(MistakeError, match="exists already"):
        said("live-gladly", str(tmp_path))
    assert (tmp_path / "live-gladly.toml").read_text() == "mine"


def test_what_is_allowed_is_said() -> None:
    with pytest.raises(MistakeError, match="no-such-name: no such example; allowed: live-gladly, "):
        said("no-such-name")
