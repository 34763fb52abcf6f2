"""A pjsua2 phone driven by JSON lines: the stranger our SIP is held against. Runs as a process of its own.

Imports nothing of the harness. Commands: {"do": "dial", "uri": …}, "answer" {"code"}, "hold", "resume", "refer"
{"uri"}, "info" {"digits"}, "hangup", "options"…; events go to standard output, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

import pjsua2 as pj


def say(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


class Call(pj.Call):  # type: ignore[misc]
    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        say("state", state=info.stateText, code=info.lastStatusCode, reason=info.lastReason, call=self.getId())
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            calls.pop(self.getId(), None)
            graves.append(self)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        info = self.getInfo()
        say("media", status=[media.status for media in info.media], call=self.getId())

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:
        say("transfer", code=prm.statusCode, final=prm.finalNotify)

    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:
        say("referred", uri=prm.dstUri)
        successor = Call(account)
        prm.newCall = successor
        pending.append(successor)

    def onDtmfDigit(self, prm: pj.OnDtmfDigitParam) -> None:
        say("digit", digit=prm.digit)


class Account(pj.Account):  # type: ignore[misc]
    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        say("registered", code=prm.code, expires=prm.expiration)

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        call = Call(self, prm.callId)
        calls[prm.callId] = call
        say("incoming", call=prm.callId, message=prm.rdata.wholeMsg)


calls: dict[int, Call] = {}
pending: list[Call] = []
graves: list[Call] = []
account: Account


def start(settings: dict[str, Any]) -> pj.Endpoint:
    global account
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.medConfig.noVad = True
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.boundAddress = settings["address"]
    transport.publicAddress = settings["address"]
    if settings["transport"] == "tls":
        transport.tlsConfig.CaListFile = settings["ca"]
        transport.tlsConfig.verifyServer = True
    kinds = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
    number = endpoint.transportCreate(kinds[settings["transport"]], transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    options = pj.AccountConfig()
    options.idUri = settings["id"]
    options.sipConfig.transportId = number
    options.mediaConfig.transportConfig.boundAddress = settings["address"]
    options.mediaConfig.transportConfig.publicAddress = settings["address"]
    if "registrar" in settings:
        options.regConfig.registrarUri = settings["registrar"]
        options.regConfig.timeoutSec = 300
        credentials = pj.AuthCredInfo("digest", "*", settings["username"], 0, settings["password"])
        options.sipConfig.authCreds.append(credentials)
    if settings.get("prack"):
        options.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
    if settings.get("timer"):
        options.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
        options.callConfig.timerMinSESec = options.callConfig.timerSessExpiresSec = settings["timer"]
    account = Account()
    account.create(options)
    say("ready")
    return endpoint


def obey(command: dict[str, Any]) -> bool:
    parameters = pj.CallOpParam(True)
    call = calls.get(command["call"]) if "call" in command else next(iter(calls.values()), None)
    match command["do"]:
        case "dial":
            placed = Call(account)
            for name, value in command.get("headers", []):
                header = pj.SipHeader()
                header.hName, header.hValue = name, value
                parameters.txOption.headers.append(header)
            placed.makeCall(command["uri"], parameters)
            calls[placed.getId()] = placed
        case "answer" if call:
            parameters.statusCode = command["code"]
            call.answer(parameters)
        case "hold" if call:
            call.setHold(parameters)
        case "resume" if call:
            parameters.opt.flag = pj.PJSUA_CALL_UNHOLD
            call.reinvite(parameters)
        case "refer" if call:
            call.xfer(command["uri"], parameters)
        case "info" if call:
            digits = pj.CallSendDtmfParam()
            digits.method, digits.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, command["digits"]
            call.sendDtmf(digits)
        case "hangup" if call:
            call.hangup(parameters)
        case "quit":
            return False
        case other:
            say("unable", command=other)
    return True


def main() -> None:
    settings = json.loads(sys.argv[1])
    endpoint = start(settings)
    os.set_blocking(0, False)
    buffered = b""
    while True:
        endpoint.libHandleEvents(5)
        for successor in pending[:]:
            if successor.getId() >= 0:
                calls[successor.getId()] = successor
                pending.remove(successor)
        if not select.select([0], [], [], 0)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        buffered += data
        *lines, buffered = buffered.split(b"\n")
        for line in lines:
            if not obey(json.loads(line)):
                sys.stdout.flush()
                os._exit(0)  # libDestroy takes a second
    os._exit(0)


main()
