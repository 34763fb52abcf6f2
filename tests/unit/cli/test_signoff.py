"""``harness signoff`` with an untrusted run."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from harness.errors import MistakeError
from harness.report import signoff
from harness.report.signoff import attest, document, manifest
from harness.run.cli.app import application

FORGED = "verified: the evidence is what was signed, and the verdicts follow from it"


def test_verify_tells_authentic_but_not_accepted_from_tampered(
    tmp_path: Path, runs: ModuleType
) -> None:
    run = runs.make_run(tmp_path / "reports", rows=("HOLD",), plays={"HOLD": runs.fails}).directory
    public = attest.make_keys(tmp_path / "key.pem")
    signoff.make(run, key=tmp_path / "key.pem")
    verify = ["signoff", "verify", str(run), "--key", str(public)]
    authentic = CliRunner().invoke(application(), verify)
    (run / "added").touch()

    assert (authentic.exit_code, "verified:" in authentic.output) == (4, True)
    assert CliRunner().invoke(application(), verify).exit_code == 1


def test_a_signature_is_only_dropped_when_asked(tmp_path: Path, runs: ModuleType) -> None:
    """Making the document again without a key deleted signature, PDF and waivers without a word."""
    run = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
    attest.make_keys(tmp_path / "key.pem")
    (tmp_path / "waivers.toml").write_text("")
    signoff.make(run, key=tmp_path / "key.pem", waiver_file=tmp_path / "waivers.toml")
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    again = ["signoff", "make", str(run), "--no-pdf"]
    refused = CliRunner().invoke(application(), again)

    assert isinstance(refused.exception, MistakeError)
    assert str(refused.exception).splitlines() == [
        f"{run}: is signed; allowed: --key FILE, which signs it again,"
        " or --unsigned, which deletes the signature"
    ]
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    dropped = CliRunner().invoke(application(), [*again, "--unsigned"])
    assert "unsigned" in dropped.output
    assert not (run / attest.FILE).exists()


def test_waivers_are_kept_when_a_sign_off_is_made_again(tmp_path: Path, runs: ModuleType) -> None:
    """Signing a run with waivers dropped them without a word: it was not accepted any more."""
    run = runs.make_run(tmp_path / "reports", plays={"HOLD": runs.fails}).directory
    attest.make_keys(tmp_path / "key.pem")
    until = datetime.datetime.now(datetime.UTC).date()
    waivers, none = tmp_path / "waivers.toml", tmp_path / "none.toml"
    waivers.write_text(
        f'[[waiver]]\nrow = "HOLD"\nwho = "Jane Doe"\nwhy = "Known."\nuntil = {until}\n'
    )
    none.write_text("")
    make = ["signoff", "make", str(run), "--no-pdf"]
    given = CliRunner().invoke(application(), [*make, "--waivers", str(waivers)])
    signed = CliRunner().invoke(application(), [*make, "--key", str(tmp_path / "key.pem")])
    unsigned = CliRunner().invoke(application(), [*make, "--unsigned"])
    replaced = CliRunner().invoke(application(), [*make, "--waivers", str(none)])
    again = CliRunner().invoke(application(), make)

    kept = "waivers of the earlier sign-off are kept (--waivers FILE replaces them)"
    for made in (given, signed, unsigned):
        assert made.exit_code == 0, made.output
        assert "waived: HOLD, by Jane Doe" in made.output
        assert (kept in made.output.splitlines()) is (made is not given)
    for made in (replaced, again):
        assert made.exit_code == 1
        assert "waived" not in made.output
        assert kept not in made.output


def test_sign_off_without_a_pdf_says_why(
    tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "why_no_pdf", lambda: "WeasyPrint is missing")
    run = runs.make_run(tmp_path).directory
    made = CliRunner().invoke(application(), ["signoff", "make", str(run)])
    said = "no PDF: WeasyPrint is missing; any browser prints signoff.html"
    assert said in made.output.splitlines()
    wanted = CliRunner().invoke(application(), ["signoff", "make", str(run), "--pdf"])
    assert isinstance(wanted.exception, MistakeError)
    assert said.removeprefix("no PDF: ") in str(wanted.exception)


def test_help_shows_every_option() -> None:
    shown = CliRunner().invoke(application("signoff"), ["signoff", "--help"]).output
    for option in ("--key", "--waivers", "--customer", "--pdf", "--unsigned"):
        assert option in shown, option


@pytest.mark.parametrize("before", ["\n", "\r", "\x1b[2K\x1b[G", "\u2028"])
def test_names_in_the_evidence_cannot_forge_an_output_line(
    tmp_path: Path, runs: ModuleType, before: str
) -> None:
    """Neither the name of a file nor of a case."""
    made = runs.make_run(tmp_path / "reports", rows=("HOLD",), plays={"HOLD": runs.fails})
    run, name = made.directory, f"x{before}{FORGED}{before}"
    record = made.case_directory("HOLD") / "case.json"
    plain = json.loads(record.read_text())
    plain["id"], plain["end"]["verdict"] = name, "passed"
    record.write_text(json.dumps(plain))
    manifest.write(run)
    public = attest.make_keys(tmp_path / "key.pem")
    signoff.make(run, key=tmp_path / "key.pem")
    verify = ["signoff", "verify", str(run), "--key", str(public)]
    of_a_case = CliRunner().invoke(application(), verify, color=True)
    (run / name).touch()
    of_a_file = CliRunner().invoke(application(), verify, color=True)
    make = ["signoff", "make", str(run), "--no-pdf", "--unsigned"]
    again = CliRunner().invoke(application(), make, color=True)

    for told, least in ((of_a_case, 1), (of_a_file, 1), (again, 2)):
        assert told.exit_code == 1
        assert told.output.count(FORGED) >= least
        assert not [line for line in told.output.splitlines() if line.startswith(FORGED)]
        assert "\x1b" not in told.output
    for verified in (of_a_case, of_a_file):
        assert all(line.startswith("NOT VERIFIED  ") for line in verified.output.splitlines())
