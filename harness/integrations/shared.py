"""Rows that every platform in front of an AI has, under ids of its own."""

from __future__ import annotations

from harness.integrations import plans
from harness.integrations.base import ADDRESSED, FALLEN_BACK, HANDED_OVER, WITH_THE_AI, Row
from harness.integrations.which import (
    A_CALLER,
    ASK,
    CALLER_ID_SHOWN,
    FALLBACK,
    PLAIN,
    REFER,
    REFER_OF_AXIS,
    SHOWS_OF_AXIS,
    TO_AI,
    UNREACHABLE,
    fails,
    hands_over,
)

_TRANSFERRED = {**HANDED_OVER, "caller_id": 1, "landing.others": 1, "one_call": 2}


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
        finds={**WITH_THE_AI, **ADDRESSED, "caller_id": 1, "codec": 2, "call.up": 1, "landing.others": 1},
    )


def blind_transfer(prefix: str, people: str, *, source: str, section: str = "") -> Row:
    """The AI hands the caller over by REFER; ``people`` is what the platform calls a group."""
    return Row(
        id=f"{prefix}-TRANSFER-BLIND",
        scenario="TRANSFER-BLIND",
        moment="transfer",
        title=f"The AI hands the caller to the {people} by REFER",
        proves=f"The caller asks the AI for a person and lands in the right {people}, with the caller's own number shown to "
        "the agent and audio both ways; no other group rings, the AI's leg ends, one call is left for each party.",
        source=source,
        section=section,
        which=(hands_over("cold"), REFER_OF_AXIS),
        needs=(A_CALLER,),
        over="trunks",
        axes=(REFER, ASK),
        seconds=2.0,
        calls=plans.blind_transfer,
        subject=frozenset({"landing"}),
        finds={**_TRANSFERRED, "released": 1},
    )


def warm_transfer(prefix: str, people: str, *, source: str, section: str = "") -> Row:
    """The AI calls the group and joins the caller to it."""
    return Row(
        id=f"{prefix}-TRANSFER-WARM",
        scenario="TRANSFER-WARM",
        moment="transfer",
        title=f"The AI calls the {people} and joins the caller to it",
        proves=f"The AI places a new call to the {people} over the trunk and joins the two: the right group rings and no "
        "other, the agent sees the number the deployment promises, caller and agent hear each other, the AI no longer "
        "speaks.",
        source=source,
        section=section,
        which=(hands_over("warm"), SHOWS_OF_AXIS),
        needs=(A_CALLER,),
        over="trunks",
        axes=(CALLER_ID_SHOWN,),
        seconds=2.0,
        calls=plans.warm_transfer,
        subject=frozenset({"landing"}),
        finds={**_TRANSFERRED, "audio.silent": 1},
    )


def fallbacks(prefix: str, people: str, *, source: str, section: str = "") -> tuple[Row, ...]:
    """The AI does not answer, refuses, or cannot be reached: the caller is with the fallback group."""
    return (
        Row(
            id=f"{prefix}-FALLBACK-TIMEOUT",
            scenario="FALLBACK-TIMEOUT",
            moment="fallback",
            title="An AI that never answers",
            proves=f"When the ring timeout is over the caller is with the fallback {people}, with caller ID and audio both ways; "
            "the time waited is the one configured, within a second.",
            source=source,
            section=section,
            which=(fails("never-answers"), FALLBACK),
            needs=(A_CALLER,),
            over="trunks",
            seconds=4.0,
            finds={**FALLEN_BACK, "route.tried": 1, "timing": 1},
        ),
        Row(
            id=f"{prefix}-FALLBACK-REFUSED",
            scenario="FALLBACK-REFUSED",
            moment="fallback",
            title="An AI that answers 503",
            proves=f"The caller is with the fallback {people} without waiting for longer than the ring timeout, with caller ID and "
            "audio both ways.",
            source=source,
            section=section,
            which=(fails("unavailable"), FALLBACK),
            needs=(A_CALLER,),
            over="trunks",
            finds={**FALLEN_BACK, "route.tried": 1, "timing.within": 1},
        ),
        Row(
            id=f"{prefix}-FALLBACK-DOWN",
            scenario="FALLBACK-DOWN",
            moment="fallback",
            title="An AI that cannot be reached",
            proves=f"Within the ring timeout the caller is with the fallback {people}, with caller ID and audio both ways.",
            source=source,
            section=section,
            which=(UNREACHABLE, FALLBACK),
            needs=(A_CALLER,),
            over="trunks",
            seconds=3.0,
            own_place=True,
            finds={**FALLEN_BACK, "timing.within": 1},
        ),
    )


def registrations(
    prefix: str, platform: str, *, source: str, attach: str = "", troubleshooting: str = ""
) -> tuple[Row, ...]:
    """The SIP number registers at the platform, or must not."""

    def of(what: str, title: str, proves: str, section: str, seconds: float, **finds: int) -> Row:
        checks = {name.replace("__", "."): least for name, least in finds.items()}
        return Row(
            id=f"{prefix}-REGISTER-{what}",
            scenario=f"REGISTER-{what}",
            moment="registration",
            title=title,
            proves=proves,
            source=source,
            section=section,
            which=None,
            over="trunks",
            codecs=False,
            authentication=("digest",),
            seconds=seconds,
            calls=plans.none,
            subject=frozenset(check for check in checks if check.startswith("registration")),
            finds=checks,
        )

    return (
        of(
            "OK",
            "The SIP number registers",
            "The number registers with digest within the 120 seconds the guide gives it, and again before the registration ends.",
            attach,
            5.0,
            registration=1,
            timing__within=1,
        ),
        of(
            "BADPASS",
            "A wrong password is refused",
            "A registration with a wrong password ends with 401 or 403, and the number is not registered.",
            troubleshooting,
            1.0,
            registration__refused=1,
        ),
        of(
            "NOTALLOWED",
            "An address that is not allowed is refused",
            f"A registration from an address outside {platform} allowed list ends with 403, whatever its password.",
            troubleshooting,
            1.0,
            registration__refused=1,
        ),
    )
