from __future__ import annotations

from harness.support.once_each import once_for_each


class Thing:
    __hash__ = None  # type: ignore[assignment]


def test_each_object_is_derived_from_once_while_it_lives() -> None:
    asked: list[int] = []

    @once_for_each
    def number(of: Thing) -> int:
        asked.append(id(of))
        return len(asked)

    first, second = Thing(), Thing()
    assert [number(first), number(second), number(first), number(second)] == [1, 2, 1, 2]
    del first
    assert number(second) == 2
    # its place in memory may be another's now
    assert [number(Thing()) for _ in range(3)] == [3, 4, 5]
