from __future__ import annotations

from typing import Any

from tools.coverage import BARS, by_room, shortfalls


def file(statements: int, covered: int, branches: int = 0, taken: int = 0) -> dict[str, Any]:
    counts = {
        "num_statements": statements,
        "covered_lines": covered,
        "num_branches": branches,
        "covered_branches": taken,
    }
    return {"summary": counts}


def test_statements_and_branches_count_together_by_room() -> None:
    rooms = by_room({"files": {"harness/sip/uri.py": file(10, 9, 10, 5), "harness/sip/sdp.py": file(20, 20)}})
    assert (rooms["sip"].all, rooms["sip"].reached, rooms["sip"].percent) == (40, 34, 85.0)


def test_a_room_below_its_bar_or_not_measured_is_a_shortfall() -> None:
    full = {f"harness/{name}/x.py": file(100, 95) for name in BARS if name not in ("calls", "sip")}
    rooms = by_room({"files": full | {"harness/sip/x.py": file(100, 94)}})
    assert shortfalls(rooms) == ["calls: 0.0 %, not 95 %", "sip: 94.0 %, not 95 %"]
