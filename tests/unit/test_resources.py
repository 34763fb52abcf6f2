from __future__ import annotations

from pathlib import Path

import pytest

from harness.audio.prompts import prompt_path
from harness.deployment.file import load
from harness.errors import DeploymentError
from harness.support import resources


def test_a_checkout_has_all_of_them() -> None:
    assert list(resources.SCENARIOS.glob("test_*.py"))
    assert all(prompt_path(name).is_file() for name in resources.prompt_names())
    assert resources.DEFAULT_EXAMPLE in resources.examples()


def test_an_example_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(Path("simulated-gladly")).name == "simulated-gladly"
    Path("simulated-gladly").mkdir()  # no file, so still the example
    assert load(Path("simulated-gladly")).name == "simulated-gladly"


def test_a_file_of_the_users_own_comes_before_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("simulated-gladly").write_text("not a deployment")
    with pytest.raises(DeploymentError, match="not TOML"):
        load(Path("simulated-gladly"))
