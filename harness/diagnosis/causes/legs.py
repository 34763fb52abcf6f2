"""What can be wrong with any leg: who is shown, what was lost on the way, who did not end, how many calls there may be."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described

LEGS: Mapping[str, Described] = {
    "caller-id-lost-on-fallback": Described(
        "the agent is shown another number than the caller's when the call falls back",
        at.CALLER_ID_ISSUE,
        "Have {platform} show the fallback's agents the original caller: look for a caller-ID override in the routing step, and "
        "on the ring group itself.",
        "platform routing",
        at.INBOUND,
    ),
    "campaign-caller-id": Described(
        "the campaign shows its customer another number than the line's",
        at.CALLER_ID_ISSUE,
        "Set the campaign's outbound caller ID at {platform} to the number that was agreed.",
        "platform routing",
        at.TROUBLE,
    ),
    "campaign-not-dialled": Described(
        "the campaign does not call its customer",
        at.REACHING_ISSUE,
        "Look up in {platform}'s campaign log whether it dialled, and what it was answered: the list, its hours, the numbers it "
        "may not call.",
        "platform routing",
        at.TROUBLE,
    ),
    "agent-no-common-codec": Described(
        "the agent's phone is offered no codec that it speaks",
        at.TRANSFER_ISSUE,
        "Enable PCMU and PCMA on {platform}'s side towards its agents, or let it transcode.",
        "transfer target",
        at.BACK,
    ),
    "agent-in-a-call": Described(
        "the agent's phone is rung while it still has a call",
        at.TRANSFER_ISSUE,
        "Look which call that was: one that {platform} did not end at the agent, the same call rung twice, or one of somebody else's. "
        "Let {platform} ring agents who are free alone.",
        "transfer target",
        at.BACK,
    ),
    "dialog-mismatch": Described(
        "the platform sends a request within a call whose Call-ID or tags belong to no call of that phone",
        at.REACHING_ISSUE,
        "Compare Call-ID and tags of the request that was answered with 481 with those of the call's INVITE and its 200: they have "
        "to stay what they were on that leg (RFC 3261 section 12.2.1.1).",
        "platform routing",
        at.TROUBLE,
    ),
    "request-malformed": Described(
        "the platform's INVITE, or its SDP, is malformed: a phone of the harness refuses it with 400",
        at.REACHING_ISSUE,
        "Read the Warning of the 400 and the INVITE that it answers, and have {platform} mend what its SBC writes: an SDP, say, has a "
        "c= line for the session or in each of its media (RFC 4566 section 5.7).",
        "trunk",
        at.TROUBLE,
    ),
    "extension-required": Described(
        "the platform's INVITE requires an extension of SIP that a phone of the harness does not have (420)",
        at.REACHING_ISSUE,
        "Read the Unsupported header of the 420, and have {platform} offer that extension (Supported) and not require it (RFC 3261 "
        "sections 8.2.2.3 and 20.32); many a phone of its agents will not have it either.",
        "trunk",
        at.TROUBLE,
    ),
    "phone-encryption-differs": Described(
        "a phone of the harness is offered SRTP alone, and does not take it",
        at.AUDIO_ISSUE,
        'Say srtp = "optional" of the phone\'s account in the deployment file, or have {platform} offer agents and customers RTP as '
        "well.",
        "deployment file",
        at.TROUBLE,
    ),
    "customer-no-common-codec": Described(
        "the customer's phone is offered no codec that it speaks",
        at.AUDIO_ISSUE,
        "Enable PCMU and PCMA for the campaign's outbound calls at {platform}.",
        "platform routing",
        at.TROUBLE,
    ),
    "codec-not-taken": Described(
        "a call with this codec is refused, and one with the other G.711 law is taken",
        at.AUDIO_ISSUE,
        "Allow PCMU and PCMA both on the trunk at {platform} and at the AI, in every direction, or take the one that is not agreed on "
        "out of the deployment file.",
        "trunk",
        at.TROUBLE,
    ),
    "dtmf-not-negotiated": Described(
        "telephone-event is lost between offer and answer, so no digit can be sent as one",
        "DTMF",
        "Let the element that takes telephone-event out of the SDP keep it (the evidence names the side), or use SIP INFO on both "
        "legs (RFC 4733 section 2.4.1).",
        "trunk",
        at.TROUBLE,
    ),
    "header-not-passed-on": Described(
        "a header that was sent does not arrive",
        at.REACHING_ISSUE,
        "Add the header to those that {platform}'s trunk passes on; an SBC that knows a header not drops it by default.",
        "trunk",
        at.HEADER,
    ),
    "transfer-header-not-set": Described(
        "the AI hands the caller over without the header that the target needs",
        at.TRANSFER_ISSUE,
        "Add the header to the address of the assistant's transfer action, behind a question mark: "
        "…;transport=tls?X-Gladly-Routing-Selector=TOPIC.",
        "AI side",
        at.BACK,
    ),
    "header-changed": Described(
        "a header arrives with another value than was sent, or twice",
        at.REACHING_ISSUE,
        "Find the rewriting rule on {platform}'s trunk or SBC that touches the header: a length limit, a second place that adds it.",
        "trunk",
        at.HEADER,
    ),
    "ai-hangup-not-passed-on": Described(
        "the caller's leg stays up when the AI hangs up",
        at.REACHING_ISSUE,
        "Have {platform} end the caller's leg as soon as the AI has ended its own; until it does the caller hears nothing, and the "
        "call is counted.",
        "trunk",
        at.TROUBLE,
    ),
    "ai-hangup-not-taken": Described(
        "the AI's hang-up (BYE) is not taken",
        at.REACHING_ISSUE,
        "Look at the Contact and Record-Route of the INVITE that the AI got: its BYE goes there (RFC 3261 section 12.2.1.1).",
        "trunk",
        at.TROUBLE,
    ),
    "agent-hangup-not-passed-on": Described(
        "the caller's leg stays up when the agent hangs up",
        at.TRANSFER_ISSUE,
        "Have {platform} end the caller's leg as soon as the agent has hung up.",
        "transfer target",
        at.BACK,
    ),
    "agent-hangup-not-taken": Described(
        "the agent's hang-up (BYE) is not taken",
        at.TRANSFER_ISSUE,
        "Look at the Contact and Record-Route of the INVITE that the agent's phone got: its BYE goes there (RFC 3261 section "
        "12.2.1.1).",
        "transfer target",
        at.BACK,
    ),
    "limit-too-low": Described(
        "the platform passes fewer calls to the AI at once than agreed",
        at.REACHING_ISSUE,
        "Set the trunk's Max Concurrent Calls at {platform} to the number in the deployment file, or mend the file. Where {platform} "
        "never had the other calls, the callers' own accounts have too few channels.",
        "trunk",
        at.TRUNK,
    ),
    "limit-not-enforced": Described(
        "the platform passes more calls to the AI at once than agreed",
        at.REACHING_ISSUE,
        "Set the trunk's Max Concurrent Calls at {platform} to the number in the deployment file: without it the AI has to refuse.",
        "trunk",
        at.TRUNK,
    ),
    "another-device-answered": Described(
        "the group's call is answered by a device that is not the harness's",
        at.TRANSFER_ISSUE,
        "Log the test agent in on the harness's phone and on no other device, take the group's other members out of the test, and "
        "look whether a voicemail or an announcement answers for it.",
        "transfer target",
        at.BACK,
    ),
    "number-form-refused": Described(
        "the platform refuses the number in the form in which it was dialled",
        at.REACHING_ISSUE,
        "Have {platform} take numbers in this form too (its dial plan's normalisation), or dial in E.164 alone.",
        "platform routing",
        at.INBOUND,
    ),
    "transfer-call-challenged": Described(
        "the platform asks the AI for a password, and the AI has none",
        at.TRANSFER_ISSUE,
        "Either add the AI's address to the trunk's allowed addresses at {platform}, or enter the trunk's user name and password "
        "at Synthflow: the two sides have to use the same authentication.",
        "trunk",
        at.BACK,
    ),
    "transfer-credentials-refused": Described(
        "the platform refuses the AI's password when it transfers",
        at.TRANSFER_ISSUE,
        "Copy the SIP user name and password of the {platform} trunk into the SIP number at Synthflow again. An SBC that finds its "
        "accounts by From, which names the caller here, has to go by the credentials' user name.",
        "AI side",
        at.BACK,
    ),
    "caller-credentials-refused": Described(
        "the caller's own account is refused: its password or user name is wrong",
        at.REACHING_ISSUE,
        "Compare the account and the phone in the deployment file with what the caller's carrier has.",
        "deployment file",
        at.INBOUND,
    ),
    "withheld-number-refused": Described(
        "the platform does not take a call whose number is withheld",
        at.REACHING_ISSUE,
        "Have {platform} tell its callers by P-Asserted-Identity, by the user name of their credentials, or by the trunk's address: an "
        "anonymous From (RFC 3323) names nobody.",
        "trunk",
        at.INBOUND,
    ),
    "caller-identity-refused": Described(
        "the call is refused for who calls: its identity, its anonymity or its repute",
        at.REACHING_ISSUE,
        "Look at the status that the caller got. 428, 436, 437 and 438 ask the caller's carrier for a valid Identity (STIR, RFC 8224); "
        "433 for a number that is shown; 607 and 608 are a block, by the callee or an analytics provider: its Call-Info says whom to "
        "ask (RFC 8688).",
        "trunk",
        at.INBOUND,
    ),
    "registration-unanswered": Described(
        "the platform answers OPTIONS, and not REGISTER",
        at.REGISTRATION_ISSUE,
        "Have {platform} look why its SBC drops REGISTER from this address: a filter by method or user agent, a registrar that is "
        "down behind it, a rate limit. Where it is one that is not allowed, have the SBC refuse it with 403 instead, or leave "
        "`stranger_bind` out of the deployment file.",
        "trunk",
        at.ATTACH,
    ),
    "reliability-not-passed-on": Described(
        "the platform takes 100rel out of the INVITE, or RSeq out of the answers, so that not all provisional responses are reliable",
        at.REACHING_ISSUE,
        "Let the trunk pass Supported and Require with 100rel, and Require and RSeq of the 18x, or answer for them itself (RFC 3262 "
        "sections 3 and 4).",
        "trunk",
        at.TROUBLE,
    ),
    "encryption-not-passed-on": Described(
        "the keys for SRTP are taken out of the offer",
        at.AUDIO_ISSUE,
        "Set media encryption on the trunk to optional or required, so that a=crypto of the caller's offer, or the trunk's own, "
        "reaches the AI (RFC 4568).",
        "trunk",
        at.TROUBLE,
    ),
    "early-media-not-passed-on": Described(
        "what the AI sends before it answers does not reach the caller: its 183 loses its SDP, or it or its audio is kept",
        at.AUDIO_ISSUE,
        "Have the trunk pass the AI's 183 with its SDP, and open the media path with it, without a ringing tone of its own in between.",
        "trunk",
        at.TROUBLE,
    ),
}
