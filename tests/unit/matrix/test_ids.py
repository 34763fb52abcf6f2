"""Ids of cases: of names and numbers as customers write them, each another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.deployment import Deployment
from harness.errors import SelectionError
from harness.integrations.matrix import _in_id, cases
from harness.support.mask import mask_text

#: As customers write them; the first two look the same masked.
_NUMBERS = (
    "+13125550100", "+13129990100", "13125550100", "+1 312 555 0101", "+49-30-5550-0102", "(312) 555-0103", "tel:+13125550104",
    "+1", "0044 20 5550 0105", "020-7946-0155", "01-23-45-67-89", "312.555.0106", "211451001",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain", "plain"),
        ("two words", "two-words"),
        ("Büro", "Buro~"),
        ("a/b", "a-b~"),
        ("a:b", "a-b~"),
        ("Straße", "Strasse~"),
        ("Поддержка", "Podderzhka~"),
        ("客服", "KeFu~"),
        ("サポート", "sapoto~"),
        ("Εξυπηρέτηση", "Exypiretisi~"),
    ],
)
def test_a_name_in_an_id_stays_one_name(name: str, written: str) -> None:
    found = _in_id(name)
    assert found.startswith(written)
    assert len(found) == len(written) + (8 if written.endswith("~") else 0)


#: Letters of scripts that an id has nothing of.
_OTHERS = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF) | st.characters(
    min_codepoint=0x0430, max_codepoint=0x044F
)


@given(st.sets(st.text(_OTHERS, min_size=2, max_size=8), min_size=290, max_size=310))
@settings(max_examples=20)
def test_hundreds_of_names_in_another_script_are_as_many_in_ids(names: set[str]) -> None:
    """With four digits of their hash alone two of 300 were one, and the file refused, in two sets
    of five.
    """
    assert len({_in_id(name) for name in names}) == len(names)


@pytest.mark.nightly
@given(st.dictionaries(st.sampled_from(_NUMBERS), st.none(), min_size=1))
def test_an_id_holds_no_number_that_would_be_masked_and_none_is_another_s(
    talkdesk: Deployment, drawn: dict[str, None]
) -> None:
    """A spreadsheet without a column for names makes the numbers names; masked, two numbers may
    look the same.
    """
    entry = next(line for line in talkdesk.lines.values() if line.assistant and not line.hours)
    named = dict.fromkeys(
        ("front desk", *drawn), entry
    )  # of every row; what other numbers are called is no matter
    ids = [
        f"{case.id}"
        for case in cases([talkdesk.model_copy(update={"lines": named, "depth": "full"})])
    ]
    assert len(ids) > 60 * len(named)
    assert [mask_text(name) for name in ids] == ids
    assert len(set(ids)) == len(ids)


def test_two_cases_that_would_have_one_id_are_refused(talkdesk: Deployment) -> None:
    entry = next(line for line in talkdesk.lines.values() if line.assistant and not line.hours)
    both = {**talkdesk.lines, "front desk": entry, "front-desk": entry}
    with pytest.raises(
        SelectionError,
        match=r"front-desk\]: two cases have this id \(.*front desk and .*front-desk\)",
    ):
        cases([talkdesk.model_copy(update={"lines": both, "depth": "full"})])


@given(st.sampled_from(_NUMBERS), st.sampled_from(("", "Linha ", "desk-")))
def test_of_a_number_in_a_name_four_digits_stay(number: str, before: str) -> None:
    """A national number with dashes, or of nine digits, stood whole in ids that have no number by
    the documents.
    """
    digits = "".join(filter(str.isdigit, number))
    written = _in_id(before + number).partition("~")[0]
    assert "".join(filter(str.isdigit, written)) == digits[-4:]
