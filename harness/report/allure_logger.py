"""What allure-pytest keeps and writes of running tests, cut down to cases that ended."""

from __future__ import annotations

import json
import uuid
from typing import Any

import allure_commons
from allure_commons.logger import AllureFileLogger
from allure_commons.reporter import AllureReporter
from allure_pytest.listener import AllureListener

from harness.support.files import whole_file


class FileLogger(AllureFileLogger):
    """Writes what its base does, in C and at once: that makes dictionaries of all first, and encodes piece by piece in Python."""

    def _report_item(self, item: Any) -> None:
        name = item.file_pattern.format(prefix=uuid.uuid4())
        whole_file.write(self._report_dir / name, json.dumps(item, default=fields_of, ensure_ascii=False))


def fields_of(item: Any) -> dict[str, Any]:
    """What is said of one of allure_commons' objects."""
    return {name: value for name, value in vars(item).items() if value or value is False}


class CaseReporter(AllureReporter):
    """What allure-pytest keeps of running tests, without what is no case's result.

    Fixtures of cases alone are pytest's affair, and would stand before a case's own steps. A test that was interrupted, or that
    never began, is written as passed once its setup has passed, or as skipped: of a case the evidence says how it ended
    (``write_lost`` and ``write_missing`` of :mod:`harness.report.allure`).
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cases: set[str] = set()  #: ids of results
        self.completed: set[str] = set()  #: of these, the ones filled from their evidence

    def close_test(self, uuid: str) -> None:
        """A test is over: its result is written, unless it never began or is of a case that never ended."""
        kept: Any = super()  # allure_commons is not typed
        if not kept.get_item(uuid).fullName or uuid in self.cases - self.completed:
            kept.drop_test(uuid)
        else:
            kept.close_test(uuid)

    def stop_group(self, uuid: str, **kwargs: object) -> None:
        """A fixture's container is complete: it is written when a test that is no case had it, too."""
        kept: Any = super()  # allure_commons is not typed
        if self.cases.issuperset(kept.get_item(uuid).children):
            kept.drop_test(uuid)  # any item of that id
        else:
            kept.stop_group(uuid, **kwargs)


def write_cases_only() -> None:
    """From now on no fixtures of cases are written, and no case without its end. To be called before the first test begins."""
    if (listener := allure_listener()) is not None:
        listener.allure_logger = CaseReporter()
        for plugin in allure_commons.plugin_manager.get_plugins():
            if type(plugin) is AllureFileLogger:
                plugin.__class__ = FileLogger  # which allure-pytest goes on to know, and takes out again


def begin_case() -> None:
    """The test that runs now is a case. To be called before its first fixture."""
    listener = allure_listener()
    if listener is not None and (result := listener.allure_logger.get_test(None)) is not None:
        listener.allure_logger.cases.add(result.uuid)


def allure_listener() -> Any:
    """allure-pytest's, of this process; None where no results are asked for."""
    return next((p for p in allure_commons.plugin_manager.get_plugins() if isinstance(p, AllureListener)), None)
