"""Names of a deployment file stand in a line wherever they are shown."""

from __future__ import annotations

import copy
import shutil
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.deployment import Deployment, from_plain, to_plain
from harness.integrations import load
from harness.support import toml_model
from harness.support.resources import EXAMPLES

PLAIN = to_plain(load(EXAMPLES / "simulated-talkdesk.toml"))


@given(
    st.text(min_size=1, max_size=8),
    st.sampled_from("\n\r\t\x00\x1b\x85\u2028\u2029"),
    st.text(min_size=1, max_size=8),
    st.sampled_from(["", "lines", "groups", "phones", "accounts", "handovers", "trunks"]),
)
def test_a_name_that_breaks_a_line_is_refused_in_one(before: str, breaks: str, after: str, table: str) -> None:
    """In plans, reports and ids a name stands in a line."""
    name = f"a{before}{breaks}{after}z"  # what stands at an end is stripped
    plain = copy.deepcopy(PLAIN)
    if table == "":
        plain["name"] = name
    elif table == "trunks":
        plain["trunks"].append({**plain["trunks"][0], "name": name})
    elif table == "handovers":
        way = {"transfer": "cold", "transfer_to": next(iter(plain["groups"])), "digit": "8"}
        next(iter(plain["assistants"].values()))["handovers"] = {name: way}
    else:
        plain[table][name] = next(iter(plain[table].values())) if table == "accounts" else {}
        fresh = {"lines": {"did": "+12065550187", "group": next(iter(plain["groups"])), "trunk": "udp-ip"}}
        fresh |= {"groups": {"did": "+12065550188"}, "phones": {"account": next(iter(plain["accounts"])), "user": "x"}}
        plain[table][name] |= fresh.get(table, {})
    with pytest.raises(ValidationError) as caught:
        from_plain(plain)
    said = list(toml_model.lines(caught.value, Deployment))
    assert any("a line break or another control character; allowed: a name in one line" in line for line in said), said
    assert all(line.isprintable() or line.splitlines() == [line] for line in said)


def test_a_name_is_the_same_however_its_letters_are_made_up(tmp_path: Path) -> None:
    """Text that was copied from some programs has ä as two signs (NFD), and the names look alike."""
    text = (EXAMPLES / "simulated-talkdesk.toml").read_text(encoding="utf-8")
    name, *places = (unicodedata.normalize(form, "Bücher") for form in ("NFC", "NFD", "NFC"))
    text += f'\n[groups."{places[0]}"]\ndid = "+18155550176"\nagents = ["billing"]\n'
    text += f'\n[lines.books]\ndid = "+12135550171"\ntrunk = "udp-ip"\ngroup = "{places[1]}"\n'
    for numbers in EXAMPLES.glob("*.csv"):
        shutil.copy(numbers, tmp_path)
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    found = load(path)
    assert found.lines["books"].group == name
    assert name in found.groups
