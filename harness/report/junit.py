"""JUnit XML with the harness's own words: rows, axes and verdicts as properties, the cause as the failure's message.

pytest's own ``--junitxml`` knows nothing of a case whose worker died, or of the difference between failed and not observable.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.report.evidence import CaseEvidence
from harness.report.markup import printable
from harness.verdict import Verdict

NEVER_RAN = "planned, but never reported"


def write(
    path: Path,
    evidences: Sequence[CaseEvidence],
    missing: Iterable[Mapping[str, object]] = (),
    skipped: Mapping[str, str] | None = None,
) -> None:
    """Write one ``testsuite`` an integration. ``missing`` are planned cases without evidence, ``skipped`` those meant to be."""
    suites: dict[str, list[ET.Element]] = {}
    began: dict[str, float] = {}
    for evidence in evidences:
        suites.setdefault(evidence.integration, []).append(_case(evidence))
        began[evidence.integration] = min(evidence.began_wall, began.get(evidence.integration, evidence.began_wall))
    for case in missing:
        element = _element(case, str(case.get("integration", "")), 0.0)
        reason = (skipped or {}).get(str(case.get("id")))
        if reason is not None:
            ET.SubElement(element, "skipped", message=printable(reason))
        else:
            ET.SubElement(element, "error", message=NEVER_RAN, type="broken")
        suites.setdefault(str(case.get("integration", "")), []).append(element)
    root = ET.Element("testsuites", name="call verification")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    seconds = 0.0
    for name, elements in suites.items():
        counts = {
            "tests": len(elements),
            "failures": sum(element.find("failure") is not None for element in elements),
            "errors": sum(element.find("error") is not None for element in elements),
            "skipped": sum(element.find("skipped") is not None for element in elements),
        }
        spent = sum(float(element.get("time", "0")) for element in elements)
        suite = ET.SubElement(root, "testsuite", name=name, time=f"{spent:.3f}")
        for key, value in counts.items():
            suite.set(key, str(value))
            totals[key] += value
        seconds += spent
        if name in began:
            suite.set("timestamp", datetime.fromtimestamp(began[name], UTC).isoformat(timespec="seconds"))
        suite.extend(elements)
    for key, value in totals.items():
        root.set(key, str(value))
    root.set("time", f"{seconds:.3f}")
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _element(case: Mapping[str, object], integration: str, seconds: float) -> ET.Element:
    row = str(case.get("row", ""))
    element = ET.Element(
        "testcase", classname=f"{integration}.{row}", name=printable(str(case.get("id", ""))), time=f"{seconds:.3f}"
    )
    properties = ET.SubElement(element, "properties")
    axes = case.get("axes")
    plain = {
        "row": row,
        "integration": integration,
        "deployment": case.get("deployment"),
        "site": case.get("site"),
        "source": case.get("source"),
        **(axes if isinstance(axes, Mapping) else {}),
    }
    for name, value in plain.items():
        if value is not None:
            ET.SubElement(properties, "property", name=str(name), value=printable(str(value)))
    return element


def _case(evidence: CaseEvidence) -> ET.Element:
    element = _element(evidence.case, evidence.integration, evidence.wall_s)
    properties = element.find("properties")
    assert properties is not None  # _element made it
    more = {
        "verdict": str(evidence.verdict),
        "scripted_s": f"{evidence.scripted_s:.3f}",
        "attempt": str(evidence.attempt),
        "evidence": evidence.directory.name,
    }
    if evidence.strength is not None:
        more["strength"] = evidence.strength.name.lower()
    if evidence.diagnosis:
        more |= {
            key: str(evidence.diagnosis[0][key])
            for key in ("cause", "issue", "owner", "fix")
            if key in evidence.diagnosis[0]
        }
    for name, value in more.items():
        ET.SubElement(properties, "property", name=name, value=printable(value))
    if evidence.verdict is not Verdict.PASSED:
        broken = evidence.verdict is Verdict.BROKEN
        problem = ET.SubElement(
            element,
            "error" if broken else "failure",
            message=printable(evidence.headline),
            type=str(evidence.verdict),
        )
        problem.text = printable("\n".join(filter(None, (evidence.cause, evidence.message))))
    lines = [f"{finding.verdict}: {finding}" for finding in evidence.findings]
    if lines:
        ET.SubElement(element, "system-out").text = printable("\n".join(lines))
    return element
