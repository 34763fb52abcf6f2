"""JUnit: what CI views show of a case, and that Jenkins takes it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from harness.report import junit
from harness.report.run_directory import read_cases
from tests.unit.conftest import run_of

#: What Jenkins' xUnit plugin allows (its junit-10.xsd): of each element its attributes (required
#: ones marked ``!``) and its children; elements without children hold text.
SCHEMA: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {
            "name!",
            "tests!",
            "failures!",
            "errors!",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name!", "value!"}, set()),
    "testcase": (
        {"name!", "time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "skipped": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "failure": ({"type", "message"}, set()),
    "system-out": (set(), set()),
    "system-err": (set(), set()),
}
SUREFIRE_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def violations(element: ET.Element) -> list[str]:
    """What the schema refuses."""
    attributes, children = SCHEMA.get(element.tag, (set(), set()))
    required = {name[:-1] for name in attributes if name.endswith("!")}
    found = [f"{element.tag}: no such element"] if element.tag not in SCHEMA else []
    found += [f"{element.tag}: attribute {n}" for n in set(element.attrib) - required - attributes]
    found += [f"{element.tag}: no {name}" for name in required - set(element.attrib)]
    found += [
        f"{element.tag}: element {child.tag}" for child in element if child.tag not in children
    ]
    if element.tag in ("testsuites", "testsuite") and not SUREFIRE_TIME.fullmatch(
        element.get("time", "0")
    ):
        found.append(f"{element.tag}: time {element.get('time')}")
    return found + [line for child in element for line in violations(child)]


@pytest.fixture
def root(run: Any) -> ET.Element:
    junit.write(
        run.directory / "junit.xml", run_of(*read_cases(run.directory), planned=run.planned)
    )
    return ET.parse(run.directory / "junit.xml").getroot()


def test_jenkins_takes_it(root: ET.Element) -> None:
    assert violations(root) == []


def test_an_integration_is_shown_by_its_title(root: ET.Element) -> None:
    assert {suite.get("name") for suite in root.iter("testsuite")} == {"Talkdesk"}
    named = {str(case.get("classname")).partition(".")[0] for case in root.iter("testcase")}
    assert named == {"Talkdesk"}
    assert "integration: Talkdesk" in ET.tostring(root, encoding="unicode")


def test_the_other_verdicts(root: ET.Element) -> None:
    problems = {
        str(case.get("classname")).partition(".")[2]: (
            child.tag,
            child.get("type"),
            child.get("message"),
        )
        for case in root.iter("testcase")
        for child in case
        if child.tag in ("failure", "error", "skipped")
    }
    assert problems["TD-OUTBOUND-IVR"][:2] == ("failure", "not observable")
    assert str(problems["TD-OUTBOUND-IVR"][2]).startswith("not observable: ")
    assert problems["TD-FALLBACK-DOWN"][:2] == ("error", "broken")
    assert problems["TD-FALLBACK-REFUSED"] == ("error", "broken", "not run")
    assert "TD-INBOUND" not in problems
    assert "strength: proved" in ET.tostring(root, encoding="unicode")
