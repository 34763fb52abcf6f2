"""Who calls: numbers, X-headers, and TLS by the address."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described

IDENTITY: Mapping[str, Described] = {
    "from-anonymous": Described(
        "the platform sends the AI an anonymous From",
        at.CALLER_ID_ISSUE,
        "Let {platform} pass the caller's number (ANI) in the INVITE, with the E.164 number in From.",
        "platform routing",
        at.TROUBLE,
    ),
    "from-trunk-did": Described(
        "the platform sends its own number in From, not the caller's",
        at.CALLER_ID_ISSUE,
        "Switch off the trunk's or routing's own outbound caller ID, so that From carries the caller's E.164 number.",
        "platform routing",
        at.TROUBLE,
    ),
    "from-national": Described(
        "the caller's number is in From, but not in E.164",
        at.CALLER_ID_ISSUE,
        "Have the trunk's number format set to E.164: a plus and the country code before the national number.",
        "trunk",
        at.TROUBLE,
    ),
    "number-format-differs": Described(
        "the caller's number is in From, but not in the national form that the deployment file asks for",
        at.CALLER_ID_ISSUE,
        "Say in the deployment file (`expect.number_format`) what {platform} sends: e164, which the guides ask for, or preserved "
        "for any form; or have the trunk's number format set to the national one.",
        "deployment file",
        at.TROUBLE,
    ),
    "from-other-number": Described(
        "From has a number that is neither the caller's nor the line's",
        at.CALLER_ID_ISSUE,
        "Look for a caller-ID override in the routing step or on the trunk, and remove it; From has to be the caller's E.164 number.",
        "platform routing",
        at.TROUBLE,
    ),
    "caller-number-not-sent": Described(
        "the caller's phone itself shows something else than the number that the deployment file has for it",
        at.CALLER_ID_ISSUE,
        "Set From to the caller's E.164 number: leave out the phone's `user` in the deployment file, where its account takes the "
        "number instead, or correct `number`; or have the caller's carrier put the number into From, in place of the account's name.",
        "deployment file",
        at.TROUBLE,
    ),
    "pai-stripped": Described(
        "the platform removes P-Asserted-Identity, so a withheld number is lost",
        at.CALLER_ID_ISSUE,
        "Make Synthflow a trusted peer of the trunk, so that the SBC passes P-Asserted-Identity and Privacy (RFC 3325).",
        "trunk",
        at.TROUBLE,
    ),
    "caller-id-lost-on-transfer": Described(
        "the agent is shown another number than the caller's after the transfer",
        at.CALLER_ID_ISSUE,
        "Have {platform} show agents the original caller on transfers; of a warm transfer, the number that the AI's call shows.",
        "platform routing",
        at.BACK,
    ),
    "transfer-caller-id-not-set": Described(
        "the AI's own call to an agent shows another number than the one agreed on",
        at.CALLER_ID_ISSUE,
        "In Synthflow's transfer action set the caller ID: unless it is set, a warm transfer shows the number of Synthflow's agent. "
        "Where that is meant, say so in the deployment file (`transfer_caller_id`).",
        "AI side",
        at.BACK,
    ),
    "caller-id-lost-to-people": Described(
        "the people whom a number leads to are shown another number than the caller's",
        at.CALLER_ID_ISSUE,
        "Look in {platform}'s routing of this number, and of its group, for a caller ID of its own or another form of number towards "
        "agents; have it show them the caller's.",
        "platform routing",
        at.INBOUND,
    ),
    "telephone-shown-otherwise": Described(
        "the agent's telephone is shown another number than those of the platform that the deployment file has",
        at.CALLER_ID_ISSUE,
        "Look which number it is: where it is {platform}'s, as its main one, and not in the deployment file, or the caller's, say so "
        'there (`shows = "any"`, or "original"); else have {platform} show external agents a number of its own.',
        "deployment file",
        at.BACK,
    ),
    "tls-not-appended": Described(
        "the SIP address lacks transport=tls: the call goes out in the clear and is refused",
        at.GLADLY_ISSUE,
        "Append ;transport=tls to the SIP address of the destination at {platform}.",
        "platform routing",
        at.TRUNK,
    ),
    "certificate-expired": Described(
        "the AI's TLS certificate has expired, so the platform does not talk to it",
        at.REACHING_ISSUE,
        "Renew the certificate on Synthflow's TLS port, with its whole chain, and see to it that it renews by itself.",
        "AI side",
        at.TRUNK,
    ),
    "certificate-wrong-name": Described(
        "the AI's TLS certificate is made out to another name",
        at.REACHING_ISSUE,
        "Use the host name on the certificate as SIP server of the trunk (not an address), or have a certificate issued for the name "
        "in use.",
        "AI side",
        at.TRUNK,
    ),
    "certificate-refused": Described(
        "the platform connects to the AI over TLS, and does not go on: most likely it does not accept the AI's certificate",
        at.REACHING_ISSUE,
        "Look up in {platform}'s TLS log why it closed the connection. It has to trust who signed the certificate that the harness's "
        "phone shows (`[stand_in] certificate`), which has to name the trunk's `host`, and both need a TLS version in common.",
        "trunk",
        at.TRUNK,
    ),
    "certificate-unchecked": Described(
        "the platform calls an AI whose TLS certificate it should not accept",
        at.REACHING_ISSUE,
        "Have {platform} verify the certificate of the trunk's far end: who signed it, its dates, and that it names the host that is "
        "called (RFC 5922 section 7.2).",
        "trunk",
        at.TRUNK,
    ),
    "withheld-number-shown": Described(
        "the platform shows the AI a number that the caller has withheld",
        at.CALLER_ID_ISSUE,
        "Have {platform} honour Privacy on the trunk: From anonymous, Privacy: id passed on, and the number in P-Asserted-Identity "
        "alone, for a peer that is trusted (RFC 3323, RFC 3325).",
        "trunk",
        at.TROUBLE,
    ),
    "caller-header-missing": Described(
        "the INVITE has no X-Gladly-Caller-Id",
        at.GLADLY_ISSUE,
        "Add X-Gladly-Caller-Id: {{caller_e164}} to the X-headers of the SIP forwarding configuration.",
        "platform routing",
        at.HEADER,
    ),
    "caller-header-without-plus": Described(
        "X-Gladly-Caller-Id lacks its plus",
        at.GLADLY_ISSUE,
        "Use the caller's E.164 variable, with its plus, in the X-Gladly-Caller-Id header.",
        "platform routing",
        at.HEADER,
    ),
    "caller-header-wrong": Described(
        "X-Gladly-Caller-Id is not the caller's number",
        at.GLADLY_ISSUE,
        "Use the caller's E.164 variable in the X-Gladly-Caller-Id header, not a fixed number or the number that was called.",
        "platform routing",
        at.HEADER,
    ),
    "selector-missing": Described(
        "the configured X-Gladly-Routing-Selector is not sent",
        at.GLADLY_ISSUE,
        "Add X-Gladly-Routing-Selector with the number's topic to the X-headers of the SIP forwarding configuration.",
        "platform routing",
        at.HEADER,
    ),
    "selector-wrong": Described(
        "X-Gladly-Routing-Selector names another topic",
        at.GLADLY_ISSUE,
        "Set the X-Gladly-Routing-Selector of this number to the topic that was agreed, in exactly that spelling.",
        "platform routing",
        at.HEADER,
    ),
    "certificate-untrusted": Described(
        "the AI's TLS certificate is from no authority that is trusted",
        at.REACHING_ISSUE,
        "Have a certificate from a public authority on Synthflow's TLS port, sent with its intermediates.",
        "AI side",
        at.TRUNK,
    ),
    "header-repeated": Described(
        "an X-Gladly header is there more than once",
        at.GLADLY_ISSUE,
        "Let one place alone add the header: the SIP forwarding configuration, not an SBC behind it as well.",
        "platform routing",
        at.HEADER,
    ),
    "selector-unwanted": Described(
        "X-Gladly-Routing-Selector is sent though the number has no topic",
        at.GLADLY_ISSUE,
        "Take the X-Gladly-Routing-Selector out of the X-headers of this number's SIP forwarding, or write its topic into the "
        "deployment file.",
        "platform routing",
        at.HEADER,
    ),
}
