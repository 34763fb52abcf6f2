"""What keeps our own phones from a call, and whose that is: a name, a password, room."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described

OWN: Mapping[str, Described] = {
    "host-name-unknown": Described(
        "the host to call has no address in DNS",
        at.REACHING_ISSUE,
        "Correct `host` of the account in the deployment file: a name that has an IPv4 address, since the softphones follow no SRV "
        "records; or let {platform}'s side publish one. `getent ahostsv4 HOST` shows what this machine knows.",
        "deployment file",
        at.TROUBLE,
    ),
    "contact-host-unknown": Described(
        "the platform's Contact or Record-Route names a host that has no address in DNS",
        at.REACHING_ISSUE,
        "Have {platform} name itself in Contact and Record-Route by an address, or by a name that DNS has where its callers are (RFC "
        "3261 section 8.1.1.8): ACK, BYE and re-INVITE go there (section 12.2.1.1). Most often an SBC shows the name it has inside its "
        "own network. `getent ahosts HOST` shows what this machine knows.",
        "trunk",
        at.TROUBLE,
    ),
    "media-host-unknown": Described(
        "the SDP to the caller names a host that does not exist in DNS",
        at.AUDIO_ISSUE,
        "Have {platform}'s side name its media by an address in `c=`, or publish the name's address in the DNS that callers ask "
        "(RFC 4566 section 5.7 allows a name); `getent ahosts HOST` shows what this machine knows.",
        "platform routing",
        at.TROUBLE,
    ),
    "own-address-private": Described(
        "the harness's own phone names a private address for its audio, where nobody outside can send to",
        at.AUDIO_ISSUE,
        "Give the phone's account in the deployment file a `public_address`, where the router has a fixed one, or a `stun_server`, "
        "and let the firewall in front of the harness pass its `rtp_ports`; or have {platform} send audio to where the caller's "
        "comes from (symmetric RTP).",
        "deployment file",
        at.TROUBLE,
    ),
    "own-rtp-blocked": Described(
        "the harness's own firewall or NAT keeps RTP from its phones",
        at.AUDIO_ISSUE,
        "Let the firewall in front of the harness pass UDP from {platform}'s media addresses to its phones' `rtp_ports`, and the "
        "router forward them where it does not by itself. Where another call brings the same phone RTP, it is not this.",
        "caller's network",
        at.TROUBLE,
    ),
    "name-server-silent": Described(
        "no name server answers this machine",
        at.REACHING_ISSUE,
        "Mend the name servers of the machine that the harness runs on (`/etc/resolv.conf`), or name the host by its address.",
        "caller's network",
        at.TROUBLE,
    ),
    "call-unanswered": Described(
        "no answer at all to the caller's INVITE arrives",
        at.REACHING_ISSUE,
        "Look for the INVITE by its Call-ID at the account's host. Where it never arrives, a firewall or a router's SIP ALG drops "
        'it, or its UDP fragments (above 1300 bytes use transport = "tcp", RFC 3261 section 18.1.1); where it does, the server ignores '
        "callers that it does not know, or its answers get lost on the way back.",
        "caller's network",
        at.TROUBLE,
    ),
    "options-not-answered": Described(
        "the platform does not answer OPTIONS with 200",
        at.REACHING_ISSUE,
        "Have {platform} answer OPTIONS as it would a call (RFC 3261 section 11.2). 403: the address or the method is not "
        "allowed; 404: it wants a user in the address; 405 and 501: it knows no OPTIONS; none: a filter drops it. Calls work without, "
        "and who watches a trunk by OPTIONS takes it for dead; where nobody does, leave the row out.",
        "trunk",
        at.TROUBLE,
    ),
    "trunk-not-asked": Described(
        "the platform had not asked the stand-in by OPTIONS since it came, and may have taken the trunk for down",
        at.REACHING_ISSUE,
        "Write into the deployment file how often {platform} asks (`options_every_s` in `[stand_in]`), so that a run waits for it "
        "before it calls; or switch its OPTIONS off on the test trunk. Where none arrives, a firewall drops them, or they come from an "
        "address that the file does not name.",
        "deployment file",
        at.TROUBLE,
    ),
    "connection-closed": Described(
        "the connection to the caller is closed before its INVITE has a final response",
        at.REACHING_ISSUE,
        "Have the server that the account names keep TCP and TLS connections open while a request on them is unanswered (RFC 3261 "
        "section 18; an end counts as a 503, section 8.1.3.1), and look for a load balancer or firewall in between that closes them.",
        "network",
        at.TROUBLE,
    ),
    "realm-not-configured": Described(
        "the caller is challenged in another realm than the deployment file names",
        at.REACHING_ISSUE,
        "Compare the challenge's realm with the account's `realm` in the deployment file. Where the file has an old one, correct it; "
        "where the challenge is not the carrier's own, find out who asks before a password goes there.",
        "deployment file",
        at.TROUBLE,
    ),
    "another-server-asks": Described(
        "behind the server that asked first, another one asks for credentials",
        at.REACHING_ISSUE,
        "Let {platform} take the call itself instead of handing it on to a server with a realm of its own, or have that one accept "
        "the first by address.",
        "platform routing",
        at.TROUBLE,
    ),
    "digest-weakened": Described(
        "the platform asks for a weaker digest algorithm than it did before",
        at.REACHING_ISSUE,
        "Let all of {platform}'s servers ask for the same algorithms (SHA-256 where one of them does). A weaker challenge from "
        "somebody in between looks just like this.",
        "platform routing",
        at.TROUBLE,
    ),
    "no-room-for-the-call": Described(
        "a phone of the harness had no room for the call",
        at.REACHING_ISSUE,
        "It speaks against nobody: run fewer cases at once (`-n`), or look who else calls that phone; a process holds few calls.",
        "harness",
        at.TROUBLE,
    ),
}
