"""What a run was asked to verify, written before its first call: ``scope.json``, the part of the
evidence that says what is missing.

It holds every option, each deployment as its file has it (without secrets), and each row of the
integration with all cases it has there, the cases asked for, and why it has none. So every row that
was left out shows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import ConfigDict, PlainSerializer, PlainValidator, SecretStr, TypeAdapter
from typing_extensions import TypedDict

from harness import integrations
from harness.deployment import Deployment, Kind
from harness.deployment.places import named_files
from harness.errors import MistakeError
from harness.finding_kinds import FindingKind
from harness.integrations import matrix
from harness.integrations.base import Reason
from harness.integrations.matrix import Case
from harness.integrations.row_plan import RowPlan
from harness.integrations.unverified import Unverified, unverified
from harness.report.case_document import shown_name
from harness.support.field_kinds import require_kinds
from harness.support.files import json_file, whole_file
from harness.support.mask import mask_plain, mask_text
from harness.support.once_each import once_for_each

FILE = "scope.json"


#: Fields of accounts, phones and the stand-in that are a site's own addresses.
_OF_THE_SITE = frozenset({"bind", "public_address", "stun_server", "rtp_ports", "stranger_bind"})


NOT_ASKED = "not asked for in this run"


class Options(TypedDict, total=False):
    """The options that decide what is verified, and how. A merged run has every value that its
    parts had, as text.
    """

    deployment: list[str]
    row: list[str]
    require: list[str]
    transport: list[str]
    auth: list[str]
    codec: list[str]
    ai: list[str]
    fault: list[str]
    keyword: str
    last_failed: str  # the run whose cases that did not pass are run again; empty: not asked for
    timings: str
    retries: int | str
    live: bool | str
    no_manual: bool | str
    preflight: str
    grant: list[str]  # what the files may use by the user's word (harness.deployment.grants)
    as_of: str  # the moment by which hours were judged, where HARNESS_AS_OF set one; else empty


class LeftOutDocument(TypedDict):
    """A row of which no case was asked for, or a number of it that is not called now, and why."""

    deployment: str
    row: str
    documented: bool
    why: str


_Kind = Annotated[
    FindingKind, PlainValidator(FindingKind.read), PlainSerializer(str, return_type=str)
]


class _Content(TypedDict, total=False):
    """What is read from the content of a deployment file."""

    leave_out: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RowScope:
    """One row of one deployment: all its cases, and those that were asked for."""

    row: str
    title: str
    proves: str
    source: str
    link: str
    documented: bool
    cases: tuple[str, ...]  #: every case the deployment has of it, selected or not
    asked: tuple[str, ...]  #: those the run was to verify
    reason: Reason | None = None  #: why there is no case at all
    not_now: tuple[str, ...] = ()  #: which numbers it does not call now, each with the reason
    demanded: bool = False  #: by ``require`` of the deployment file, or by ``--require``

    @property
    def why(self) -> str:
        """Why there is no case at all; empty where there is one."""
        return self.reason.why if self.reason else ""

    @property
    def why_not_asked(self) -> str:
        """Why no case was asked for."""
        return self.why or NOT_ASKED


@dataclass(frozen=True, kw_only=True)
class DeploymentScope:
    """One deployment, without secrets."""

    name: str
    integration: str
    kind: Kind
    site: str
    #: SHA-256 of the deployment file's content, secrets, site and its own addresses apart.
    hash: str
    content: Mapping[str, Any]  #: that content, numbers masked unless it is simulated
    rows: tuple[RowScope, ...]
    unverified: tuple[Unverified, ...] = ()  #: what the file declares and no case of it exercises
    title: str = ""  #: of the integration, which need not be installed where evidence is read

    @property
    def platform(self) -> str:
        return self.title or integrations.title(self.integration)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a run was asked to verify."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    began: float  #: seconds since the epoch
    options: Options
    command: str
    deployments: tuple[DeploymentScope, ...]
    #: Case → the findings it has to make.
    required: Mapping[str, Mapping[_Kind, int]] = field(default_factory=dict)
    #: What the run is made with; empty where none were put down.
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether the run left a record of it."""
        return self != UNKNOWN

    @property
    def faults(self) -> list[str]:
        """The faults that were injected."""
        return list(self.options.get("fault") or ())

    def key(self, deployment: str, site: str) -> str:
        """What the runs of one history have in common: deployment, site, timings, injected faults.

        Empty for a deployment that is not of this run.
        """
        if not any((one.name, one.site) == (deployment, site) for one in self.deployments):
            return ""
        options = {name: self.options.get(name) for name in ("fault", "timings")}
        return digest([deployment, site, options])

    def narrowed(self, planned: Collection[tuple[str, str]]) -> Scope:
        """With these cases alone, by site and id, as asked for: pytest leaves cases out by names,
        paths and marks later than this is written. Where no case is planned, all stay: which ones
        pytest would have taken is unknown.
        """
        if not planned:
            return self
        deployments = []
        for one in self.deployments:
            rows = []
            for row in one.rows:
                asked = tuple(case for case in row.asked if (one.site, case) in planned)
                rows.append(dataclasses.replace(row, asked=asked))
            deployments.append(dataclasses.replace(one, rows=tuple(rows)))
        return dataclasses.replace(self, deployments=tuple(deployments))

    def planned(self) -> Iterator[dict[str, Any]]:
        """What was asked for, as far as it is known of a case that left nothing."""
        for one in self.deployments:
            for row in one.rows:
                for case in row.asked:
                    yield {
                        "id": case,
                        "row": row.row,
                        "axes": {},
                        "integration": one.integration,
                        "deployment": one.name,
                        "kind": one.kind,
                        "site": one.site,
                        "title": row.title,
                        "description": row.proves,
                        "source": row.source,
                        "link": row.link,
                        "mask": one.kind != "simulated",
                    }


#: Of a run that left no record of what it was asked.
UNKNOWN: Final = Scope(began=0.0, options={}, command="", deployments=())
_SCOPE = TypeAdapter(Scope)


def scope_of(
    deployments: Sequence[Deployment],
    every: Mapping[str, Sequence[RowPlan]],
    asked: Sequence[Case],
    *,
    began: float,
    options: Options,
    command: str,
) -> Scope:
    """The scope of a run that is about to begin. ``every``: its rows by deployment; ``asked``: the
    cases of its selection.
    """
    demanded = options.get("require") or ()
    scopes = [_deployment(one, every[one.name], asked, demanded) for one in deployments]
    return Scope(
        began=began,
        options=options,
        command=command,
        deployments=tuple(scopes),
        required={case.id: case.required_findings for case in asked},
        versions=versions(),
    )


def left_out(scope: Scope) -> list[LeftOutDocument]:
    """Every row of which no case was asked for, and every number that one does not call now."""
    found: list[LeftOutDocument] = []
    for one in each_once(scope.deployments):
        for row in one.rows:
            for why in row.not_now if row.asked else (row.why_not_asked,):
                entry: LeftOutDocument = {
                    "deployment": one.name,
                    "row": row.row,
                    "documented": row.documented,
                    "why": why,
                }
                found.append(entry)
    return found


def unverified_entries(scope: Scope) -> list[str]:
    """What the deployment files declare and no case exercises, a line for each reason."""
    lines: list[str] = []
    for one in each_once(scope.deployments):
        lines += [f"{one.name}: {entry}" for entry in one.unverified]
    return lines


def missing(scope: Scope) -> list[str]:
    """The rows that the deployment file, or ``--require``, wants to be run, and of which no case
    was asked for.
    """
    lines = []
    for one in each_once(scope.deployments):
        for row in one.rows:
            if row.demanded and not row.asked:
                lines.append(f"{one.name}: {row.row} ({row.why_not_asked})")
    return lines


def each_once(deployments: Iterable[DeploymentScope]) -> list[DeploymentScope]:
    """Each deployment once, though several sites have verified it, of which one may have been asked
    for more than another.
    """
    found: dict[str, DeploymentScope] = {}
    for one in deployments:
        found[one.name] = together(found[one.name], one) if one.name in found else one
    return list(found.values())


def together(first: DeploymentScope, second: DeploymentScope) -> DeploymentScope:
    """A deployment as two runs of its file have it; rows by their ids, since another version of the
    harness may have others.
    """
    rows = {row.row: row for row in first.rows}
    for row in second.rows:
        rows[row.row] = _row_together(rows[row.row], row) if row.row in rows else row
    return dataclasses.replace(first, rows=tuple(rows.values()))


def _row_together(one: RowScope, other: RowScope) -> RowScope:
    """All that there is of it in either. A number is closed where it is in both: the other run may
    have been at its time.
    """
    demanded = one.demanded or other.demanded
    if not (one.cases and other.cases):
        return dataclasses.replace(one if one.cases else other, demanded=demanded)
    return dataclasses.replace(
        one,
        demanded=demanded,
        cases=tuple(dict.fromkeys((*one.cases, *other.cases))),
        asked=tuple(dict.fromkeys((*one.asked, *other.asked))),
        not_now=tuple(why for why in one.not_now if why in other.not_now),
    )


def write(run: Path, scope: Scope) -> None:
    """Write ``scope.json``."""
    whole_file.write(run / FILE, json_file.text(_SCOPE.dump_python(scope)) + "\n")


def read(run: Path) -> Scope | None:
    """The scope of a run; None when it left none. Raises :class:`MistakeError` when the file is
    damaged.
    """
    try:
        found = json_file.read_as(run / FILE, _SCOPE)
        for one in found.deployments:
            require_kinds(_Content, one.content)
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise MistakeError(
            f"{run / FILE}: cannot be read: {error}; allowed: as the run wrote it"
        ) from error


def digest(plain: object) -> str:
    """SHA-256 of JSON data, whatever order its keys stand in."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()


def _deployment(
    deployment: Deployment,
    every: Sequence[RowPlan],
    asked: Sequence[Case],
    required: Collection[str],
) -> DeploymentScope:
    """The scope of one deployment, masked unless it is simulated. ``required``: rows that
    ``--require`` names.
    """
    # without defaults, so that a new version of the harness does not make another deployment of it
    content = content_of(deployment)
    integration = integrations.find(deployment.integration)
    plans = {plan.row.id: plan for plan in every}
    wanted = {case.id for case in asked if case.deployment == deployment.name}
    demanded = {*deployment.require, *required}
    not_now: dict[str, list[str]] = {}
    for one in matrix.left_out(deployment, every):
        if one.line is not None:
            not_now.setdefault(one.row, []).append(one.why)
    rows = []
    for row in integration.rows:
        cases = [case.id for case in matrix.cases_of(plans[row.id])]
        by_group = row.documented and matrix.DOCUMENTED in demanded
        row_scope = RowScope(
            row=row.id,
            title=row.title,
            proves=row.proves,
            source=row.source,
            link=integration.link(row),
            documented=row.documented,
            cases=tuple(cases),
            asked=tuple(case for case in cases if case in wanted),
            reason=plans[row.id].reason,
            not_now=tuple(not_now.get(row.id, [])),
            demanded=by_group or row.id in demanded,
        )
        rows.append(row_scope)
    found = DeploymentScope(
        name=deployment.name,
        integration=deployment.integration,
        kind=deployment.kind,
        site=deployment.site,
        hash=digest(content),
        content=content,
        rows=tuple(rows),
        unverified=tuple(unverified(deployment, every)),
        title=integration.title,
    )
    return found if deployment.kind == "simulated" else _masked(found)


def _masked_reason(reason: Reason | None) -> Reason | None:
    return reason and dataclasses.replace(reason, why=mask_text(reason.why))


def _masked(scope: DeploymentScope) -> DeploymentScope:
    """As the evidence of its cases is: names and reasons are the customer's words, and may hold
    numbers.
    """
    rows = []
    for row in scope.rows:
        not_now = tuple(map(mask_text, row.not_now))
        rows.append(dataclasses.replace(row, reason=_masked_reason(row.reason), not_now=not_now))
    name = shown_name(scope.name)
    unverified = []
    for one in scope.unverified:
        entries = tuple(map(mask_text, one.entries))
        unverified.append(Unverified(name, entries, mask_text(one.why)))
    return dataclasses.replace(
        scope,
        name=name,
        site=shown_name(scope.site),
        content=mask_plain(scope.content),
        rows=tuple(rows),
        unverified=tuple(unverified),
    )


def content_of(deployment: Deployment) -> dict[str, Any]:
    """What the deployment's file says, without secrets, and without where the harness itself
    stands: sites have one file.
    """
    plain = deployment.model_dump(mode="python", by_alias=True, exclude_defaults=True)
    content: dict[str, Any] = _without_secrets(plain)
    content.pop("site", None)
    accounts = content.get("accounts", {})
    phones = content.get("phones", {})
    for table in (*accounts.values(), *phones.values(), content.get("stand_in", {})):
        for name in _OF_THE_SITE & table.keys():
            del table[name]
    for _, table, key, _ in named_files(content):
        table[key] = Path(table[key]).name  # each site has its own place for it
    return content


@once_for_each
def complete_content(deployment: Deployment) -> dict[str, Any]:
    """A filled-in deployment as JSON-ready data, without secrets: what a case's own evidence keeps."""
    plain = deployment.model_dump(
        mode="python",
        by_alias=True,
        exclude_none=True,
        exclude_defaults=True,
    )
    secret_free: dict[str, Any] = _without_secrets(plain)
    return secret_free


def _without_secrets(value: Any) -> Any:
    """pydantic's dump of a model without the secrets in it."""
    if isinstance(value, dict):
        kept = {}
        for key, item in value.items():
            if not _is_secret(item):
                kept[str(key)] = _without_secrets(item)
        return kept
    if isinstance(value, (list, tuple)):
        return [_without_secrets(item) for item in value]
    return value


def _is_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(isinstance(item, SecretStr) for item in value.values())
    return isinstance(value, SecretStr)


_PACKAGES = {
    "harness": "call-verification-harness",
    "pjsua2": "pjsua2-python",
    "pytest": "pytest",
    "xdist": "pytest-xdist",
    "allure": "allure-pytest",
    "pydantic": "pydantic",
    "numpy": "numpy",
}


def versions() -> dict[str, str]:
    """The versions in this process."""
    found = {"python": platform.python_version()}
    for name, package in _PACKAGES.items():
        found[name] = _version(package)
    return found | {"system": f"{platform.system()} {platform.release()}"}


@cache
def _version(package: str) -> str:
    """Read once: it is a line of a text that has all of the package's description, and what runs
    stays what it is.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def versions_together(every: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Those of several runs, each different one."""
    found: dict[str, dict[str, None]] = {}
    for one in every:
        for name, version in one.items():
            found.setdefault(name, {}).update(dict.fromkeys(version.split(" and ")))
    return {name: " and ".join(known) for name, known in found.items()}
