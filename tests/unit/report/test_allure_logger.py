"""What is written of an Allure result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from allure_commons import model2
from allure_commons.logger import AllureFileLogger

from harness.report import allure


def test_a_result_is_written_as_allures_own_logger_writes_it(tmp_path: Path) -> None:
    result = model2.TestResult(
        uuid="1",
        name="é",
        labels=[model2.Label("epic", "talkdesk")],
        parameters=[model2.Parameter(name="id", value="", excluded=False)],
        statusDetails=model2.StatusDetails(message="it failed", flaky=False),
        steps=[model2.TestStepResult(name="outer", steps=[model2.TestStepResult(name="inner", start=0, stop=1)])],
    )
    loggers: dict[str, Any] = {"own": allure.FileLogger, "allure's": AllureFileLogger}
    for directory, logger in loggers.items():
        logger(tmp_path / directory).report_result(result)
    (own,), (theirs,) = ((tmp_path / directory).iterdir() for directory in ("own", "allure's"))

    assert own.read_bytes() == theirs.read_bytes()
    assert own.name.endswith("-result.json")
