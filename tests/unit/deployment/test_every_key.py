"""Each key of a deployment file with values that it cannot have: a line says where, what was found,
and what is allowed.

The keys are those of the model, found by walking over it, so that a new one is held to it as well.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from harness.support import toml_model
from tests.unit.deployment.model_keys import ELSEWHERE, FILES, Model, Place, keys

#: What TOML can hold, of every kind, and what customers put where it does not belong.
VALUES: tuple[Any, ...] = (
    "", " ", "x", "ümläut", "a b", "a\nb", "\x00", "x" * 3000, "udpp", "UDP", "true", "7", "-1", "1e3", "nan", "30s", "4,5",
    "312-555-0100", "+1", "+99955501000", "1.31256E+10", "sip:acme.example", "acme.example:99999", "http://", "Europe/Berln", "mon-fri",
    "sat closed", "2026-13-01 closed", "%Y", "300.1.2.3", "10.0.0.0/99", "hello.wav", "*", "A1", "X Y", "USA",
    0, -1, 1, 7, 99, 70_000, 10**30, -0.5, 0.0, 3.5, 1e308, float("inf"), float("nan"), True, False, date(2026, 12, 25),
    [], [""], [1], ["x"], ["x", "x"], [[]], [{}], [1, 2, 3], {}, {"x": 1}, {"": ""}, {"x": {}}, {"x": {"y": "z"}},
)  # fmt: skip
#: Pydantic's own words, and Python's.
FOREIGN = re.compile(
    r"\b(Input|String|List|Tuple|Dictionary|Field|Value|Extra|Unable|Object|pattern|instance of"
    r"|should (be|have|match)|error|pydantic|validat\w*|None|True|False|datetime\.\w+)\b|Traceback|\^\["
)


def shown(key: Model | Place) -> str:
    return ".".join(map(str, key)) if isinstance(key, tuple) else key.__module__.rpartition(".")[2]


def changed(found: Any, place: Place, value: Any) -> Any:
    """A copy with ``value`` at that place."""
    if not place:
        return value
    if isinstance(found, list):
        return [
            changed(item, place[1:], value) if index == place[0] else item
            for index, item in enumerate(found)
        ]
    return {**found, place[0]: changed(found.get(place[0]), place[1:], value)}


def said_of(file: Model, place: Place, value: Any) -> list[str]:
    plain = changed(FILES[file], place, value)
    try:
        file.model_validate(plain, context={"region": plain.get("region")})
    except ValidationError as error:
        return list(toml_model.lines(error, file, hidden=ELSEWHERE))
    return []


def hold(lines: list[str], value: object) -> None:
    for line in lines:
        assert line == toml_model.inline(line), line
        where, what = line.split(": ", 1)
        found, _, allowed = what.rpartition("; allowed: ")
        assert where, line
        assert found.strip(), line
        assert allowed.strip(), line
        assert len(line) < 1200, line
        own = found.replace(repr(value)[1:-1], "") if isinstance(value, str) else found
        for entry in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        ):
            own = (
                own.replace(repr(entry), "") if isinstance(entry, str) else own
            )  # whoever wrote the file wrote it
        assert not FOREIGN.search(own), line
        assert not FOREIGN.search(allowed), line


def test_every_table_is_walked_over() -> None:
    places = {shown(place) for _, place in keys()}
    assert {"trunks.0.port", "platform.report.zone", "assistants.front.handovers.x.then"} <= places
    assert {
        "accounts.carrier.register",
        "stand_in.bad_certificates.expired.certificate",
        "lines.sales.hours",
    } <= places
    assert {
        "timings.quick.ring_timeout_s",
        "groups.*.external.accept",
        "sites.0.workers",
        "bound.0.kpi",
    } <= places
    for file, base in FILES.items():
        assert said_of(file, (), base) == []


@pytest.mark.parametrize(("file", "place"), keys(), ids=shown)
def test_a_value_that_a_key_cannot_have_is_said_in_a_line(file: Model, place: Place) -> None:
    said = [said_of(file, place, value) for value in VALUES]
    for value, lines in zip(VALUES, said, strict=True):
        hold(lines, value)
    assert any(said) or place == ("simulated",), "all of them are in order: nothing was looked at"
