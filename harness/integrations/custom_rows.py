"""Custom rows: rows that users add to those of the integrations."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import SelectionError
from harness.finding_kinds import FindingKind, RequiredFindings
from harness.integrations.base import Calls, Need, Row, Which
from harness.integrations.plans import times
from harness.integrations.which import A_CALLER, TO_AI

_ROWS: dict[str, Row] = {}


def own_row(
    row_id: str,
    title: str,
    *,
    required_findings: RequiredFindings,
    proves: str = "",
    which: tuple[Which, ...] = (TO_AI,),
    needs: tuple[Need, ...] = (A_CALLER,),
    seconds: float = 3.0,
    calls: int | Calls = 1,
) -> Row:
    """Add a row to every integration's, proved by the scenario marked ``@scenario(row_id)``, on the deployment's first trunk.

    For the ``conftest.py`` beside that scenario, which pytest reads before it plans. ``required_findings`` is what a case finds at
    least (:attr:`Row.required_findings`), ``which`` what the number it calls has to have, ``calls`` how many times a case calls it,
    or which calls it places (:attr:`Row.calls`). Raises :class:`SelectionError` for another row's id, and for what is no kind of
    findings.
    """
    if not all(isinstance(kind, FindingKind) for kind in required_findings):
        raise SelectionError(
            f"own_row({row_id!r}): required_findings: allowed: kinds of harness.finding_kinds, as ANSWERED"
        )
    row = Row(
        id=row_id,
        scenario=row_id,
        title=title,
        proves=proves or title,
        source="own",
        which=which,
        needs=needs,
        seconds=seconds,
        calls=times(calls) if isinstance(calls, int) else calls,
        required_findings=required_findings,
    )
    known = _ROWS.setdefault(row_id, row)
    if replace(known, calls=row.calls) != row:  # a conftest.py that is read twice has made its functions anew
        raise SelectionError(f"own_row({row_id!r}): another row has this id; allowed: an id of its own")
    return known


def own_rows() -> tuple[Row, ...]:
    """Those added so far, in their order."""
    return tuple(_ROWS.values())
