"""The result of a request: an answer, or why there is none."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.support import network_text

#: More than any answer that is read here has; a hostile one could be any size.
MOST_BYTES = 8 * 1024 * 1024

Trouble = Literal["refused", "late", "unusable"]
#: Whose certificates are trusted; True: those whom the system trusts, whose list aiohttp reads
#: once, when it is imported.
Trust = ssl.SSLContext | Literal[True]


class HttpError(Exception):
    """No usable answer came; ``trouble`` says of which kind."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(network_text.line(message))
        self.trouble = trouble


@dataclass(frozen=True)
class HttpResponse:
    """A whole answer. What this process sent of its secrets stands in none of it, but for the
    octets of ``body``.
    """

    status: int
    reason: str
    headers: Mapping[
        str, str
    ]  #: names in small letters; values of one that came twice with a comma between
    body: bytes

    def json(self) -> Any:
        """What the body holds. Raises ``ValueError`` for what is no JSON."""
        return network_text.read_json(self.body)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def date(self) -> str | None:
        """When its server sent it, by that one's clock; None where a cache has kept it since (RFC
        9111 section 5.1).
        """
        return self.headers.get("date") if self.headers.get("age", "0").strip() == "0" else None
