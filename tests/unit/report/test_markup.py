"""What stands in a page, in XML and in a text beside them reads as it was sent."""

from __future__ import annotations

import pytest

from harness.report.markup import printable, with_code


@pytest.mark.parametrize(
    "words",
    ["مرحبا!", "שלום 1", "日本語", "🦄", "a\xa0b"],
)
def test_words_of_every_script_stay_as_they_are(words: str) -> None:
    assert printable(words) == words


def test_what_stands_between_backticks_is_code_and_nothing_else_of_it_markup() -> None:
    assert with_code("Look at `a=crypto` & <b>`key`</b>.") == (
        "Look at <code>a=crypto</code> &amp; &lt;b&gt;<code>key</code>&lt;/b&gt;."
    )
    assert with_code("one ` alone") == "one ` alone"
