"""What rows declare: conditions on numbers and deployments, axes, and the calls that a case will
place.

Rows follow from facts, never from names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from operator import attrgetter

from harness.deployment import (
    CALLS_A_PHONE,
    IDLE,
    Behaviour,
    CallerIdMode,
    Deployment,
    Handover,
    RoutedBy,
    Way,
)
from harness.integrations.base import (
    NOT_OBSERVABLE,
    Axis,
    By,
    Calls,
    Cell,
    Need,
    PlannedCall,
    Which,
    one_call,
)
from harness.integrations.observability import unseen
from harness.sip.identity import has_national_form, is_number

#: Callers of the row with simultaneous calls, if the trunk and the test phones allow that many.
MOST_AT_ONCE = 3


def behaves(cell: Cell, behaviour: Behaviour) -> bool:
    """Whether the number's assistant has this behaviour. The behaviour of a stand-in is chosen by
    the row.
    """
    return cell.assistant is not None and cell.assistant.behaviour == behaviour


def _leads_to_ai(cell: Cell) -> bool:
    return behaves(cell, "talks") and cell.entry.reachable and not cell.entry.plaintext


def _agents(deployment: Deployment, group: str | None) -> bool:
    return group is not None and bool(deployment.groups[group].present)


def _others_answer(deployment: Deployment, group: str | None) -> bool:
    """Whether only people without a harness phone answer in the group, so no landing is observed."""
    if group is None:
        return False
    entry = deployment.groups[group]
    with_phones = entry.present if entry.others else entry.agents
    return not entry.empty and not with_phones


def _is_seen(deployment: Deployment, group: str | None) -> bool:
    """Whether a landing in the group is observed, by a harness phone or by the platform's report."""
    return _agents(deployment, group) or (group is not None and deployment.is_reported(group))


def _hands_over(cell: Cell, way: str) -> bool:
    return _leads_to_ai(cell) and cell.handover is not None and cell.handover.transfer == way


#: A number that leads to an AI that talks, the plainest first.
TO_AI = Which(_leads_to_ai, "no number leads to an AI that talks", lambda cell: cell.has_way_in)
PLAIN = Which(lambda cell: cell.entry.press is None, "every number has a menu in front of the AI")
MENU = Which(lambda cell: cell.entry.press is not None, "no number has a menu in front of the AI")
#: The same, of numbers that are routed by one.
CHOSEN = Which(
    MENU.holds,
    "press: of no number that is routed by a menu choice is it said what the caller presses",
)
#: Where the platform itself answers nothing, so that the caller's phone sees what the AI answers.
THROUGH = Which(
    lambda cell: not cell.has_way_in, "the platform answers every number itself, before the AI"
)


def _people(group: Callable[[Cell], str | None], missing: str) -> Which:
    """The group of the number has a harness phone."""
    return Which(
        lambda cell: _agents(cell.deployment, group(cell)),
        missing,
        hides=lambda cell: _others_answer(cell.deployment, group(cell)),
    )


def _machine(deployment: Deployment, group: str | None) -> bool:
    return group is not None and deployment.groups[group].is_machine


def _by_own_machine(cell: Cell) -> bool:
    return cell.axes.get("overflow") == cell.entry.group


PEOPLE_ONLY = replace(
    _people(attrgetter("people"), "no number leads to people only, with a harness phone"),
    holds=lambda cell: _agents(cell.deployment, cell.people) and not _by_own_machine(cell),
)
TO_A_MACHINE = Which(
    lambda cell: (
        cell.people is not None
        and (_by_own_machine(cell) or _machine(cell.deployment, cell.people))
    ),
    "no number leads, while it is open, to a group where a machine answers, or takes over from harness phones",
)


def _rings_several(cell: Cell) -> bool:
    return (
        cell.entry.group is not None and len(cell.deployment.groups[cell.entry.group].present) > 1
    )


def _rings_others(cell: Cell) -> bool:
    return cell.entry.group is not None and cell.deployment.groups[cell.entry.group].others


SEVERAL_PEOPLE = Which(
    lambda cell: _rings_several(cell) and not _rings_others(cell),
    "no number leads to people only of whom two have harness phones, and all",
    hides=lambda cell: _rings_several(cell) and _rings_others(cell),
)


def _then_to_ai(cell: Cell) -> bool:
    """Whether harness phones alone can decline for the number's group, and an AI that talks takes
    over.
    """
    entry, deployment = cell.entry, cell.deployment
    group = deployment.groups[entry.group] if entry.group else None
    if group is None or entry.overflow is None or group.others or group.has_machine:
        return False
    talks = deployment.assistants[entry.overflow].behaviour == "talks"
    return bool(group.present) and talks and entry.reachable and not entry.plaintext


PEOPLE_THEN_AI = Which(
    _then_to_ai,
    "no number leads to a group of harness phones alone that an AI that talks takes over from",
    beyond_us=lambda cell: cell.entry.overflow is not None,
)
HAS_HOURS = Which(lambda cell: cell.opening.hours is not None, "no number has hours")
CLOSED_GROUP = _people(
    attrgetter("opening.closed"),
    "no number leads, while it is closed, to a group with a harness phone",
)
CLOSED_MACHINE = Which(
    lambda cell: cell.opening.closed is None or _machine(cell.deployment, cell.opening.closed),
    "no number leads, while it is closed, to a message or to a group where a machine answers",
)


def _falls_to_machine(cell: Cell) -> bool:
    return _machine(cell.deployment, cell.entry.fallback)


#: People before a machine.
FALLBACK = replace(
    _people(
        attrgetter("entry.fallback"),
        "no number has a fallback to a group with a harness phone, or to a machine",
    ),
    holds=lambda cell: _agents(cell.deployment, cell.entry.fallback) or _falls_to_machine(cell),
    prefers=_falls_to_machine,
)
#: The same, or a group that the platform's report names.
SEEN_FALLBACK = replace(
    FALLBACK,
    holds=lambda cell: _is_seen(cell.deployment, cell.entry.fallback) or _falls_to_machine(cell),
)
NO_FALLBACK = Which(lambda cell: cell.entry.fallback is None, "every number has a fallback")


def _falls_back(cell: Cell) -> bool:
    """Whether somebody is to take over from the number's AI: a real one does not fail for a test."""
    return cell.assistant is not None and cell.entry.fallback is not None


def fails(behaviour: Behaviour) -> Which:
    """The AI does not take the call: an assistant that behaves so, or a stand-in that is told to."""

    def holds(cell: Cell) -> bool:
        if not cell.entry.reachable or cell.entry.plaintext or cell.assistant is None:
            return False
        return behaves(cell, behaviour) or (cell.ai == "stand-in" and cell.entry.may_fail)

    return Which(
        holds,
        f"no number leads to an AI that {_SAYS[behaviour]}",
        lambda cell: not behaves(cell, behaviour),
    )


def leaves_its_calls(behaviour: Behaviour) -> Which:
    """The same, of rows on who takes over from it."""
    return replace(fails(behaviour), beyond_us=_falls_back)


_SAYS: dict[Behaviour, str] = {
    "never-answers": "does not answer",
    "unavailable": "answers 503",
    "busy": "is busy",
    "declines": "declines",
    "early-media": "sends audio before it answers",
    "talks": "talks",
}

UNREACHABLE = Which(
    lambda cell: (
        cell.assistant is not None
        and (
            not cell.entry.reachable
            or (cell.ai == "stand-in" and cell.entry.may_fail and _leads_to_ai(cell))
        )
    ),
    "no number's trunk leads to a host that does not answer",
    lambda cell: cell.entry.reachable,
    beyond_us=_falls_back,
)
IDLE_DIGITS = Which(
    lambda cell: (
        cell.entry.assistant is not None
        and len(cell.deployment.idle_digits(cell.entry.assistant)) >= IDLE
    ),
    f"fewer than {IDLE} digits mean nothing to the AI",
)
#: Where people take over as soon as the number's trunk is of no use.
ONE_TRUNK = Which(
    lambda cell: cell.entry.failover is None,
    "every number has a failover trunk, which carries such calls",
)


def _fails_over(cell: Cell) -> bool:
    """Whether the number's own trunk is down while its failover trunk leads to the AI: by
    declaration, or with the stand-in at the failover trunk's address alone.
    """
    entry = cell.entry
    if entry.failover is None or not behaves(cell, "talks") or entry.plaintext:
        return False
    over = cell.deployment.trunk(entry.failover)
    apart = (
        cell.ai == "stand-in"
        and entry.may_fail
        and (over.transport, over.port) != (cell.trunk.transport, cell.trunk.port)
    )
    return over.ai == cell.ai and (apart or not entry.reachable)


FAILS_OVER = Which(
    _fails_over,
    "no number with a failover trunk has its own trunk down (reachable = false, or a stand-in at one of the two alone)",
    beyond_us=lambda cell: cell.entry.failover is not None,
)
MAY_FAIL = Which(lambda cell: cell.entry.may_fail, "no number's AI may be made to fail")


def hands_over(way: str) -> Which:
    """An assistant that hands over this way, to whomever."""
    return Which(
        lambda cell: _hands_over(cell, way),
        f"no number leads to an assistant that hands over {way}",
        lambda cell: cell.has_way_in,
    )


#: An assistant that hands over in the way of the axis, while its caller's phone has one call: that
#: of a REFER which is passed on calls the group itself.
WAY_OF_AXIS = Which(
    lambda cell: (
        _hands_over(cell, cell.axes["transfer"])
        and (cell.axes["transfer"] == "warm" or cell.entry.refer == "consumed")
    ),
    "no number leads to an assistant that hands over so, and whose REFER the platform carries out",
    lambda cell: cell.has_way_in,
)


def _can_be_asked(cell: Cell) -> bool:
    if cell.handover is None:
        return False
    way = cell.axes.get("ask") or next(iter(cell.handover.ways), None)
    return way in cell.handover.ways and (
        way != "digit" or cell.handover.digit is not None or cell.ai == "stand-in"
    )


#: That the caller can ask the AI for a person: a stand-in takes any digit.
ASKED = Which(
    _can_be_asked,
    "escalation: no way is named in which this AI is asked for a person (ways, and digit)",
    reason_for_one="escalation: no way is named in which it is asked for (ways, and digit)",
)
#: An assistant whose group has a harness phone: only there is a landing observed.
TO_OUR_PHONE = Which(
    lambda cell: cell.handover is not None and _agents(cell.deployment, cell.handover.transfer_to),
    f"{NOT_OBSERVABLE}no assistant that hands over so does to a group with a harness phone",
    reason_for_one=f"{NOT_OBSERVABLE}its group has no harness phone",
)

#: The same, or a group that the platform's report names.
TO_SEEN_GROUP = replace(
    TO_OUR_PHONE,
    holds=lambda cell: (
        cell.handover is not None and _is_seen(cell.deployment, cell.handover.transfer_to)
    ),
    reason_for_one=f"{NOT_OBSERVABLE}its group has no harness phone, and no report names it",
)


def _overflows(cell: Cell) -> bool:
    """Whether harness phones alone can decline for the group of the handover, and others take over."""
    groups = cell.deployment.groups
    group = groups[cell.handover.transfer_to] if cell.handover else None
    if group is None or group.overflow is None or group.others or group.has_machine:
        return False
    taker = set(groups[group.overflow].present)
    return bool(group.present) and bool(taker) and taker.isdisjoint(group.present)


#: A group of harness phones that another one takes over from.
TO_OVERFLOW = Which(
    _overflows,
    "no assistant hands over cold to a group of harness phones alone that another such group takes over from",
)


def _closes(cell: Cell) -> bool:
    """Whether the group of the handover has hours, and other people with harness phones take over."""
    groups = cell.deployment.groups
    group = groups[cell.handover.transfer_to] if cell.handover else None
    if group is None or group.closed is None:
        return False
    return not set(groups[group.closed].present) <= set(group.present)


#: A group whose calls go to another one out of its hours.
TO_CLOSED = Which(
    _closes,
    "no assistant hands over cold to a group with hours whose closed group has harness phones",
)


def _to_other_assistant(cell: Cell) -> bool:
    """Whether the group of the handover stands for another assistant, on the same trunk."""
    deployment = cell.deployment
    line = deployment.line_behind(str(cell.handover.transfer_to)) if cell.handover else None
    if line is None or cell.trunk.name not in deployment.numbers_of_line(line):
        return False
    other = deployment.lines[line]
    talks = deployment.assistants[str(other.assistant)].behaviour == "talks"
    is_plain = not (other.press or other.hours or other.announcement_s or other.notice_s)
    return talks and is_plain and other.reachable and other.assistant != cell.entry.assistant


#: A number of another assistant.
TO_ASSISTANT = Which(
    _to_other_assistant,
    "no assistant hands over cold to the number of another assistant that talks, on its own trunk, without menu, hours or announcement",
)


def _is_told_apart(cell: Cell) -> bool:
    """Whether a landing shows which of the assistant's handovers was made: by who rings first, or
    by where the AI transferred to.
    """
    deployment, handover, assistant = cell.deployment, cell.handover, cell.entry.assistant
    if (
        handover is None
        or assistant is None
        or handover.transfer_to is None
        or cell.ai == "stand-in"
    ):
        return True
    asked, group = cell.axes.get("handover", ""), deployment.groups[handover.transfer_to]
    rivals = deployment.mistakable(assistant, asked, handover.transfer_to, group.first_turn)
    if not rivals:
        return True
    hidden = unseen(deployment)
    # the caller's phone gets the REFER
    at_caller = handover.transfer == "cold" and cell.entry.refer == "passed-on"
    if group.address is None or ("route.request_uri" in hidden and not at_caller):
        return False
    topic = handover.transfer_topic
    # The AI's messages show that there is no topic, too; a REFER that was passed on shows a topic
    # alone; a record neither.
    shows_topic = "route.transport" not in hidden or (at_caller and topic is not None)
    made = deployment.handovers_made(assistant, group.address, topic, shows_topic=shows_topic)
    every = deployment.handovers(assistant)
    return not any(deployment.lands_at(every[name]) in rivals for name in made if name != asked)


#: If the same people may ring for several handovers, some source must tell which handover it was.
TOLD_APART = Which(
    _is_told_apart,
    f"{NOT_OBSERVABLE}each assistant that hands over so has another handover for which the same phones ring, and nothing tells "
    "where the AI transferred to",
    reason_for_one=f"{NOT_OBSERVABLE}the same phones ring for another of its handovers, and nothing tells where the AI transferred to",
)


def _has_empty_group(cell: Cell) -> bool:
    """Whether a transfer to the assistant's group fails at once: it has no agents, no queue and no
    machine.
    """
    to = cell.handover.transfer_to if cell.handover is not None else None
    group = cell.deployment.groups[to] if to is not None else None
    return group is not None and group.empty and not group.answers_itself


TO_EMPTY_GROUP = Which(
    lambda cell: _hands_over(cell, "cold") and _has_empty_group(cell),
    "no assistant hands over cold to a group that is empty, without queue and voicemail",
)
REFER_OF_AXIS = Which(
    lambda cell: cell.entry.refer == cell.axes["refer"], "no number's platform treats the REFER so"
)


def _to_reachable(cell: Cell) -> bool:
    to = cell.handover.transfer_to if cell.handover is not None else None
    return cell.entry.refer == "consumed" or (
        to is not None and cell.deployment.groups[to].did is not None
    )


#: A REFER that is passed on has the caller's phone call the group, from the telephone network.
TO_NUMBER = Which(
    _to_reachable,
    "no assistant hands over so to a group with a number (did), which the caller's phone has to call there",
    reason_for_one="its group has no number (did), which the caller's phone has to call",
)
SHOWS_OF_AXIS = Which(
    lambda cell: (
        cell.handover is not None and cell.handover.transfer_caller_id == cell.axes["caller_id"]
    ),
    "no assistant shows that number to the agent",
)


def _groups_of_topic(cell: Cell) -> list[str]:
    return cell.deployment.groups_of_topic(cell.handover.transfer_topic) if cell.handover else []


def _topic_has_agents(cell: Cell) -> bool:
    return any(cell.deployment.groups[name].present for name in _groups_of_topic(cell))


def _topic_of_others(cell: Cell) -> bool:
    return any(_others_answer(cell.deployment, name) for name in _groups_of_topic(cell))


TOPIC = Which(
    _topic_has_agents,
    "no assistant hands over with a topic that a group with a harness phone has",
    reason_for_one=f"{NOT_OBSERVABLE}no group with a harness phone has its topic",
    hides=_topic_of_others,
)
NO_TOPIC = Which(
    lambda cell: cell.handover is not None and cell.handover.transfer_topic is None,
    "every assistant hands over with a topic",
)
PLAINTEXT = Which(lambda cell: cell.entry.plaintext, "no number's destination lacks transport=tls")
OF_CAMPAIGN = Which(
    lambda cell: (
        cell.deployment.campaign is not None and cell.line in cell.deployment.campaign.line
    ),
    "campaign.line: no number is named that a campaign shows its customers",
)


def _in_form(cell: Cell) -> bool:
    deployment = cell.deployment
    networks = (deployment.region, *map(deployment.region_at, deployment.callers))
    if not is_number(cell.did):
        return cell.axes["form"] == "e164"
    return cell.axes["form"] != "national" or all(
        has_national_form(cell.did, region) for region in networks
    )


#: In another country than the number's its national digits are somebody else's, and the platform
#: reads them by its own.
FORM_OF_AXIS = Which(_in_form, "no number can be dialled in that form by the test phones")
NO_SELECTOR = "none"
SELECTOR_OF_AXIS = Which(
    lambda cell: (cell.entry.selector or NO_SELECTOR) == cell.axes["selector"],
    "no number sends that selector",
)


def routed_by(rule: RoutedBy) -> Which:
    """A number whose calls a routing rule of that kind sends to its assistant."""
    return Which(
        lambda cell: cell.entry.routed_by == rule, f"no number is routed by {_RULES[rule]}"
    )


_RULES: dict[RoutedBy, str] = {
    "language": "language",
    "department": "department",
    "menu": "a menu choice",
}


def with_values(name: str, *values: str, full: bool = False) -> Axis:
    """An axis with fixed values."""
    return Axis(name, lambda deployment: values, full)


def _selectors(deployment: Deployment) -> list[str]:
    sent = [line.selector for line in deployment.lines.values() if line.selector]
    return [*dict.fromkeys(sent), NO_SELECTOR]


SELECTORS = Axis("selector", _selectors, full=True)


def _refers(deployment: Deployment) -> list[str]:
    there = {line.refer for line in deployment.lines.values() if line.assistant}
    return [mode for mode in ("consumed", "passed-on") if mode in there]


REFER = Axis("refer", _refers, full=True, missing="no number leads to an AI")
_WAYS: tuple[Way, ...] = ("digit", "prompt", "silence")


def _named(deployment: Deployment) -> Iterator[Handover]:
    """The handovers that have names."""
    for assistant in deployment.assistants.values():
        yield from assistant.handovers.values()


def _asked(deployment: Deployment) -> list[str]:
    """By which ways: those of handovers with names count only where nothing asks for one without."""
    there = deployment.escalation.ways or {
        way for handover in _named(deployment) for way in handover.ways
    }
    return [way for way in _WAYS if way in there]


ASK = Axis(
    "ask",
    _asked,
    missing="escalation.ways: nothing makes the AI hand over",
    of_handover=lambda handover: handover.ways[0],
)


def _transfers(deployment: Deployment) -> list[str]:
    every = (deployment.handovers(name).values() for name in deployment.assistants)
    there = {handover.transfer for each in every for handover in each}
    return [way for way in ("cold", "warm") if way in there]


TRANSFERS = Axis("transfer", _transfers, full=True, missing="no assistant hands over")
_SHOWN: tuple[CallerIdMode, ...] = ("original", "agent", "fixed", "header")


def _shown(deployment: Deployment) -> list[str]:
    there = {a.transfer_caller_id for a in deployment.assistants.values() if a.transfer == "warm"}
    there = there or {h.transfer_caller_id for h in _named(deployment) if h.transfer == "warm"}
    return [mode for mode in _SHOWN if mode in there]


CALLER_ID_SHOWN = Axis(
    "caller_id",
    _shown,
    missing="no assistant hands over warm",
    of_handover=lambda handover: handover.transfer_caller_id,
    of_each=True,
)


# -- what the deployment as a whole needs


def callers_at_once(deployment: Deployment, trunk_carries: int) -> int:
    """How many callers the row of several callers at once takes."""
    return min(MOST_AT_ONCE, len(deployment.callers), trunk_carries)


A_CALLER = Need(
    lambda deployment: bool(deployment.callers), "no test phone calls: every phone is an agent's"
)


def _has_customer(deployment: Deployment) -> bool:
    named = deployment.campaign.customer if deployment.campaign else None
    name = named or next(iter(deployment.callers), None)
    return name is not None and deployment.phones[name].number is not None


A_CUSTOMER = Need(
    _has_customer, "campaign.customer: no harness phone has a number that a campaign could call"
)
TWO_CALLERS = Need(
    lambda deployment: len(deployment.callers) >= 2,
    "there is one test phone that calls; two are needed, each with a user of its own",
)
#: A stand-in answers when all of them have been let through, and by then the first may have rung
#: for too long.
AT_ONCE = Which(
    lambda cell: cell.ai == "synthflow" or not cell.has_way_in,
    "a stand-in's callers come one after another where the platform answers first",
)
HELD_BY_STAND_IN = Which(
    lambda cell: cell.ai == "synthflow" or cell.trunk.max_concurrent_calls < CALLS_A_PHONE,
    f"a stand-in holds {CALLS_A_PHONE} calls at once, and the trunk carries as many or more",
    beyond_us=lambda cell: True,
)
CARRIES_TWO = Which(
    lambda cell: cell.trunk.max_concurrent_calls >= 2, "every trunk carries one call alone"
)
ONE_CALLER_MORE = Which(
    lambda cell: len(cell.deployment.callers) > cell.trunk.max_concurrent_calls,
    "there are fewer test phones that call, each with a user of its own, than a trunk carries calls, and one more",
    beyond_us=lambda cell: True,  # every trunk carries so many
)
#: A stand-in hangs up by itself, and sends digits.
GOODBYE = Which(
    lambda cell: cell.ai == "stand-in" or cell.deployment.escalation.goodbye_digit is not None,
    "escalation.goodbye_digit: nothing makes the AI hang up",
)


def _sends_digits(cell: Cell) -> bool:
    asked = cell.deployment.escalation
    return cell.ai == "stand-in" or (
        asked.digits_back_digit is not None and asked.digits_back is not None
    )


DIGITS_BACK = Which(
    _sends_digits,
    "escalation: nothing makes the AI send digits (digits_back_digit, and digits_back)",
)
UNASSIGNED = Need(
    lambda d: d.numbers.no_such_number is not None,
    "numbers.no_such_number: no unassigned number is known",
)
PLATFORM_HOST = Need(
    lambda d: d.kind == "simulated" or d.platform.host is not None,
    "platform.host: the platform's host is not known",
)
SRTP = Need(lambda d: d.expect.srtp, "expect.srtp: encrypted media is not asked for")
AGENT_PHONE = Need(
    lambda d: any(group.present for group in d.groups.values()),
    "no group has an agent with a harness phone",
)
GROUP_CALLED = Need(
    lambda d: d.group_called is not None,
    "no group with a harness phone has a number, or a user, that could be called",
)
#: The same, if a harness phone calls it.
STAND_IN_CALLS = Which(
    lambda cell: cell.ai == "synthflow" or cell.deployment.group_called is not None,
    GROUP_CALLED.missing,
)
SIP_AGENT = Need(
    lambda d: any(
        d.phones[agent].number is None for group in d.groups.values() for agent in group.present
    ),
    "no group has an agent with a SIP account at the platform: all are at telephones",
)


def _has_allowlist(deployment: Deployment) -> bool:
    return any(trunk.allowed_addresses for trunk in deployment.trunks)


STAND_IN = Need(
    lambda d: d.kind == "simulated" or d.stand_in.bind is not None,
    "stand_in.bind: no stand-in calls",
    beyond_us=_has_allowlist,
)
STRANGER = Need(
    lambda d: d.kind == "simulated" or d.stand_in.stranger_bind is not None,
    "stand_in.stranger_bind: there is no address that no allowlist has",
    beyond_us=_has_allowlist,
)
#: Synthflow has addresses of its own to register from.
STRANGER_REGISTERS = Need(
    lambda d: STRANGER.holds(d) or all(trunk.ai == "synthflow" for trunk in d.trunks),
    STRANGER.missing,
)
BAD_CERTIFICATES = Need(
    lambda d: d.kind == "simulated" or bool(d.stand_in.bad_certificates),
    "stand_in.bad_certificates: there are none to show",
)


def none(cell: Cell) -> Iterator[PlannedCall]:
    """No call."""
    yield from ()


def times(count: int) -> Calls:
    """A caller calls the number so many times."""
    return lambda cell: chain.from_iterable(one_call(cell) for _ in range(count))


def unassigned(cell: Cell) -> Iterator[PlannedCall]:
    """A call to an unassigned number."""
    yield PlannedCall(cell.callers[0], str(cell.deployment.numbers.no_such_number))


def campaign(cell: Cell) -> Iterator[PlannedCall]:
    """The platform calls the campaign's customer."""
    deployment = cell.deployment
    yield PlannedCall(
        "campaign", str(deployment.phones[deployment.customer].number), "the platform"
    )


def a_full_trunk(cell: Cell) -> Iterator[PlannedCall]:
    """As many callers as the trunk carries, and one more."""
    yield from _callers(cell, cell.trunk.max_concurrent_calls + 1)


def several(cell: Cell) -> Iterator[PlannedCall]:
    """Several callers at once."""
    yield from _callers(cell, callers_at_once(cell.deployment, cell.trunk.max_concurrent_calls))


def _callers(cell: Cell, most: int) -> Iterator[PlannedCall]:
    for name in cell.callers[:most]:
        yield PlannedCall(name, cell.did)


def blind_transfer(cell: Cell) -> Iterator[PlannedCall]:
    """The call, and the one that the REFER makes: by the caller's phone, the stand-in's platform,
    or the AI.
    """
    if cell.entry.refer == "passed-on":
        yield from one_call(cell)
        yield PlannedCall(cell.callers[0], _target(cell))  # its phone follows the REFER
    else:
        yield from _handed_over(cell, "the platform")


def warm_transfer(cell: Cell) -> Iterator[PlannedCall]:
    """The call, and the AI's new one to the group; a stand-in places that itself."""
    yield from _handed_over(cell, "the harness")


def any_transfer(cell: Cell) -> Iterator[PlannedCall]:
    """The calls of the kind of transfer that the axis names."""
    return (warm_transfer if cell.axes["transfer"] == "warm" else blind_transfer)(cell)


def _handed_over(cell: Cell, by_stand_in: By) -> Iterator[PlannedCall]:
    yield from one_call(cell)
    if cell.ai == "stand-in":
        yield PlannedCall("stand-in", _target(cell), by_stand_in)
    else:
        yield PlannedCall("AI", _target(cell), "the AI")


def _target(cell: Cell) -> str:
    """What the group is called by that the AI hands over to."""
    assert cell.handover is not None
    assert cell.handover.transfer_to is not None
    return str(cell.deployment.groups[cell.handover.transfer_to].address)


def from_the_ai(cell: Cell) -> Iterator[PlannedCall]:
    """A stand-in calls an agent group."""
    yield PlannedCall("stand-in", group_called(cell))


def in_the_clear(cell: Cell) -> Iterator[PlannedCall]:
    """The caller's call, and a stand-in's over UDP and over TCP."""
    yield from one_call(cell)
    if cell.ai == "stand-in":
        yield from (PlannedCall("stand-in", group_called(cell)) for _ in ("udp", "tcp"))


def group_called(cell: Cell) -> str:
    """What the group is called by that calls from the AI's side go to."""
    deployment = cell.deployment
    return str(deployment.groups[str(deployment.group_called)].address)
