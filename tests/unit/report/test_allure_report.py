"""What lies beside Allure's results, and how its report is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.report import allure_report


def test_environment(tmp_path: Path) -> None:
    allure_report.write_environment(tmp_path, {"a key": "x\ny", "path": "C:\\x", "empty": ""})

    assert (tmp_path / "environment.properties").read_text() == "a.key=x y\npath=C:\\\\x\n"


def test_config_lets_nothing_through(tmp_path: Path) -> None:
    path = allure_report.write_config(tmp_path, name="run", cases=155, history=None)
    config = json.loads(path.read_text())

    assert config["qualityGate"] == {"rules": [{"maxFailures": 0, "minTestsCount": 155}]}
    verdicts = {rule["name"]: rule["matchers"][0]["labels"]["verdict"] for rule in config["categories"]["rules"]}
    assert verdicts == {
        "Not observable: nobody could look": "not observable",
        "The harness or its surroundings broke": "broken",
        "The system under test failed": "failed",
    }


def test_without_allure_3_on_the_path_no_report_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert allure_report.generate(tmp_path, tmp_path) is None

    old = tmp_path / "allure"
    old.write_text("#!/bin/sh\necho 2.30.0\n")
    old.chmod(0o755)
    assert allure_report.generate(tmp_path, tmp_path) is None


def test_allure_3_is_told_where_everything_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "allure"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo 3.18.0; exit; }\n'
        'echo "$@" > said; mkdir -p allure-report; : > allure-report/index.html\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    run = tmp_path / "run"
    earlier = run / "allure-report" / "data"
    earlier.mkdir(parents=True)

    assert allure_report.generate(run, run / "allure-results") == run / "allure-report" / "index.html"
    said = (run / "said").read_text().split()
    assert said == [
        "generate",
        "--config",
        str(run / "allurerc.json"),
        "--output",
        str(run / "allure-report"),
        str(run / "allure-results"),
    ]
    assert not earlier.exists(), "the page would go on to show what an earlier report says"


def test_a_report_made_again_is_no_further_run(tmp_path: Path) -> None:
    """Nor are the runs after it its past."""
    shared = tmp_path / "shared.jsonl"

    def past(name: str) -> str:
        config = json.loads(allure_report.write_config(tmp_path, name=name, cases=1, history=shared).read_text())
        return str(config["historyPath"])

    assert past("first") == str(shared)
    points = [
        json.dumps({"uuid": name, "name": name}, separators=(",", ":")) + "\n" for name in ("one", "two", "three")
    ]
    shared.write_text("".join(points))
    assert past("four") == str(shared)
    again = Path(past("two"))
    assert again.read_text() == points[0]
    assert again.parent == tmp_path
    assert shared.read_text() == "".join(points)
