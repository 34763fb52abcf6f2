"""SIP for nodes of the simulated world: transport, transactions, dialogs and a user agent on top
(asyncio).

Knows nothing of platforms, registrars or assistants. Proxies do not exist here: Record-Route is not read, and a second 2xx of
a fork is not acknowledged. What a node uses, by module::

    transport.Endpoint(transport, address, port=0)    "udp" | "tcp" | "tls"; address is an IP; to listen, 0 takes a port
    transport.TlsIdentity(certificate, key, trusted)  PEM files
    transport.Filter = (Passage) -> bytes | [bytes…] | Delayed | None (drop) | REJECT
                                                      judges every datagram and stream segment, both ways
    transport.Trace = (Traced) -> None                sees every whole message, both ways
    transactions.Timers(t1=0.5, t2=4, t4=5)           RFC 3261's letters, in seconds

    agent.UserAgent(name, [Endpoint…], tls=, timers=, filter=, trace=, …)
        await start()                                 raises ListenError (busy port, no such address)
        await stop()                                  ends calls, transactions, flows, sockets
        listening -> tuple[Endpoint, …]               with the ports taken
        local(transport) -> Endpoint                  the first of that transport
        contact(listen, user=None) -> NameAddr
        on_invite: async (IncomingCall) -> None       a handler that raises answers 500
        on(method, handler)                           async (IncomingRequest) -> None, out of dialog: REGISTER …
        invite(uri, from_=, hop=, flow=, sdp=, headers=, credentials=) -> OutgoingCall     at once
        await request(method, uri, from_=, to=, hop=, headers=, credentials=, …) -> Response
        calls() layer.transactions() transport.flows()     the audit: what is alive now

    call.IncomingRequest: .request .flow .source; respond(status, reason=None, headers=(), body=b"")
    call.Call (what IncomingCall and OutgoingCall share once a dialog exists):
        .request (the INVITE) .call_id .local_sdp .remote_sdp .dialog .state .end (End | None)
        await wait_ended(within=None) -> End          .how (dialog.How) .by .status .reason
        await bye() -> Response | None
        await change(method, sdp=None) -> Response    "INVITE" (its 2xx is acknowledged) or "UPDATE"
        await info(body, content_type) -> Response
        refer(refer_to, referred_by=None) -> Referral       .progress .final, await .wait_accepted() .wait_final()
        await send(method, headers=(), body=b"", content_type=None) -> Response     anything else in the dialog
        on_offer, on_info, on_refer: async (InDialogRequest) -> None
        on_ended(End)                                 once, whatever ended it
    invite.IncomingCall:
        .flow .source .offer (bytes | None)
        ring() · progress(status=183, sdp=None)       by RFC 3262 where the caller requires 100rel
        answer(sdp) · await wait_acked() · reject(status, reason=None, headers=())
    invite.OutgoingCall:
        .provisionals (so far) .final · on_provisional(Response)
        await wait_answered(within) -> Response
        both raise CallFailedError: .status (a local 408 or 503 included) .reason .end
        cancel() · hangup() (CANCEL before the answer, BYE after it; incoming: 603 or BYE)
    call.InDialogRequest: .request .offer; accept(sdp) · respond(status, …)    now or later
        of a REFER: .refer_to, .accept_refer() -> Notifier, await .notify(status)

An exception of a handler never reaches the loop: it is logged, and the request it served is
answered 500.
"""
