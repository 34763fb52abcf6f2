"""The table of the platform's call report, which shows where a call landed if no harness phone could."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated, Literal, Self
from unicodedata import category, normalize

from pydantic import AfterValidator, Field, model_validator

from harness.deployment.hours import Zone
from harness.deployment.values import Model, Variable, WebAddress

#: What a report can say of a call.
ReportField = Literal["caller", "number", "group", "agent", "started", "type"]


def _time_format(form: str) -> str:
    moment = datetime(2026, 11, 23, 14, 5)
    try:
        # with an offset that %z writes and reads, and no name of a zone, which would say nothing (%Z)
        read = datetime.strptime(moment.replace(tzinfo=timezone(timedelta(hours=1))).strftime(form), form)
    except ValueError:
        read = None
    if read is None or read.replace(tzinfo=None) not in (moment, datetime(2026, 11, 23, 14)):
        raise ValueError(f"{form!r}: no form of a date and a time; allowed: %d.%m.%Y %H:%M:%S or the like (strptime)")
    return form


#: How a date and a time are written, as Python's ``strptime`` has it.
TimeFormat = Annotated[str, AfterValidator(_time_format)]


def plain_signs(text: str) -> str:
    """The text without invisible characters, and with ASCII dashes and apostrophes for their typographic variants."""
    signs = ("-" if category(sign) == "Pd" else sign for sign in text if category(sign) != "Cf")
    return re.sub("[\u2018\u2019\u02bc\u00b4`]", "'", "".join(signs))


def plain_name(name: str) -> str:
    """A group's name as it is compared: however it is composed, spaced and capitalised, with whichever dashes and apostrophes."""
    return " ".join(plain_signs(normalize("NFC", name)).casefold().split())


class Report(Model):
    """The platform's report of its calls, CSV or JSON: where a call landed in a group without harness phones."""

    url: WebAddress | None = None  #: gives the report; ``{since}`` is a minute before the call, in UTC
    method: Literal["GET", "POST"] = "GET"  #: the request's
    headers: dict[str, str] = {}  #: the request's, without secrets
    headers_env: dict[str, Variable] = {}  #: header name → variable with its value
    body: str = ""  #: the request's; ``{since}`` as in ``url``
    ca_file: str | None = None  #: CA certificates (PEM); default: the system's
    timeout_s: float = Field(10.0, gt=0, le=120)  #: limit of one request
    #: Instead of ``url``: a file beside this one, put there after the calls.
    file: str | None = Field(None, min_length=1)
    #: Names of columns that are not known (above).
    columns: dict[ReportField, str] = {}
    #: Of its times, for Python's ``strptime``; default: ISO 8601, or seconds since 1970.
    time_format: TimeFormat | None = None
    zone: Zone | None = None  #: of times without an offset; default: UTC
    #: Names in the group column that are no people, e.g. the group that leads to the AI.
    ignore: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    stay_s: float = Field(20.0, ge=5, le=300)  #: how long a caller stays with people whom the harness does not hear
    within_s: float = Field(300.0, gt=0, le=7200)  #: how long after its end the report may list a call
    poll_s: float = Field(10.0, gt=0, le=600)  #: between two requests
    #: ``unknown``: a row may pass although it is not known whether the caller and these people hear each other.
    strength: Literal["unknown"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.url is None) == (self.file is None):
            raise ValueError("where the report is read is needed; allowed: url, or file")
        if self.file is not None and (self.headers or self.headers_env or self.body):
            raise ValueError("a file takes no request; allowed: headers, headers_env and body with url")
        return self
