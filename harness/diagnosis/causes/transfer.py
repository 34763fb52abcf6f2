"""Why a transfer or a fallback does not bring the caller to the right people."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described

TRANSFER: Mapping[str, Described] = {
    "group-did-wrong": Described(
        "the transfer goes to a number that is not the ring group's",
        at.TRANSFER_ISSUE,
        "In Synthflow's transfer action, enter the number of the ring group (or queue) as {platform} shows it.",
        "AI side",
        at.BACK,
    ),
    "group-wrong": Described(
        "the group's number leads to another group",
        at.TRANSFER_ISSUE,
        "At {platform}, map the number that was called for the group to the ring group (or queue) that should get the call.",
        "transfer target",
        at.BACK,
    ),
    "handover-confused": Described(
        "the AI makes another of its handovers than the one it is asked for",
        at.TRANSFER_ISSUE,
        "At Synthflow, compare the assistant's transfer actions: what triggers each of them (the digit, the words), and the number and "
        "topic it transfers to.",
        "AI side",
        at.BACK,
    ),
    "handover-unasked": Described(
        "the AI hands over before the caller asks for a person",
        at.TRANSFER_ISSUE,
        "At Synthflow, look what triggers the assistant's transfer action: it is to be what the caller does to ask "
        "for a person, and nothing before.",
        "AI side",
        at.BACK,
    ),
    "transfer-topic-wrong": Described(
        "the AI's transfer does not name the group's topic",
        at.TRANSFER_ISSUE,
        "In the address of the assistant's transfer action, behind a question mark, write the topic as {platform} has it: "
        "…;transport=tls?X-Gladly-Routing-Selector=TOPIC.",
        "AI side",
        at.BACK,
    ),
    "trunk-inactive": Described(
        "the trunk is inactive for calls from the AI: the platform answers 503",
        at.TRANSFER_ISSUE,
        "Activate the SIP trunk at {platform}, and look at its transfer log for the reason it gives.",
        "trunk",
        at.TROUBLE,
    ),
    "refer-rejected": Described(
        "the platform rejects the transfer (REFER)",
        at.TRANSFER_ISSUE,
        "Allow transfers by REFER on the trunk at {platform}; where it does not do REFER at all, use a warm transfer at Synthflow. A "
        "status like 400, 416 or 420 objects to this REFER: compare its Refer-To and Require with what {platform} takes. Where "
        "{platform} hands REFERs on, it may be the caller's carrier that takes none.",
        "trunk",
        at.BACK,
    ),
    "refer-accepted-then-failed": Described(
        "the platform accepts the transfer, then reports that it failed",
        at.TRANSFER_ISSUE,
        "Look in {platform}'s transfer log for this call, by the status of its NOTIFY: with 486, 600 or 603 the group is busy or "
        "closed (mend the group, or give it an overflow), with 408 nobody answered, with another {platform} could not call it. Where "
        "{platform} hands the REFER on, that call is the caller's own: look it up by the caller's number, and at the caller's carrier.",
        "transfer target",
        at.BACK,
    ),
    "refer-other-way": Described(
        "the platform does with the AI's REFER what is not declared of the number",
        at.TRANSFER_ISSUE,
        "Set up at {platform} whether it follows REFERs itself or hands them on; or, where that is as it should be, correct `refer` of "
        "the number in the deployment file.",
        "trunk",
        at.BACK,
    ),
    "refer-never-notified": Described(
        "the platform accepts the transfer, and nothing follows in time",
        at.TRANSFER_ISSUE,
        "Report the Call-ID to {platform}: its SBC owes a NOTIFY with the outcome (RFC 3515), and placed no call, or too late.",
        "trunk",
        at.BACK,
    ),
    "transfer-no-audio": Described(
        "caller and agent are connected, and one of them or both hear nothing",
        at.TRANSFER_ISSUE,
        "Have {platform} check the media path between the carrier's side and the agents' after a transfer; RTP ports towards the "
        "agents' network have to be open too.",
        "network",
        at.BACK,
    ),
    "ai-leg-left-behind": Described(
        "the AI's leg stays up after the transfer",
        at.TRANSFER_ISSUE,
        "Let the platform end the referrer's leg once the transfer succeeded (BYE after NOTIFY 200), and Synthflow hang up by itself.",
        "AI side",
        at.BACK,
    ),
    "fallback-missing": Described(
        "the number has no fallback: nobody rings when the AI cannot be had",
        at.FALLBACK_ISSUE,
        "Give the routing step at {platform} a fallback to a ring group (or queue) for when the AI is unavailable; where it has one, "
        "check the number that it leads to.",
        "platform routing",
        at.INBOUND,
    ),
    "fallback-wrong-group": Described(
        "the fallback rings another group than the configured one",
        at.FALLBACK_ISSUE,
        "Set the fallback of the routing step at {platform} to the group that should take these calls.",
        "platform routing",
        at.INBOUND,
    ),
    "ring-timeout-wrong": Described(
        "the fallback does not come when the ring timeout is over",
        at.FALLBACK_ISSUE,
        "Set the timeout of the routing step at {platform} to the agreed value (30 seconds is recommended), and the same in the "
        "deployment file.",
        "platform routing",
        at.INBOUND,
    ),
    "nobody-available": Described(
        "the group's number is right, and nobody in it can be rung",
        at.TRANSFER_ISSUE,
        "Log the group's agents in, or give the group an overflow; check its opening hours at {platform}.",
        "transfer target",
        at.BACK,
    ),
    "transfer-not-tried": Described(
        "the AI does not try to transfer",
        at.TRANSFER_ISSUE,
        "Check the assistant's transfer action at Synthflow: what triggers it, and that it is enabled.",
        "AI side",
        at.BACK,
    ),
    "transfer-unanswered": Described(
        "the platform does not answer the AI's transfer",
        at.TRANSFER_ISSUE,
        "Have {platform} look for the REFER or INVITE by its Call-ID: either it never arrives, or its SBC ignores it.",
        "trunk",
        at.BACK,
    ),
    "transfer-left-ringing": Described(
        "the platform takes the AI's transfer, and nobody's phone rings",
        at.TRANSFER_ISSUE,
        "Look up in {platform}'s call log where the transferred call waits: at agents with other phones, in a queue in which nobody is "
        "free, or nowhere.",
        "transfer target",
        at.BACK,
    ),
    "transfer-call-refused": Described(
        "the platform refuses the AI's own call to the group",
        at.TRANSFER_ISSUE,
        "Look the call up in {platform}'s call log: the status it answered with says what it did not accept.",
        "trunk",
        at.BACK,
    ),
    "transfer-caller-id-refused": Described(
        "the transfer is refused for the caller's number that it shows",
        at.TRANSFER_ISSUE,
        "Have {platform} let this trunk show the caller's number; or, for a warm transfer, set the caller ID of the assistant's "
        "transfer action at Synthflow to a number that {platform} lets it show.",
        "trunk",
        at.BACK,
    ),
    "transfer-outside-the-call": Described(
        "the platform does not know the call in which the AI asks for the transfer (481)",
        at.TRANSFER_ISSUE,
        "Compare Call-ID and tags of the REFER with those of the INVITE that the AI got and of its 200. Where they are the same, "
        "{platform} has lost the call or ended it before, or the REFER went to another node: look at Contact and Record-Route.",
        "trunk",
        at.BACK,
    ),
    "transfer-server-fails": Described(
        "the platform, or a server behind it, fails over the AI's transfer (500, 502, 504)",
        at.TRANSFER_ISSUE,
        "Have {platform} look the request up by its Call-ID: 500 is its SBC's own error, or a 503 of somebody behind it; with 502 and "
        "504 the server behind it answered what cannot be used, or not in time (RFC 3261 sections 21.5 and 16.7).",
        "trunk",
        at.BACK,
    ),
    "transfer-redirected": Described(
        "the platform redirects the AI's transfer (3xx), and it ends there",
        at.TRANSFER_ISSUE,
        "Look at the Contact of the 3xx. Either have {platform} take the transfer at the address that the AI uses, or enter the other "
        "one at Synthflow: not everybody follows a redirection.",
        "trunk",
        at.BACK,
    ),
    "transfer-said-done": Described(
        "the platform reports the transfer as done, and nobody's phone rings",
        at.TRANSFER_ISSUE,
        "Look up in {platform}'s call log where the transferred call went: to another number, a queue that plays music, or nowhere; "
        "a NOTIFY with 200 may be sent only when somebody has answered (RFC 3515 section 2.4.5).",
        "transfer target",
        at.BACK,
    ),
    "fallback-late": Described(
        "the fallback lets the caller wait though the AI has refused",
        at.FALLBACK_ISSUE,
        "Have the routing step at {platform} go on to its fallback as soon as the SIP transfer is refused, not when a timer is over.",
        "platform routing",
        at.INBOUND,
    ),
    "transfer-not-reported": Described(
        "the transfer succeeds, and the platform does not tell the AI so",
        at.TRANSFER_ISSUE,
        "Report the Call-ID to {platform}: its SBC owes the AI a final NOTIFY (RFC 3515 section 2.4.4), or a BYE once the agent has "
        "answered; the AI's leg is counted, and paid for, until then.",
        "trunk",
        at.BACK,
    ),
    "caller-released-by-transfer": Described(
        "the platform hangs up on a caller whose transfer fails, instead of giving the caller back to the AI",
        at.TRANSFER_ISSUE,
        "Have {platform} keep caller and AI together until somebody has answered, or route a transfer that finds nobody on, to a "
        'queue or back to the AI; where callers are to be released, say transfer_unavailable = "released" in [expect].',
        "transfer target",
        at.BACK,
    ),
    "agent-call-dropped": Described(
        "the call is ended as soon as an agent has answered",
        at.TRANSFER_ISSUE,
        "Look the call up in {platform}'s call log: its SBC has to put the agent in the AI's place, and end the AI's leg alone.",
        "trunk",
        at.BACK,
    ),
}
