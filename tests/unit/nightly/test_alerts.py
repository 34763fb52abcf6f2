"""Flake rates, alerts and metrics."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from typer.testing import CliRunner
from typer.testing import Result as Ended

from harness.case.verdict import Verdict
from harness.errors import BrokenError, MistakeError, ResourceError
from harness.report import history
from harness.report.history import Night, Problem, Result, Run
from harness.report.nightly import alerts, metrics, night
from harness.report.nightly.alerts import Alert, AlertCause, alert_of
from harness.report.nightly.problems import Bound, news_of
from harness.report.standing import FlakeRate, rates, wilson
from harness.run.cli.app import application
from tests.receiver import Receiver


def run(verdict: str, attempts: int = 1) -> Run:
    results = (Result("A[x]", "talkdesk", "A", Verdict(verdict), attempts, 1.0),)
    return Run("r", 1.0, "d", "local", "k", (), "", results, {"A": {"answer_s": 0.5}})


def problems(*names: str) -> tuple[Problem, ...]:
    return tuple(map(Problem, names))


class TestFlakes:
    @pytest.mark.parametrize(
        ("hits", "trials", "low", "high"),
        [
            (0, 10, 0.0, 0.2775),
            (5, 10, 0.2366, 0.7634),
            (10, 10, 0.7225, 1.0),
            (1, 30, 0.0059, 0.1667),
        ],
    )
    def test_the_interval_is_wilsons(self, hits: int, trials: int, low: float, high: float) -> None:
        assert wilson(hits, trials) == pytest.approx((low, high), abs=1e-4)

    def test_passed_on_retry_and_failed_between_two_good_nights_are_flaky(self) -> None:
        (found,) = rates([run("passed"), run("failed"), run("passed", 2), run("passed")])
        assert (found.flaky, found.nights) == (2, 4)


@pytest.mark.filterwarnings(
    "ignore:'imghdr' is deprecated"
)  # Apprise's own, on Python 3.11 and 3.12
class TestAlerts:
    def test_new_problems_of_one_cause_are_one_thing_to_mend(self) -> None:
        every = problems(*map(str, range(12)))
        cause = AlertCause(
            headline="Transfer fails",
            problems=every,
            fix="Allow it.",
            owner="trunk",
            explain="harness explain run 1",
        )
        now = (*every, *problems("another"))
        news = news_of(every[:1], now, ())
        known = AlertCause(headline="Known", problems=every[:1])
        found = alert_of("s", news, now, "x", [cause, known])
        assert found is not None
        assert found.body == (
            "New:\n- Transfer fails\n  fix: Allow it.\n  owner: trunk\n  why: harness explain run 1\n  1\n  2\n  3\n"
            "  and 8 more\n- another\n\nx"
        )

    @given(st.data())
    def test_every_problem_is_told_once(self, data: st.DataObject) -> None:
        names = st.sampled_from(
            [f"{row}[{at}]" for row in ("HOLD", "A: B") for at in ("x", "y: passed")]
        )
        nights = st.dictionaries(names, st.sampled_from(list(Verdict)))
        then, now = data.draw(nights), data.draw(nights)
        problems = [
            [
                Problem(case, str(verdict))
                for case, verdict in night.items()
                if verdict is not Verdict.PASSED
            ]
            for night in (then, now)
        ]
        verified = {
            case for case, verdict in now.items() if verdict in (Verdict.PASSED, Verdict.FAILED)
        }
        news = news_of(problems[0], problems[1], verified)
        assert {*news.new, *(set(problems[0]) & set(problems[1]))} == set(problems[1])
        assert {*news.gone, *news.unverified, *(set(problems[0]) & set(problems[1]))} == set(
            problems[0]
        )
        assert not set(news.gone) & set(news.unverified)
        assert {problem.what for problem in news.gone} == {
            case
            for case, verdict in then.items()
            if case in verified and verdict not in (Verdict.PASSED, now[case])
        }

    def test_one_that_is_not_taken_is_said_without_its_address(self, receiver: Receiver) -> None:
        receiver.code = 500
        with pytest.raises(BrokenError, match="could not be sent") as raised:
            alerts.send(Alert("t", "b"), [f"json://user:secret@127.0.0.1:{receiver.port}/"])
        assert "secret" not in str(raised.value)

    def test_an_address_that_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(MistakeError, match="address 1 is none"):
            alerts.send(Alert("t", "b"), ["nosuch"])
        monkeypatch.setenv(alerts.VARIABLE, "json://127.0.0.1:9/ slak://token")
        with pytest.raises(
            MistakeError, match="address 2 is none"
        ):  # before the night, not when there is something to tell
            alerts.addresses()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_what_the_wire_said_is_text_where_html_is_sent(receiver: Receiver) -> None:
    body = '486 <a href="http://192.0.2.1/">Log in</a> & <img src=x>'
    alerts.send(Alert("t", body), [f"json://127.0.0.1:{receiver.port}/?format=html"])
    sent = json.loads(receiver.requests[0][2])["message"]
    assert "<" not in sent
    assert "&lt;img" in sent


Pass = Callable[[], tuple[object, list[str]]]


@pytest.fixture
def pass_one(
    tmp_path: Path, runs: ModuleType, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Pass:
    """A night by the command line, in which HOLD fails after the first one: what ended it, and the
    titles of its alerts.
    """
    monkeypatch.setenv(alerts.VARIABLE, f"json://127.0.0.1:{receiver.port}/")

    def one_night(
        files: object, reports: Path, *, series: str, bound: Sequence[Bound], **more: object
    ) -> object:
        made = runs.make_run(reports, rows=("HOLD",), plays={"HOLD": runs.fails} if nights else {})
        nights.append(made.directory.name)
        code = int(len(nights) > 1)
        return night.conclude(
            night.Verification(
                reports=reports,
                series=series,
                bound=bound,
                began=time.time(),
                run=nights[-1],
                code=code,
            )
        )

    def pass_one() -> tuple[object, list[str]]:
        receiver.requests.clear()
        file = str(Path("scenarios/deployments/simulated-talkdesk.toml").absolute())
        arguments = [
            "--reports",
            str(tmp_path),
            "--name",
            "s",
            "--metrics",
            str(tmp_path / "m.prom"),
        ]
        ended = CliRunner().invoke(application(), ["nightly", file, *arguments])
        return ended.exception, [json.loads(body)["title"] for _, _, body in receiver.requests]

    nights: list[str] = []
    monkeypatch.setattr(night, "one_night", one_night)
    return pass_one


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_what_could_not_be_told_is_told_the_next_night(
    tmp_path: Path, receiver: Receiver, pass_one: Pass
) -> None:
    """Of what goes on nothing is told later: nobody would ever have heard of it."""
    assert pass_one()[1] == []
    receiver.code = 500
    (tmp_path / "m.prom").unlink()
    error, _ = pass_one()
    assert isinstance(error, BrokenError)
    assert (tmp_path / "m.prom").is_file(), "who is not told by a chat may see it there"
    receiver.code = 200
    assert pass_one()[1] == ["s: 1 new cause (1 case); 1 in all"]
    assert pass_one()[1] == []


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
class TestUnrecordedNights:
    @pytest.fixture(autouse=True)
    def verified(self, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(alerts.VARIABLE, f"json://user:secret@127.0.0.1:{receiver.port}/")
        monkeypatch.setattr(night, "_verify", lambda command: (0, ()))
        (tmp_path / history.FILE).mkdir()

    def nightly(self, reports: Path, *more: str) -> Ended:
        file = str(Path("scenarios/deployments/simulated-talkdesk.toml").absolute())
        return CliRunner().invoke(
            application(), ["nightly", file, "--reports", str(reports), "--name", "s", *more]
        )

    @pytest.mark.parametrize(
        ("more", "title"),
        [
            ((), "s: the night could not be recorded"),
            (("--check-fresh", "26"), "s: it is unknown when a night last ended"),
        ],
    )
    def test_one_is_told(
        self, tmp_path: Path, receiver: Receiver, more: Sequence[str], title: str
    ) -> None:
        """Without its history no later night would alert, either."""
        ended = self.nightly(tmp_path, *more)
        assert isinstance(ended.exception, ResourceError)
        ((_, _, body),) = receiver.requests
        sent = json.loads(body)
        assert (sent["title"], sent["type"]) == (title, "failure")
        assert sent["message"] == str(ended.exception)


class TestMetrics:
    @pytest.fixture
    def registry(self) -> object:
        night = Night(series="s", began=1.0, ended=2.0, code=1, run="r", problems=problems("a"))
        return metrics.registry_of(night, [run("failed")], [FlakeRate("A[x]", "A", 1, 10)])

    def test_the_file_is_openmetrics_and_another_users_collector_reads_it(
        self, registry: object, tmp_path: Path
    ) -> None:
        """As node_exporter does; whatever else the harness writes is its owner's alone."""
        before = os.umask(0o077)
        try:
            metrics.write(tmp_path / "m.prom", registry)
        finally:
            os.umask(before)
        assert (tmp_path / "m.prom").stat().st_mode & 0o777 == 0o644
        parsed = text_string_to_metric_families((tmp_path / "m.prom").read_text())  # type: ignore[no-untyped-call]
        families = {family.name: family for family in parsed}
        samples = {
            (s.name, s.labels.get("verdict") or s.labels.get("row")): s.value
            for f in families.values()
            for s in f.samples
        }

        assert samples["call_verification_cases", "failed"] == 1
        assert samples["call_verification_row_passed", "A"] == 0
        assert samples["call_verification_kpi", "A"] == 0.5
        assert samples["call_verification_flake_rate", None] == 0.1

    def test_they_are_pushed(self, registry: object, receiver: Receiver) -> None:
        metrics.push(f"http://127.0.0.1:{receiver.port}", registry, "s")

        method, path, body = receiver.requests[0]
        assert (method, path) == ("PUT", "/metrics/job/call_verification/series/s")
        assert b"call_verification_night_problems" in body


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found
