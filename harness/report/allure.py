"""A case's evidence as an Allure result.

While a test runs, allure-pytest keeps its result; :func:`complete`, called from a fixture's finaliser, fills it from the
evidence. A case whose worker died has no such result (allure-python #825), so :func:`write_lost` writes one, of the same
making. Attachments made with ``allure.attach`` in a finaliser would land under "tear down", and parameters set with
``allure.dynamic`` would be quoted; the result itself is filled instead.

The verdict "not observable" is Allure's ``failed`` with a category, a tag and a first line of its own. Allure's ``unknown`` and
``skipped`` are left out of its success rate and of its quality gate (allure 3.18, core-api/constants.js): a run in which
nothing could be observed would read "100 %".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import allure_commons
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import (
    Attachment,
    Label,
    Link,
    Parameter,
    Status,
    StatusDetails,
    TestResult,
    TestStepResult,
)
from allure_commons.reporter import AllureReporter
from allure_commons.types import LabelType, LinkType, ParameterMode, Severity
from allure_commons.utils import md5
from allure_pytest.listener import AllureListener
from markupsafe import Markup

from harness.calls.verdict import NEVER_REPORTED, Verdict, overall
from harness.report import ladder, pcap, tables, timeline
from harness.report.case_page import player_of
from harness.report.coverage import labels
from harness.report.evidence import CaseEvidence, Step
from harness.report.hearing import COLUMNS, figures, hearings
from harness.report.markup import printable, render, said_besides, seen_of
from harness.support.files import json_file, whole_file
from harness.support.mask import mask_text

#: The labels that tie a result to its case's directory, and to its run: the directories of each run have the same names.
EVIDENCE_LABEL, RUN_LABEL = "evidence", "run"


#: Labels that say how a case ended, and the tag of a case that was not observable.
_OF_A_CAUSE = ("cause", "issue", "owner")


_OF_THE_VERDICT = ("verdict", "strength", *_OF_A_CAUSE)


_UNSEEN = Label(LabelType.TAG, str(Verdict.NOT_OBSERVABLE))


_STATUS = {
    Verdict.PASSED: Status.PASSED,
    Verdict.FAILED: Status.FAILED,
    Verdict.NOT_OBSERVABLE: Status.FAILED,
    Verdict.BROKEN: Status.BROKEN,
}


@dataclass(frozen=True)
class _Attacher:
    sink: Any  #: allure-pytest's hooks, or its file logger
    to: list[Any]

    def data(self, name: str, body: str | bytes, mime: str, extension: str) -> None:
        if isinstance(body, str):
            body = body.encode("utf-8", "replace")
        file_name = f"{uuid.uuid4()}-attachment.{extension}"
        self.sink.report_attached_data(body=body, file_name=file_name)
        self.to.append(Attachment(source=file_name, name=name, type=mime))

    def file(self, name: str, path: Path, mime: str) -> None:
        file_name = f"{uuid.uuid4()}-attachment{path.suffix}"
        self.sink.report_attached_file(source=str(path), file_name=file_name)
        self.to.append(Attachment(source=file_name, name=name, type=mime))


def complete(evidence: CaseEvidence) -> bool:
    """Fill the result of the test that is running now. False, at no cost, when no Allure results are asked for.

    To be called in a fixture's finaliser, after the test's own outcome is known to Allure.
    """
    listener = allure_listener()
    result = listener.allure_logger.get_test(None) if listener else None
    if result is None:
        return False
    # pytest's own parameter is an object whose repr would change the history's id from run to run
    result.parameters = []
    details = result.statusDetails
    _fill(result, evidence, allure_commons.plugin_manager.hook, trace=details.trace if details else None)
    if isinstance(listener.allure_logger, CaseReporter):
        listener.allure_logger.completed.add(result.uuid)
    return True


def amend(evidence: CaseEvidence) -> None:
    """Have the result that :func:`complete` has filled say how its case ended after all: something went wrong since."""
    listener = allure_listener()
    result = listener.allure_logger.get_test(None) if listener else None
    if result is not None:
        result.labels = [one for one in result.labels if one.name not in _OF_THE_VERDICT and one != _UNSEEN]
        _judge(result, evidence, trace=None)


def write_lost(evidence: CaseEvidence, results: Path) -> None:
    """Write the result of a case that Allure never heard of, into a directory of results."""
    logger = _logger(results)
    result = _new(evidence.case)
    _fill(result, evidence, logger, trace=None)
    _identify(result, evidence.case)
    logger.report_result(result)


def write_missing(case: Mapping[str, object], directory: str, results: Path, at: float) -> None:
    """Write a broken result for a planned case that left nothing behind, not even the ``directory`` of that name.

    ``at`` is in seconds since the epoch.
    """
    logger = _logger(results)
    result = _new(case)
    _describe(result, case, _axes(case), "")
    result.labels += [Label(EVIDENCE_LABEL, directory), Label("verdict", str(NEVER_REPORTED.verdict))]
    result.status = _STATUS[NEVER_REPORTED.verdict]
    result.statusDetails = StatusDetails(message=NEVER_REPORTED.first_line())
    result.start = result.stop = round(at * 1000)
    _identify(result, case)
    logger.report_result(result)


def overrule(result: Path, last: CaseEvidence, counting: CaseEvidence) -> None:
    """Have the result of a case's last attempt say how the case ended, for an earlier one that counts: Allure counts the last."""
    plain = json_file.read(result)
    kept = [label for label in plain["labels"] if label["name"] not in _OF_THE_VERDICT and label != fields_of(_UNSEEN)]
    plain["labels"] = [*kept, *map(fields_of, _verdict_labels(counting))]
    plain["status"] = _STATUS[counting.verdict]
    earlier = f"Attempt {counting.attempt}, which counts, {counting.verdict}: {_message(counting)}"
    plain["statusDetails"] = {"message": f"{earlier}\n\nThis attempt, {last.verdict}: {_message(last)}"}
    whole_file.write(result, json.dumps(plain, ensure_ascii=False))


def _logger(results: Path) -> Any:
    return FileLogger(results)  # type: ignore[no-untyped-call]  # allure_commons is not typed


def _new(case: Mapping[str, object]) -> TestResult:
    # allure-pytest's name for a test: its package, and its function (allure_full_name)
    path, _, function = str(case.get("nodeid") or f"scenarios.py::{case.get('row', '')}").partition("::")
    package = path.removesuffix(".py").replace("/", ".")
    name = function.replace("::", ".").partition("[")[0]
    return TestResult(uuid=str(uuid.uuid4()), fullName=f"{package}#{name}")


def _identify(result: TestResult, case: Mapping[str, object]) -> None:
    """The ids by which Allure finds a test's history, as allure-pytest makes them."""
    ordered = sorted(result.parameters, key=lambda parameter: parameter.name)
    result.testCaseId = md5(result.fullName)  # type: ignore[no-untyped-call]  # allure_commons is not typed
    result.historyId = md5(result.fullName, *(p.value for p in ordered))  # type: ignore[no-untyped-call]


def _axes(case: Mapping[str, object]) -> dict[str, str]:
    axes = case.get("axes")
    return {str(k): str(v) for k, v in axes.items()} if isinstance(axes, Mapping) else {}


def _describe(result: TestResult, case: Mapping[str, object], axes: Mapping[str, str], shown: str) -> None:
    """Title, description, labels, parameters, link. ``shown`` are the axes as the name has them, once the case has run.

    Parameters stay what was planned: the history's ids are made of them.
    """
    row, integration = str(case.get("row", "")), str(case.get("integration", ""))
    story = shown or " · ".join(axes.values())
    result.name = printable(f"{case.get('title') or row}" + (f" [{story}]" if story else ""))
    source = str(case.get("source", ""))
    result.description = printable(str(case.get("description") or ""))
    # Plain strings, each of them: history ids are made of their repr. `site` keeps two sites' equal cases apart, which
    # Allure would take for a retry of each other.
    plain = {
        "site": case.get("site") or "local",
        "deployment": case.get("deployment") or "",
        "row": row,
        **axes,
    }
    result.parameters += [Parameter(name=name, value=printable(str(value))) for name, value in plain.items()]
    # what tells two numbers apart that look the same masked; no name of a parameter of pytest's, whose value would be taken
    result.parameters.append(Parameter(name="id", value=str(case.get("id", "")), mode=ParameterMode.HIDDEN.value))
    labels = {
        LabelType.EPIC: integration,
        LabelType.FEATURE: row,
        LabelType.STORY: story or row,
        LabelType.SEVERITY: (Severity.CRITICAL if source.startswith("guide") else Severity.NORMAL).value,
        LabelType.PARENT_SUITE: integration,
        LabelType.SUITE: row,
        "source": source,
        "case": str(case.get("id", "")),
        "deployment": str(case.get("deployment") or ""),
        "site": str(case.get("site") or "local"),
        RUN_LABEL: str(case.get("run") or ""),
    }
    result.labels += [Label(name, printable(value)) for name, value in labels.items() if value]
    if case.get("link"):
        result.links.append(Link(LinkType.LINK, str(case["link"]), source or "guide"))


def _fill(result: TestResult, evidence: CaseEvidence, sink: Any, trace: str | None) -> None:
    _describe(result, evidence.case, evidence.axes, " · ".join(labels(evidence).values()))
    result.labels.append(Label(EVIDENCE_LABEL, evidence.directory.name))
    _judge(result, evidence, trace)
    if evidence.attempt > 1:
        result.labels.append(Label(LabelType.TAG, f"attempt {evidence.attempt}"))
    if evidence.diagnosis:
        result.description += "\n\n" + _diagnosis_text(evidence)
    # pytest's times are of its function
    result.start, result.stop = _ms(evidence, evidence.began), _ms(evidence, evidence.ended)
    result.steps = [_step(evidence, step) for step in evidence.steps]
    if evidence.findings:
        result.steps.append(_findings_step(evidence))
    _attach(_Attacher(sink, result.attachments), evidence)


def _judge(result: TestResult, evidence: CaseEvidence, trace: str | None) -> None:
    """Status, its labels, and why."""
    result.labels += _verdict_labels(evidence)
    result.status = _STATUS[evidence.verdict]
    if evidence.verdict is not Verdict.PASSED:
        result.statusDetails = StatusDetails(message=_message(evidence), trace=_trace(evidence, trace))


def _verdict_labels(evidence: CaseEvidence) -> list[Label]:
    """How a case ended, how strongly that is known, and why: by these the categories group."""
    named: dict[str, object] = {"verdict": evidence.verdict}
    if evidence.strength is not None:
        named["strength"] = evidence.strength.name.lower()
    if evidence.diagnosis:
        named |= {key: evidence.diagnosis[0].get(key) for key in _OF_A_CAUSE}
    found = [Label(key, printable(str(value))) for key, value in named.items() if value]
    return [*found, _UNSEEN] if evidence.verdict is Verdict.NOT_OBSERVABLE else found


def _message(evidence: CaseEvidence) -> str:
    """What Allure shows of a failure: its cause, what to do, whose it is, then each finding's expected and seen."""
    likeliest = evidence.diagnosis[0] if evidence.diagnosis else {}
    parts = [evidence.headline]
    parts += [f"{key.capitalize()}: {likeliest[key]}" for key in ("fix", "owner") if likeliest.get(key)]
    parts += map(said_besides, evidence.causes_besides)
    for finding in evidence.findings:
        if finding.verdict is evidence.verdict and not finding.dispensable:
            said, words = seen_of(finding)
            named = {"expected:": finding.expected, said.removesuffix(":") + ":": words}
            lines = [f"  {name:<9} {text}" for name, text in named.items()]
            parts.append("\n".join([f"{finding.check} of {finding.subject}", *lines]))
    if not any(finding.verdict is evidence.verdict for finding in evidence.findings):
        parts.append(evidence.message)
    return printable("\n".join(dict.fromkeys(parts)))  # a finding that was made twice is told once


def _trace(evidence: CaseEvidence, trace: str | None) -> str | None:
    """Where the harness broke; a finding about the system under test has no place in the harness's code."""
    if evidence.verdict is not Verdict.BROKEN or trace is None:
        return None
    return mask_text(trace) if evidence.case.get("mask") else trace


def _attach(attach: _Attacher, evidence: CaseEvidence) -> None:
    if evidence.diagnosis:
        attach.data("Diagnosis", _diagnosis_text(evidence), "text/markdown", "md")
    if evidence.messages:
        attach.data("Ladder as text", ladder.text(evidence), "text/plain", "txt")
    if evidence.verdict is not Verdict.PASSED:
        _attach_media(attach, evidence)
    for leg in dict.fromkeys(message.event.leg or message.event.phone for message in evidence.messages):
        attach.data(f"SIP of {leg}", printable(tables.messages_text(evidence, leg)), "text/plain", "txt")
    if evidence.findings:
        attach.data("Findings", tables.to_csv(tables.findings(evidence)), "text/csv", "csv")
    if evidence.statistics:
        attach.data("RTP statistics", tables.to_csv(tables.rtp(evidence)), "text/csv", "csv")
    for attachment in evidence.attachments:
        if attachment.path.is_file():
            attach.file(attachment.name, attachment.path, attachment.mime)
    if evidence.notes:
        notes = "".join(f"{note.at - evidence.began:8.3f} s  {note.text}\n" for note in evidence.notes)
        attach.data("Notes", printable(notes), "text/plain", "txt")


def _attach_media(attach: _Attacher, evidence: CaseEvidence) -> None:
    """Pictures, sound and packets: they cost more than all the rest, and are looked at where something went wrong."""
    if evidence.messages:
        attach.data("Ladder", _ladder(evidence), "text/html", "html")
        attach.file("Capture", pcap.capture(evidence), "application/vnd.tcpdump.pcap")
    if evidence.legs:
        attach.data("Marks heard", timeline.svg(evidence), "image/svg+xml", "svg")
    if evidence.recordings:
        attach.data("Seen and heard", _listen(evidence), "text/html", "html")
    for recording in evidence.recordings:
        for what, path in (("received by", recording.received), ("sent by", recording.sent)):
            if path:
                attach.file(f"WAV {what} {recording.leg}", path, "audio/wav")


def _listen(evidence: CaseEvidence) -> str:
    """A page with what each leg received; what it sent is what another leg, or the far end, received."""
    heard = hearings(evidence)
    return render(
        "listen.html.j2",
        timeline=Markup(timeline.svg(evidence, heard)),
        players=[player_of(hearing, evidence) for hearing in heard],
        quality=figures(evidence),
        columns=COLUMNS,
    )


def _ladder(evidence: CaseEvidence) -> str:
    """The ladder in a page of its own: Allure scales pictures to its column, which makes a ladder unreadable."""
    picture = Markup(ladder.svg(evidence))
    return render("picture.html.j2", title="Ladder", picture=picture)


def _step(evidence: CaseEvidence, step: Step) -> TestStepResult:
    result = TestStepResult(
        name=printable(step.title),
        status=_STATUS[step.verdict(evidence.findings)],
        start=_ms(evidence, step.began),
        stop=_ms(evidence, step.ended if step.ended is not None else evidence.ended),
    )
    if step.error is not None:
        result.statusDetails = StatusDetails(message=printable(step.error))
    result.steps = [_step(evidence, inner) for inner in step.steps]
    return result


def _findings_step(evidence: CaseEvidence) -> TestStepResult:
    first, last = evidence.findings[0].at, evidence.findings[-1].at
    result = TestStepResult(
        name="What was checked",
        status=_STATUS[overall(evidence.findings)],
        start=_ms(evidence, first),
        stop=_ms(evidence, last),
    )
    for finding in evidence.findings:
        strength = f" ({finding.strength.name.lower()})" if finding.strength is not None else ""
        where = f" [{', '.join(finding.evidence)}]" if finding.evidence else ""
        result.steps.append(
            TestStepResult(
                name=printable(f"{finding.verdict}: {finding}{strength}{where}"),
                status=_STATUS[finding.verdict],
                start=_ms(evidence, finding.at),
                stop=_ms(evidence, finding.at),
            )
        )
    return result


def _diagnosis_text(evidence: CaseEvidence) -> str:
    parts = []
    for index, cause in enumerate(evidence.diagnosis, start=1):
        name = "Cause" if index == 1 else "Also" if cause in evidence.causes_besides else f"Or, less likely ({index})"
        lead = f"**{name}: {cause.get('cause', '')}**"
        more = [
            f"{title}: {cause[key]}"
            for key, title in (
                ("issue", "Issue in the guide"),
                ("because", "Because"),
                ("fix", "Fix"),
                ("owner", "Owner"),
                ("confidence", "Confidence"),
                ("settles", "What would settle it"),
            )
            if cause.get(key)
        ]
        link = [f"[The guide's section]({cause['link']})"] if cause.get("link") else []
        parts.append("  \n".join([lead, *more, *link]))
    return printable("\n\n".join(parts))


def _ms(evidence: CaseEvidence, at: float) -> int:
    return round(evidence.wall(at) * 1000)


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
