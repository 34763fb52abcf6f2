"""Before the first call: ``harness init`` writes a deployment file, and ``harness preflight`` looks
at what calls depend on.
"""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import phonenumbers
import typer
from jinja2 import Environment, PackageLoader, StrictUndefined
from phonenumbers.timezone import time_zones_for_number

from harness.audio.prompts import prompt_text
from harness.deployment import (
    PLAIN_PORT,
    SYNTHFLOW_ID,
    TLS_PORT,
    Deployment,
    in_uri,
    is_address,
    to_plain,
)
from harness.deployment.file import OPEN_ANSWER, why_not
from harness.deployment.grants import Grants
from harness.deployment.hours import known_zone
from harness.deployment.places import PEM_KINDS
from harness.errors import DeploymentError, MistakeError, writing
from harness.integrations import load
from harness.integrations.matrix import cases, every_row_of
from harness.run.cli.app import FAILED, PASSED, Grant
from harness.run.cli.completion import DeploymentFiles
from harness.run.plugin.plan import plan_of
from harness.run.plugin.worlds import one_world
from harness.run.preflight import Report, of_file, show, variables
from harness.run.preflight import run as run_probes
from harness.sip.identity import readings
from harness.support.files import json_file, whole_file
from harness.support.files.own_directories import Scratch
from harness.support.model_words import nearest
from harness.support.terminal import SafeConsole, program

YesNo = Literal["yes", "no"]
#: Returns an answer as the file has it, or raises ValueError.
Check = Callable[[str], str]


_ENGLISH = "agent-please-en"
#: Prompt → the countries in which callers use its language; all others use English.
_SPOKEN = {
    "agent-please-de": "AT DE LI",
    "agent-please-es": "AR BO CL CO CR CU DO EC ES GT HN MX NI PA PE PY SV UY VE",
    "agent-please-fr": "FR MC",
}


#: Option → its type and help. The command asks for what no option says.
_OPTIONS: Final[dict[str, tuple[Any, str]]] = {
    "integration": (Literal["talkdesk", "gladly", "generic"], "The contact centre's platform."),
    "kind": (Literal["live", "stand-in"], "The AI: Synthflow, or a harness phone."),
    "region": (str, "The country of your numbers (default: US)."),
    "platform_domain": (str, "The platform's SIP domain."),
    "platform_host": (str, "The host or address of its SBC (default: the domain)."),
    "transport": (Literal["udp", "tcp", "tls"], "The trunk's transport."),
    "authentication": (Literal["ip", "digest"], "The trunk's authentication."),
    "synthflow_region": (Literal["global", "us", "eu"], "Whose hosts of Synthflow's."),
    "synthflow_host": (str, "Synthflow's host (default with live: the region's)."),
    "recordings": (YesNo, "Fetch Synthflow's recordings (only with live)."),
    "line": (str, "The number a caller dials, E.164."),
    "assistant": (str, "The assistant's number at Synthflow, E.164, or SIP user."),
    "assistant_model": (str, "Synthflow's id of the assistant (only with live)."),
    "group": (str, "The number of the group it transfers to, E.164."),
    "caller_number": (str, "The number of the phone that calls, E.164."),
    "caller_host": (str, "Where that phone registers: host or address."),
    "caller_domain": (str, "That phone's SIP domain (default: its host)."),
    "agent_user": (str, "The agent phone's SIP user, or its number, E.164."),
    "second_agent": (str, "A second agent phone of the group, likewise."),
    "fallback": (YesNo, "Whether that group takes over when the AI does not."),
    "zone": (str, "The time zone of opening hours (default: the number's)."),
    "bind": (str, "The stand-in's address on this machine."),
    "certificate": (str, "The stand-in's certificate (PEM file; only with TLS)."),
    "private_key": (str, "The key of that certificate (PEM file)."),
}


def init(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="The file to write; it must not exist yet.")
    ] = Path("deployment.toml"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    **options: str | None,
) -> None:
    """Write a deployment file.

    Asks for what no option says; ? leaves an answer open, and the same command asks for it later.
    Without a terminal, options without a default are required.
    """
    kept = file.with_suffix(".answers.json")
    before = _before(kept)
    if file.exists() and not force and not before:
        raise DeploymentError(f"{file}: exists already; allowed: another name, or --force")
    answers: dict[str, str] = {}
    mistakes: list[str] = []
    missing: list[str] = []
    for name, question, check, default in _questions(answers, file.parent):
        option, given = f"--{name.replace('_', '-')}", options[name]
        answers[name] = given or default or ""
        if given is not None:
            try:
                answers[name] = check(given)
            except ValueError as error:
                mistakes.append(f"{option} {given}: {error}")
        elif question and name in before:
            answers[name] = before[name]
        elif question and sys.stdin.isatty():
            keep = partial(_keep, kept, answers, [*missing, name])
            answers[name] = _ask(question, check, default, keep)
            if answers[name] == _OPEN:
                missing.append(name)
                answers[name] = f"{OPEN_ANSWER}{name}"
        elif default is None:
            allowed = f"a value, or a terminal to ask at ({question})"
            mistakes.append(f"{option}: is missing; allowed: {allowed}")
    if mistakes:
        raise MistakeError("\n".join(mistakes))
    if missing:
        _keep(kept, answers, missing)
        _save(file, f"# open: {', '.join(missing)}\n{written(answers)}")
        typer.echo(
            f"{file} is written, with {OPEN_ANSWER}… where an answer is open."
            f" To go on: {program()} init {file}"
        )
        return
    _write(file, answers)
    kept.unlink(missing_ok=True)


def _with_options(command: Callable[..., None]) -> inspect.Signature:
    """The command's signature with an option for each question, from which typer makes them."""
    file, force, _ = inspect.signature(command, eval_str=True).parameters.values()
    asked = []
    for name, (kind, text) in _OPTIONS.items():
        annotation: Any = Annotated[kind | None, typer.Option(help=text)]
        asked.append(force.replace(name=name, default=None, annotation=annotation))
    return inspect.Signature([file, *asked, force])


init.__signature__ = _with_options(init)  # type: ignore[attr-defined]


def _before(kept: Path) -> dict[str, str]:
    """The answers of an earlier start, which was left."""
    try:
        found = json_file.read(kept)
    except (OSError, ValueError):
        return {}
    return {str(name): str(answer) for name, answer in found.items()}


def _keep(kept: Path, answers: Mapping[str, str], missing: Collection[str]) -> None:
    known = {name: answer for name, answer in answers.items() if name not in missing}
    _save(kept, json_file.text(known))


def _questions(
    answers: Mapping[str, str], directory: Path
) -> Iterator[tuple[str, str, Check, str | None]]:
    """Option, question, check and default of each value that the file needs; later ones depend on
    the answers so far.

    A value without a question has only its default.
    """
    yield *_choice("integration", "Which platform?"), None
    asked = "Who is the AI: Synthflow's own (live), or a harness phone (stand-in)?"
    yield *_choice("kind", asked), None
    is_gladly, is_live = answers["integration"] == "gladly", answers["kind"] == "live"
    yield "region", "Country of your numbers (two letters)", _region, "US"
    example = "acme.sip.gladly.example" if is_gladly else "acme.talkdesk.example"
    number = _e164(answers["region"])
    yield "platform_domain", f"The platform's SIP domain, e.g. {example}", _host, None
    yield "platform_host", "Host or address of its SBC", _host, answers["platform_domain"]
    if is_gladly:
        yield "transport", "", _only("tls", "gladly"), "tls"
        yield "authentication", "", _only("ip", "gladly"), "ip"
    else:
        yield *_choice("transport", "Transport of the trunk?"), None
        yield *_choice("authentication", "Authentication of the trunk?"), None
    if is_live:
        yield *_choice("synthflow_region", "Synthflow's hosts?"), "global"
    if is_live:
        asked, host = "Synthflow's host", f"sip.{_part(answers)}synthflow.ai"
        yield "synthflow_host", f"{asked}, as the trunk has it", _host, host
    else:
        asked = "This machine's public address, as the trunk has it"
        yield "synthflow_host", asked, _host, None
    yield "line", "The number a caller dials", number, None
    asked = "The assistant's number, or its SIP user"
    yield "assistant", asked, _number_or_user(number), None
    yield "group", "The number of the queue or ring group it transfers to", number, None
    asked = "Does that group take the call, too, when the AI does not (fallback)?"
    yield *_choice("fallback", asked), "no"
    asked = "The time zone of opening hours, e.g. Europe/Berlin (empty: none)"
    yield "zone", asked, lambda text: text and known_zone(text), _zone_of(answers["line"])
    yield "caller_number", "The number of the phone that calls", number, None
    yield "caller_host", "Where that phone registers: host or address", _host, None
    yield "caller_domain", "The SIP domain of the phone that calls", _host, answers["caller_host"]
    user = _user(number)
    asked = "The agent phone's user name at the platform, or its telephone number"
    yield "agent_user", asked, user, None
    second = "A second agent phone of the same group, likewise (empty: none)"
    yield "second_agent", second, lambda text: user(text) if text else "", ""
    if is_live:
        question = "Synthflow's id of the assistant, as its page shows it (empty: not known)"
        yield "assistant_model", question, _model, ""
        fetched = "Fetch Synthflow's recording of each call, which proves who was heard?"
        yield *_choice("recordings", fetched), "no"
    else:
        yield "bind", "This machine's address for the stand-in to listen at", _host, None
    if not is_live and answers["transport"] == "tls":
        asked = f"Its certificate, made out to {answers['synthflow_host']} (PEM file; empty: later)"
        yield "certificate", asked, _pem(directory, "certificate"), ""
        if answers["certificate"]:
            asked = "The certificate's private key (PEM file)"
            yield "private_key", asked, _pem(directory, "private_key"), None


#: What one types to leave an answer open.
_OPEN = "?"


def _part(answers: Mapping[str, str]) -> str:
    """What the names of Synthflow's hosts have for its region."""
    region = answers.get("synthflow_region") or "global"
    return "" if region == "global" else f"{region}."


def _ask(question: str, check: Check, default: str | None, keep: Callable[[], None]) -> str:
    """Ask until the answer is valid, or open; ``keep`` keeps the answers so far when Ctrl-C ends it."""
    while True:
        try:
            answer = typer.prompt(question, default=default)
        except typer.Abort:
            keep()
            typer.echo("\nThe answers so far are kept; the same command goes on.")
            raise
        if str(answer).strip() == _OPEN and default is None and "/" not in question:
            return _OPEN
        try:
            return check(str(answer).strip())
        except ValueError as error:
            typer.echo(f"  {error}")


def _write(file: Path, answers: Mapping[str, str]) -> None:
    """Write the file, if it loads, and say what to do next."""
    # Its PEM files are checked already, and are not beside the copy that is tried.
    deployment = _check(file, written({**answers, "certificate": ""}))
    _save(file, written(answers))
    names = " ".join(f"{name}=…" for name in dict.fromkeys(variables(file)))
    typer.echo(f"{file} is written. What it does not say, its comments do. Next:\n  export {names}")
    named = shlex.quote(str(file))
    typer.echo(f"  {program()} preflight {named}\n  {program()} verify {named} --plan")
    for line in _planned(deployment):
        typer.echo(line)


def _save(file: Path, text: str) -> None:
    with writing(file):
        whole_file.write(file, text)


def _planned(deployment: Deployment) -> Iterator[str]:
    """What a run of it takes, and whether it can be signed, in four lines."""
    every = every_row_of([deployment])
    asked = cases([deployment], every=every)
    plan = plan_of([deployment], every, asked, "documented", 1, Grants())
    (total,) = plan.deployments
    yield f"calls:    {total.calls} in {total.cases} cases"
    yield f"minutes:  {total.minutes} at most"
    yield f"cost:     {total.cost or 0:.2f} at most, by the file's cost_per_minute"
    whole_rows = [left for left in plan.left_out if left.line is None]
    lacking = list(dict.fromkeys(left.row for left in whole_rows if left.documented))
    if not lacking:
        yield "sign-off: a green run covers the whole guide"
        return
    rows = ", ".join(lacking[:3])
    if len(lacking) > 3:
        rows += f" and {len(lacking) - 3} more"
    lacks = f"not of the whole guide, since this file lacks what these rows need: {rows}"
    yield f"sign-off: {lacks}; --plan says what that is"


def written(answers: Mapping[str, str]) -> str:
    """The file's text."""
    environment = Environment(
        loader=PackageLoader("harness.run.cli"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    port, sip_port = PLAIN_PORT, 5060
    if answers["transport"] == "tls":
        port, sip_port = TLS_PORT, 5061
    name = re.sub(r"[^a-z0-9]+", "-", answers["platform_domain"].lower()).strip("-")
    host = answers["platform_host"]
    prompt = _ENGLISH
    for spoken, countries in _SPOKEN.items():
        if answers["region"] in countries.split():
            prompt = spoken
            break
    agents = [("agent", answers["agent_user"], "HARNESS_AGENT_PASSWORD")]
    if answers["second_agent"]:
        agents.append(('"second agent"', answers["second_agent"], "HARNESS_SECOND_AGENT_PASSWORD"))
    more = {
        "agents": agents,
        "prompt": prompt,
        "prompt_text": prompt_text(prompt),
        "termination": f"{in_uri(host)}:{sip_port}",
        "name": name,
        "port": port,
        "sip_port": sip_port,
        "bind": None,
        "certificate": "",
        "assistant_model": "",
        "recordings": "no",
        "api_base": f"https://api.{_part(answers)}synthflow.ai/v2",
    }
    return environment.get_template("deployment.toml.j2").render(more | dict(answers))


def _check(file: Path, text: str) -> Deployment:
    """The deployment. Raise :class:`DeploymentError` if the file would not load; its secrets count
    as set.
    """
    with Scratch() as scratch:
        trial = scratch.path / file.name
        whole_file.write(trial, text)
        try:
            return load(trial, dict.fromkeys(variables(trial), "-"))
        except DeploymentError as error:
            raise DeploymentError(str(error).replace(str(trial), "these answers")) from None


# -- checks of answers


def _choice(name: str, question: str) -> tuple[str, str, Check]:
    """The option, the question with the option's values, and the check."""
    values = get_args(_OPTIONS[name][0])

    def check(text: str) -> str:
        if text.lower() not in values:
            wrong = f"{text!r} is not valid{nearest(text, values)}"
            raise ValueError(f"{wrong}; allowed: {', '.join(values)}")
        return text.lower()

    return name, f"{question} [{'/'.join(values)}]", check


def _only(value: str, platform: str) -> Check:
    def check(text: str) -> str:
        if text != value:
            raise ValueError(f"not with {platform}; allowed: {value}, or no such option")
        return text

    return check


def _e164(region: str) -> Check:
    """Reads a number as people of the region write it."""

    def check(text: str) -> str:
        try:
            parsed = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            wrong = f"{text!r} is not a telephone number"
            raise ValueError(f"{wrong}; allowed: e.g. +12065550100") from None
        if parsed.extension:  # without it another person would be called
            wrong = f"{text!r} has an extension"
            raise ValueError(f"{wrong}; allowed: a number without one, e.g. +12065550100")
        if not phonenumbers.is_possible_number(parsed):
            raise ValueError(f"{text!r} has too few or too many digits; allowed: e.g. +12065550100")
        meant = readings(text, region)
        if len(meant) > 1:  # the wrong one is a stranger's
            both = " or, less likely, ".join(meant)
            raise ValueError(f"{text!r} is {both}; allowed: the number with its plus")
        if meant:
            return meant[0]
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    return check


def _host(text: str) -> str:
    if not is_address(text) and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text):
        raise ValueError(f"{text!r} is no host; allowed: a name or an address, without port")
    return text


def _model(text: str) -> str:
    if text and not re.fullmatch(SYNTHFLOW_ID, text):
        raise ValueError(f"{text!r} is no id of an assistant; allowed: letters, digits, . _ : -")
    return text


def _user(number: Check) -> Check:
    def check(text: str) -> str:
        if text.startswith(("+", "(")):
            return number(text)
        if not re.fullmatch(r"[A-Za-z0-9_.+-]+", text):
            raise ValueError(f"{text!r} is not a user name; allowed: letters, digits, . _ + -")
        return text

    return check


def _number_or_user(number: Check) -> Check:
    """Up to six digits are an extension."""
    user = _user(number)

    def check(text: str) -> str:
        if re.search(r"[A-Za-z_]|^[0-9]{1,6}$", text):
            return user(text)
        return number(text)

    return check


def _zone_of(number: str) -> str:
    """The time zone of a number; empty where it has none, or one of several."""
    try:
        zones = time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:  # still open
        return ""
    if len(zones) != 1 or zones[0] == "Etc/Unknown":
        return ""
    return zones[0] if "/" in zones[0] else ""


def _pem(directory: Path, key: str) -> Check:
    def check(text: str) -> str:
        if text and (why := why_not(directory / text, PEM_KINDS[key], text)):
            raise ValueError(why)
        return text

    return check


def _region(text: str) -> str:
    if text.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{text!r} is no country; allowed: two letters, e.g. US")
    return text.upper()


# -- harness preflight


def preflight(
    files: DeploymentFiles,
    all_lines: Annotated[bool, typer.Option("--all", help="Show what is ok as well.")] = False,
    grant: Grant = None,
) -> None:
    """Look at names, ports, certificates, accounts, clocks, secrets and numbers; place no call."""
    console = SafeConsole()
    grants = Grants.given(grant)
    reports = [_report(file, grants, console) for file in files]
    for report in reports:
        show(console, report, all_lines=all_lines)
    raise typer.Exit(FAILED if any(report.failed for report in reports) else PASSED)


def _report(file: Path, grants: Grants, console: SafeConsole) -> Report:
    deployment = load(file, secrets=False, grants=grants)
    for line in grants.outlook(to_plain(deployment), Path("/")):  # before anything is asked
        console.say(f"{deployment.name}: {line}")
    if deployment.kind != "simulated":
        return of_file(file, grants=grants)
    with Scratch() as scratch, one_world(file, deployment, scratch.path) as world:
        return run_probes(world.tenants[0])
