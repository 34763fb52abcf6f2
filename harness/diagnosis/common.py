"""The second look, over all cases of a run: the causes that several failures have in common, the
first to mend on top.

A case alone may not be able to tell two causes apart that the run's other cases do: the same number
in another form, the same group by another way, the same call over another transport.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from typing_extensions import TypedDict

from harness.diagnosis.catalogue import Confidence, Of, catalogue, cause_text
from harness.diagnosis.result import UNKNOWN

#: An axis that says nothing of the system under test.
_OF_NO_CAUSE = ("site", "attempt", "trial")
_FORM, _E164, _CODEC = "form", "e164", "codec"
#: The most agents or trunks that are named.
_NAMED = 3


@dataclass(frozen=True)
class Judged:
    """A case of a run as it ended; ``causes`` are a diagnosis' in plain form
    (``Diagnosis.to_plain``).
    """

    id: str
    row: str
    deployment: str
    axes: Mapping[str, str]
    passed: bool
    failed: bool
    causes: Sequence[Mapping[str, Any]] = ()
    integration: str = ""
    moment: str = ""
    trunk: str = ""
    #: The groups that its calls were seen to land with.
    landed: Callable[[], Collection[str]] = tuple
    #: Whether its call got to the AI; None if it did not have to.
    reached: Callable[[], bool | None] = lambda: None

    @property
    def is_explained(self) -> bool:
        """Whether any documented cause fits."""
        return any(cause.get("id") != UNKNOWN for cause in self.causes)

    @property
    def named(self) -> list[str]:
        """The causes that its own evidence shows; what is only possible beside them is none."""
        shown = [cause for cause in self.causes if not cause.get("candidate")]
        return [str(cause.get("id")) for cause in shown if cause.get("confidence") != "possible"]

    @property
    def candidates(self) -> list[str]:
        """The causes that its own evidence does not exclude."""
        return [str(cause.get("id")) for cause in self.causes if cause.get("candidate")]

    @property
    def about(self) -> Mapping[str, str]:
        """What of the deployment it is about: line, group, trunk, agent."""
        reported = next((cause.get("about") for cause in self.causes), None)
        return reported if isinstance(reported, Mapping) else {}


class CommonDocument(TypedDict):
    """One cause of a run's failures, as ``causes.json`` and ``summary.json`` hold it."""

    id: str
    title: str
    issue: str
    owner: str
    fix: str
    link: str
    confidence: Confidence | Literal[""]
    failures: int
    cases: list[str]
    rows: list[str]
    where: list[str]
    because: list[str]
    settled: bool


class CausesDocument(TypedDict):
    """``causes.json``."""

    failures: int
    causes: list[CommonDocument]
    unexplained: list[str]


@dataclass
class Common:
    """One cause of a run, and the failures it explains."""

    cause: Mapping[str, Any]
    failing: list[Judged] = field(default_factory=list)
    because: list[str] = field(default_factory=list)  #: what other cases showed of it
    where: tuple[str, ...] = ()  #: what all of these failures share, and no case that passed
    settled: bool = False  #: false where each of the cases leaves other causes possible, too

    def add(self, case: Judged, *because: str, settled: bool = False) -> None:
        self.failing.append(case)
        self.because += [why for why in because if why not in self.because]
        self.settled |= settled

    @property
    def id(self) -> str:
        return str(self.cause.get("id"))

    @property
    def cases(self) -> tuple[str, ...]:
        return tuple(case.id for case in self.failing)

    def plain(self) -> CommonDocument:
        """JSON-ready data."""
        keys = ("id", "title", "issue", "owner", "fix", "link", "confidence")
        rows = dict.fromkeys(case.row for case in self.failing)
        reported: dict[str, object] = {key: self.cause.get(key, "") for key in keys}
        reported |= {
            "failures": len(self.failing),
            "cases": list(self.cases),
            "rows": list(rows),
            "where": list(self.where),
            "because": self.because,
            "settled": self.settled,
        }
        return cast(CommonDocument, reported)


#: The causes found so far, by deployment and id.
_Found = dict[tuple[str, str], Common]


def common_causes(cases: Sequence[Judged]) -> list[Common]:
    """The causes of all failures, those that explain most of them first."""
    found: _Found = {}
    undecided: list[Judged] = []
    for case in cases:
        if not (case.failed and case.is_explained):
            continue
        own = {str(cause.get("id")): cause for cause in case.causes}
        settled = _by_the_other_forms(case, cases)
        if settled is not None:
            name, because = settled
            cause = own.get(name) or _certain(name, case)
            _common(found, case, cause).add(case, because, settled=True)
        elif case.named:
            for name in case.named:
                _common(found, case, own[name]).add(case, settled=True)
        else:
            undecided.append(case)
    for case in undecided:
        _settle(found, case, cases, undecided)
    for each in found.values():
        of = _of(each.id, each.failing[0])
        each.where = tuple(_shared(each.failing, cases, of))
    # Of causes that explain as many, the one of the first case comes first.
    return sorted(found.values(), key=lambda each: -len(each.failing))


def _certain(cause: str, case: Judged) -> Mapping[str, Any]:
    """A cause that other cases show, and the case itself does not name."""
    return {"id": cause, "confidence": "certain", **cause_text(cause, case.integration)}


def _common(found: _Found, case: Judged, cause: Mapping[str, Any]) -> Common:
    return found.setdefault((case.deployment, str(cause.get("id"))), Common(cause))


def _settle(
    found: _Found, case: Judged, cases: Sequence[Judged], undecided: Sequence[Judged]
) -> None:
    """A case that leaves several causes possible has the one that others of its place show; else
    the first that they leave.
    """
    left, because = _left(case, cases, undecided)
    first = next(cause for cause in case.causes if cause.get("id") in left)
    if len(left) == 1 < len(case.candidates):
        _common(found, case, first).add(case, "; ".join(because), settled=True)
        return
    for name in left:
        each = found.get((case.deployment, name))
        if each is None or not each.settled:
            continue
        if any(_share_place(name, case, other) for other in each.failing):
            each.add(case, f"{case.id} leaves it possible, and other cases show it")
            return
    _common(found, case, first).add(case, *because)


def _left(
    case: Judged, cases: Sequence[Judged], undecided: Sequence[Judged]
) -> tuple[list[str], list[str]]:
    """The candidates that no other case excludes, and why the others are excluded. What would
    exclude all of them decides nothing.
    """
    left, because = list(case.candidates), []
    for excluded, why in (*_excluded(case, cases), *_beyond_its_trunk(case, cases, undecided)):
        kept = [name for name in left if _of(name, case) not in excluded]
        if kept and kept != left:
            left = kept
            because.append(why)
    return left, because


def _share_place(cause: str, case: Judged, other: Judged) -> bool:
    """Whether both are about the place that has the cause: the trunk, or the number, by which a
    group or a line is called.
    """
    number = "group" if "group" in case.about else "line"
    same_number = case.about.get(number) == other.about.get(number)
    same_trunk = case.trunk == other.trunk
    match _of(cause, case):
        case "trunk":
            return same_trunk
        case "number":
            return same_number
    return same_trunk or same_number


def _beyond_its_trunk(
    case: Judged, cases: Sequence[Judged], undecided: Sequence[Judged]
) -> Iterator[tuple[frozenset[Of], str]]:
    """Where no call over a trunk gets to the AI, of several numbers, what those calls have in
    common is the trunk.
    """
    if case.reached() is not False:
        return
    lost = [each for each in _on_its_trunk(case, undecided) if each.reached() is False]
    numbers = {each.about.get("line") for each in lost}
    shared = {name for name in case.candidates if _of(name, case) == "trunk"}
    for each in lost:
        shared &= set(each.candidates)
    if not shared or len(numbers) < 2:
        return
    if not any(each.reached() for each in _on_its_trunk(case, cases)):
        why = f"no call of {len(numbers)} numbers gets to the AI over trunk {case.trunk}"
        yield frozenset({"", "number", "codec"}), why


def _on_its_trunk(case: Judged, cases: Sequence[Judged]) -> Iterator[Judged]:
    for each in cases:
        if each.deployment == case.deployment and each.trunk == case.trunk:
            yield each


def _of(cause: str, case: Judged) -> Of:
    entry = catalogue(case.integration).causes.get(cause)
    return entry.of if entry else ""


def _excluded(case: Judged, cases: Sequence[Judged]) -> Iterator[tuple[frozenset[Of], str]]:
    """What cases that passed exclude, and why: settings of the same number, trunk or codec, never
    what may differ from call to call.
    """
    for other in cases:
        if not other.passed or other.deployment != case.deployment:
            continue
        same_trunk = other.trunk == case.trunk
        if same_trunk and _landed_with_its_group(case, other):
            group = case.about["group"]
            why = f"{other.id} reached the group {group} by its number over the same trunk"
            yield frozenset({"number"}), why
        if same_trunk and case.reached() is False and other.reached():
            yield frozenset({"trunk"}), f"{other.id} got to the AI over the same trunk"
        if other.row != case.row:
            continue
        same_but_codec = _but(other.axes, _CODEC) == _but(case.axes, _CODEC)
        if same_but_codec and case.axes.get(_CODEC) != other.axes.get(_CODEC):
            yield frozenset({"number", "trunk"}), f"{other.id} passed: the same with another codec"
        elif same_trunk:
            yield frozenset({"trunk"}), f"{other.id} passed over the same trunk"


def _landed_with_its_group(case: Judged, other: Judged) -> bool:
    """Whether the other's transfer was seen to land with the group to which the case transfers."""
    if not case.moment == other.moment == "transfer":
        return False
    group = case.about.get("group")
    return group is not None and group in other.landed()


def _by_the_other_forms(case: Judged, cases: Sequence[Judged]) -> tuple[str, str] | None:
    """A number that is refused in one form, and what became of it in E.164 in the same run."""
    refused = {"number-form-refused", "number-unknown-at-platform"}
    form = case.axes.get(_FORM, _E164)
    if form == _E164 or refused.isdisjoint([*case.named, *case.candidates]):
        return None
    for other in cases:
        if not _is_same_in_e164(case, other):
            continue
        dialled = f"{other.id} dialled the same number in E.164, and"
        if other.passed:
            return "number-form-refused", f"{dialled} reached it"
        if "number-unknown-at-platform" in other.named:
            return "number-unknown-at-platform", f"{dialled} was refused as well"
    return None


def _is_same_in_e164(case: Judged, other: Judged) -> bool:
    """Whether the other case is the same call with the number in E.164."""
    if other.axes.get(_FORM) != _E164:
        return False
    if (other.deployment, other.row) != (case.deployment, case.row):
        return False
    return _but(other.axes, _FORM) == _but(case.axes, _FORM)


def _but(axes: Mapping[str, str], without: str) -> dict[str, str]:
    """The axes that may matter, but for one."""
    left_out = (without, *_OF_NO_CAUSE)
    return {axis: value for axis, value in axes.items() if axis not in left_out}


def _shared(failing: Sequence[Judged], cases: Sequence[Judged], of: Of) -> Iterator[str]:
    """What sets the failures apart: an axis' value that each of them has and no passed case of
    their rows. And their place.

    ``of``: what has the cause. Trunks that have it, and agents, are named however many there are.
    """
    yield from _shared_axes(failing, cases)
    for what in ("group", "line", "trunk", "agent"):
        names = list(dict.fromkeys(case.about.get(what) for case in failing))
        if None in names:
            continue
        # Of the run's only trunk it need not be said.
        narrows = len({case.about.get(what) for case in cases}) > 1
        is_shared = len(failing) > 1 and len(names) == 1 and narrows
        if is_shared or what in (of, "agent"):
            named = " and ".join(map(str, names[:_NAMED]))
            more = " and others" if len(names) > _NAMED else ""
            yield f"{what} {named}{more}"


def _shared_axes(failing: Sequence[Judged], cases: Sequence[Judged]) -> Iterator[str]:
    """Each axis' value that all failures have, and no case of their rows that passed."""
    tested = {(case.deployment, case.row) for case in failing}
    passed = [case for case in cases if case.passed and (case.deployment, case.row) in tested]
    if not passed:
        return
    axes = dict.fromkeys(axis for case in failing for axis in case.axes)
    for axis in axes:
        values = {case.axes.get(axis) for case in failing}
        if axis in _OF_NO_CAUSE or len(values) != 1:
            continue
        (value,) = values
        # A passed case without the axis does not show that the value matters.
        passed_with = {case.axes.get(axis) for case in passed}
        if passed_with.isdisjoint((None, value)):
            yield f"{axis} {value} only"


def plain(cases: Sequence[Judged]) -> CausesDocument:
    """For ``causes.json``: the common causes, and the failures that no cause explains."""
    return {
        "failures": sum(case.failed for case in cases),
        "causes": [each.plain() for each in common_causes(cases)],
        "unexplained": [c.id for c in cases if c.failed and not c.is_explained],
    }
