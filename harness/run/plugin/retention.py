"""What a process of a run keeps of cases that are over: pytest keeps all their reports, and a night has thousands of cases."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from harness.run.plugin.run import Run, case_id, run_of
from harness.support.memory import FreedMemory


def pytest_configure(config: pytest.Config) -> None:
    """In the controller, and in each worker."""
    if (run := run_of(config)) is not None:
        config.pluginmanager.register(Retention(run, config), "harness-retention")


class Retention:
    """Drops data of finished cases that is not needed any more."""

    def __init__(self, run: Run, config: pytest.Config) -> None:
        self._run, self._config = run, config
        self._freed = FreedMemory()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Of a report that pytest's summary will show, its keywords go, which selected its test, and what a passed case wrote."""
        yield
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is None:
            return
        if hasattr(self._config, "workerinput"):
            reporter.stats.clear()  # the controller shows it
        elif case_id(report.nodeid) in self._run.case_ids:
            report.keywords = {}
            if report.passed:
                report.sections = []
            if self._config.getoption("verbose", 0) <= 0:  # the durations of fixtures are shown only when verbose
                reporter.stats.pop("", None)

    def pytest_runtest_logfinish(self) -> None:
        """Between two cases."""
        self._freed.give_back()
