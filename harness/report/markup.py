"""Text as XML and HTML can hold it."""

from __future__ import annotations

import re
from html import escape

from markupsafe import Markup

#: What XML 1.0 (section 2.2) has no place for; a fault that mangles bytes puts such characters into messages.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
#: Turn the order of what follows in the line around (Unicode UAX #9), beyond the element they stand in: a number could read as
#: another. The marks that text of right to left needs (U+200E, U+200F, U+061C) turn nothing but the blanks beside them.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with line ends of its platform, what cannot be printed as U+FFFD, and what turns its order around as its escape."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    # Nearly all of what a report shows, and found a tenth as fast by the expression.
    if lines.replace("\n", "").isprintable():
        return lines
    return _TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", _UNPRINTABLE.sub("\ufffd", lines))


def xml(text: object) -> str:
    """``text`` escaped for element content and quoted attributes."""
    return escape(printable(str(text)), quote=True)


def with_code(text: object) -> Markup:
    """``text`` escaped, and what stands between backticks in it as code: a key, a command, a line of SDP."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(Markup.escape(text))))
