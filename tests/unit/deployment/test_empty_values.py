"""An empty value is none, and a line break would end the header or the line of a report in which a value stands."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.deployment import Deployment, to_plain
from harness.integrations import load
from harness.support import toml_model
from harness.support.resources import EXAMPLES


def said_of(place: str, value: str) -> list[str]:
    plain: Any = to_plain(load(EXAMPLES / "simulated-gladly.toml"))
    *tables, key = place.split(".")
    table = plain
    for name in tables:
        table = table[int(name)] if isinstance(table, list) else table.setdefault(name, {})
    table[key] = value
    with pytest.raises(ValidationError) as caught:
        Deployment.model_validate(plain)
    return list(toml_model.lines(caught.value, Deployment))


@pytest.mark.parametrize("value", ["", " \t ", "billing\r\nX-Gladly-Caller-Id: +12065550100", "a\x00b", "a\u2028b"])
@pytest.mark.parametrize(
    "place",
    [
        "lines.{line}.selector",
        "groups.{group}.topic",
        "assistants.{assistant}.transfer_topic",
        "trunks.0.username",
        "trunks.0.realm",
        "leave_out.GL-INBOUND",
    ],
)
def test_is_one_line(place: str, value: str) -> None:
    """With an empty reason, a row that was left out was named nowhere."""
    deployment = load(EXAMPLES / "simulated-gladly.toml")
    line, group, assistant = (next(iter(n)) for n in (deployment.lines, deployment.groups, deployment.assistants))
    where = place.format(line=line, group=group, assistant=assistant)
    (said,) = said_of(where, value)
    assert said.startswith(f"{where}: {value.strip()!r}: ")
    assert said.endswith("; allowed: text in one line, or no such key")
