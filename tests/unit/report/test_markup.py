"""What stands in a page, in XML and in a text beside them reads as it was sent."""

from __future__ import annotations

import pytest

from harness.report.markup import printable, with_code, xml


#: Embeddings, overrides and isolates of Unicode UAX #9: what follows in the line is turned around,
#: too.
@pytest.mark.parametrize("code", [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
def test_nothing_turns_the_order_of_what_is_shown_around(code: int) -> None:
    """A number could read as another, in a From's display name, say; a terminal shows such
    characters as escapes, too.
    """
    assert (
        printable(f'From: "{chr(code)}0010-555 {chr(code)}"')
        == f'From: "\\u{code:04x}0010-555 \\u{code:04x}"'
    )
    assert chr(code) not in xml(f"<{chr(code)}>")


@pytest.mark.parametrize(
    "words",
    ["مرحبا!", "שלום 1", "日本語", "🦄", "a\xa0b"],
)
def test_words_of_every_script_stay_as_they_are(words: str) -> None:
    assert printable(words) == words


@pytest.mark.parametrize("sign", "\u200b\u200d\u200e\u200f")
def test_characters_that_are_not_seen_are_escaped_within_words_too(sign: str) -> None:
    assert printable(f"a{sign}b") == f"a\\u{ord(sign):04x}b"


def test_what_stands_between_backticks_is_code_and_nothing_else_of_it_markup() -> None:
    assert with_code("Look at `a=crypto` & <b>`key`</b>.") == (
        "Look at <code>a=crypto</code> &amp; &lt;b&gt;<code>key</code>&lt;/b&gt;."
    )
    assert with_code("one ` alone") == "one ` alone"
