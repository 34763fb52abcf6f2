"""``harness signoff``: makes, signs and verifies the document a customer signs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from harness.report import signoff
from harness.report.run_directory import require_ended, require_run
from harness.report.signoff import attest, document, manifest
from harness.report.signoff.decision import Acceptance, Decision
from harness.run.cli.app import FAILED, PASSED
from harness.support.network_text import printable


class _Group(TyperGroup):
    """``harness signoff RUN`` is ``harness signoff make RUN``: a run's directory is no command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command by its name, or ``make``."""
        return super().resolve_command(ctx, args if args and args[0] in self.commands else ["make", *args])


def make(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory, e.g. reports/latest.")],
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Sign with this private key.")] = None,
    waivers: Annotated[Path | None, typer.Option(metavar="FILE", help="Waivers (TOML): row, who, why, until.")] = None,
    customer: Annotated[str, typer.Option(metavar="NAME", help="The customer, as the document names it.")] = "",
    pdf: Annotated[
        bool | None, typer.Option("--pdf/--no-pdf", help="PDF/A too; by default where WeasyPrint works.")
    ] = None,
) -> None:
    """Make the sign-off of a run, and sign it. Exit code 0 when accepted, with waivers or without."""
    require_run(run)
    require_ended(run)
    wanted = document.pdf_available() if pdf is None else pdf
    made = signoff.make(run, key=key, waiver_file=waivers, customer=customer, pdf=wanted)
    _say(made.decision)
    for path in (made.html, made.pdf, made.attestation):
        if path is not None:
            typer.echo(str(path))
    if made.attestation is None:
        typer.echo("unsigned (--key FILE signs; `harness signoff key FILE` makes a key)")
    raise typer.Exit(_code(made.decision))


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="The signer's public key.")],
) -> None:
    """Check every byte of the evidence against the signature, and derive the decision again."""
    require_run(run)
    decision, problems = signoff.verify(run, key)
    for problem in problems:
        typer.echo(f"NOT VERIFIED  {_one_line(problem)}")
    if problems or decision is None:
        raise typer.Exit(FAILED)
    _say(decision)
    typer.echo("verified: the evidence is what was signed, and the verdicts follow from it")
    if uncovered := manifest.views(run.resolve()):
        typer.echo(f"not covered, whatever they say: {', '.join(map(_one_line, uncovered))}")
        typer.echo("  (views of the evidence; `harness report` makes them again)")
    raise typer.Exit(_code(decision))


def make_key(path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")]) -> None:
    """Make a pair of Ed25519 keys; the private one is readable by its owner alone."""
    typer.echo(f"private key {path}, public key {attest.make_keys(path)}")


def _say(decision: Decision) -> None:
    typer.echo(document.heading(decision))
    for reason in decision.reasons:
        typer.echo(f"  {_one_line(reason)}")
    for waiver in decision.waivers:
        typer.echo(f"  waived: {_one_line(f'{waiver.what}, by {waiver.who}')} until {waiver.until}")


def _one_line(text: str) -> str:
    """The text in one line. Names of files and cases come from the run, and must not look like output of this command."""
    return printable(" ".join(text.splitlines()))


def _code(decision: Decision) -> int:
    return FAILED if decision.outcome is Acceptance.NOT_ACCEPTED else PASSED


signoff_app = typer.Typer(cls=_Group, no_args_is_help=True, help="Make, sign and verify the document a customer signs.")
signoff_app.command("make")(make)
signoff_app.command("verify")(verify)
signoff_app.command("key")(make_key)
