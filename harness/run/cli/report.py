"""``harness report``: every view of a run made again; ``harness signoff``: the document a customer
signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.errors import MistakeError
from harness.report import bundle, matrix, owners, scope, signoff
from harness.report.merge import merge
from harness.report.run import remake
from harness.report.run_directory import (
    STOPPED,
    RunEvidence,
    ended_run,
    read_end,
    require_ended,
    require_files,
    require_run,
)
from harness.report.signoff import attest, document, manifest
from harness.report.signoff.decision import Acceptance, Decision
from harness.report.summary import summarise
from harness.report.terminal import show
from harness.run.cli.app import (
    FAILED,
    INTERRUPTED,
    NOT_ACCEPTED,
    PASSED,
    RunDirectory,
    echo,
    echo_json,
)
from harness.run.cli.completion import bundled_cases, owner_names
from harness.run.cli.help import DefaultGroup, group
from harness.support.network_text import printable
from harness.support.terminal import SafeConsole

Form = Literal["terminal", "markdown", "svg"]


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Runs' directories; several become one.")
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the merged run goes (default: beside the first).",
        ),
    ] = None,
    zip_case: Annotated[
        str,
        typer.Option(
            "--zip",
            metavar="CASE|all",
            autocompletion=bundled_cases,
            help="Bundle a case, or all, to hand on: playable, numbers masked. Prints its path alone.",
        ),
    ] = "",
    complete: Annotated[
        bool, typer.Option("--complete", help="Pictures, MP3 and captures of what passed, too.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write all cases as a table, too.")] = False,
    rejudge: Annotated[
        bool,
        typer.Option("--rejudge", help="Write nothing; judge the run again, and say what differs."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --rejudge: everything, as JSON.")
    ] = False,
    show_matrix: Annotated[
        bool,
        typer.Option(
            "--matrix", help="Write nothing; print the matrix: rows, and how their cases ended."
        ),
    ] = False,
    owner: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="OWNER",
            autocompletion=owner_names,
            help="Write one page for them, numbers masked, ready for a ticket; nothing else.",
        ),
    ] = "",
    form: Annotated[Form, typer.Option("--as", help="With --matrix: in which form.")] = "terminal",
) -> None:
    """Make the views of a run again, from its evidence. The exit code is the run's; of --rejudge, 1
    when anything differs.
    """
    others = {
        "several runs": len(runs) > 1,
        "--into": into,
        "--zip": zip_case,
        "--complete": complete,
        "--csv": csv,
    }
    given = [name for name, value in others.items() if value]
    if rejudge:
        if show_matrix:
            given.append("--matrix")
        raise typer.Exit(_rejudge(runs[0], given, as_json=as_json))
    if as_json:
        raise MistakeError("--json: only with --rejudge")
    if show_matrix:
        if given:
            wrong = f"cannot be combined with {', '.join(given)}"
            raise MistakeError(f"--matrix: {wrong}. Print the matrix of one run.")
        raise typer.Exit(_print_matrix(runs[0], form))
    if owner:
        path, note = owners.write(RunEvidence.read(ended_run(runs[0])), owner)
        typer.echo(str(path))
        if note:
            typer.echo(note, err=True)
        raise typer.Exit
    if form != "terminal":
        raise MistakeError(f"--as {form}: only with --matrix")
    one = len({path.resolve() for path in runs}) == 1
    if one and into is not None:
        where = "a single run is made again where it is; allowed: with several runs"
        raise MistakeError(f"--into {into}: {where}")
    for run in runs:
        require_whole(run, is_merged=not one, complete=complete)
    run = runs[0].resolve()
    if not one:
        run = merge(runs, into or run.parent)
    bundled = [bundle.zipped(run, zip_case)] if zip_case else []  # first: there may be no such case
    raise typer.Exit(make_again(run, bundled, is_new=not one, complete=complete, csv=csv))


def make_again(
    run: Path,
    bundled: Sequence[Path] = (),
    *,
    is_new: bool = False,
    complete: bool = False,
    csv: bool = False,
) -> int:
    """Make the views of a run, and print the result and their names; the exit code is the run's.
    Of a bundle, only its name is printed.
    """
    finished = remake(run, complete=complete)
    page = _sign_off(finished.evidence, is_new=is_new)
    stopped = STOPPED in finished.summary.interrupted.split("; ")
    code = INTERRUPTED if stopped else finished.summary.exit_code
    asked_for = list(bundled)
    if csv:
        asked_for.append(bundle.table(run))
    if bundled:
        _print_paths(asked_for)
        typer.echo("telephone numbers and digest answers in it are masked", err=True)
        return code
    show(
        finished.summary,
        finished.groups,
        SafeConsole(soft_wrap=True),
        run=run,
        past=finished.past,
    )
    made = [finished.report, page, finished.junit, finished.allure_report]
    _print_paths([*filter(None, made), *asked_for])
    for note in finished.notes:
        typer.echo(note)
    if page is None:
        typer.echo(f"no sign-off: {_no_manifest(run)}")
    return code


def _print_paths(paths: Iterable[Path]) -> None:
    for path in paths:
        typer.echo(str(path))


def _sign_off(evidence: RunEvidence, *, is_new: bool) -> Path | None:
    """Make the document again unless it is signed. A newly merged run gets its manifest here."""
    run = evidence.directory
    if is_new:
        return signoff.seal(evidence)
    if not (run / manifest.FILE).exists():
        return None
    if (run / attest.FILE).exists():
        return run / document.HTML
    return signoff.make(run, sealed=evidence).html


def _no_manifest(run: Path) -> str:
    return f"{run / manifest.FILE} is missing, so the files of the run cannot be checked; only a run's end makes one"


def _print_matrix(run: Path, form: Form) -> int:
    """Print the matrix; the exit code is the run's."""
    evidence = RunEvidence.read(ended_run(run))
    if form == "svg":
        tables = matrix.of_run(evidence)
        typer.echo(matrix.svg(tables, f"The matrix of {evidence.name}"), nl=False)
    elif form == "markdown":
        tables = matrix.of_run(evidence, matrix.MOST_NARROW)
        typer.echo(matrix.markdown(tables), nl=False)
    else:
        console = SafeConsole()
        tables = matrix.of_run(evidence, matrix.terminal_columns(console.width))
        matrix.show(tables, console)
    return summarise(evidence).exit_code


def _rejudge(run: Path, more: Sequence[str], *, as_json: bool) -> int:
    """Print what differs from the record; the exit code. ``more`` names options that ask for
    something else.
    """
    if more:
        wrong = f"cannot be combined with {', '.join(more)}"
        raise MistakeError(f"--rejudge: {wrong}. Judge one run at a time.")
    from harness.report import rejudge

    cases = rejudge.rejudge(ended_run(run))
    found = rejudge.totals(cases)
    if as_json:
        document: rejudge.RejudgeDocument = {"cases": cases, "totals": found}
        echo_json(document)
    else:
        for case in cases:
            for said in (*case.differences, *case.notes):
                echo(f"{case.directory}: {said}")
        findings = f"{found.made_again} findings made again"
        for why, count in found.from_the_record.items():
            findings += f", {count} taken from the record ({why})"
        typer.echo(f"{found.cases} cases judged again, {found.differing} differ; {findings}")
    return FAILED if found.differing else PASSED


def require_whole(run: Path, *, is_merged: bool = False, complete: bool = False) -> None:
    """Raise :class:`MistakeError` if no views may be made: not a run, a changed run, or a signed
    one that would get more files.
    """
    if not (run / "cases").is_dir():
        what = "not a run's directory: it has no cases" if run.exists() else "no such directory"
        raise MistakeError(f"{run}: {what}; allowed: a run's directory, e.g. reports/latest")
    require_files(run.resolve())
    require_ended(run)
    has_manifest = (run / manifest.FILE).exists()
    # both are made after the manifest
    is_signed_off = (run / document.HTML).exists() or (run / attest.FILE).exists()
    if not has_manifest and (is_signed_off or (is_merged and read_end(run))):
        raise MistakeError(f"{_no_manifest(run)}; allowed: a whole run")
    if has_manifest and (differing := manifest.differences(run.resolve())):
        shown = "; ".join(differing[:3])
        raise MistakeError(f"{run}: the evidence is not as the run left it: {shown}")
    if is_merged and not (run / scope.FILE).exists():
        raise MistakeError(
            f"{run / scope.FILE}: is missing, so the selection of the run is unknown; allowed: whole runs, to be merged"
        )
    if complete and (run / attest.FILE).exists():
        raise MistakeError(
            f"{run}: is signed, so --complete may add nothing to it; allowed: --zip, which makes a copy"
        )


# -- harness signoff


def make(
    run: RunDirectory,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sign with this private key.")
    ] = None,
    waivers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Waivers (TOML): row, who, why, until.")
    ] = None,
    customer: Annotated[
        str, typer.Option(metavar="NAME", help="The customer, as the document names it.")
    ] = "",
    pdf: Annotated[
        bool | None,
        typer.Option("--pdf/--no-pdf", help="PDF/A too; by default where WeasyPrint works."),
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Without --key: delete the signature of the run.")
    ] = False,
) -> None:
    """Make the sign-off of a run, and sign it. Exit code 0 when accepted, with waivers or without."""
    run = ended_run(run)
    lacks = document.why_no_pdf() if pdf is None else ""
    wanted = not lacks if pdf is None else pdf
    made = signoff.make(
        run, key=key, waiver_file=waivers, customer=customer, pdf=wanted, unsigned=unsigned
    )
    _say(made.decision)
    if waivers is None and made.decision.waivers:
        typer.echo("waivers of the earlier sign-off are kept (--waivers FILE replaces them)")
    for path in (made.html, made.pdf, made.attestation):
        if path is not None:
            typer.echo(str(path))
    if lacks:
        typer.echo(f"no PDF: {lacks}; any browser prints {made.html.name}")
    if made.attestation is None:
        typer.echo("unsigned (--key FILE signs; `harness signoff key FILE` makes a key)")
    raise typer.Exit(_code(made.decision))


def verify(
    run: RunDirectory,
    key: Annotated[Path, typer.Option(metavar="FILE", help="The signer's public key.")],
) -> None:
    """Check every byte of the evidence against the signature, and derive the decision again.

    Exit code 0: authentic and accepted; 4: authentic, but not accepted; 1: not verified.
    """
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
    raise typer.Exit(PASSED if _code(decision) == PASSED else NOT_ACCEPTED)


def make_key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
) -> None:
    """Make a pair of Ed25519 keys; the private one is readable by its owner alone."""
    typer.echo(f"private key {path}, public key {attest.make_keys(path)}")


def _say(decision: Decision) -> None:
    typer.echo(document.heading(decision))
    for reason in decision.reasons:
        typer.echo(f"  {_one_line(reason)}")
    for waiver in decision.waivers:
        typer.echo(f"  waived: {_one_line(f'{waiver.what}, by {waiver.who}')} until {waiver.until}")


def _one_line(text: str) -> str:
    """The text in one line. Names of files and cases come from the run, and must not look like
    output of this command.
    """
    return printable(" ".join(text.splitlines()))


def _code(decision: Decision) -> int:
    return FAILED if decision.outcome is Acceptance.NOT_ACCEPTED else PASSED


signoff_app = group(
    DefaultGroup,
    "Make, sign and verify the document a customer signs.",
    make=(make, "harness signoff reports/latest --key key.pem"),
    verify=(verify, "harness signoff verify reports/latest --key key.pub"),
    key=(make_key, "harness signoff key key.pem"),
)
