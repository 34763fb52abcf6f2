"""``harness init``: asks what it needs to know, and writes a deployment file with comments."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import phonenumbers
import typer
from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.audio.prompts import prompt_text
from harness.deployment import PLAIN_PORT, SYNTHFLOW_ID, TLS_PORT, in_uri, is_address
from harness.errors import DeploymentError, MistakeError, unwritable
from harness.integrations import load
from harness.run.preflight import variables
from harness.support.files import whole_file
from harness.support.files.own_directories import Scratch

PlatformChoice = Literal["talkdesk", "gladly", "generic"]
AiChoice = Literal["live", "stand-in"]
TransportChoice = Literal["udp", "tcp", "tls"]
Authentication = Literal["ip", "digest"]

_File = Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to write; it must not exist yet.")]
_Integration = Annotated[PlatformChoice | None, typer.Option(help="The contact centre's platform.")]
_Kind = Annotated[AiChoice | None, typer.Option(help="The AI: Synthflow, or a harness phone.")]
_Region = Annotated[str | None, typer.Option(help="The country of your numbers (default: US).")]
_PlatformDomain = Annotated[str | None, typer.Option(help="The platform's SIP domain.")]
_PlatformHost = Annotated[str | None, typer.Option(help="The host or address of its SBC (default: the domain).")]
_Transport = Annotated[TransportChoice | None, typer.Option(help="The trunk's transport.")]
_Authentication = Annotated[Authentication | None, typer.Option(help="The trunk's authentication.")]
_SynthflowHost = Annotated[str | None, typer.Option(help="Synthflow's host (default with live: sip.synthflow.ai).")]
_Line = Annotated[str | None, typer.Option(help="The number a caller dials, E.164.")]
_Assistant = Annotated[str | None, typer.Option(help="The assistant's number at Synthflow, E.164.")]
_AssistantModel = Annotated[str | None, typer.Option(help="Synthflow's id of the assistant (only with live).")]
_Group = Annotated[str | None, typer.Option(help="The number of the group it transfers to, E.164.")]
_CallerNumber = Annotated[str | None, typer.Option(help="The number of the phone that calls, E.164.")]
_CallerHost = Annotated[str | None, typer.Option(help="Where that phone registers: host or address.")]
_CallerDomain = Annotated[str | None, typer.Option(help="That phone's SIP domain (default: its host).")]
_AgentUser = Annotated[str | None, typer.Option(help="The agent phone's SIP user, or its number, E.164.")]
_Bind = Annotated[str | None, typer.Option(help="The stand-in's address on this machine.")]
_Force = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]


_ENGLISH = "agent-please-en"
#: In which countries nearly everybody is understood in a language that a prompt of the harness speaks; else it is English.
_SPOKEN = {
    "agent-please-de": "AT DE LI",
    "agent-please-es": "AR BO CL CO CR CU DO EC ES GT HN MX NI PA PE PY SV UY VE",
    "agent-please-fr": "FR MC",
}
_WHICH_MODEL = "Synthflow's id of the assistant, as its page shows it (empty: not known)"


def init(
    context: typer.Context,
    file: _File = Path("deployment.toml"),
    integration: _Integration = None,
    kind: _Kind = None,
    region: _Region = None,
    platform_domain: _PlatformDomain = None,
    platform_host: _PlatformHost = None,
    transport: _Transport = None,
    authentication: _Authentication = None,
    synthflow_host: _SynthflowHost = None,
    line: _Line = None,
    assistant: _Assistant = None,
    assistant_model: _AssistantModel = None,
    group: _Group = None,
    caller_number: _CallerNumber = None,
    caller_host: _CallerHost = None,
    caller_domain: _CallerDomain = None,
    agent_user: _AgentUser = None,
    bind: _Bind = None,
    force: _Force = False,
) -> None:
    """Write a deployment file.

    Asks for what no option says. Without a terminal, options without a default are required.
    """
    if file.exists() and not force:
        raise DeploymentError(f"{file}: exists already; allowed: another name, or --force")
    ask = _Asker(context.params)
    ask.choice("integration", "Which platform?", get_args(PlatformChoice))
    ask.choice("kind", "Who is the AI: Synthflow's own (live), or a harness phone (stand-in)?", get_args(AiChoice))
    is_gladly, is_live = ask.answers["integration"] == "gladly", ask.answers["kind"] == "live"
    ask.text("region", "Country of your numbers (two letters)", _region, "US")
    example = "acme.sip.gladly.example" if is_gladly else "acme.talkdesk.example"
    ask.text("platform_domain", f"The platform's SIP domain, e.g. {example}", _host)
    ask.text("platform_host", "Host or address of its SBC", _host, ask.answers["platform_domain"])
    if is_gladly:
        ask.only("transport", "tls", "gladly")
        ask.only("authentication", "ip", "gladly")
    else:
        ask.choice("transport", "Transport of the trunk?", get_args(TransportChoice))
        ask.choice("authentication", "Authentication of the trunk?", get_args(Authentication))
    whose = "Synthflow's host" if is_live else "This machine's public address"
    ask.text("synthflow_host", f"{whose}, as the trunk has it", _host, "sip.synthflow.ai" if is_live else None)
    ask.text("line", "The number a caller dials (E.164)", _e164)
    ask.text("assistant", "The assistant's number (E.164)", _e164)
    ask.text("group", "The number of the queue or ring group it transfers to (E.164)", _e164)
    ask.text("caller_number", "The number of the phone that calls (E.164)", _e164)
    ask.text("caller_host", "Where that phone registers: host or address", _host)
    ask.text("agent_user", "The agent phone's user name at the platform, or its telephone number", _user)
    ask.text("caller_domain", "That phone's SIP domain", _host, ask.answers["caller_host"])
    if is_live:
        ask.text("assistant_model", _WHICH_MODEL, _model, "")
    else:
        ask.text("bind", "This machine's address for the stand-in to listen at", _host)
    ask.finish()
    _write(file, written(ask.answers))


def _write(file: Path, text: str) -> None:
    _check(file, text)
    try:
        whole_file.write(file, text)
    except OSError as error:
        raise unwritable(file, error) from None
    names = " ".join(f"{name}=…" for name in dict.fromkeys(variables(file)))
    typer.echo(f"{file} is written. What it does not say, its comments do. Next:\n  export {names}")
    named = shlex.quote(str(file))
    typer.echo(f"  harness preflight {named}\n  harness verify {named} --plan")


def written(answers: Mapping[str, str]) -> str:
    """The file's text."""
    environment = Environment(
        loader=PackageLoader("harness.run.cli"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    port = TLS_PORT if answers["transport"] == "tls" else PLAIN_PORT
    name = re.sub(r"[^a-z0-9]+", "-", answers["platform_domain"].lower()).strip("-")
    host, sip_port = answers["platform_host"], 5061 if answers["transport"] == "tls" else 5060
    prompt = next((prompt for prompt, countries in _SPOKEN.items() if answers["region"] in countries.split()), _ENGLISH)
    more = {
        "prompt": prompt,
        "prompt_text": prompt_text(prompt),
        "termination": f"{in_uri(host)}:{sip_port}",
        "name": name,
        "port": port,
        "sip_port": sip_port,
        "bind": None,
        "assistant_model": "",
    }
    return environment.get_template("deployment.toml.j2").render(more | dict(answers))


def _check(file: Path, text: str) -> None:
    """The file has to load, whatever was answered; secrets are taken as given."""
    with Scratch() as scratch:
        trial = scratch.path / file.name
        whole_file.write(trial, text)
        try:
            load(trial, dict.fromkeys(variables(trial), "-"))
        except DeploymentError as error:
            raise DeploymentError(str(error).replace(str(trial), "these answers")) from None


class _Asker:
    """Takes answers from options, else from the terminal; without a terminal, lists all that is missing."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.answers: dict[str, str] = {}
        self._options = options
        self._terminal = sys.stdin.isatty()
        self._mistakes: list[str] = []

    def choice(self, name: str, question: str, values: Sequence[str]) -> None:
        """One of a few."""

        def check(text: str) -> str:
            if text not in values:
                raise ValueError(f"{text!r} is none of them; allowed: {', '.join(values)}")
            return text

        self.text(name, f"{question} [{'/'.join(values)}]", check)

    def only(self, name: str, value: str, where: str) -> None:
        """The one value that there is ``where``; another is a mistake."""
        if (given := self._options[name]) not in (None, value):
            self._mistakes.append(f"--{name} {given}: not with {where}; allowed: {value}, or no such option")
        self.answers[name] = value

    def text(self, name: str, question: str, check: Callable[[str], str], default: str | None = None) -> None:
        """A text that passes ``check``, which returns it or raises ValueError."""
        given, option = self._options[name], f"--{name.replace('_', '-')}"
        self.answers[name] = given or default or ""
        if given is not None:
            try:
                self.answers[name] = check(str(given))
            except ValueError as error:
                self._mistakes.append(f"{option} {given}: {error}")
        elif self._terminal:
            self.answers[name] = self._ask(question, check, default)
        elif default is None:
            self._mistakes.append(f"{option}: is missing; allowed: a value, or a terminal to ask at ({question})")

    @staticmethod
    def _ask(question: str, check: Callable[[str], str], default: str | None) -> str:
        while True:
            answer = typer.prompt(question, default=default)
            try:
                return check(str(answer).strip())
            except ValueError as error:
                typer.echo(f"  {error}")

    def finish(self) -> None:
        """Raise :class:`MistakeError` with every mistake in the options."""
        if self._mistakes:
            raise MistakeError("\n".join(self._mistakes))


def _e164(text: str) -> str:
    plain = re.sub(r"[\s().-]", "", text)
    try:
        parsed = phonenumbers.parse(plain, None)
    except phonenumbers.NumberParseException:
        raise ValueError(f"{text!r} is not E.164; allowed: + and country code, e.g. +12065550100") from None
    if parsed.extension:  # without it somebody else would be called
        raise ValueError(f"{text!r} has an extension; allowed: a number without one, e.g. +12065550100")
    if not phonenumbers.is_possible_number(parsed):
        raise ValueError(f"{text!r} has too few or too many digits; allowed: e.g. +12065550100")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _host(text: str) -> str:
    if not is_address(text) and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text):
        raise ValueError(f"{text!r} is no host; allowed: a name or an address, without port")
    return text


def _model(text: str) -> str:
    if text and not re.fullmatch(SYNTHFLOW_ID, text):
        raise ValueError(f"{text!r} is no id of an assistant; allowed: letters, digits, . _ : -")
    return text


def _user(text: str) -> str:
    if text.startswith("+"):
        return _e164(text)
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", text):
        raise ValueError(f"{text!r} is no user name; allowed: letters, digits, . _ + -")
    return text


def _region(text: str) -> str:
    if text.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{text!r} is no country; allowed: two letters, e.g. US")
    return text.upper()
