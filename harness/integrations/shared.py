"""Rows that every platform in front of an AI has, under ids of its own."""

from __future__ import annotations

from functools import partial

from harness.finding_kinds import (
    AUDIO_SILENT,
    CALL_UP,
    CALLER_ID,
    CODEC,
    LANDING_OTHERS,
    ONE_CALL,
    REGISTRATION,
    REGISTRATION_REFUSED,
    RELEASED,
    ROUTE_NOT_ANSWERED,
    ROUTE_TRIED,
    TIMING,
    TIMING_WITHIN,
    TRANSFER_REFER,
    RequiredFindings,
)
from harness.integrations import plans
from harness.integrations.base import ADDRESSED, FALLEN_BACK, HANDED_OVER, WITH_THE_AI, Need, Row
from harness.integrations.which import (
    A_CALLER,
    ASK,
    ASKED,
    CALLER_ID_SHOWN,
    PLAIN,
    REFER,
    REFER_OF_AXIS,
    SEEN_FALLBACK,
    SHOWS_OF_AXIS,
    STRANGER_REGISTERS,
    TO_AI,
    TO_NUMBER,
    TO_SEEN_GROUP,
    TOLD_APART,
    UNREACHABLE,
    hands_over,
    leaves_its_calls,
)

_TRIED_IN_VAIN = {**FALLEN_BACK, LANDING_OTHERS: 1, ROUTE_TRIED: 1, ROUTE_NOT_ANSWERED: 1}
_TRANSFERRED = {**HANDED_OVER, CALLER_ID: 1, LANDING_OTHERS: 1, ONE_CALL: 2}

_transfer = partial(
    Row,
    moment="transfer",
    needs=(A_CALLER,),
    over="trunks",
    seconds=2.0,
    subject=frozenset({"landing"}),
)
_fallback = partial(Row, moment="fallback", needs=(A_CALLER,), over="trunks")


def inbound(
    prefix: str,
    *,
    proves: str,
    title: str = "An outside call reaches the AI",
    source: str,
    section: str = "",
    menus: bool = False,
) -> Row:
    """An outside call reaches the AI; ``menus``: also by numbers with a menu, where no row of its own proves those."""
    return Row(
        id=f"{prefix}-INBOUND",
        scenario="INBOUND",
        title=title,
        proves=proves,
        source=source,
        section=section,
        which=(TO_AI,) if menus else (TO_AI, PLAIN),
        needs=(A_CALLER,),
        every_number=True,
        over="trunks",
        required_findings={**WITH_THE_AI, **ADDRESSED, CALLER_ID: 1, CODEC: 2, CALL_UP: 1, LANDING_OTHERS: 1},
    )


def blind_transfer(prefix: str, people: str, *, source: str, section: str = "") -> Row:
    """The AI hands the caller over by REFER; ``people`` is what the platform calls a group."""
    return _transfer(
        id=f"{prefix}-TRANSFER-BLIND",
        scenario="TRANSFER-BLIND",
        title=f"The AI hands the caller to the {people} by REFER",
        proves=f"The caller asks the AI for a person and lands in the right {people}, with the caller's own number shown to "
        "the agent and audio both ways; no other group rings, the AI's leg ends, one call is left for each party.",
        source=source,
        section=section,
        hands_over="cold",
        which=(hands_over("cold"), ASKED, TO_SEEN_GROUP, REFER_OF_AXIS, TO_NUMBER, TOLD_APART),
        axes=(REFER, ASK),
        calls=plans.blind_transfer,
        required_findings={**_TRANSFERRED, TRANSFER_REFER: 1, RELEASED: 1},
    )


def warm_transfer(prefix: str, people: str, *, source: str, section: str = "") -> Row:
    """The AI calls the group and joins the caller to it."""
    return _transfer(
        id=f"{prefix}-TRANSFER-WARM",
        scenario="TRANSFER-WARM",
        title=f"The AI calls the {people} and joins the caller to it",
        proves=f"The AI places a new call to the {people} over the trunk and joins the two: the right group rings and no "
        "other, the agent sees the number the deployment promises, caller and agent hear each other, and neither hears "
        "the AI any more.",
        source=source,
        section=section,
        hands_over="warm",
        which=(hands_over("warm"), ASKED, TO_SEEN_GROUP, SHOWS_OF_AXIS, TOLD_APART),
        axes=(CALLER_ID_SHOWN,),
        calls=plans.warm_transfer,
        required_findings={**_TRANSFERRED, AUDIO_SILENT: 2},
    )


def fallbacks(prefix: str, people: str, *, source: str, section: str = "") -> tuple[Row, ...]:
    """The AI does not answer, refuses, or cannot be reached: the caller is with the fallback group."""
    return (
        _fallback(
            id=f"{prefix}-FALLBACK-TIMEOUT",
            scenario="FALLBACK-TIMEOUT",
            title="An AI that never answers",
            proves="The AI never takes the call, and when the ring timeout is over it is let go and the caller is with the fallback "
            f"{people}, with caller ID and audio both ways; the time waited is the one configured, within a second.",
            source=source,
            section=section,
            which=(leaves_its_calls("never-answers"), SEEN_FALLBACK),
            seconds=4.0,
            required_findings={**_TRIED_IN_VAIN, TIMING: 1, RELEASED: 1},
        ),
        _fallback(
            id=f"{prefix}-FALLBACK-REFUSED",
            scenario="FALLBACK-REFUSED",
            title="An AI that answers 503",
            proves=f"The AI does not take the call, and the caller is with the fallback {people} without waiting for longer than "
            "the ring timeout, with caller ID and audio both ways.",
            source=source,
            section=section,
            which=(leaves_its_calls("unavailable"), SEEN_FALLBACK),
            own_place=True,
            takes_trunk_down=True,
            required_findings={**_TRIED_IN_VAIN, TIMING_WITHIN: 1},
        ),
        _fallback(
            id=f"{prefix}-FALLBACK-DOWN",
            scenario="FALLBACK-DOWN",
            title="An AI that cannot be reached",
            proves=f"Within the ring timeout the caller is with the fallback {people}, with caller ID and audio both ways.",
            source=source,
            section=section,
            which=(UNREACHABLE, SEEN_FALLBACK),
            seconds=3.0,
            own_place=True,
            takes_trunk_down=True,
            required_findings={**FALLEN_BACK, LANDING_OTHERS: 1, TIMING_WITHIN: 1},
        ),
    )


def _registration(
    prefix: str,
    what: str,
    *,
    title: str,
    proves: str,
    source: str,
    section: str,
    seconds: float,
    needs: tuple[Need, ...] = (),
    required_findings: RequiredFindings,
) -> Row:
    return Row(
        id=f"{prefix}-REGISTER-{what}",
        scenario=f"REGISTER-{what}",
        moment="registration",
        title=title,
        proves=proves,
        source=source,
        section=section,
        which=None,
        needs=needs,
        over="trunks",
        codecs=False,
        authentication=("digest",),
        seconds=seconds,
        calls=plans.none,
        subject=frozenset(kind.check for kind in required_findings if kind.check.startswith("registration")),
        required_findings=required_findings,
    )


def registrations(
    prefix: str, platform: str, *, source: str, attach: str = "", troubleshooting: str = ""
) -> tuple[Row, ...]:
    """The SIP number registers at the platform, or must not."""

    return (
        _registration(
            prefix,
            "OK",
            title="The SIP number registers",
            proves="The number registers with digest within the 120 seconds the guide gives it, and again before the "
            "registration ends.",
            source=source,
            section=attach,
            seconds=5.0,
            required_findings={REGISTRATION: 1, TIMING_WITHIN: 1},
        ),
        _registration(
            prefix,
            "BADPASS",
            title="A wrong password is refused",
            proves="A registration with a wrong password ends with 401, 407 or 403, and the number is not registered.",
            source=source,
            section=troubleshooting,
            seconds=1.0,
            required_findings={REGISTRATION_REFUSED: 1},
        ),
        _registration(
            prefix,
            "NOTALLOWED",
            title="An address that is not allowed is refused",
            proves=f"A registration from an address outside {platform} allowed list ends with 403, whatever its password.",
            source=source,
            section=troubleshooting,
            seconds=1.0,
            needs=(STRANGER_REGISTERS,),
            required_findings={REGISTRATION_REFUSED: 1},
        ),
    )
