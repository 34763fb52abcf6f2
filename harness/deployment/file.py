"""Reading a deployment file (TOML): every mistake in it is one line, and its secrets come from the
environment.

What a file wants of its user's machine is asked for here (``grants``): a deployment that was loaded
wants nothing that its user has not granted.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.deployment import Account, Deployment, Trunk, from_plain, numbers_csv, to_plain
from harness.deployment.consistency import names_and_numbers
from harness.deployment.grants import DemandKind, Grants
from harness.deployment.places import PEM_KINDS, PROMPT, REPORT, each_at, named_files
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
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s:]*:[^/@\s]*@", re.IGNORECASE)

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
#: Keys that no file has: secrets, and the key that names the variable with each.
_NEVER_WRITTEN = {
    "password": "password_env",
    "api_token": "api_token_env",
    "headers_secret": "headers_env",
}
_WITH_VARIABLE = (
    *("trunks.*.password_env", "phones.*.password_env"),
    *("synthflow.api_token_env", "trunks.*.api_token_env", "assistants.*.api_token_env"),
)
#: Most entries of a table. What follows from them (the matrix, comparisons of names) takes minutes
#: beyond that.
_MOST_ENTRIES: Mapping[str, int] = {
    "trunks": 100,
    "lines": 10_000,
    "groups": 2_000,
    "assistants": 500,
    "accounts": 100,
    "phones": 2_000,
    "holidays": 500,
}
#: What ``harness init`` writes in the place of an answer that is still open, before its name.
OPEN_ANSWER = "MISSING-"
#: What a simulated deployment leaves out, and every other needs.
NEEDED_BUT_SIMULATED: Mapping[type[BaseModel], tuple[str, ...]] = {
    Trunk: ("host", "termination"),
    Account: ("host",),
}

#: Whose results these are, where several sites run one file.
SITE_VARIABLE = "HARNESS_SITE"


def load(
    path: Path,
    environment: Mapping[str, str] | None = None,
    *,
    secrets: bool = True,
    commands: bool = False,
    grants: Grants | None = None,
) -> Deployment:
    """Read a deployment file, or the example of that name, as far as its user allows what it wants.

    ``environment``: where secrets are; default: the process's, as far as ``grants`` have it (by
    default those of ``HARNESS_GRANT``). ``secrets = False``: nothing will be asked and no call be
    placed. ``commands``: what the file runs will be run.

    Raises :class:`DeploymentError` with one line per mistake: file, key, what is wrong, what is
    allowed.
    """
    grants = grants or Grants.given()
    site = (os.environ if environment is None else environment).get(SITE_VARIABLE)
    path = resources.deployment_file(path)
    plain = read(path)
    _require_few_entries(path, plain)
    if places := ", ".join(inline(where) for where in _open_answers(plain)):
        raise DeploymentError(
            f"{path}: {places}: still open: run `harness init {shlex.quote(str(path))}`"
        )
    kinds: set[DemandKind] = {"path"}
    kinds |= {"env", "host"} if secrets else set()
    kinds |= {"command"} if commands else set()
    secret = "secrets do not stand in files; allowed: {}, the name of an environment variable"
    mistakes = [
        f"{inline(where)}: {secret.format(instead)}" for where, instead in _written_secrets(plain)
    ]
    for demand in grants.needed(plain, path.parent):
        if demand.kind in kinds and demand.what not in (environment or ()):
            mistakes.append(f"{inline(demand.where)}: {grants.refusal(demand)}")
    if mistakes:
        raise mistaken(path, mistakes, plain)
    deployment = _checked(path, plain, site)
    if deployment.kind == "simulated":
        return deployment
    environment = grants.environment() if environment is None else environment
    return _complete(path, deployment, environment, secrets)


def _require_few_entries(path: Path, plain: Mapping[str, Any]) -> None:
    for table, most in _MOST_ENTRIES.items():
        entries = plain.get(table)
        if isinstance(entries, dict | list) and len(entries) > most:
            raise DeploymentError(f"{path}: {table}: has {len(entries)} entries; allowed: {most}")


def _checked(path: Path, plain: dict[str, Any], site: str | None) -> Deployment:
    """The deployment that the file and its spreadsheet describe. The mistakes of both are reported
    together.
    """
    numbers = _numbers(path, plain)
    mistakes = list(_place_files(plain, path.parent, {REPORT, PROMPT}))
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
            named = plain["campaign"]["line"]
            return not wrong.isdisjoint([named] if isinstance(named, str) else named)
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
            places = [
                item["loc"] for item in error.errors(include_url=False, include_context=False)
            ]
            of_lines = {
                str(place[1]) for place in places if place[:1] == ("lines",) and len(place) > 1
            }
            left = {name: _without_wrong(name, plain["lines"][name], places) for name in of_lines}
            dropped = {name for name, line in left.items() if line is None}
            also = iter(()) if () in places else names_and_numbers(plain)
            if of_lines:
                also = (one for one in also if one[0][0] == "lines" and one[0][1] in dropped)
            found = toml_model.lines(
                error,
                Deployment,
                also=also,
                beside=beside,
                hidden=_NEVER_WRITTEN,
                omitted=follows,
            )
            mistakes += [line for line in found if line not in mistakes]
            if not of_lines:
                break
            # the others are still to be held against the rest of the file
            wrong |= dropped
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

    found = toml_model.located(path, mistakes)
    return DeploymentError("\n".join(where + _TRUNK.sub(named, what) for where, what in found))


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


def _open_answers(plain: object, where: str = "") -> Iterator[str]:
    if isinstance(plain, str) and OPEN_ANSWER in plain:
        yield where
    for key, value in toml_model.items_of(plain):
        yield from _open_answers(value, f"{where}.{key}" if where else key)


def _written_secrets(plain: object, where: str = "") -> Iterator[tuple[str, str]]:
    for key, value in toml_model.items_of(plain):
        path = f"{where}.{key}" if where else key
        if key in _NEVER_WRITTEN:
            yield path, _NEVER_WRITTEN[key]
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
    requests = {"platform.report": plain["platform"].get("report")}
    if (campaign := plain.get("campaign")) and campaign["trigger"] == "http":
        needed("campaign", campaign, "url")
        requests["campaign"] = campaign
    for where, table, key in each_at(plain, _WITH_VARIABLE):
        table[key.removesuffix("_env")] = variable(where, table[key])
    for where, request in requests.items():
        if request and request["headers_env"]:
            request["headers_secret"] = {
                header: variable(f"{where}.headers_env.{header}", name)
                for header, name in request["headers_env"].items()
            }
    mistakes += _place_files(plain, path.parent, set(PEM_KINDS.values()))
    if mistakes:
        raise mistaken(path, mistakes, plain)
    return from_plain(plain)


def _place_files(plain: dict[str, Any], directory: Path, kinds: Collection[str]) -> Iterator[str]:
    """Have each key of a file of these kinds name it wherever this process is; yields what is wrong
    with which.
    """
    for where, table, key, kind in named_files(plain):
        if kind in kinds:
            name = table[key].strip()
            table[key] = str((directory / name).absolute())
            if why := why_not(Path(table[key]), kind, name):
                yield f"{inline(where)}: {why}"


def why_not(file: Path, kind: str, name: str) -> str:
    """Why a file does not hold what it should; empty where it does. OpenSSL's own words say neither
    which file nor what is wrong.
    """
    if kind == REPORT:
        return ""
    if kind == PROMPT:
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
