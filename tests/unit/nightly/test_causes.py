"""Nights are compared by the causes of what did not pass: a new cause or owner is news, a known one
is not.
"""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.errors import MistakeError
from harness.integrations.matrix import Case
from harness.report.acknowledged import FILE, Acknowledgement, read
from harness.report.run import remake
from harness.run.cli.app import application
from tests.unit.conftest import finding
from tests.unit.nightly.conftest import ROWS, Nights

Failing = Callable[[Case, CaseRecorder], tuple[Verdict, str, Any]]

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date()
YESTERDAY = TOMORROW - timedelta(days=2)
WORDS = ("--ticket", "NET-12", "--owner", "Ana Cruz", "--until", str(TOMORROW))


def failing(cause: str, owner: str, title: str) -> Failing:
    """A case that fails for this cause."""

    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str, Any]:
        recorder.raised(finding("answered", Verdict.FAILED))
        named = {"id": cause, "cause": title, "title": title, "owner": owner, "fix": "Mend it."}
        return Verdict.FAILED, title, [{**named, "confidence": "certain"}]

    return play


NO_RTP = failing("no-rtp", "network", "No RTP reaches the caller")
CALLER_ID = failing("caller-id-lost", "trunk", "Caller ID is lost")
SAME_FOR_ANOTHER = failing("no-rtp", "trunk", "No RTP reaches the caller")


def acknowledge(reports: Path, *more: str) -> Any:
    return CliRunner().invoke(
        application(),
        ["nightly", "acknowledge", "no-rtp", "--reports", str(reports), *WORDS, *more],
    )


def test_acknowledge_command_of_the_page_works_as_it_is_copied(
    nights: Nights, runs: ModuleType
) -> None:
    page = nights.pass_one(code=1, plays={"HOLD": NO_RTP}).page.read_text()
    command = re.search(r"<dt>Acknowledge</dt><dd><code>(.*?)</code>", page)
    assert command is not None
    _, *words = shlex.split(html.unescape(command[1]))
    given = iter(("NET-12", "Ana Cruz", str(TOMORROW)))
    filled = [next(given) if word == "…" else word for word in words]
    done = CliRunner().invoke(application(), filled)
    assert done.exit_code == 0, done.output
    assert [entry.cause for entry in read(nights.reports)] == ["no-rtp"]


def test_new_cause_of_a_row_that_failed_before_is_news(nights: Nights, runs: ModuleType) -> None:
    old = nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    same = nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    new = nights.pass_one(code=1, plays={"HOLD": CALLER_ID})

    assert same.alert is None
    assert new.alert is not None
    assert new.alert.title == (
        "s: 1 new cause (1 case), trunk; 1 gone (1 case): No RTP reaches the caller; 1 in all"
    )
    assert new.alert.kind == "warning"
    for said in (
        "Caller ID is lost",
        "history: new cause",
        "owner: platform administrator (trunk)",
        "fix: Mend it.",
    ):
        assert said in new.alert.body
    assert "Gone:\n- No RTP reaches the caller (1 case)" in new.alert.body
    page = new.page.read_text()
    assert "1 new cause (1 case), trunk" in page

    compared = CliRunner().invoke(
        application(),
        ["compare", *(str(nights.reports / one.night.run) for one in (old, new))],
    )
    assert compared.exit_code == 1, compared.output
    assert "failing for another cause: HOLD" in compared.output
    said = (
        "failed: Caller ID is lost, owner trunk; before: No RTP reaches the caller, owner network"
    )
    assert said in compared.output


def test_new_owner_of_a_known_cause_is_news(nights: Nights) -> None:
    nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    found = nights.pass_one(code=1, plays={"HOLD": SAME_FOR_ANOTHER})

    assert found.alert is not None
    assert "1 new cause (1 case), trunk" in found.alert.title


def test_new_case_of_a_known_cause_is_a_failure(nights: Nights) -> None:
    nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    found = nights.pass_one(code=1, plays=dict.fromkeys(ROWS, NO_RTP))

    assert found.alert is not None
    assert (found.alert.title, found.alert.kind) == (
        "s: 1 new case of a known cause, network; 1 in all",
        "failure",
    )


def test_acknowledged_cause_is_no_news_and_is_shown_as_known_everywhere(nights: Nights) -> None:
    good = nights.pass_one()
    first = nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    assert acknowledge(nights.reports).exit_code == 0
    again = nights.pass_one(code=1, plays=dict.fromkeys(ROWS, NO_RTP))
    known = f"known: NET-12, Ana Cruz, until {TOMORROW}"

    assert first.alert is not None
    assert again.alert is None, "another case of it is no news either"
    run = nights.reports / again.night.run
    said = CliRunner().invoke(application(), ["report", str(run)]).output
    compared = CliRunner().invoke(
        application(), ["compare", str(nights.reports / good.night.run), str(run)]
    )
    assert compared.exit_code == 0, compared.output
    views = [again.page.read_text(), said, compared.output]
    views += [(run / name).read_text() for name in ("report.html", "signoff.html")]
    for view in views:
        assert known in " ".join(view.split())
    assert "NOT ACCEPTED" in (run / "signoff.html").read_text()

    mended = nights.pass_one()
    assert mended.alert is not None
    assert mended.alert.title == "s: 1 gone (2 cases): No RTP reaches the caller; all is well"


def test_expired_acknowledgement_is_news_again(nights: Nights) -> None:
    nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    assert acknowledge(nights.reports).exit_code == 0
    assert nights.pass_one(code=1, plays={"HOLD": NO_RTP}).alert is None
    (path,) = nights.reports.glob(FILE)
    path.write_text(path.read_text().replace(str(TOMORROW), str(YESTERDAY)))
    found = nights.pass_one(code=1, plays={"HOLD": NO_RTP})

    assert found.alert is not None
    assert "1 new cause (1 case), network" in found.alert.title


def test_acknowledgement_is_of_one_deployment_if_it_names_one(nights: Nights) -> None:
    nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    assert acknowledge(nights.reports, "--deployment", "another").exit_code == 0
    found = nights.pass_one(code=1, plays=dict.fromkeys(ROWS, NO_RTP))

    assert found.alert is not None


def test_acknowledgement_needs_a_known_cause_a_ticket_and_a_day_to_come(nights: Nights) -> None:
    nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    wrong = CliRunner().invoke(
        application(),
        ["nightly", "acknowledge", "no-rpt", "--reports", str(nights.reports), *WORDS],
    )
    assert isinstance(wrong.exception, MistakeError)
    assert "no-rpt" in str(wrong.exception)
    assert "no-rtp" in str(wrong.exception)
    past = acknowledge(nights.reports, "--until", str(YESTERDAY))
    assert isinstance(past.exception, MistakeError)
    assert read(nights.reports) == ()


def test_second_acknowledgement_replaces_the_first(nights: Nights) -> None:
    nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    acknowledge(nights.reports)
    acknowledge(nights.reports, "--ticket", 'NET-13 "again" \\ é')
    (entry,) = read(nights.reports)
    assert entry == Acknowledgement(
        cause="no-rtp", ticket='NET-13 "again" \\ é', owner="Ana Cruz", until=TOMORROW
    )


@pytest.mark.parametrize("kept", ["", "[[cause]]\ncause = 1\n"])
def test_unreadable_acknowledgements_cost_a_run_none_of_its_reports(
    nights: Nights, kept: str
) -> None:
    found = nights.pass_one(code=1, plays={"HOLD": NO_RTP})
    (nights.reports / FILE).write_text(kept)
    finished = remake(nights.reports / found.night.run)
    assert finished.report.is_file()
    assert any(FILE in note for note in finished.notes) is bool(kept)


def test_run_with_injected_faults_is_compared_with_its_like_alone(nights: Nights) -> None:
    faulty: dict[str, Any] = {
        "code": 1,
        "plays": {"HOLD": NO_RTP},
        "options": {"fault": ["heavy-loss"]},
    }
    nights.pass_one()
    first = nights.pass_one(**faulty)
    run = nights.reports / first.night.run
    said = CliRunner().invoke(application(), ["report", str(run)]).output
    for view in (said, *((run / name).read_text() for name in ("report.html", "signoff.html"))):
        assert "no earlier run with these faults" in view
        assert "no earlier run to compare with" not in view
    assert "This is the first night with these faults." in first.page.read_text()
    assert nights.pass_one().alert is None, "nothing of the faulty night is gone"
    assert nights.pass_one(**faulty).alert is None, "nor is anything new in its second"


def test_alert_and_page_link_to_where_the_reports_are_served(
    nights: Nights, runs: ModuleType
) -> None:
    served = "https://ci.example.com/reports"
    run = runs.make_run(nights.reports, rows=ROWS, plays={"HOLD": NO_RTP}).directory
    remake(run)
    found = nights.conclude(run.name, code=1, base_url=served)

    report = f"{served}/{run.name}/report.html"
    assert found.alert is not None
    assert f"{report}#cause-no-rtp" in found.alert.body
    page = found.page.read_text()
    assert f'href="{report}"' in page
    assert f'href="{report}#cause-no-rtp' in page


def test_place_of_the_reports_is_a_web_address() -> None:
    file = "scenarios/deployments/simulated-talkdesk.toml"
    refused = CliRunner().invoke(application(), ["nightly", file, "--base-url", "reports"])
    assert isinstance(refused.exception, MistakeError)
    said = "--base-url reports: is no web address; allowed: https://host/path"
    assert str(refused.exception) == said
