"""A damaged ``history.sqlite`` is set aside, and costs a night neither its documents nor its alert."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from harness.errors import ResourceError
from harness.report import history
from harness.report.nightly import night
from tests.unit.nightly.conftest import Nights

Damage = Callable[[Path], object]


def _sql(statement: str) -> Damage:
    def damage(path: Path) -> None:
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(statement)
        connection.close()

    return damage


def _found(table: str, old: str, new: str) -> Damage:
    """In the JSON of what was found, other text for a part of it, which is there."""
    return _sql(f"UPDATE {table} SET found = replace(found, '{old}', '{new}')")


#: Damage that a run sees: in what earlier runs found, or in the file.
OF_RUNS: dict[str, Damage] = {
    "text as a time": _found("run", '"began": ', '"began":"yesterday","was":'),
    "a time beyond any calendar": _found("run", '"began": ', '"began":1e300,"was":'),
    "numbers in a list of names": _found("run", '"faults": [', '"faults":[1'),
    "JSON nested too deeply": _found("run", '"faults": [', f'"faults":{"[" * 100_000}'),
    "garbage as JSON": _found("run", '"faults": [', '"faults":["heavy'),
    "bytes for text": _sql("UPDATE run SET found = CAST(found AS BLOB) || x'ff'"),
    "text that is no UTF-8": _sql("UPDATE run SET found = CAST(x'ff0a' AS TEXT)"),
    "an unknown verdict": _found("run", '"verdict": "', '"verdict": "not quite '),
    "text as a count": _found("run", '"attempts": ', '"attempts":"many","was":'),
    "an infinite figure": _found("run", '"case_s": ', '"case_s":Infinity,"was":'),
    "a missing table": _sql("DROP TABLE file"),
    "a missing column": _sql("ALTER TABLE run RENAME COLUMN found TO lost"),
    "a missing column with an index": _sql("ALTER TABLE run RENAME COLUMN key TO name"),
    "a truncated file": lambda path: path.write_bytes(path.read_bytes()[:8192]),
    "a file of some octets": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "not a database": lambda path: path.write_text("The nights of March.\n" * 100),
}
OF_NIGHTS: dict[str, Damage] = {
    "text as the end": _found("night", '"ended": ', '"ended":"late","was":'),
    "a night beyond any calendar": _found("night", '"began": ', '"began":-1e300,"was":'),
    "text as an exit code": _found("night", '"code": ', '"code":"zero","was":'),
    "problems that are numbers": _found("night", '"problems": [', '"problems":[1, 2'),
    "no JSON": _sql("UPDATE night SET found = 'all well'"),
    "no table of nights": _sql("DROP TABLE night"),
    "a column of nights renamed": _sql("ALTER TABLE night RENAME COLUMN found TO lost"),
}


def _set_aside(reports: Path) -> list[Path]:
    return sorted(reports.glob(f"{history.FILE}.damaged-*"))


@pytest.mark.parametrize("damage", (OF_RUNS | OF_NIGHTS).values(), ids=(OF_RUNS | OF_NIGHTS).keys())
def test_a_night_after_damage_has_its_page_and_alert_and_begins_a_new_history(
    nights: Nights, runs: ModuleType, damage: Damage
) -> None:
    nights.pass_one()
    damage(nights.reports / history.FILE)
    found = nights.pass_one(code=1, plays={"HOLD": runs.fails})

    (kept,) = _set_aside(nights.reports)
    assert kept.stat().st_size
    assert len(found.notes) == 1
    assert str(kept.name) in found.notes[0]
    assert len(found.notes[0].splitlines()) == 1
    assert found.alert is not None
    assert found.notes[0] in found.alert.body
    assert "HOLD" in found.page.read_text()
    assert [one.problems for one in history.read_nights(nights.reports / history.FILE, "s")] == [
        found.night.problems
    ]
    again = nights.pass_one(code=1, plays={"HOLD": runs.fails})
    assert (again.notes, again.alert, _set_aside(nights.reports)) == ((), None, [kept])


def test_a_night_says_what_its_verification_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verification ends first, so as a rule it is the one that finds the damage."""
    monkeypatch.setattr(
        night,
        "_HARNESS",
        f"import pathlib; pathlib.Path({str(tmp_path)!r}, {history.FILE + '.damaged-1'!r}).touch()",
    )
    found = night.one_night([], tmp_path, series="s", bound=(), more=())
    assert len(found.notes) == 1
    assert f"{history.FILE}.damaged-1" in found.notes[0]


def test_a_journal_goes_with_its_history(tmp_path: Path) -> None:
    """SQLite would roll a new history back by the old one's journal."""
    path = tmp_path / history.FILE
    path.write_text("damaged")
    path.with_name(f"{path.name}-journal").write_text("hot")
    history.set_aside(path, ResourceError("damaged"))
    (journal,) = [one for one in _set_aside(tmp_path) if one.name.endswith("-journal")]
    assert journal.read_text() == "hot"
    assert not path.exists()
