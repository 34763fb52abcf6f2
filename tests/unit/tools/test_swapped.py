"""A mutant's code in the place of loaded functions: all of the change, or nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tools.mutation.swapped import Loaded

SOURCE = """MOST = 3
def holds(count: int, least: int = 1) -> bool:
    return least <= count <= MOST
class Limit:
    least = 1
    @property
    def words(self) -> str:
        return ", ".join(str(n) for n in range(self.least, MOST) if n > 0)
twice, thrice = lambda n: n * 2, lambda n: n * 3
def counted(names):
    def longer(name):
        return len(name) > 1
    return sum(map(longer, names))
"""


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    path = tmp_path / "limit.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("limit", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def swapped(module: ModuleType, before: str, after: str) -> bool:
    assert before in SOURCE
    path = Path(str(module.__file__))
    return Loaded(path.parent).swap(path, SOURCE, SOURCE.replace(before, after))


def test_whoever_holds_the_function_gets_the_change(module: ModuleType) -> None:
    holds = module.holds
    assert swapped(module, "count <= MOST", "count < MOST")
    assert not holds(3)
    assert holds(2)


def test_a_property_and_what_stands_within_a_function_are_changed(module: ModuleType) -> None:
    assert swapped(module, "if n > 0", "if n > 1")
    assert module.Limit().words == "2"
    assert swapped(module, "len(name) > 1", "len(name) >= 1")
    assert module.counted(["a", "bc"]) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("MOST = 3", "MOST = 4"),
        ("    least = 1", "    least = 2"),
        ("least: int = 1", "least: int = 2"),
        ("n * 3", "n / 3"),
        ("return least", "return  least"),
        ("    def longer(name):\n        return len(name) > 1\n", "    longer = len\n"),
    ],
    ids=["a constant", "in a class", "a default", "one of two lambdas", "nothing", "a function that is gone"],
)
def test_what_has_run_already_is_left_alone(module: ModuleType, before: str, after: str) -> None:
    assert not swapped(module, before, after)
    assert module.holds(3)
    assert module.thrice(2) == 6
    assert module.counted(["a", "bc"]) == 1
