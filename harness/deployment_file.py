"""Reading a deployment file (TOML): every mistake in it is one line, and its secrets come from the environment."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness import numbers_csv, resources
from harness.deployment import Deployment, from_plain, to_plain
from harness.errors import DeploymentError
from harness.numbers_csv import Numbers
from harness.terminal import printable

#: What says that a header holds a secret, and that a URL does (RFC 3986 section 3.2.1).
_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|password|key\Z", re.IGNORECASE)
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)

_SECRET_IN_QUERY = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*[?&;]([\w.-]*[_.-])?(api|access|auth|client)?_?(key|token|secret|password|passwd|signature|sig|auth)=.",
    re.IGNORECASE,
)
_MOST_BYTES = 4 * 1024 * 1024
_SHOWN = 100  #: characters of a value in a message
_DEEPEST = 20  #: levels; a deployment has five

#: Whose results these are, where several sites run one file.
SITE_VARIABLE = "HARNESS_SITE"


def load(path: Path, environment: Mapping[str, str] | None = None, *, secrets: bool = True) -> Deployment:
    """Read a deployment file, or the example of that name; secrets come from ``environment`` (by default the process's own).

    ``secrets = False``: those that are not there are not missed, since nobody will be called.
    Raises :class:`DeploymentError` whose text has one line for each mistake: file, key, what is wrong, what is allowed.
    """
    environment = os.environ if environment is None else environment
    path = resources.deployment_file(path)
    plain = read(path)
    mistakes = [
        f"{path}: {_inline(where)}: secrets do not stand in files; allowed: {instead}, the name of an environment variable"
        for where, instead in _written_secrets(plain)
    ]
    if mistakes:
        raise DeploymentError("\n".join(mistakes))
    numbers = None
    if isinstance(name := plain.pop("numbers_csv", None), str):
        numbers = numbers_csv.read(path.parent / name)
        if isinstance(plain.setdefault("lines", {}), dict):
            plain["lines"] = numbers_csv.merged(plain["lines"], numbers)
    try:
        deployment = Deployment.model_validate(plain | _site(environment))
    except ValidationError as error:
        raise DeploymentError("\n".join(f"{path}: {line}" for line in _lines(error, numbers))) from None
    if deployment.kind == "simulated":
        return deployment
    return _complete(path, deployment, environment, secrets)


def read(path: Path) -> dict[str, Any]:
    """What stands in a TOML file, as it is. Raises :class:`DeploymentError`, in one line, for whatever is no such file."""
    try:
        with resources.deployment_file(path).open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise DeploymentError(f"{path}: more than {_MOST_BYTES} bytes; allowed: a deployment file (TOML)")
        plain = tomllib.loads(raw.decode("utf-8"))
        if _depth(plain) > _DEEPEST:
            raise RecursionError
    except FileNotFoundError:
        examples = ", ".join(resources.examples())
        raise DeploymentError(f"no such file: {path}; allowed: a deployment file, or an example: {examples}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DeploymentError(f"{path}: cannot be read ({error}); allowed: a readable TOML file") from None
    except RecursionError:
        raise DeploymentError(f"{path}: tables within tables without end; allowed: {_DEEPEST} levels") from None
    except ValueError as error:  # TOMLDecodeError, and numbers or file names that are none
        raise DeploymentError(f"{path}: not TOML: {_inline(str(error))}") from None
    return plain


def _depth(plain: object) -> int:
    """How deep tables and lists stand within each other; counted without recursion, as dotted keys nest without end."""
    deepest, left = 0, [(plain, 0)]
    while left:
        found, depth = left.pop()
        deepest = max(deepest, depth)
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        left += [(item, depth + 1) for item in inner]
    return deepest


def _inline(text: str) -> str:
    """Text of the file's own as a part of one line."""
    return printable(text).replace("\n", "\\n")


def _site(environment: Mapping[str, str]) -> dict[str, str]:
    return {"site": environment[SITE_VARIABLE]} if environment.get(SITE_VARIABLE) else {}


def _written_secrets(plain: object, where: str = "") -> Iterator[tuple[str, str]]:
    items: Iterator[tuple[str, object]] = iter(())
    if isinstance(plain, dict):
        items = ((str(key), value) for key, value in plain.items())
    elif isinstance(plain, list):
        items = ((str(index), value) for index, value in enumerate(plain))
    for key, value in items:
        path = f"{where}.{key}" if where else key
        if key in ("password", "api_token"):
            yield path, f"{key}_env"
        elif where.endswith("headers") and _SECRET_HEADER.search(key):
            yield path, f"campaign.headers_env.{key}"
        elif isinstance(value, str) and _CREDENTIALS_IN_URL.match(value):
            yield path, "a URL without user and password, and campaign.headers_env.Authorization"
        elif isinstance(value, str) and _SECRET_IN_QUERY.match(value):
            yield path, "a URL without it, and synthflow.api_token_env or campaign.headers_env"
        yield from _written_secrets(value, path)


def _lines(error: ValidationError, numbers: Numbers | None) -> Iterator[str]:
    for item in error.errors(include_url=False):
        where = _inline(".".join(str(part) for part in item["loc"]))
        if numbers is not None and (cell := numbers.where(item["loc"])):
            where = f"{where} ({_inline(cell)})"
        if item["type"] == "extra_forbidden":
            yield f"{where}: unknown key; allowed: {_siblings(item['loc'])}"
        elif item["type"] == "missing":
            yield f"{where}: is missing; allowed: a value"
        elif item["type"] == "value_error":
            for line in str(item["ctx"]["error"]).splitlines():
                yield f"{where}: {line}" if where else line
        else:
            shown = repr(item["input"])
            yield f"{where}: {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}: {item['msg']}"


def _siblings(location: tuple[int | str, ...]) -> str:
    """The keys that are allowed beside an unknown one."""
    model: Any = Deployment
    for part in list(location)[:-1]:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            model = _element(model)
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        model = _strip_optional(field.annotation) if field else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        hidden = ("password", "api_token")
        return ", ".join(sorted(f.alias or n for n, f in model.model_fields.items() if n not in hidden))
    return "none here"


def _strip_optional(annotation: Any) -> Any:
    arguments = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
    origin = getattr(annotation, "__origin__", None)
    return annotation if origin in (dict, tuple) or not arguments else arguments[0]


def _element(annotation: Any) -> Any:
    arguments = list(getattr(annotation, "__args__", ()))
    origin = getattr(annotation, "__origin__", None)
    return arguments[1] if origin is dict else arguments[0] if arguments else None


def _complete(path: Path, deployment: Deployment, environment: Mapping[str, str], secrets: bool) -> Deployment:
    """Take the secrets from the environment and see that a real deployment leaves nothing out."""
    plain = to_plain(deployment)
    mistakes: list[str] = []

    def secret(where: str, table: dict[str, Any], name_key: str, value_key: str) -> None:
        name = table.get(name_key)
        if name is None:
            return
        if secrets and not environment.get(name):
            mistakes.append(f"{where}.{name_key}: the environment variable {name} is not set; allowed: export {name}=…")
        table[value_key] = environment.get(name, "")

    def needed(where: str, table: dict[str, Any], *keys: str) -> None:
        for key in keys:
            if table.get(key) is None:
                mistakes.append(
                    f"{where}.{key}: is missing; allowed: a value (only a simulated deployment leaves it out)"
                )

    for index, trunk in enumerate(plain["trunks"]):
        needed(f"trunks.{index}", trunk, "host", "termination")
        if trunk["authentication"] == "digest":
            needed(f"trunks.{index}", trunk, "password_env")
        secret(f"trunks.{index}", trunk, "password_env", "password")
    for name, phone in plain["phones"].items():
        secret(f"phones.{name}", phone, "password_env", "password")
    for name, account in plain["accounts"].items():
        needed(f"accounts.{name}", account, "host", "port")
    if synthflow := plain.get("synthflow"):
        secret("synthflow", synthflow, "api_token_env", "api_token")
    if (campaign := plain.get("campaign")) and campaign["trigger"] == "http":
        needed("campaign", campaign, "url")
        for header in campaign["headers_env"]:
            secret("campaign.headers_env", dict(campaign["headers_env"]), header, header)
    if any(trunk["ai"] == "stand-in" for trunk in plain["trunks"]):
        needed("stand_in", plain["stand_in"], "bind")
    files = [("ca_file", plain.get("ca_file"))]
    files += [(f"accounts.{n}.ca_file", a.get("ca_file")) for n, a in plain["accounts"].items()]
    files += [(f"stand_in.{k}", plain["stand_in"].get(k)) for k in ("certificate", "private_key")]
    for where, file in files:
        if file is not None and not Path(file).is_file():
            mistakes.append(f"{where}: no such file {file!r}; allowed: the path of a PEM file")
    if mistakes:
        raise DeploymentError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return from_plain(plain)
