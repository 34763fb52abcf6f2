"""Synthflow's records of the case's calls: the interface of one case, and when a call ended by it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.deployment import Assistant, Deployment
from harness.errors import FarEndError
from harness.scenario.evidence import Evidence
from harness.witness.synthflow import AbsentApi, SynthflowApi

if TYPE_CHECKING:
    from harness.scenario.context import CaseContext

#: What an id of a call is made of.
_CALL_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class FarRecords:
    """The far end's own records, as far as the deployment lets us see them."""

    def __init__(self, deployment: Deployment, api: SynthflowApi | None, evidence: Evidence) -> None:
        self._deployment, self._declared = deployment, deployment.synthflow
        self._api = api
        self._evidence = evidence

    @property
    def api(self) -> SynthflowApi:
        """Synthflow's API; where the deployment names none, one that tells nothing."""
        return self._api or AbsentApi()

    @property
    def poll_s(self) -> float:
        """Between two looks at the records."""
        return self._declared.poll_s if self._declared else 1.0

    @property
    def lag_s(self) -> float:
        """How much later than a call its record may be."""
        return self._declared.record_lag_s if self._declared else 0.0

    @property
    def is_shared(self) -> bool:
        """Whether other people's calls are among the records."""
        return self._declared is not None and self._declared.shared

    def trouble(self, error: FarEndError) -> None:
        """The interface failed: said once, it lowers what can be known, never the call's verdict."""
        self._evidence.note_once(str(error))

    def note_earlier(self) -> None:
        """Before a call is placed: none that is there already is taken for it, or for one that came of it."""
        if self._api is not None and not self._api.is_down:
            with suppress(FarEndError):  # it is asked again, and its trouble said, where something is looked for
                self._api.note_earlier(self._deployment.models())

    def prepared(self, caller: str, assistant: Assistant) -> str | None:
        """An id that the interface will keep the coming call's record under; None when it gives none."""
        if self._declared is None or not self._declared.prepare or self._api is None:
            return None
        try:
            found = self._api.prepare_inbound(caller, assistant.did, assistant.model_id)
        except FarEndError as error:
            self.trouble(error)
            return None
        if not _CALL_ID.fullmatch(found):  # it goes into a header
            self.trouble(FarEndError("Synthflow API: POST /prepare_inbound: an id that no header can carry"))
            return None
        return found


@dataclass(frozen=True, slots=True)
class ReportedEnd:
    """A call ended at that moment (``time.monotonic()``), or as much earlier as there is doubt."""

    at: float
    doubt_s: float = 0.0


def reported_end(
    context: CaseContext, look: Callable[[], tuple[bool | None, float | None]], deadline: float
) -> ReportedEnd | None:
    """The end of a call; None where a look that began at ``deadline`` or later shows none, or the interface is down.

    ``look`` asks once: whether the call is over (None: unknown), and when it ended, where the interface says so. Where it does
    not, the call ended after the last look began that showed it up, and before the first came back that did not.
    """
    up_at = -math.inf
    while True:
        asked = time.monotonic()
        is_over, at = look()
        if is_over:
            seen = time.monotonic()
            return ReportedEnd(seen, seen - up_at) if at is None else ReportedEnd(at)
        if is_over is False:
            up_at = asked
        if asked >= deadline or context.far_end.api.is_down:
            return None
        context.pause(context.far_end.poll_s)
