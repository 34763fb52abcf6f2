"""The cases of a run as Allure results, made of the evidence when the run ends, and the report that
Allure 3 makes of them.

A result's file is named by its run and its case's directory, so results that are made again replace
the earlier ones, also in a directory that several runs share (``--alluredir``). The ids of a test
are made as allure-pytest makes them.

The verdict "not observable" is Allure's ``failed`` with a category, a tag and a first line of its
own. Allure's ``unknown`` and ``skipped`` are left out of its success rate and of its quality gate
(allure 3.18, core-api/constants.js): a run in which nothing could be observed would read "100 %".
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from allure_commons.types import LabelType, LinkType, ParameterMode, Severity
from allure_commons.utils import md5, platform_label
from markupsafe import Markup

from harness import integrations
from harness.case.log import Step
from harness.case.verdict import NEVER_REPORTED, Verdict, overall
from harness.report import pcap
from harness.report.callfacts import Measured, medians, rtp_table
from harness.report.coverage import declared
from harness.report.drawings import Ladder, ladder_svg, ladder_text, timeline_svg
from harness.report.evidence import CaseEvidence, PlainCase, axes_of, text_of
from harness.report.hearing import COLUMNS, figures, hearings
from harness.report.html import places_of, player_of
from harness.report.markup import (
    cause_of,
    in_words,
    printable,
    render,
    said_besides,
    said_first,
    seen_of,
)
from harness.report.processes import each
from harness.report.run_directory import RunEvidence, allure_name, case_directory
from harness.report.summary import Summary
from harness.support.files import user_files, whole_file

#: Labels of a result: its case's directory, and its run.
EVIDENCE_LABEL, RUN_LABEL = "evidence", "run"

_STATUS = {
    Verdict.PASSED: "passed",
    Verdict.FAILED: "failed",
    Verdict.NOT_OBSERVABLE: "failed",
    Verdict.BROKEN: "broken",
}

#: Parts of a diagnosis, with their titles.
_DIAGNOSIS = {
    "issue": "Issue in the guide",
    "because": "Because",
    "fix": "Fix",
    "owner": "Owner",
    "confidence": "Confidence",
    "settles": "What would settle it",
}


def write_others(run: RunEvidence, results: Path) -> None:
    """Write a result for each attempt that does not count, and a broken one for each planned case
    that left no evidence.

    Those that count are written with the report, by :func:`write`.
    """
    attempts = [
        (one, tries.counting if one is tries.attempts[-1] else one)
        for tries in run.tries
        for one in tries.attempts
        if one is not tries.counting
    ]
    for _ in each(functools.partial(_write, results), attempts):
        pass
    for case in run.absent:
        directory = case_directory(run.directory, case).name + (
            f" at {case.get('site')}" if run.has_sites else ""
        )
        write_missing(case, directory, results, run.ended_wall)


def _write(results: Path, attempt: tuple[CaseEvidence, CaseEvidence]) -> None:
    write(results, attempt[0], Ladder.of(attempt[0]), counting=attempt[1])


def write(
    results: Path,
    case: CaseEvidence,
    ladder: Ladder,
    standing: str = "",
    counting: CaseEvidence | None = None,
) -> None:
    """Write the result of one attempt; ``standing`` is what the history says of the case.

    Allure counts a test's last attempt; where an earlier one is the one that counts, ``counting``,
    its verdict is the result's.
    """
    counting = counting or case
    result = _result(case.case, case.directory.name)
    result["status"] = _STATUS[counting.verdict]
    if not counting.passed:
        result["statusDetails"] = _details(case, counting)
    result["labels"] += _verdict_labels(counting)
    if standing:
        result["labels"] += [_label("history", standing), _label(LabelType.TAG, standing)]
    if case.attempt > 1:
        result["labels"].append(_label(LabelType.TAG, f"attempt {case.attempt}"))
    if unseen := declared(case):
        # not in the title: a test keeps its name, whatever a run could observe
        values = ", ".join(f"{axis.replace('_', ' ')} {case.axes[axis]}" for axis in unseen)
        result["description"] += printable(
            f"\n\nDeclared in the deployment file, not observed: {values}."
        )
    if case.diagnosis:
        result["description"] += "\n\n" + _diagnosis_text(case)
    result |= {"start": _ms(case, case.began), "stop": _ms(case, case.ended)}
    result["steps"] = [_step(case, step) for step in case.steps]
    if case.findings:
        result["steps"].append(_findings_step(case))
    result["attachments"] = _attach(case, ladder, results, result["uuid"])
    _store(result, results)


def write_missing(case: PlainCase, directory: str, results: Path, at: float) -> None:
    """Write a broken result for a planned case that left nothing behind, not even the ``directory``
    of that name.

    ``at`` is in seconds since the epoch.
    """
    result = _result(case, directory)
    result["labels"].append(_label("verdict", NEVER_REPORTED.verdict))
    result["status"] = _STATUS[NEVER_REPORTED.verdict]
    result["statusDetails"] = {"message": NEVER_REPORTED.first_line()}
    result["start"] = result["stop"] = round(at * 1000)
    _store(result, results)


def _store(result: Mapping[str, Any], results: Path) -> None:
    text = json.dumps(_without_empty(result), ensure_ascii=False)
    whole_file.write(results / f"{result['uuid']}-result.json", text)


def _without_empty(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if value}


def _label(name: str, value: object) -> dict[str, str]:
    return {"name": name, "value": printable(str(value))}


def _result(case: PlainCase, directory: str) -> dict[str, Any]:
    """What a case is, as planned: names, ids, labels, parameters, link. The history's ids are made
    of the parameters.
    """
    row, source = (text_of(case, name) for name in ("row", "source"))
    integration = integrations.title(text_of(case, "integration"))
    deployment, run = (text_of(case, name) for name in ("deployment", "run"))
    site, values = case.get("site") or "local", axes_of(case)
    story = " · ".join(values.values())
    file, _, function = printable(str(case.get("nodeid") or f"scenarios.py::{row}")).partition("::")
    package = file.removesuffix(".py").replace("/", ".")
    full_name = f"{package}#{function.replace('::', '.').partition('[')[0]}"
    # `site` keeps two sites' equal cases apart, which Allure would take for a retry of each other
    plain = {"site": site, "deployment": deployment, "row": row, **values}
    parameters = [_label(name, value) for name, value in plain.items()]
    # tells numbers apart that look the same masked
    parameters.append(_label("id", case.get("id", "")) | {"mode": ParameterMode.HIDDEN.value})
    ordered = sorted(parameters, key=lambda parameter: parameter["name"])
    named = {
        LabelType.EPIC: integration,
        LabelType.FEATURE: row,
        LabelType.STORY: story or row,
        LabelType.SEVERITY: (
            Severity.CRITICAL if source.startswith("guide") else Severity.NORMAL
        ).value,
        LabelType.PARENT_SUITE: integration,
        LabelType.SUITE: row,
        LabelType.HOST: site,  # with the process it makes Allure's timeline
        LabelType.THREAD: case.get("pid"),
        LabelType.FRAMEWORK: "pytest",
        LabelType.LANGUAGE: platform_label(),  # type: ignore[no-untyped-call]  # allure_commons is not typed
        "package": package,
        "source": source,
        "case": case.get("id"),
        "deployment": deployment,
        "site": site,
        RUN_LABEL: run,
        EVIDENCE_LABEL: directory,
    }
    return {
        "uuid": allure_name(run, directory),
        "name": printable(f"{case.get('title') or row}" + (f" [{story}]" if story else "")),
        "fullName": full_name,
        "titlePath": file.split("/"),
        "testCaseId": md5(full_name),  # type: ignore[no-untyped-call]
        "historyId": md5(full_name, *(one["value"] for one in ordered)),  # type: ignore[no-untyped-call]
        "description": printable(text_of(case, "description")),
        "parameters": parameters,
        "labels": [_label(name, value) for name, value in named.items() if value],
        "links": [
            {
                "type": LinkType.LINK,
                "url": printable(str(case["link"])),
                "name": printable(source or "guide"),
            }
        ]
        if case.get("link")
        else [],
    }


def _verdict_labels(case: CaseEvidence) -> list[dict[str, str]]:
    """How a case ended, how strongly that is known, and why: by these the categories group."""
    named: dict[str, object] = {"verdict": case.verdict, "strength": in_words(case.strength)}
    if case.diagnosis:
        first, words = case.first_cause, cause_of(case.first_cause)
        named |= {name: words[name] for name in ("cause", "issue", "owner")}
        if first.get("title") and not first.get("candidate"):
            # without "probably": one cause is one group, however certain
            named["cause"] = first["title"]
    if case.verdict is Verdict.NOT_OBSERVABLE:
        named[LabelType.TAG] = case.verdict
    return [_label(name, value) for name, value in named.items() if value]


def _details(case: CaseEvidence, counting: CaseEvidence) -> dict[str, str]:
    if counting.directory != case.directory:
        earlier = (
            f"Attempt {counting.attempt}, which counts, {counting.verdict}: {_message(counting)}"
        )
        return {"message": f"{earlier}\n\nThis attempt, {case.verdict}: {_message(case)}"}
    # a finding about the system under test has no place in the harness's code
    trace = printable(case.trace) if counting.verdict is Verdict.BROKEN else ""
    return {"message": _message(counting)} | ({"trace": trace} if trace else {})


def _message(case: CaseEvidence) -> str:
    """The failure: its cause, what to do, whose it is, then what each finding expected and saw."""
    parts = [
        case.headline,
        *said_first(case, "fix", "owner"),
        *map(said_besides, case.causes_besides),
    ]
    for finding in case.findings:
        if finding.verdict is case.verdict and not finding.dispensable:
            said, words = seen_of(finding)
            named = {"expected:": finding.expected, said.removesuffix(":") + ":": words}
            lines = [f"  {name:<9} {text}" for name, text in named.items()]
            parts.append("\n".join([f"{finding.check} of {finding.subject}", *lines]))
    if not any(finding.verdict is case.verdict for finding in case.findings):
        parts.append(case.message)
    return printable(
        "\n".join(dict.fromkeys(parts))
    )  # each finding once, however often it was made


def _step(case: CaseEvidence, step: Step) -> dict[str, Any]:
    result = {
        "name": printable(step.title),
        "status": _STATUS[step.verdict(case.findings)],
        "statusDetails": {} if step.error is None else {"message": printable(step.error)},
        "start": _ms(case, step.began),
        "stop": _ms(case, step.ended if step.ended is not None else case.ended),
        "steps": [_step(case, inner) for inner in step.steps],
    }
    return _without_empty(result)


def _findings_step(case: CaseEvidence) -> dict[str, Any]:
    steps = []
    for finding in case.findings:
        strength = f" ({in_words(finding.strength)})" if finding.strength is not None else ""
        where = f" [{', '.join(finding.evidence)}]" if finding.evidence else ""
        at = _ms(case, finding.at)
        name = printable(f"{finding.verdict}: {finding}{strength}{where}")
        steps.append({"name": name, "status": _STATUS[finding.verdict], "start": at, "stop": at})
    return {
        "name": "What was checked",
        "status": _STATUS[overall(case.findings)],
        "start": steps[0]["start"],
        "stop": steps[-1]["stop"],
        "steps": steps,
    }


def _diagnosis_text(case: CaseEvidence) -> str:
    parts = []
    for index, cause in enumerate(case.diagnosis, start=1):
        name = (
            "Cause"
            if index == 1
            else "Also"
            if cause in case.causes_besides
            else f"Or, less likely ({index})"
        )
        said = cause_of(cause)
        more = [f"{title}: {said[key]}" for key, title in _DIAGNOSIS.items() if said[key]]
        link = [f"[The guide's section]({said['link']})"] if said["link"] else []
        parts.append("  \n".join([f"**{name}: {said['cause']}**", *more, *link]))
    return printable("\n\n".join(parts))


def _ms(case: CaseEvidence, at: float) -> int:
    return round(case.wall(at) * 1000)


def _attach(case: CaseEvidence, ladder: Ladder, results: Path, result: str) -> list[dict[str, str]]:
    """Write the attachments. Their files are named by the ``result``, as it is named by its case."""
    made = []
    for number, (name, content, mime, suffix) in enumerate(_attachments(case, ladder)):
        source = f"{uuid.uuid5(uuid.UUID(result), str(number))}-attachment{suffix}"
        made.append({"name": printable(name), "source": source, "type": mime})
        if isinstance(content, Path):
            with whole_file.writing(results / source) as partial:
                shutil.copyfile(content, partial)
        else:
            whole_file.write(results / source, content.encode("utf-8", "replace"))
    return made


def _attachments(case: CaseEvidence, ladder: Ladder) -> Iterator[tuple[str, str | Path, str, str]]:
    """Of each its name, its text or file, the type, and the suffix of the file's name."""
    if case.diagnosis:
        yield "Diagnosis", _diagnosis_text(case), "text/markdown", ".md"
    if case.messages:
        yield "Ladder and SIP messages", _sip_text(case, ladder), "text/plain", ".txt"
    if not case.passed:
        yield from _media(case, ladder)
    if case.findings:
        yield "Findings", _csv(_findings_table(case)), "text/csv", ".csv"
    if case.statistics:
        yield "RTP statistics", _csv(rtp_table(case)), "text/csv", ".csv"
    for attachment in case.attachments:
        if attachment.path.is_file():
            yield attachment.name, attachment.path, attachment.mime, attachment.path.suffix
    if case.notes:
        notes = "".join(f"{note.at - case.began:8.3f} s  {note.text}\n" for note in case.notes)
        yield "Notes", printable(notes), "text/plain", ".txt"


def _media(case: CaseEvidence, ladder: Ladder) -> Iterator[tuple[str, str | Path, str, str]]:
    """Pictures, sound and packets: they cost more than all the rest, and are looked at where
    something went wrong.
    """
    if case.messages:
        # a page of its own: Allure scales pictures to its column, which makes a ladder unreadable
        page = render("picture.html.j2", title="Ladder", picture=Markup(ladder_svg(ladder)))
        yield "Ladder", page, "text/html", ".html"
        packets = pcap.capture(case)
        yield "Capture", packets, "application/vnd.tcpdump.pcap", packets.suffix
    if case.legs:
        yield "Marks heard", timeline_svg(case), "image/svg+xml", ".svg"
    if case.recordings:
        heard = hearings(case)
        page = render(
            "listen.html.j2",
            timeline=Markup(timeline_svg(case, heard)),
            players=[player_of(hearing, case) for hearing in heard],
            quality=figures(case),
            columns=COLUMNS,
        )
        yield "Seen and heard", page, "text/html", ".html"
    for recording in case.recordings:
        for what, path in (("received by", recording.received), ("sent by", recording.sent)):
            if path:
                suffix = path.suffix
                yield f"Sound {what} {recording.leg}", path, f"audio/{suffix[1:]}", suffix


def _findings_table(evidence: CaseEvidence) -> list[list[str]]:
    """What was checked, a row a finding, a header first; times in seconds from the case's start."""
    rows = [["time s", "verdict", "check", "subject", "expected", "seen", "strength", "evidence"]]
    for finding in evidence.findings:
        at, found = f"{finding.at - evidence.began:.3f}", " ".join(finding.evidence)
        words = (finding.verdict, finding.check, finding.subject, finding.expected, finding.actual)
        rows.append([at, *words, in_words(finding.strength), found])
    return rows


def _csv(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _sip_text(evidence: CaseEvidence, ladder: Ladder) -> str:
    """The ladder, then the SIP messages of each leg, or of a phone outside of its legs: whole, each
    under a line with number, time and addresses.

    One attachment, not one a leg: to make a file costs more than to make what is in it.
    """
    legs: dict[str, list[str]] = {}
    for message in evidence.messages:
        event = message.event
        arrow = "to" if event.direction == "sent" else "from"
        legs.setdefault(event.leg or event.phone, []).append(
            f"---- {message.number}  {event.at - evidence.began:.3f} s  {event.direction} {arrow} {event.remote}  "
            f"({event.local}, {event.transport.upper()})\n\n{event.text.rstrip()}\n"
        )
    parts = [f"==== SIP of {leg}\n\n" + "\n".join(messages) for leg, messages in legs.items()]
    return ladder_text(ladder) + "\n" + printable("\n".join(parts))


# -- what lies beside the results, and the report

CONFIG, GATE = "allurerc.json", "allurerc-gate.json"
REPORT, _HISTORY = "allure-report", "allure-history.jsonl"
_WITHIN_S = 120.0
_ENVIRONMENT, _EXECUTOR, _METRICS = "environment.properties", "executor.json", "-perf.json"


def write_beside(
    run: RunEvidence, summary: Summary, results: Path, times: Iterable[Measured]
) -> None:
    """Write what Allure reads beside the results: environment, executor, figures of the Metrics
    tab; and its configuration.

    ``times`` are of the cases that passed.
    """
    end = run.end
    environment = {
        "run": run.name,
        "command": "" if end.made_of else end.command,
        "made of": ", ".join(end.made_of),
        "faults injected": ", ".join(summary.faults),
        "workers": str(end.workers),
        **{f"deployment.{name}": kind for name, kind in summary.deployments.items()},
        **summary.versions,
    }
    shown = (
        f"{_property(name).replace(' ', '.')}={_property(value)}\n"
        for name, value in environment.items()
        if value
    )
    whole_file.write(results / _ENVIRONMENT, "".join(shown))
    executor = {
        "name": "call verification harness",
        "type": "local",
        "buildName": run.name,
        "reportName": run.name,
    }
    whole_file.write(results / _EXECUTOR, json.dumps(executor))
    if metrics := medians(run.name, run.cases, times):
        whole_file.write(results / f"{run.name}{_METRICS}", json.dumps(metrics, indent=1))
    # a run made of several has a history of its own, since each of these is in the first
    names = [
        *sorted(summary.deployments),
        *sorted(summary.faults),
        *(["merged"] if summary.made_of else []),
    ]
    history = re.sub(r"[^\w.@+-]+", "_", "+".join(names))[:120]
    write_config(
        run.directory,
        name=f"Call verification {run.name}",
        cases=summary.cases,
        history=run.directory.parent / f"allure-history-{history}.jsonl",
        places=places_of(run.everything),
    )


def _property(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", printable(text)).replace("\\", "\\\\")


#: What a category of cases that did not pass is called, and how Allure groups its cases.
_GROUPED: Mapping[Verdict, tuple[str, Mapping[str, Any]]] = {
    Verdict.NOT_OBSERVABLE: (
        "Not observable: it could not be looked at",
        {"groupBy": [{"label": "feature"}]},
    ),
    Verdict.BROKEN: ("The harness or its surroundings broke", {"groupByMessage": True}),
    Verdict.FAILED: (
        "The system under test failed",
        {"groupBy": [{"label": "issue"}, {"label": "cause"}]},
    ),
}
#: The categories, in the form of Allure 3's configuration (it ignores ``categories.json``). Tests
#: of a project's own have no verdict: what they find speaks neither against the system under test
#: nor against the harness.
_CATEGORIES: Sequence[Mapping[str, Any]] = [
    {
        "name": name,
        "matchers": [{"statuses": [_STATUS[verdict]], "labels": {"verdict": str(verdict)}}],
        **grouping,
    }
    for verdict, (name, grouping) in _GROUPED.items()
]


def write_config(
    directory: Path, *, name: str, cases: int, history: Path | None, places: Sequence[str] = ()
) -> Path:
    """Write ``allurerc.json`` for Allure 3: how the report groups, its categories, and a gate that
    lets nothing through.

    ``places`` are the labels by which cases must be distinguished that have the same row and axes:
    deployment, site. Beside it, :data:`GATE` is for ``allure quality-gate``, which would add a
    point to the history otherwise.
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
        "categories": {"rules": _CATEGORIES},
        "qualityGate": {"rules": [{"maxFailures": 0, "minTestsCount": cases}]},
    }
    if history is not None:
        found |= {"historyPath": str(_history_before(history, name, directory)), "historyLimit": 50}
    path = directory / CONFIG
    whole_file.write(path, json.dumps(found, indent=1) + "\n")
    whole_file.write(
        directory / GATE, json.dumps(found | {"appendHistory": False}, indent=1) + "\n"
    )
    return path


def _history_before(history: Path, name: str, directory: Path) -> Path:
    """The history, to which Allure adds the report of that name; where it has that report already,
    a copy of what was before it.

    A report that is made again is no further run, and those after it are none of its past.
    """
    text = (
        user_files.read_text(history, user_files.EVIDENCE, "replace") if history.is_file() else ""
    )
    lines = text.splitlines(keepends=True)
    said = f'"name":{json.dumps(name)}'
    before = list(itertools.takewhile(lambda line: said not in line, lines))
    if len(before) == len(lines):
        return history
    copy = directory / _HISTORY
    whole_file.write(copy, "".join(before))
    return copy


def command(directory: Path, results: Path) -> list[str]:
    """How to make the report by hand, in a place with Node.js."""
    config, report = str(directory / CONFIG), str(directory / REPORT)
    # without --output it goes where the command is run
    return ["npx", "allure@3", "generate", "--config", config, "--output", report, str(results)]


def generate(directory: Path, results: Path) -> Path | None:
    """Make the report if an ``allure`` of version 3 is on PATH; returns its first page, None when
    there is no such.

    Raises :class:`subprocess.SubprocessError` when Allure fails or takes longer than
    :data:`_WITHIN_S`.
    """
    program = shutil.which("allure")
    if program is None:
        return None
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=_WITHIN_S, check=False
    )
    if version.returncode or not version.stdout.strip().startswith("3."):
        return None
    # of an earlier report Allure leaves the page where it is, and puts the new one below it
    shutil.rmtree(directory / REPORT, ignore_errors=True)
    subprocess.run(
        [program, *command(directory, results)[2:]],
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=True,
        cwd=directory,
    )
    page = directory / REPORT / "index.html"
    if not page.is_file():
        return None
    text = _untracked(user_files.read_text(page, user_files.EVIDENCE))
    whole_file.write(page, text.replace("</body>", f"{_LINK_BACK}</body>"))
    return page


#: A link to the harness's own report, opened at the case that Allure shows. Allure drops every link
#: of a result that is not http, https, mailto or tel (allure 3.18, core-api/utils/url.js), and
#: shows descriptions in frames that may open nothing.
_LINK_BACK = """\
<a id="harness-report" href="../report.html"
  style="position:fixed;left:16px;bottom:10px;z-index:99;color:#3b82f6">Call verification report</a>
<script>
document.getElementById("harness-report").addEventListener("click", async event => {
  const shown = location.hash.match(/[0-9a-f]{32}/);
  if (!shown) return;
  event.preventDefault();
  const found = await fetch(`data/test-results/${shown[0]}.json`).then(read => read.json()).catch(() => ({labels: []}));
  const evidence = found.labels.find(label => label.name === "evidence")?.value ?? "";
  location.href = `${event.target.href}#${evidence.replace(/[^\\w.+-]/g, "_")}`;
});
</script>
"""


def _untracked(page: str) -> str:
    """Allure's page without its request to googletagmanager.com, and without what would be sent
    there.
    """
    scripts = re.compile(r"[ \t]*<script\b[^>]*>(?:(?!</script>).)*</script>\n?", re.DOTALL)
    return scripts.sub(
        lambda found: "" if re.search(r"googletagmanager|\bgtag\(", found[0]) else found[0], page
    )
