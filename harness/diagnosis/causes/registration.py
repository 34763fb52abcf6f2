"""Why a SIP number does not register, or shows the wrong credentials; who is let in; firewalls."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described


def _firewall(transport: str, port: int, rejects: bool) -> Described:
    how = "rejects" if rejects else "drops"
    return Described(
        f"a firewall {how} SIP over {transport.upper()} between the platform and the AI",
        at.REGISTRATION_ISSUE,
        f"Open {transport.upper()} in both directions between {{platform}} and every signalling address of Synthflow: the trunk's port "
        f"there ({port} in the guides), and the platform's own, that of the Termination URI (the evidence names the one that was "
        f"asked). Have whoever runs the firewall confirm that nothing on the way {how} it, and whoever runs the port that somebody "
        "listens there.",
        "network",
        {"talkdesk": "prerequisites", "gladly": "configure-sip-forwarding"},
    )


REGISTRATION: Mapping[str, Described] = {
    "termination-uri-wrong": Described(
        "Synthflow's Termination URI is not the platform's SBC",
        at.REGISTRATION_ISSUE,
        "At Synthflow, open the SIP number and set its Termination URI to {platform}'s own host name or address, copied rather "
        "than typed; check that the name resolves.",
        "AI side",
        at.NUMBER,
    ),
    "username-wrong": Described(
        "the SIP user name at Synthflow is not the trunk's",
        at.REGISTRATION_ISSUE,
        "Copy the SIP Username of the {platform} trunk into the SIP number at Synthflow again, letter by letter, and attach anew.",
        "AI side",
        at.NUMBER,
    ),
    "registration-unguarded": Described(
        "the platform takes a registration that it should refuse",
        at.REGISTRATION_ISSUE,
        "Have {platform} challenge each REGISTER for the trunk's user, also from an allowed address, and take none from any other "
        "address (an ACL that lets an address in must not stand for the password).",
        "trunk",
        at.TRUNK,
    ),
    "calls-unguarded": Described(
        "the platform takes a call from an address that is not allowed",
        at.GLADLY_ISSUE,
        "At {platform}, let the IP Allowlist hold Synthflow's signalling addresses and no others, and have each call from elsewhere "
        "refused (403).",
        "trunk",
        at.TRUNK,
    ),
    "taken-in-the-clear": Described(
        "a call is set up in the clear, where it may be over TLS alone",
        at.GLADLY_ISSUE,
        "Have {platform} speak SIP with Synthflow over TLS alone: it should call no address without ;transport=tls, and take no call "
        "over UDP or TCP. One that gets to Synthflow in the clear should be refused there as well.",
        "trunk",
        at.TRUNK,
    ),
    "password-wrong": Described(
        "the SIP password at Synthflow is not the trunk's",
        at.REGISTRATION_ISSUE,
        "Copy the SIP Password of the {platform} trunk into the SIP number at Synthflow again, without blanks, and attach anew. Where "
        "{platform} refuses a REGISTER, look whether it still has the user: many registrars refuse an unknown one in just this way.",
        "AI side",
        at.NUMBER,
    ),
    "trunk-username-wrong": Described(
        "the SIP user name that the platform shows the AI is not the one at Synthflow",
        at.REGISTRATION_ISSUE,
        "Copy the SIP Username from Synthflow, where it comes from, into the trunk at {platform} again, letter by letter; where it is "
        "refused all the same, compare it with the one that the SIP number at Synthflow has now.",
        "trunk",
        at.TRUNK,
    ),
    "trunk-password-wrong": Described(
        "the SIP password that the platform shows the AI is not the one at Synthflow",
        at.REGISTRATION_ISSUE,
        "Copy the SIP Password from Synthflow, where it comes from, into the trunk at {platform} again, without blanks; where it is "
        "refused all the same, compare it with the one that the SIP number at Synthflow has now.",
        "trunk",
        at.TRUNK,
    ),
    "firewall-udp-32681": _firewall("udp", 32681, False),
    "firewall-udp-32681-rejected": _firewall("udp", 32681, True),
    "firewall-tcp-32681": _firewall("tcp", 32681, False),
    "firewall-tcp-32681-rejected": _firewall("tcp", 32681, True),
    "firewall-tls-32682": _firewall("tls", 32682, False),
    "firewall-tls-32682-rejected": _firewall("tls", 32682, True),
    "synthflow-ip-not-allowed": Described(
        "the platform does not allow Synthflow's address",
        at.REGISTRATION_ISSUE,
        "Add every signalling address of Synthflow's region to the trunk's allowed addresses at {platform}; ask Synthflow's support "
        "for the current list, as it changes.",
        "trunk",
        at.TRUNK,
    ),
    "registration-expires-early": Described(
        "the registration runs out before it is refreshed: the platform grants less time than was asked for",
        at.REGISTRATION_ISSUE,
        "Let the platform's registrar grant the interval Synthflow asks for (60 to 3600 s, 300 by default), or lower the interval at "
        "Synthflow below what is granted.",
        "trunk",
        at.ATTACH,
    ),
    "registrar-fails": Described(
        "the registrar, or a server on the way to it, cannot serve the REGISTER",
        at.REGISTRATION_ISSUE,
        "Look the REGISTER up in {platform}'s log by its Call-ID and time. 408 and 504: a server behind the one that answered was "
        "asked, and did not answer it; 500 and 502: a server failed; 503: it is overloaded or in maintenance, until Retry-After at "
        "least where it has one (RFC 3261 sections 21.4.9 and 21.5).",
        "trunk",
        at.TROUBLE,
    ),
    "registrar-refuses": Described(
        "the registrar does not take the REGISTER as it is",
        at.REGISTRATION_ISSUE,
        "Look the REGISTER up in {platform}'s log by its Call-ID and time. 404, and words like 'unknown user': the user and domain "
        "it registers are none of the registrar's, so compare the trunk's user name at {platform}, at Synthflow and in the "
        "deployment file; 405 and 501: what answers there is no registrar, so check the Termination URI and its port; 420 and 421: an "
        "extension is asked for that one of the two lacks; 423: the interval is shorter than Min-Expires; any other: ask {platform} "
        "with the status and its words (RFC 3261 sections 10.3 and 21).",
        "AI side",
        at.NUMBER,
    ),
    "credentials-not-sent": Described(
        "the AI asks for credentials, and the platform sends none",
        at.REGISTRATION_ISSUE,
        "Set the trunk's authentication type at {platform} to Digest and enter the user name and password from Synthflow, or have "
        "Synthflow accept the platform by address.",
        "trunk",
        at.TRUNK,
    ),
}
