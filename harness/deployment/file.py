"""Reading a deployment file (TOML): every mistake in it is one line, and its secrets come from the
environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.deployment import Account, Deployment, Trunk, from_plain, numbers_csv, to_plain
from harness.errors import DeploymentError, MistakeError
from harness.support import resources, toml_model
from harness.support.files import user_files
from harness.support.model_words import nearest
from harness.support.toml_model import inline

#: What says that a header holds a secret, that a URL does (RFC 3986 section 3.2.1), and that a
#: request's body does.
_SECRET_HEADER = re.compile(
    r"authorization|(?<![a-z])auth(?![a-z])|cookie|token|secret|password|key\Z", re.IGNORECASE
)
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
_API_TOKENS = ("synthflow.api_token_env", "trunks.*.api_token_env", "assistants.*.api_token_env")
_NEVER_WRITTEN = ("password", "api_token")
#: What a key's file holds, by its PEM header (RFC 7468). It is written in forms of various makers
#: ("RSA PRIVATE KEY").
_PEM_KINDS: Mapping[str, str] = {
    "ca_file": "CERTIFICATE",
    "certificate": "CERTIFICATE",
    "private_key": "PRIVATE KEY",
}
_PEM_OWNERS = (
    "",
    "synthflow.",
    "stand_in.",
    "platform.report.",
    "accounts.*.",
    "stand_in.bad_certificates.*.",
)
_REPORT, _PROMPT = "report", "prompt"
#: Each place that names a file, from the deployment file's own directory (see :func:`_at`), and
#: what the file holds.
_FILES: Mapping[str, str] = {
    **{f"{owner}{key}": kind for owner in _PEM_OWNERS for key, kind in _PEM_KINDS.items()},
    "platform.report.file": _REPORT,
    "witness.directory": _REPORT,
    "escalation.prompt": _PROMPT,
    "assistants.*.handovers.*.prompt": _PROMPT,
    "assistants.*.handovers.*.then.*": _PROMPT,
}
#: What a simulated deployment leaves out, and every other needs.
NEEDED_BUT_SIMULATED: Mapping[type[BaseModel], tuple[str, ...]] = {
    Trunk: ("host", "termination"),
    Account: ("host",),
}

#: Whose results these are, where several sites run one file.
SITE_VARIABLE = "HARNESS_SITE"


def load(
    path: Path, environment: Mapping[str, str] | None = None, *, secrets: bool = True
) -> Deployment:
    """Read a deployment file, or the example of that name. Secrets come from ``environment``
    (default: the process's).

    ``secrets = False``: missing secrets are accepted, because no call will be placed. Raises
    :class:`DeploymentError` with one line per mistake: file, key, what is wrong, what is allowed.
    """
    environment = os.environ if environment is None else environment
    path = resources.deployment_file(path)
    plain = read(path)
    secret = "secrets do not stand in files; allowed: {}, the name of an environment variable"
    if mistakes := [
        f"{inline(where)}: {secret.format(instead)}" for where, instead in _written_secrets(plain)
    ]:
        raise mistaken(path, mistakes, plain)
    deployment = _checked(path, plain, environment.get(SITE_VARIABLE))
    if deployment.kind == "simulated":
        return deployment
    return _complete(path, deployment, environment, secrets)


def _checked(path: Path, plain: dict[str, Any], site: str | None) -> Deployment:
    """The deployment that the file and its spreadsheet describe. The mistakes of both are reported
    together.
    """
    numbers = _numbers(path, plain)
    mistakes = list(_place_files(plain, path.parent, {_REPORT, _PROMPT}))
    lines, wrong = plain.get("lines", {}), set(numbers.wrong)
    if site:
        plain["site"] = site

    def beside(location: tuple[int | str, ...]) -> str | None:
        if site and location == ("site",):
            return SITE_VARIABLE
        return numbers.where(location)

    def follows(location: tuple[int | str, ...]) -> bool:
        """Whether a place is wrong only since a row is, or a line that is left out."""
        if location == ("campaign", "line"):
            return str(plain["campaign"]["line"]) in wrong
        if location[:1] != ("lines",) or not numbers.wrong.intersection(map(str, location[1:2])):
            return False
        return len(location) == 2 or location[2] not in lines[str(location[1])]

    deployment = None
    while deployment is None:
        try:
            deployment = Deployment.model_validate(
                plain, context={"region": plain.get("region", _REGION)}
            )
        except ValidationError as error:
            found = toml_model.lines(
                error, Deployment, beside=beside, hidden=_NEVER_WRITTEN, omitted=follows
            )
            mistakes += [line for line in found if line not in mistakes]
            places = [
                item["loc"] for item in error.errors(include_url=False, include_context=False)
            ]
            of_lines = {
                str(place[1]) for place in places if place[:1] == ("lines",) and len(place) > 1
            }
            if not of_lines:
                break
            # the others are still to be held against the rest of the file
            left = {name: _without_wrong(name, plain["lines"][name], places) for name in of_lines}
            wrong |= {name for name, line in left.items() if line is None}
            kept = {name: left.get(name, line) for name, line in plain["lines"].items()}
            plain = plain | {
                "lines": {name: line for name, line in kept.items() if line is not None}
            }
    said = [
        *numbers.mistakes,
        *(str(mistaken(path, mistakes, plain)).splitlines() if mistakes else ()),
    ]
    if deployment is None or said:
        raise DeploymentError("\n".join(said))
    return deployment


def _without_wrong(
    name: str, line: Any, places: Iterable[tuple[int | str, ...]]
) -> dict[str, Any] | None:
    """The line without the numbers at these places; None if more of it is wrong, or no number is
    left.
    """
    wrong = [place[2:] for place in places if place[:2] == ("lines", name)]
    if not wrong or any(place[:1] != ("dids",) or len(place) == 1 for place in wrong):
        return None
    trunks = {place[1] for place in wrong}
    dids = {trunk: did for trunk, did in line["dids"].items() if trunk not in trunks}
    return {**line, "dids": dids} if 0 < len(dids) < len(line["dids"]) else None


def mistaken(path: Path, mistakes: Iterable[str], plain: Mapping[str, Any]) -> DeploymentError:
    """One error of them all, a line each; a trunk of several is named, since who counts them begins
    with one.
    """
    trunks = plain.get("trunks")
    names = (
        [trunk.get("name") if isinstance(trunk, dict) else None for trunk in trunks]
        if isinstance(trunks, list)
        else []
    )

    def named(place: re.Match[str]) -> str:
        name = names[int(place[1])] if len(names) > 1 and int(place[1]) < len(names) else None
        return f"{place[0]} ({inline(name)})" if isinstance(name, str) and name else place[0]

    return DeploymentError(
        "\n".join(f"{path}: {_TRUNK.sub(named, mistake)}" for mistake in mistakes)
    )


def _numbers(path: Path, plain: dict[str, Any]) -> numbers_csv.NumbersFile:
    """Read the file's spreadsheet into its ``lines``; the model looks at what names it wrongly."""
    name, ignored, lines = (
        plain.get("numbers_csv"),
        plain.get("numbers_ignore", []),
        plain.get("lines", {}),
    )
    if not (isinstance(name, str) and isinstance(lines, dict) and isinstance(ignored, list)):
        return numbers_csv.NumbersFile(path)
    del plain["numbers_csv"]
    numbers = numbers_csv.read(
        path.parent / name, [str(column) for column in plain.pop("numbers_ignore", [])]
    )
    plain["lines"] = numbers_csv.merged(lines, numbers)
    return numbers


def read(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises :class:`DeploymentError`, in one line, if it is missing or
    not TOML.
    """
    try:
        found = resources.deployment_file(path)
        exists = found.exists()
    except (OSError, ValueError) as error:
        raise DeploymentError(
            f"{path}: cannot be read ({error}); allowed: a readable TOML file"
        ) from None
    if not exists:
        examples = resources.examples()
        said = f"no such file: {path}{nearest(str(path), examples)}"
        raise DeploymentError(
            f"{said}; allowed: a deployment file, or an example: {', '.join(examples)}"
        )
    return toml_model.read(found, DeploymentError)


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


def _complete(
    path: Path, deployment: Deployment, environment: Mapping[str, str], secrets: bool
) -> Deployment:
    """Take the secrets from the environment and see that a real deployment leaves nothing out."""
    plain = to_plain(deployment)
    mistakes: list[str] = []

    def variable(where: str, name: str) -> str:
        if secrets and not environment.get(name):
            # small letters may be a secret in the wrong place
            shown, export = (
                (name, f"export {name}=…") if name.isupper() else ("that it names", "export it")
            )
            mistakes.append(
                f"{where}: the environment variable {shown} is not set; allowed: {export}"
            )
        return environment.get(name, "")

    def needed(where: str, table: dict[str, Any], *keys: str) -> None:
        for key in keys:
            if table.get(key) is None:
                mistakes.append(
                    f"{where}.{key}: is missing; allowed: a value (only a simulated deployment leaves it out)"
                )

    for index, trunk in enumerate(plain["trunks"]):
        credentials = ("password_env",) if trunk["authentication"] == "digest" else ()
        needed(f"trunks.{index}", trunk, *NEEDED_BUT_SIMULATED[Trunk], *credentials)
    for name, account in plain["accounts"].items():
        needed(f"accounts.{name}", account, *NEEDED_BUT_SIMULATED[Account])
    if any(trunk["ai"] == "stand-in" for trunk in plain["trunks"]):
        needed("stand_in", plain["stand_in"], "bind")
    headers = ["platform.report.headers_env.*"]
    if (campaign := plain.get("campaign")) and campaign["trigger"] == "http":
        needed("campaign", campaign, "url")
        headers.append("campaign.headers_env.*")
    for pattern in ("trunks.*.password_env", "phones.*.password_env", *_API_TOKENS):
        for where, table, key in _at(plain, pattern):
            table[key.removesuffix("_env")] = variable(where, table[key])
    for pattern in headers:
        for where, table, header in _at(plain, pattern):
            variable(where, table[header])
    mistakes += _place_files(plain, path.parent, set(_PEM_KINDS.values()))
    if mistakes:
        raise mistaken(path, mistakes, plain)
    return from_plain(plain)


def _place_files(plain: dict[str, Any], directory: Path, kinds: Collection[str]) -> Iterator[str]:
    """Have each key of a file of these kinds name it wherever this process is; yields what is wrong
    with which.
    """
    for where, table, key, kind in named_files(plain):
        name = table[key].strip()
        is_one = resources.is_wav(name) if kind == _PROMPT else bool(name) or kind != _REPORT
        if kind in kinds and is_one:
            table[key] = str((directory / name).absolute())
            if why := _why_not(Path(table[key]), kind, name):
                yield f"{inline(where)}: {why}"


def named_files(plain: dict[str, Any]) -> Iterator[tuple[str, Any, Any, str]]:
    """Each place in a deployment's data that may name a file: the place, what holds the name, under
    which key; what the file holds.
    """
    for pattern, kind in _FILES.items():
        yield from ((*found, kind) for found in _at(plain, pattern))


def _at(plain: Any, pattern: str) -> Iterator[tuple[str, Any, Any]]:
    """Where there is text at a place of the data: the place, what holds the text, and under which
    key. ``*`` is any key.
    """
    holders = [("", plain)]
    *tables, last = pattern.split(".")
    for part in tables:
        holders = [
            (f"{where}{key}.", holder[key])
            for where, holder in holders
            for key in _keys(holder, part)
        ]
    for where, holder in holders:
        yield from (
            (f"{where}{key}", holder, key)
            for key in _keys(holder, last)
            if isinstance(holder[key], str)
        )


def _keys(holder: Any, part: str) -> Collection[Any]:
    if isinstance(holder, list) and part == "*":
        return range(len(holder))
    if not isinstance(holder, dict):
        return ()
    return list(holder) if part == "*" else holder.keys() & {part}


def _why_not(file: Path, kind: str, name: str) -> str:
    """Why a file does not hold what it should; empty where it does. OpenSSL's own words say neither
    which file nor what is wrong.
    """
    if kind == _REPORT:
        return ""
    if kind == _PROMPT:
        from harness.audio.prompts import (
            check_prompt,
        )  # numpy takes its time, and most files need none of it

        try:
            check_prompt(file)
        except MistakeError as error:
            return inline(str(error))
        return ""
    try:
        text = user_files.read(file, user_files.PEM)
        if re.search(rf"^-----BEGIN ([A-Z0-9]+ )*{kind}-----".encode(), text, re.MULTILINE):
            return ""
        why = f"no {kind.lower()} in"
    except FileNotFoundError:
        why = "no such file"
    except OSError as error:
        why = f"cannot read ({error.strerror})"
    return f"{why} {name!r}; allowed: a PEM file with a {kind.lower()}, from where this one is"
