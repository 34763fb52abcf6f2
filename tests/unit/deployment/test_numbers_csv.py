"""Numbers from a spreadsheet: whatever it holds is a number of its own, and a mistake names row and column."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import numbers_csv
from harness.errors import DeploymentError


def read(tmp_path: Path, text: str) -> numbers_csv.NumbersFile:
    path = tmp_path / "dids.csv"
    path.write_text(text, encoding="utf-8")
    return numbers_csv.read(path)


@pytest.mark.parametrize("separator", [",", ";"])
def test_one_name_in_several_rows_has_a_number_on_each_trunk(tmp_path: Path, separator: str) -> None:
    text = 'name,did,trunk,assistant\n"Main, west",+13125550100,one,front\n"Main, west",+442079460001,two,front\nShop,+12145550107,,\n'
    numbers = read(tmp_path, text if separator == "," else text.replace("Main, west", "Main").replace(",", ";"))
    name = "Main, west" if separator == "," else "Main"
    lines = numbers_csv.merged({"Shop": {"group": "people"}}, numbers)
    assert lines[name] == {"assistant": "front", "dids": {"one": "+13125550100", "two": "+442079460001"}}
    assert lines["Shop"] == {"group": "people", "did": "+12145550107"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,number\n", "row 1: unknown column 'number'"),
        ("name,trunk\nShop,one\n", "row 1: column did is missing"),
        ("name,did,reachable\nShop,+12145550107,perhaps\n", "row 2, column reachable: 'perhaps'; allowed: yes or no"),
        ("name,did\nShop,\n", "row 2, column did: is missing"),
        ("name,did\nShop,+12145550107,more\n", "row 2: has 3 cells; allowed: 2, as the heading"),
        ("name,did,press\nShop,+12145550107,1\nShop,+12145550108,2\n", "row 3, column press: '2', though another row"),
    ],
)
def test_a_mistake_names_row_and_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DeploymentError, match=r"^.*dids\.csv: ") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="no such file"):
        numbers_csv.read(tmp_path / "nosuch.csv")


@given(text=st.text(max_size=200))
def test_any_text_is_numbers_or_a_mistake(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "dids.csv"
    path.write_text("name,did\n" + text, encoding="utf-8", newline="")
    with contextlib.suppress(DeploymentError):
        found = numbers_csv.merged({}, numbers_csv.read(path))
        assert all("did" in line or "dids" in line for line in found.values())
