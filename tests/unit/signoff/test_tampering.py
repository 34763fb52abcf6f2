"""A signed run: what anybody changes, takes away or adds is found."""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
import shutil
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer._signature import Signature

from harness.errors import MistakeError
from harness.report import signoff
from harness.report.run import remake
from harness.report.run_directory import RunEnd, read_end, write_end
from harness.report.signoff import attest, manifest
from harness.report.signoff.decision import Acceptance
from harness.report.signoff.rows import read_waivers

ROW = "TD-INBOUND"
CHANGES = 200


def tomorrow() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    attest.make_keys(tmp_path / "key.pem")
    return tmp_path / "key.pem"


def problems(run: Path, key: Path) -> list[str]:
    """What is wrong with a signed run."""
    return signoff.verify(run, key.with_suffix(".pub"))[1]


def test_each_of_many_changes_is_found(tmp_path: Path, runs: ModuleType, key: Path) -> None:
    """A byte changed, a file cut short, taken away or added, anywhere in the evidence and in what
    is signed.
    """
    run = runs.make_run(
        tmp_path / "reports", rows=(ROW, "HOLD"), plays={"HOLD": runs.fails}
    ).directory
    signoff.make(run, key=key, pdf=False)
    signed = [run / name for name in (manifest.FILE, attest.FILE, "signoff.html")]
    files = [*manifest.files(run), *signed]
    draw = random.Random(20261120)
    missed = []
    for number in range(CHANGES):
        path = draw.choice(files)
        before, what = (
            path.read_bytes(),
            draw.choice(["change", "change", "cut", "append", "delete", "add"]),
        )
        added = path.with_name(f"{path.name}.{number}")
        if what == "change" and before:
            at = draw.randrange(len(before))
            path.write_bytes(
                before[:at] + bytes([before[at] ^ draw.randrange(1, 256)]) + before[at + 1 :]
            )
        elif what == "cut" and before:
            path.write_bytes(before[:-1])
        elif what == "delete":
            path.unlink()
        elif what == "add" and path not in signed:
            added.write_bytes(b"")
        else:
            path.write_bytes(before + b"\n")
        try:
            found = bool(problems(run, key))
        except MistakeError:
            found = True  # a file that has to be read cannot be
        if not found:
            missed.append((what, path))
        path.write_bytes(before)
        added.unlink(missing_ok=True)

    assert missed == []
    assert problems(run, key) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("preflight.json", "[1]"),
        ("scope.json", '{"options": []}'),
        ("scope.json", "{"),
        ("run.json", '{"planned": 3, "end": {"allure_results": null}}'),
        ("signoff.waivers.toml", "[[waiver"),
    ],
)
def test_what_was_changed_is_told_before_anything_is_made_of_it(
    tmp_path: Path, runs: ModuleType, key: Path, name: str, text: str
) -> None:
    """Of JSON of another shape the verification ended as a fault of the harness, and of none at all
    as a mistake of the reader's.
    """
    run = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
    (tmp_path / "waivers.toml").write_text(
        f'[[waiver]]\nrow = "{ROW}"\nwho = "J"\nwhy = "x"\nuntil = {tomorrow()}\n'
    )
    signoff.make(run, key=key, waiver_file=tmp_path / "waivers.toml")
    (run / name).write_text(text)
    decision, found = signoff.verify(run, key.with_suffix(".pub"))
    assert (decision, found) == (None, [f"{name}: was changed"])


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, '{"payload": 7, "payloadType": "x", "signatures": []}',
     '{"payload": "a", "payloadType": "x", "signatures": []}'],
    ids=range(6),
)  # fmt: skip
def test_a_signature_of_any_shape_is_none(
    tmp_path: Path, runs: ModuleType, key: Path, text: str
) -> None:
    """Which file it is that cannot be believed is said of all of them."""
    run = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
    signoff.make(run, key=key)
    (run / attest.FILE).write_text(text)
    decision, (problem,) = signoff.verify(run, key.with_suffix(".pub"))
    assert decision is None
    assert problem.startswith(f"{attest.FILE}: no signed statement: ")


def test_views_that_were_made_again_are_no_change(
    tmp_path: Path, runs: ModuleType, key: Path
) -> None:
    """In another place, too, since what Allure is told holds the run's path."""
    first = runs.make_run(tmp_path / "reports", plays={ROW: runs.fails}).directory
    (first / "allure-results").mkdir()
    planned, end = read_end(first) or ([], RunEnd(workers=1, wall_s=1.0))
    write_end(first, planned, dataclasses.replace(end, allure_results=first / "allure-results"))
    signoff.seal(remake(first).evidence)
    run = Path(shutil.copytree(first, tmp_path / "elsewhere" / first.name))
    signoff.make(run, key=key)
    shutil.rmtree(first)
    remake(run)

    assert not first.exists()
    assert problems(run, key) == []


def test_a_sign_off_that_cannot_be_made_again_stays_as_it_is(
    tmp_path: Path, runs: ModuleType, key: Path
) -> None:
    """Without its manifest nothing is made of a run, so nothing that was signed may be taken away."""
    run = runs.make_run(tmp_path / "reports").directory
    signoff.make(run, key=key)
    before = {
        path.name: path.read_bytes() for path in run.glob("signoff.*") if path.name != manifest.FILE
    }
    (run / manifest.FILE).unlink()

    with pytest.raises(MistakeError, match="what the run left is unknown"):
        signoff.make(run, key=key)
    assert {path.name: path.read_bytes() for path in run.glob("signoff.*")} == before


def test_a_waiver_that_runs_out_after_the_signing(
    tmp_path: Path, runs: ModuleType, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.make_run(tmp_path / "reports", plays={ROW: runs.fails}).directory
    path = tmp_path / "waivers.toml"
    path.write_text(
        f'[[waiver]]\nrow = "{ROW}"\nwho = "Jane Doe"\nwhy = "It is known."\nuntil = 2026-11-30\n'
    )
    monkeypatch.setattr(signoff, "_today", lambda: datetime.date(2026, 11, 30))
    assert signoff.make(run, key=key, waiver_file=path).decision.outcome is Acceptance.WITH_WAIVERS
    assert problems(run, key) == []

    monkeypatch.setattr(signoff, "_today", lambda: datetime.date(2026, 12, 1))
    assert problems(run, key) == ["waiver of TD-INBOUND (Jane Doe): ran out on 2026-11-30"]


def test_the_statement_is_what_in_toto_asks_for(
    tmp_path: Path, runs: ModuleType, key: Path
) -> None:
    run = runs.make_run(tmp_path / "reports", plays={ROW: runs.fails}).directory
    signoff.make(run, key=key)
    found = attest.read(run, attest.public_key(key.with_suffix(".pub")))

    assert set(found.predicate) == {
        "result",
        "configuration",
        "passedTests",
        "warnedTests",
        "failedTests",
    }
    assert found.predicate["result"] == "FAILED"
    assert found.predicate["failedTests"] == ["example/TD-INBOUND"]
    assert "example/HOLD" in found.predicate["passedTests"]
    (deployment,) = json.loads((run / "scope.json").read_text())["deployments"]
    digests = {item["name"]: item["digest"]["sha256"] for item in found.predicate["configuration"]}
    assert digests["deployment example"] == deployment["hash"], (
        "what was verified, not only how it ended"
    )
    assert found.subjects[manifest.FILE] == manifest.digest(run / manifest.FILE)
    payload = json.loads((run / attest.FILE).read_text())
    assert payload["payloadType"] == "application/vnd.in-toto+json"


@pytest.mark.parametrize(
    "name",
    [
        "signoff.ACCEPTED.pdf",
        "signoff.html.bak",
        "report-ACCEPTED.zip",
        "report-of-somebody.html",
        "report.html.d/page.html",
        "allure-report.html",
        "allure/index.html",
        "junit.xml/page.html",
        "signoff.pdf/page.html",
        ".ACCEPTED.1.part",
    ],
)
def test_a_file_that_is_named_like_a_view_is_an_added_one(
    tmp_path: Path, runs: ModuleType, key: Path, name: str
) -> None:
    """Any file was taken for a view whose name began with ``signoff.``, ``report`` or ``allure``."""
    run = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
    signoff.make(run, key=key)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text("ACCEPTED")
    assert problems(run, key) == [f"{name}: was added"]


def test_the_views_of_a_run_are_no_added_files(tmp_path: Path, runs: ModuleType, key: Path) -> None:
    made = runs.make_run(tmp_path / "reports", rows=("HOLD",))
    run, case = made.directory, made.case_directory("HOLD").name
    signoff.make(run, key=key)
    remake(run)
    names = ["allure-results", "report.parts", "allurerc.json", "causes.json", "junit.xml", "report.csv", "report-all.zip",
             f"report-{case}.zip", "report.html", "summary.json"]  # fmt: skip
    for name in names[:2]:
        (run / name).mkdir()
        (run / name / "index.js").touch()
    for name in names[2:]:
        (run / name).touch()
    assert problems(run, key) == []
    assert manifest.views(run) == sorted(names)


def test_every_signature_has_to_be_the_keys(tmp_path: Path, runs: ModuleType, key: Path) -> None:
    """One that is invalid, or another key's, stood beside the right one without a word."""
    run = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
    signoff.make(run, key=key)
    envelope = Envelope.from_dict(json.loads((run / attest.FILE).read_text()))
    for second in (
        Signature("0" * 64, "00" * 64),
        attest.signer_of(other_key(tmp_path)).sign(envelope.pae()),
    ):
        envelope.signatures[second.keyid] = second
        (run / attest.FILE).write_text(json.dumps(envelope.to_dict(), indent=1) + "\n")
        decision, found = signoff.verify(run, key.with_suffix(".pub"))
        assert (decision, found) == (
            None,
            ["signoff.intoto.json: not signed with this key, or changed since"],
        )
        del envelope.signatures[second.keyid]


@pytest.mark.parametrize(
    "path",
    [(), ("signatures", 0), ("signatures", 0, "cert"), ("payloadType",)],
    ids=["envelope", "signature", "object in the signature", "no text"],
)
@pytest.mark.parametrize("name", ["note", "Sig", "cert", "_type", "unrecognized_fields", ""])
def test_a_member_beside_those_of_dsse_is_refused(
    tmp_path: Path, runs: ModuleType, key: Path, path: tuple[str | int, ...], name: str
) -> None:
    """What no signature covers could be read as if it were signed."""
    run = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
    signoff.make(run, key=key)
    envelope = json.loads((run / attest.FILE).read_text())
    place: Any = envelope
    for step in path:
        if not isinstance(place, list) and not isinstance(place.get(step), list | dict):
            place[step] = {}
        place = place[step]
    place[name] = "ACCEPTED"
    (run / attest.FILE).write_text(json.dumps(envelope, indent=1) + "\n")
    decision, (problem,) = signoff.verify(run, key.with_suffix(".pub"))
    assert decision is None
    assert problem.startswith(f"{attest.FILE}: ")


def other_key(tmp_path: Path) -> Path:
    attest.make_keys(tmp_path / "other.pem")
    return tmp_path / "other.pem"


class TestWaivers:
    @pytest.mark.parametrize("key", ["who", "why"])
    @pytest.mark.parametrize("words", ["\u200b\u2060", "\u3164", "\u2800", "- . -", "\u202e\ufeff"])
    def test_by_nobody_that_can_be_read_are_refused(
        self, tmp_path: Path, key: str, words: str
    ) -> None:
        said = {"row": ROW, "who": "Jane Doe", "why": "It is known.", key: words}
        path = tmp_path / "waivers.toml"
        path.write_text(
            "[[waiver]]\n"
            + "".join(f'{k} = "{v}"\n' for k, v in said.items())
            + "until = 2026-12-31\n"
        )
        with pytest.raises(
            MistakeError, match=rf"waiver\.0\.{key}: .*no letter that can be seen; allowed: words"
        ):
            read_waivers(path)

    def test_count_for_a_year_at_most(
        self, tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = runs.make_run(tmp_path / "reports", rows=(ROW,), plays={ROW: runs.fails}).directory
        path = tmp_path / "waivers.toml"
        monkeypatch.setattr(signoff, "_today", lambda: datetime.date(2026, 11, 30))
        for until, is_taken in (("2027-12-01", True), ("2027-12-02", False), ("9999-12-31", False)):
            path.write_text(
                f'[[waiver]]\nrow = "{ROW}"\nwho = "Jane Doe"\nwhy = "Known."\nuntil = {until}\n'
            )
            if is_taken:
                assert (
                    signoff.make(run, waiver_file=path).decision.outcome is Acceptance.NOT_ACCEPTED
                )
                continue
            with pytest.raises(MistakeError) as caught:
                signoff.make(run, waiver_file=path)
            assert str(caught.value) == (
                f"{path}: waiver of {ROW}: until {until} is too far ahead; allowed: 2027-12-01 at the latest "
                "(366 days from today)"
            )


class TestKeys:
    def test_the_private_one_is_the_owners_alone(self, key: Path) -> None:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600

    def test_one_that_others_can_read_is_refused(self, key: Path) -> None:
        key.chmod(0o644)
        with pytest.raises(MistakeError, match="Others can read it"):
            attest.signer_of(key)
