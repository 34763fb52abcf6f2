from __future__ import annotations

from importlib.metadata import version

import pytest

from tools import release

RELEASED, OPEN = (
    "# Changelog\n\n## 1.2.0 – 2026-03-01\n\n## 1.1.0 – 2026-01-01\n",
    "## 1.2.0 – unreleased\n",
)


def test_this_tree_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main() == 0, capsys.readouterr().out
    assert version("call-verification-harness") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("found", "changelog", "tags", "said"),
    [
        ("1.2.0", RELEASED, ["v1.2.0"], []),
        ("1.2.0", OPEN, [], []),
        ("1.2.0", OPEN, ["v1.2.0"], ["CHANGELOG.md: 1.2.0 is unreleased"]),
        ("1.2.0", RELEASED, ["v1.3.0"], ["tag v1.3.0: allowed: v1.2.0"]),
        ("1.3.0", RELEASED, [], ["CHANGELOG.md: begins with 1.2.0; allowed: 1.3.0"]),
        ("1.2.0", "# Changelog\n", [], ["CHANGELOG.md: no heading"]),
    ],
)
def test_what_does_not_fit_is_said(
    found: str, changelog: str, tags: list[str], said: list[str]
) -> None:
    lines = release.problems(found, changelog, tags)
    assert len(lines) == len(said)
    assert all(line.startswith(start) for line, start in zip(lines, said, strict=True))
