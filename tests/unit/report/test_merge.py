"""Several runs as one."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MistakeError
from harness.report import scope
from harness.report.merge import merge
from harness.report.run import remake
from harness.report.run_directory import RunEvidence, read_cases, read_planned, write_end
from harness.report.signoff.decision import decide
from tests.unit import conftest as runs

ROWS = ("HOLD", "BUSY")


def at(site: str, **changes: Any) -> Any:
    return runs.live().model_copy(update={"site": site, **changes})


def test_two_sites_keep_their_results(tmp_path: Path) -> None:
    one = runs.make_run(tmp_path, deployment=at("Berlin"), rows=ROWS)
    two = runs.make_run(
        tmp_path,
        deployment=at("Austin"),
        rows=ROWS,
        plays={"HOLD": runs.fails},
        lost=("BUSY",),
    )
    merged = merge([one.directory, two.directory], tmp_path)
    summary = remake(merged).summary

    assert (summary.cases, summary.passed, summary.failed, summary.broken) == (4, 2, 1, 1)
    assert {case.site for case in read_cases(merged)} == {"Berlin", "Austin"}
    assert [name.rpartition(" at ")[2] for name in summary.missing] == ["Austin"]
    found = scope.read(merged)
    assert found is not None
    assert {deployment.site for deployment in found.deployments} == {"Berlin", "Austin"}


def test_the_report_lists_a_case_of_each_deployment_by_its_deployment(tmp_path: Path) -> None:
    """Two customers' files, or two regions', have the same rows and axes."""
    names = ["acme", "umbra"]
    made = [
        runs.hold(tmp_path, deployment=runs.live().model_copy(update={"name": name}))
        for name in names
    ]
    finished = remake(merge([one.directory for one in made], tmp_path))
    config = json.loads((finished.directory / "allurerc.json").read_text())
    assert config["plugins"]["awesome"]["options"]["groupBy"] == [
        "epic",
        "deployment",
        "feature",
        "story",
    ]
    text = finished.report.read_text()
    assert sorted(re.findall(r'<span class="ax">[^<]* · of (\w+)</span>', text)) == names
    assert (
        sorted(re.findall(r'<details class="case"[^>]* data-x-deployment="(\w+)"', text)) == names
    )
    assert re.search(
        r'<select name="deployment" aria-label="deployment">.*<option value="acme">acme</option>',
        text,
    )
    assert "every deployment" not in remake(made[0].directory).report.read_text()


def with_allure(made: Any, command: str = "") -> Path:
    """The run's directory, with Allure results as ``harness verify`` leaves them."""
    planned, end = read_planned(made.directory)
    write_end(
        made.directory,
        planned,
        dataclasses.replace(end, allure_results=made.directory / "allure-results", command=command),
    )
    assert remake(made.directory).evidence.end.allure_results
    return Path(made.directory)


def test_injected_faults_and_the_way_to_run_a_case_again_are_those_of_its_run(
    tmp_path: Path,
) -> None:
    def made(row: str, *faults: str) -> Path:
        found = runs.make_run(
            tmp_path,
            rows=(row,),
            plays={row: runs.fails},
            options={"fault": list(faults), "row": [row]},
        )
        words = [
            "pytest",
            f"--deployment={row.lower()}/example.toml",
            *(f"--fault={fault}" for fault in faults),
        ]
        return with_allure(found, shlex.join(words))

    merged = merge([made("HOLD", "heavy-loss"), made("BUSY", "no-g711")], tmp_path)
    finished = remake(merged)
    text = finished.report.read_text()
    assert "Faults were injected on purpose:</b> heavy-loss, no-g711" in text
    again = sorted(re.findall(r'data-copy="([^"]* verify [^"]*)"', text))
    assert [line.split(" ")[2] for line in again] == ["busy/example.toml", "hold/example.toml"]
    assert [re.findall(r"--fault (\S+)", line) for line in again] == [["no-g711"], ["heavy-loss"]]
    assert (
        "faults.injected=heavy-loss, no-g711"
        in (merged / "allure-results" / "environment.properties").read_text()
    )
    assert json.loads((merged / "summary.json").read_text())["faults"] == ["heavy-loss", "no-g711"]


def test_the_same_run_twice_counts_once(tmp_path: Path) -> None:
    made = runs.make_run(tmp_path, rows=ROWS)
    copy = tmp_path / "copy"
    shutil.copytree(made.directory, copy)
    summary = remake(merge([made.directory, made.directory, copy], tmp_path)).summary

    assert (summary.cases, summary.passed) == (2, 2)
    assert summary.passed_on_retry == []


def test_a_case_run_again_has_two_attempts_and_says_so(tmp_path: Path) -> None:
    first = runs.hold(tmp_path, plays={"HOLD": runs.fails})
    second = runs.hold(tmp_path)
    summary = remake(merge([second.directory, first.directory], tmp_path)).summary

    assert (summary.cases, summary.passed) == (1, 1)
    assert summary.passed_on_retry == [first.cases[0].id]


def test_what_a_later_run_lost_is_not_hidden_by_an_earlier_one_that_had_it(tmp_path: Path) -> None:
    """The other way round the later one fills the gap."""
    whole = runs.make_run(tmp_path, rows=ROWS)
    lossy = runs.make_run(tmp_path, rows=ROWS, lost=("BUSY",))
    for later, first, lost in ((lossy, whole, True), (whole, lossy, False)):
        for made, began in ((first, 1.8e9), (later, 1.8e9 + 86_400)):
            file = made.directory / "scope.json"
            file.write_text(json.dumps(json.loads(file.read_text()) | {"began": began}))
        merged = merge([whole.directory, lossy.directory], tmp_path)
        (case,) = (case["id"] for case in read_planned(merged)[0] if case["row"] == "BUSY")
        said = f"{lossy.directory.name}: {case} was not run"
        assert list(read_planned(merged)[1].broke) == [said] * lost
        assert remake(merged).summary.exit_code == 3 * lost
        assert (
            any(
                said in reason
                for reason in decide(
                    RunEvidence.read(merged), today=datetime.date(2026, 11, 20)
                ).reasons
            )
            is lost
        )


def test_other_deployment_files_are_not_mixed(tmp_path: Path) -> None:
    limits = runs.live().limits.model_copy(update={"calls_per_run": 7})
    made = [
        runs.make_run(tmp_path, rows=ROWS),
        runs.make_run(tmp_path, rows=ROWS, deployment=at("local", limits=limits)),
    ]
    with pytest.raises(MistakeError, match="different deployment files"):
        merge([run.directory for run in made], tmp_path)


def test_options_that_differ_are_told_each_once_and_a_choice_that_one_run_had_not_is_none(
    tmp_path: Path,
) -> None:
    def options_of(*every: Any) -> dict[str, Any]:
        made = [runs.hold(tmp_path, options=options).directory for options in every]
        found = scope.read(merge(made, tmp_path))
        assert found is not None
        return dict(found.options)

    every = [
        {"timings": timings, "no_manual": timings == "quick"}
        for timings in ("quick", "documented", "quick")
    ]
    assert (
        options_of(*every).items()
        >= {"timings": "quick, documented", "no_manual": "yes, no"}.items()
    )
    assert options_of({"keyword": "udp"}, {"keyword": ""}, {"keyword": "udp"})["keyword"] == ""
    assert (
        options_of({"keyword": "udp"}, {"keyword": "tcp and ip"})["keyword"] == "udp or tcp and ip"
    )
    assert options_of({"keyword": "udp"}, {"keyword": "udp"})["keyword"] == "udp"
    # the part of a fleet's run that no site ran, or a run of another version, has put down fewer
    fewer = options_of(
        {"require": ["BUSY"], "ai": ["stand-in"], "live": True, "keyword": "udp"}, {}
    )
    assert {name: fewer[name] for name in ("require", "ai", "live", "keyword")} == {
        "require": ["BUSY"], "ai": [], "live": True, "keyword": "",
    }  # fmt: skip


def test_what_either_of_two_sites_ran_was_run(tmp_path: Path) -> None:
    """As the sign-off counts it: a deployment's rows may be shared out among sites, and each then
    lacks the other's.
    """
    made = [
        runs.make_run(
            tmp_path, deployment=at(site, require=("HOLD", "BUSY")), rows=(row,)
        ).directory
        for site, row in (("Austin", "HOLD"), ("Berlin", "BUSY"))
    ]
    summary = remake(merge(made, tmp_path)).summary
    assert summary.required_missing == []
    assert summary.exit_code == 0
    left_out = [left["row"] for left in summary.left_out]
    assert not {"HOLD", "BUSY"}.intersection(left_out)
    assert "KEEPALIVE" in left_out
    assert len(left_out) == len(set(left_out)), "nor is a row that neither ran told twice"
