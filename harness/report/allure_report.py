"""What lies beside Allure's results, and the report that Allure 3 makes of them."""

from __future__ import annotations

import functools
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.calls.verdict import Verdict
from harness.report.markup import printable
from harness.support.files import user_files, whole_file

CONFIG, GATE = "allurerc.json", "allurerc-gate.json"
REPORT, _HISTORY = "allure-report", "allure-history.jsonl"
_ENVIRONMENT, _EXECUTOR, _METRICS = "environment.properties", "executor.json", "-perf.json"


def write_environment(results: Path, values: Mapping[str, object]) -> None:
    """Write ``environment.properties``, which every Allure report shows on its first page."""
    lines = [
        f"{_property(name).replace(' ', '.')}={_property(str(value))}" for name, value in values.items() if value != ""
    ]
    whole_file.write(results / _ENVIRONMENT, "\n".join(lines) + "\n")


def _property(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", printable(text)).replace("\\", "\\\\")


@functools.cache
def categories() -> list[dict[str, Any]]:
    """The categories of cases that did not pass, in the form of Allure 3's configuration (it ignores ``categories.json``).

    Tests of a project's own have no verdict: what they find speaks neither against the system under test nor against the harness.
    """
    return [
        {
            "name": "Not observable: nobody could look",
            "matchers": [{"statuses": ["failed"], "labels": {"verdict": str(Verdict.NOT_OBSERVABLE)}}],
            "groupBy": [{"label": "feature"}],
        },
        {
            "name": "The harness or its surroundings broke",
            "matchers": [{"statuses": ["broken"], "labels": {"verdict": str(Verdict.BROKEN)}}],
            "groupByMessage": True,
        },
        {
            "name": "The system under test failed",
            "matchers": [{"statuses": ["failed"], "labels": {"verdict": str(Verdict.FAILED)}}],
            "groupBy": [{"label": "issue"}, {"label": "cause"}],
        },
    ]


def write_executor(results: Path, run: str) -> None:
    """Write ``executor.json``: who made the results."""
    plain = {"name": "call verification harness", "type": "local", "buildName": run, "reportName": run}
    whole_file.write(results / _EXECUTOR, json.dumps(plain))


def write_metrics(results: Path, metrics: Sequence[Mapping[str, object]]) -> None:
    """Write the run's figures where Allure's Metrics tab finds them; none without figures."""
    if metrics:
        whole_file.write(results / f"{metrics[0]['run']}{_METRICS}", json.dumps(list(metrics), indent=1))


def history_of(reports: Path, deployments: Iterable[str], faults: Iterable[str], *, is_merged: bool = False) -> Path:
    """The history that a run belongs to: that of its deployments, and of the faults that were put into them.

    A run made of several has another, since each of these is in the first.
    """
    names = [*sorted(deployments), *sorted(faults), *(["merged"] if is_merged else [])]
    name = re.sub(r"[^\w.@+-]+", "_", "+".join(names))
    return reports / f"allure-history-{name[:120]}.jsonl"


def write_config(directory: Path, *, name: str, cases: int, history: Path | None, places: Sequence[str] = ()) -> Path:
    """Write ``allurerc.json`` for Allure 3: how the report groups, its categories, and a gate that lets nothing through.

    ``places`` are the labels by which cases have to be told apart that have the same row and axes: deployment, site.
    Beside it, :data:`GATE` is for ``allure quality-gate``, which would add a point to the history otherwise.
    """
    found: dict[str, Any] = {
        "name": name,
        "output": "./allure-report",
        "plugins": {
            "awesome": {
                "options": {
                    "reportName": name,
                    "groupBy": ["epic", *places, "feature", "story"],
                    "reportLanguage": "en",
                }
            }
        },
        "categories": {"rules": categories()},
        "qualityGate": {"rules": [{"maxFailures": 0, "minTestsCount": cases}]},
    }
    if history is not None:
        found |= {"historyPath": str(_history_before(history, name, directory)), "historyLimit": 50}
    path = directory / CONFIG
    whole_file.write(path, json.dumps(found, indent=1) + "\n")
    whole_file.write(directory / GATE, json.dumps(found | {"appendHistory": False}, indent=1) + "\n")
    return path


def _history_before(history: Path, name: str, directory: Path) -> Path:
    """The history, to which Allure adds the report of that name; where it has that report already, a copy of what was before it.

    A report that is made again is no further run, and those after it are none of its past.
    """
    lines = (
        user_files.read_text(history, user_files.EVIDENCE, "replace").splitlines(keepends=True)
        if history.is_file()
        else []
    )
    said = f'"name":{json.dumps(name)}'
    before = list(itertools.takewhile(lambda line: said not in line, lines))
    if len(before) == len(lines):
        return history
    copy = directory / _HISTORY
    whole_file.write(copy, "".join(before))
    return copy


def command(directory: Path, results: Path) -> list[str]:
    """How to make the report by hand, in a place with Node.js."""
    config, report = str(directory / CONFIG), str(directory / REPORT)  # else it goes where the command is run
    return ["npx", "allure@3", "generate", "--config", config, "--output", report, str(results)]


def generate(directory: Path, results: Path, within: float = 120.0) -> Path | None:
    """Make the report if an ``allure`` of version 3 is on PATH; returns its first page, None when there is no such.

    Raises :class:`subprocess.SubprocessError` when Allure fails or takes longer than ``within`` seconds.
    """
    program = shutil.which("allure")
    if program is None:
        return None
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=within, check=False)
    if version.returncode or not version.stdout.strip().startswith("3."):
        return None
    # of an earlier report Allure leaves the page where it is, and puts the new one below it
    shutil.rmtree(directory / REPORT, ignore_errors=True)
    subprocess.run(
        [program, *command(directory, results)[2:]],
        capture_output=True,
        text=True,
        timeout=within,
        check=True,
        cwd=directory,
    )
    page = directory / REPORT / "index.html"
    if not page.is_file():
        return None
    whole_file.write(page, _untracked(user_files.read_text(page, user_files.EVIDENCE)))
    return page


def _untracked(page: str) -> str:
    """Allure's page without its request to googletagmanager.com, and without what would be sent there."""
    scripts = re.compile(r"[ \t]*<script\b[^>]*>(?:(?!</script>).)*</script>\n?", re.DOTALL)
    return scripts.sub(lambda found: "" if re.search(r"googletagmanager|\bgtag\(", found[0]) else found[0], page)
