"""Reading a deployment file (TOML): every mistake in it is one line, and its secrets come from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.deployment import Account, Deployment, Trunk, from_plain, numbers_csv, to_plain
from harness.errors import DeploymentError, MistakeError
from harness.support import resources, toml_model
from harness.support.files import user_files
from harness.support.toml_model import inline

#: What says that a header holds a secret, that a URL does (RFC 3986 section 3.2.1), and that a request's body does.
_SECRET_HEADER = re.compile(r"authorization|(?<![a-z])auth(?![a-z])|cookie|token|secret|password|key\Z", re.IGNORECASE)
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)

_SECRET_IN_QUERY = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*[?&;](?!(sort|order|group|partition|page|next)[_.-]?(key|token)=)([\w.-]*[_.-])?(api|access|auth|client)?_?(key|token|secret|password|passwd|signature|sig|auth)=.",
    re.IGNORECASE,
)
_SECRET_IN_BODY = re.compile(
    r"((api|access|auth|client|private)[_-]?key|token|secret|password|passwd)[\"']?\s*[:=]\s*[\"']?[^\"'\s{]",
    re.IGNORECASE,
)
#: What numbers are read in where the file says nothing.
_REGION = Deployment.model_fields["region"].default
#: Where a mistake of a trunk is, at the beginning of its line.
_TRUNK = re.compile(r"^trunks\.(\d{1,9})[\w.]*")
_NEVER_WRITTEN = ("password", "api_token")
#: What a key's file holds, by its PEM header (RFC 7468). It is written in forms of various makers ("RSA PRIVATE KEY").
_PEM_KINDS: Mapping[str, str] = {"ca_file": "CERTIFICATE", "certificate": "CERTIFICATE", "private_key": "PRIVATE KEY"}
#: What a simulated deployment leaves out, and every other needs.
NEEDED_BUT_SIMULATED: Mapping[type[BaseModel], tuple[str, ...]] = {
    Trunk: ("host", "termination"),
    Account: ("host", "port"),
}

#: Whose results these are, where several sites run one file.
SITE_VARIABLE = "HARNESS_SITE"


def load(path: Path, environment: Mapping[str, str] | None = None, *, secrets: bool = True) -> Deployment:
    """Read a deployment file, or the example of that name. Secrets come from ``environment`` (default: the process's).

    ``secrets = False``: missing secrets are accepted, because no call will be placed.
    Raises :class:`DeploymentError` with one line per mistake: file, key, what is wrong, what is allowed.
    """
    environment = os.environ if environment is None else environment
    path = resources.deployment_file(path)
    plain = read(path)
    secret = "secrets do not stand in files; allowed: {}, the name of an environment variable"
    if mistakes := [f"{inline(where)}: {secret.format(instead)}" for where, instead in _written_secrets(plain)]:
        raise mistaken(path, mistakes, plain)
    _place_report(path, plain)
    numbers = _numbers(path, plain)
    if mistakes := list(_own_prompts(plain, path)):
        raise mistaken(path, mistakes, plain)
    site = {"site": environment[SITE_VARIABLE]} if environment.get(SITE_VARIABLE) else {}

    def beside(location: tuple[int | str, ...]) -> str | None:
        if site and location == ("site",):
            return SITE_VARIABLE
        return numbers.where(location) if numbers else None

    try:
        deployment = Deployment.model_validate(plain | site, context={"region": plain.get("region", _REGION)})
    except ValidationError as error:
        raise mistaken(path, toml_model.lines(error, Deployment, beside=beside, hidden=_NEVER_WRITTEN), plain) from None
    if deployment.kind == "simulated":
        return deployment
    return _complete(path, deployment, environment, secrets)


def mistaken(path: Path, mistakes: Iterable[str], plain: Mapping[str, Any]) -> DeploymentError:
    """One error of them all, a line each; a trunk of several is named, since who counts them begins with one."""
    trunks = plain.get("trunks")
    names = (
        [trunk.get("name") if isinstance(trunk, dict) else None for trunk in trunks] if isinstance(trunks, list) else []
    )

    def named(place: re.Match[str]) -> str:
        name = names[int(place[1])] if len(names) > 1 and int(place[1]) < len(names) else None
        return f"{place[0]} ({inline(name)})" if isinstance(name, str) and name else place[0]

    return DeploymentError("\n".join(f"{path}: {_TRUNK.sub(named, mistake)}" for mistake in mistakes))


def _numbers(path: Path, plain: dict[str, Any]) -> numbers_csv.NumbersFile | None:
    """Read the file's spreadsheet into its ``lines``; the model looks at what names it wrongly."""
    name, ignored, lines = plain.get("numbers_csv"), plain.get("numbers_ignore", []), plain.get("lines", {})
    if not (isinstance(name, str) and isinstance(lines, dict) and isinstance(ignored, list)):
        return None
    del plain["numbers_csv"]
    numbers = numbers_csv.read(path.parent / name, [str(column) for column in plain.pop("numbers_ignore", [])])
    plain["lines"] = numbers_csv.merged(lines, numbers)
    return numbers


def _place_report(path: Path, plain: dict[str, Any]) -> None:
    """The platform's report, where it is a file, is one beside the deployment file."""
    platform = plain.get("platform")
    report = platform.get("report") if isinstance(platform, dict) else None
    if isinstance(report, dict) and isinstance(name := report.get("file"), str) and name:
        report["file"] = str((path.parent / name).absolute())


def read(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises :class:`DeploymentError`, in one line, if it is missing or not TOML."""
    try:
        found = resources.deployment_file(path)
        exists = found.exists()
    except (OSError, ValueError) as error:
        raise DeploymentError(f"{path}: cannot be read ({error}); allowed: a readable TOML file") from None
    if not exists:
        examples = ", ".join(resources.examples())
        raise DeploymentError(f"no such file: {path}; allowed: a deployment file, or an example: {examples}")
    return toml_model.read(found, DeploymentError)


def _own_prompts(plain: dict[str, Any], path: Path) -> Iterator[str]:
    """Put the whole path in the place of each prompt that is a WAV file, named from where the deployment's own is; the mistakes."""
    assistants = plain.get("assistants")
    tables: list[tuple[tuple[str, ...], Any]] = [(("escalation",), plain.get("escalation"))]
    for name, assistant in assistants.items() if isinstance(assistants, dict) else ():
        handovers = assistant.get("handovers") if isinstance(assistant, dict) else None
        for topic, handover in handovers.items() if isinstance(handovers, dict) else ():
            tables.append((("assistants", name, "handovers", topic), handover))
    for where, table in tables:
        for holder, key, said in _prompts_in(table):
            if isinstance(prompt := holder[key], str) and resources.is_wav(prompt.strip()):
                from harness.audio.prompts import check_prompt  # numpy takes its time, and most files need none of it

                holder[key] = str((path.parent / prompt.strip()).absolute())
                try:
                    check_prompt(Path(holder[key]))
                except MistakeError as error:
                    yield f"{inline('.'.join(where))}.{said}: {inline(str(error))}"


def _prompts_in(table: Any) -> Iterator[tuple[Any, Any, str]]:
    """Where prompts stand in a table: what holds each, by which key, and how that place is called."""
    if isinstance(table, dict):
        if "prompt" in table:
            yield table, "prompt", "prompt"
        if isinstance(then := table.get("then"), list):
            yield from ((then, index, f"then.{index}") for index in range(len(then)))


def _written_secrets(plain: object, where: str = "") -> Iterator[tuple[str, str]]:
    items: Iterator[tuple[str, object]] = iter(())
    if isinstance(plain, dict):
        items = ((str(key), value) for key, value in plain.items())
    elif isinstance(plain, list):
        items = ((str(index), value) for index, value in enumerate(plain))
    for key, value in items:
        path = f"{where}.{key}" if where else key
        if key in _NEVER_WRITTEN:
            yield path, f"{key}_env"
        elif where.endswith("headers") and _SECRET_HEADER.search(key):
            yield path, f"{where}_env.{key}"
        elif isinstance(value, str) and _CREDENTIALS_IN_URL.match(value):
            yield path, "a URL without user and password, and headers_env.Authorization"
        elif isinstance(value, str) and _SECRET_IN_QUERY.match(value):
            yield path, "a URL without it, and api_token_env or headers_env"
        elif key == "body" and isinstance(value, str) and _SECRET_IN_BODY.search(value):
            yield path, "a body without it, and headers_env"
        yield from _written_secrets(value, path)


def _complete(path: Path, deployment: Deployment, environment: Mapping[str, str], secrets: bool) -> Deployment:
    """Take the secrets from the environment and see that a real deployment leaves nothing out."""
    plain = to_plain(deployment)
    mistakes: list[str] = []

    def secret(where: str, table: dict[str, Any], name_key: str, value_key: str) -> None:
        name = table.get(name_key)
        if name is None:
            return
        if secrets and not environment.get(name):
            # small letters may be a secret in the wrong place
            shown, export = (name, f"export {name}=…") if name.isupper() else ("that it names", "export it")
            mistakes.append(f"{where}.{name_key}: the environment variable {shown} is not set; allowed: {export}")
        table[value_key] = environment.get(name, "")

    def needed(where: str, table: dict[str, Any], *keys: str) -> None:
        for key in keys:
            if table.get(key) is None:
                mistakes.append(
                    f"{where}.{key}: is missing; allowed: a value (only a simulated deployment leaves it out)"
                )

    for index, trunk in enumerate(plain["trunks"]):
        needed(f"trunks.{index}", trunk, *NEEDED_BUT_SIMULATED[Trunk])
        if trunk["authentication"] == "digest":
            needed(f"trunks.{index}", trunk, "password_env")
        secret(f"trunks.{index}", trunk, "password_env", "password")
    for name, phone in plain["phones"].items():
        secret(f"phones.{name}", phone, "password_env", "password")
    for name, account in plain["accounts"].items():
        needed(f"accounts.{name}", account, *NEEDED_BUT_SIMULATED[Account])
    secret("synthflow", plain.get("synthflow") or {}, "api_token_env", "api_token")
    requests = {"platform.report": plain["platform"].get("report")}
    if (campaign := plain.get("campaign")) and campaign["trigger"] == "http":
        needed("campaign", campaign, "url")
        requests["campaign"] = campaign
    for where, request in requests.items():
        for header in request["headers_env"] if request else ():
            secret(f"{where}.headers_env", dict(request["headers_env"]), header, header)
    if any(trunk["ai"] == "stand-in" for trunk in plain["trunks"]):
        needed("stand_in", plain["stand_in"], "bind")
    mistakes += _find_pem_files(plain, path.parent)
    if mistakes:
        raise mistaken(path, mistakes, plain)
    return from_plain(plain)


def _find_pem_files(plain: dict[str, Any], directory: Path) -> Iterator[str]:
    """Have each key of a PEM file name it wherever this process is; yields what is wrong with which."""
    for where, table, key in pem_files(plain):
        told, kind = table[key], _PEM_KINDS[key]
        table[key] = str((directory / told).absolute())
        if why := _why_no_pem(Path(table[key]), kind):
            yield f"{where}{key}: {why} {told!r}; allowed: a PEM file with a {kind.lower()}, from where this one is"


def _why_no_pem(file: Path, kind: str) -> str:
    """Why a file holds no such thing; empty where it does. OpenSSL's own words for it say neither which file nor what is wrong."""
    try:
        text = user_files.read(file, user_files.PEM)
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return f"cannot read ({error.strerror})"
    return (
        ""
        if re.search(rf"^-----BEGIN ([A-Z0-9]+ )*{kind}-----".encode(), text, re.MULTILINE)
        else f"no {kind.lower()} in"
    )


def pem_files(plain: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each place in a deployment's data that names a file of certificates or a key: how keys begin there, its table, the key."""
    stand_in = plain.get("stand_in") or {}
    owners = {"": plain, "synthflow.": plain.get("synthflow"), "stand_in.": stand_in}
    owners["platform.report."] = (plain.get("platform") or {}).get("report")
    owners |= {f"accounts.{name}.": account for name, account in plain.get("accounts", {}).items()}
    shown = stand_in.get("bad_certificates", {})
    owners |= {f"stand_in.bad_certificates.{name}.": pair for name, pair in shown.items()}
    for where, table in owners.items():
        for key in _PEM_KINDS:
            if table and table.get(key) is not None:
                yield where, table, key
