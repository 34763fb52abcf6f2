"""JUnit XML as Jenkins' xUnit plugin takes it (its junit-10.xsd): the cause is a failure's message,
its fix and owner the text.

That schema has no properties in a test case and no ``skipped`` in ``testsuites``; what a case is of
stands in its output. pytest's own ``--junitxml`` knows nothing of a case whose worker died, or of
the difference between failed and not observable.
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness import integrations
from harness.case.verdict import NEVER_REPORTED, Conclusion, Verdict
from harness.report.coverage import labels
from harness.report.evidence import CaseEvidence, PlainCase, key_of, names_of, text_of
from harness.report.markup import in_words, printable, said_besides, said_first
from harness.report.run_directory import RunEvidence
from harness.support.files import whole_file


def write(path: Path, run: RunEvidence) -> None:
    """Write one ``testsuite`` an integration.

    Where several sites have run a case its name says which: of tests of one name CI systems show
    one alone.
    """
    called = names_of([key_of(case) for case in run.everything])
    suites: dict[str, list[ET.Element]] = {}
    began: dict[str, float] = {}
    for evidence in run.cases:
        name = _title(evidence.case)
        suites.setdefault(name, []).append(_case(evidence, called[evidence.key]))
        began[name] = min(evidence.began_wall, began.get(name, evidence.began_wall))
    for case in run.absent:
        element = _element(case, called[key_of(case)], 0.0)
        _problem(element, NEVER_REPORTED, NEVER_REPORTED.first_line())
        suites.setdefault(_title(case), []).append(element)
    root = ET.Element("testsuites", name="call verification")
    for name, elements in suites.items():
        root.append(_suite(name, elements, began.get(name)))
    _count(root, list(itertools.chain.from_iterable(suites.values())))
    whole_file.write(path, ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _suite(name: str, elements: Sequence[ET.Element], began: float | None) -> ET.Element:
    """One integration's cases; ``began`` is None if none of them left evidence."""
    suite = ET.Element("testsuite", name=printable(name))
    _count(suite, elements)
    suite.set("skipped", "0")  # a case that means nothing is left out of the matrix
    if began is not None:
        moment = datetime.fromtimestamp(began, UTC)
        suite.set("timestamp", moment.isoformat(timespec="seconds"))
    suite.extend(elements)
    return suite


def _count(suite: ET.Element, elements: Sequence[ET.Element]) -> None:
    """How many test cases a suite, or all suites, have, how many of them did not pass, and their
    seconds.
    """
    suite.set("tests", str(len(elements)))
    for key, tag in (("failures", "failure"), ("errors", "error")):
        having = [element for element in elements if element.find(tag) is not None]
        suite.set(key, str(len(having)))
    seconds = sum(float(element.get("time", "0")) for element in elements)
    suite.set("time", f"{seconds:.3f}")


def _title(case: PlainCase) -> str:
    """Its integration's title."""
    return integrations.title(text_of(case, "integration"))


def _element(case: PlainCase, name: str, seconds: float) -> ET.Element:
    return ET.Element(
        "testcase",
        classname=printable(f"{_title(case)}.{case.get('row', '')}"),
        name=printable(name),
        time=f"{seconds:.3f}",
    )


def _case(evidence: CaseEvidence, name: str) -> ET.Element:
    element = _element(evidence.case, name, evidence.wall_s)
    if not evidence.passed:
        problem = _problem(element, evidence.conclusion, evidence.headline)
        problem.text = printable(_why(evidence))
    lines = [f"{name}: {value}" for name, value in _facts(evidence).items() if value]
    lines += [f"{finding.verdict}: {finding}" for finding in evidence.findings]
    ET.SubElement(element, "system-out").text = printable("\n".join(lines))
    return element


def _why(evidence: CaseEvidence) -> str:
    """What a CI view shows of a failure: the cause, what to do, whose it is, then what was expected
    and seen.
    """
    named = said_first(evidence, "cause", "fix", "owner", "settles", "link")
    named += map(said_besides, evidence.causes_besides)
    return "\n".join([*named, evidence.message, f"Evidence: {evidence.directory.name}"])


def _facts(evidence: CaseEvidence) -> dict[str, str]:
    """The lines of a test case's output, by name; a value may be empty."""
    case = evidence.case
    return {
        "row": evidence.row,
        "integration": _title(case),
        "deployment": evidence.deployment,
        "site": evidence.site,
        "source": text_of(case, "source"),
        **labels(evidence),
        "verdict": str(evidence.verdict),
        "strength": in_words(evidence.strength),
        "scripted seconds": f"{evidence.scripted_s:.3f}",
        "attempt": str(evidence.attempt),
        "evidence": evidence.directory.name,
    }


def _problem(element: ET.Element, conclusion: Conclusion, message: str) -> ET.Element:
    tag = "error" if conclusion.verdict is Verdict.BROKEN else "failure"
    return ET.SubElement(element, tag, message=printable(message), type=str(conclusion.verdict))
