"""What a deployment file may read, ask and run on the machine of its user.

The author of a file and its user may be different people: a customer sends one, a repository holds
one. A file names variables, hosts, files and a command. :func:`demands` lists them, and
:class:`Grants` is the user's word on each: options ``--grant``, and ``HARNESS_GRANT``. No other
module reads the environment for a deployment file.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from harness.deployment.places import each_at, named_files
from harness.deployment.values import VARIABLE, web_place
from harness.errors import SelectionError
from harness.support.network_text import printable

#: Grants for all commands of a shell or service, separated by blanks.
GRANT_VARIABLE: Final = "HARNESS_GRANT"
#: Variables that a user sets for the harness's own sake.
PREFIX: Final = "HARNESS_"
#: The harness reads these itself. Some hold secrets that are no deployment's.
OWN_VARIABLES: Final = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("ALERTS", "AS_OF", "GRANT", "LIVE", "NO_MANUAL", "SITE"),
        *("FLEET_LIFELINE", "FLEET_REDIS", "FLEET_TASK"),
    )
)
#: https://docs.synthflow.ai: the API of each region.
DOCUMENTED_HOSTS: Final = frozenset(
    f"api.{region}synthflow.ai:443" for region in ("", "us.", "eu.")
)

DemandKind = Literal["env", "host", "path", "command"]
_WORDS: Final = ("env", "host", "path")
_COMMAND: Final = "command"

_TOKENS: Final = tuple(
    f"{owner}.api_token_env" for owner in ("synthflow", "trunks.*", "assistants.*")
)
_VARIABLES: Final = (
    *("trunks.*.password_env", "phones.*.password_env", *_TOKENS),
    *("platform.report.headers_env.*", "campaign.headers_env.*", "witness.environment.*"),
)
_ADDRESSES: Final = (
    *("synthflow.api_base", "trunks.*.api_base", "assistants.*.api_base"),
    *("campaign.url", "platform.report.url"),
)
_STUN: Final = ("accounts.*.stun_server",)


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One thing that a deployment file wants of its user's machine."""

    kind: DemandKind
    where: str  #: the key in the file
    what: str  #: a variable's name, ``host:port``, a path, or a command line
    variables: tuple[str, ...] = ()  #: of a host: it is sent the values of these
    is_documented: bool = False  #: of a host: Synthflow's, asked as its documentation says

    @property
    def grant(self) -> str:
        """The word that grants it."""
        return _COMMAND if self.kind == _COMMAND else f"{self.kind}={self.what}"

    @property
    def option(self) -> str:
        """The option that grants it, for a shell."""
        is_shown = self.kind != "env" or self.what.isupper()
        return f"--grant {printable(shlex.quote(self.grant)) if is_shown else 'env=NAME'}"

    @property
    def words(self) -> str:
        """For a person: what happens, and which key says so."""
        said = {"env": "reads", "host": "asks", "path": "reads", "command": "runs"}[self.kind]
        what = _shown(self.what) if self.kind == "env" else printable(self.what)
        sent = f" with the value of {', '.join(map(_shown, self.variables))}"
        return f"{said} {what}{sent if self.variables else ''} ({printable(self.where)})"


@dataclass(frozen=True)
class Grants:
    """The user's word. Without any, a file may read variables that begin with ``HARNESS_`` and
    files of its own directory, and ask hosts that Synthflow documents.
    """

    env: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    command: bool = False

    @classmethod
    def given(cls, options: Iterable[str] | None = None) -> Self:
        """Those of a command line and of ``HARNESS_GRANT``. Raises :class:`SelectionError`."""
        words = [(f"--grant {word}", word) for word in options or ()]
        try:
            lasting = shlex.split(os.environ.get(GRANT_VARIABLE, ""))
        except ValueError as error:
            raise SelectionError(f"{GRANT_VARIABLE}: {error}; allowed: {_allowed()}") from None
        words += [(f"{GRANT_VARIABLE}: {word}", word) for word in lasting]
        found: dict[str, tuple[str, ...]] = dict.fromkeys(_WORDS, ())
        runs = False
        for said, word in words:
            kind, _, what = word.partition("=")
            if word == _COMMAND and said.startswith("--"):
                runs = True
            elif kind in found and what:
                found[kind] += (what,)
            else:
                raise SelectionError(f"{said}: is not valid; allowed: {_allowed()}")
        return cls(**found, command=runs)

    @property
    def words(self) -> list[str]:
        """As they may be given again."""
        found = [f"{kind}={what}" for kind in _WORDS for what in getattr(self, kind)]
        return [*found, *([_COMMAND] if self.command else [])]

    def allows(self, demand: Demand) -> bool:
        """Whether the user has granted it, or needs not."""
        match demand.kind:
            case "env":
                return self.reads(demand.what)
            case "host":
                # a host without its port stands for all of its ports
                names = (demand.what, demand.what.rpartition(":")[0])
                is_named = any(_matches(name, one.lower()) for one in self.host for name in names)
                return demand.is_documented or is_named
            case "path":
                places = (_real(Path(granted).expanduser()) for granted in self.path)
                return any(Path(demand.what).is_relative_to(place) for place in places)
            case "command":
                return self.command

    def reads(self, variable: str) -> bool:
        """Whether a file may name that variable."""
        is_for_files = variable.startswith(PREFIX) and variable not in OWN_VARIABLES
        return is_for_files or any(_matches(variable, granted) for granted in self.env)

    def environment(self) -> dict[str, str]:
        """The variables of this process that a file may name."""
        return {name: value for name, value in os.environ.items() if self.reads(name)}

    def refusal(self, demand: Demand) -> str | None:
        """Why it is refused, and what would allow it; None if it is granted."""
        if self.allows(demand):
            return None
        match demand.kind:
            case "env":
                said = f"the environment variable {_shown(demand.what)} is not for deployment files"
                allowed = f"a name that begins with {PREFIX}, or {demand.option}"
            case "host":
                said = f"{demand.what} is not Synthflow's documented API"
                allowed = demand.option
            case "path":
                said = f"{printable(demand.what)} is outside the directory of this file"
                allowed = f"a file in it, or {demand.option}"
            case "command":
                said = f"runs {printable(demand.what)} on this machine"
                allowed = demand.option
        return f"{said}; allowed: {allowed}"

    def outlook(self, plain: Mapping[str, Any], directory: Path) -> Iterator[str]:
        """A line for each host that is asked, for the command, and for all that is not granted."""
        for demand in demands(plain, directory):
            if not self.allows(demand):
                yield f"{demand.words}, with {demand.option} alone"
            elif demand.kind in ("host", "command"):
                yield demand.words

    def needed(self, plain: Mapping[str, Any], directory: Path) -> list[Demand]:
        """What a file wants and the user has not granted."""
        return [one for one in demands(plain, directory) if not self.allows(one)]


def _allowed() -> str:
    return f"env=NAME, host=HOST, path=DIR (* at an end for any), and as an option {_COMMAND}"


def _shown(variable: str) -> str:
    """Its name; small letters may be a secret in the wrong place."""
    return variable if variable.isupper() else "that it names"


def _matches(name: str, granted: str) -> bool:
    """``*`` stands for anything at one end."""
    if granted.endswith("*"):
        return name.startswith(granted[:-1])
    return name.endswith(granted[1:]) if granted.startswith("*") else name == granted


def demands(plain: Mapping[str, Any], directory: Path) -> Iterator[Demand]:
    """Everything in the data of a deployment file that needs its user's word.

    The data may still be unchecked: what is no variable, address or file is left to the model,
    which refuses it. ``directory`` is the file's own; what lies in it needs no word.
    """
    is_simulated = plain.get("kind") == "simulated"
    for where, table, key in each_at(plain, () if is_simulated else _VARIABLES):
        if VARIABLE.fullmatch(name := table[key].strip()):
            yield Demand(kind="env", where=where, what=name)
    for where, table, key in each_at(plain, _ADDRESSES):
        if place := web_place(table[key].strip()):
            # at another key the file chooses method, path and body; by another CA, who answers
            is_api = key == "api_base" and not _general(plain).get("ca_file")
            yield Demand(
                kind="host",
                where=where,
                what=place,
                variables=() if is_simulated else tuple(_sent(plain, table)),
                is_documented=is_api and place in DOCUMENTED_HOSTS,
            )
    # phones of a simulated deployment reach nothing but its world
    for where, table, key in each_at(plain, _STUN if is_simulated else ()):
        yield Demand(kind="host", where=where, what=table[key].strip())
    own = _real(directory)
    for where, table, key, _ in named_files(plain):
        path = _real(directory / table[key].strip())
        if not path.is_relative_to(own):
            yield Demand(kind="path", where=where, what=str(path))
    witness = plain.get("witness")
    command = witness.get(_COMMAND) if isinstance(witness, dict) else None
    if isinstance(command, list) and command:
        line = shlex.join(map(str, command))
        yield Demand(kind="command", where=f"witness.{_COMMAND}", what=line)


def _sent(plain: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[str]:
    """The variables whose values the address in that table is sent."""
    general = _general(plain) if "api_base" in table else {}
    token = table.get("api_token_env") or general.get("api_token_env")
    if isinstance(token, str):
        yield token
    headers = table.get("headers_env")
    yield from map(str, headers.values() if isinstance(headers, Mapping) else ())


def _general(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    found = plain.get("synthflow")
    return found if isinstance(found, Mapping) else {}


def _real(path: Path) -> Path:
    """The path without links and dots; one with a zero octet, which no file has, as it is."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return path
