"""The sign-off of a run: what was proved, who answers for the rest, and a signature over all of the
evidence.

=============  =========================================================================
``manifest``   SHA-256 of every file of evidence
``rows``       each row with verdict, strength, figures, or why it was not run; waivers
``decision``   ACCEPTED, ACCEPTED WITH WAIVERS or NOT ACCEPTED
``attest``     keys, and the signed in-toto statement
``document``   HTML and PDF/A
=============  =========================================================================
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.errors import MistakeError
from harness.report.history import runs_of
from harness.report.run_directory import RunEvidence, read_witnesses
from harness.report.signoff import attest, document, manifest
from harness.report.signoff.decision import Decision, decide
from harness.report.signoff.rows import read_waivers
from harness.report.standing import look_back


@dataclass(frozen=True)
class Signed:
    """A sign-off that was made."""

    decision: Decision
    html: Path
    pdf: Path | None
    attestation: Path | None


def seal(run: RunEvidence) -> Path:
    """At a run's end, and never later: write the manifest of its evidence, and the document,
    unsigned. Returns the document.
    """
    with ThreadPoolExecutor(1) as sealing:  # other processes read the files meanwhile
        written = sealing.submit(manifest.write, run.directory)
        return make(run.directory, sealed=run, written=written).html


def make(
    run: Path,
    *,
    key: Path | None = None,
    waiver_file: Path | None = None,
    customer: str = "",
    pdf: bool = False,
    unsigned: bool = False,
    sealed: RunEvidence | None = None,
    written: Future[Path] | None = None,
) -> Signed:
    """Make the sign-off of a run; signed with ``key``, or else saying that it is unsigned.

    ``waiver_file``: without it, the waivers of an earlier sign-off of the run are kept.

    ``unsigned``: delete the signature that the run may have. Without it and without ``key``, a
    signed run is refused.

    ``sealed``: the run's evidence, where the caller has just compared its files with the manifest,
    or is writing that; then ``written`` is its end.
    """
    run = run.resolve()
    if not (key or unsigned) and (run / attest.FILE).exists():
        raise MistakeError(
            f"{run}: is signed; allowed: --key FILE, which signs it again,"
            " or --unsigned, which deletes the signature"
        )
    signer = attest.signer_of(key) if key else None
    kept = run / manifest.WAIVERS
    if waiver_file is None and kept.exists():
        waiver_file = kept
    granted = read_waivers(waiver_file) if waiver_file else ()
    evidence = sealed or RunEvidence.read(run)
    is_sealed = sealed is not None
    decision = decide(evidence, granted, today=_today(), source=waiver_file, is_sealed=is_sealed)
    if written is not None:
        written.result()
    if not (run / manifest.FILE).exists():
        if evidence.has_end:  # a new manifest would vouch for whatever is there by now
            missing = "is missing, so what the run left is unknown"
            raise MistakeError(f"{run / manifest.FILE}: {missing}; allowed: a whole run")
        manifest.write(run)
    for name in (manifest.WAIVERS, attest.FILE, document.HTML, document.PDF):
        if waiver_file is None or waiver_file.resolve() != run / name:
            (run / name).unlink(missing_ok=True)
    if waiver_file and waiver_file.resolve() != kept:
        shutil.copyfile(waiver_file, kept)
    html = run / document.HTML
    key_id = signer.public_key.keyid if signer else ""
    digest = manifest.digest(run / manifest.FILE)
    past = look_back(evidence, runs_of(evidence))
    document.write(html, decision, customer=customer, signer=key_id, evidence=digest, past=past)
    made = [html]
    if pdf:
        document.write_pdf(html, run / document.PDF)
        made.append(run / document.PDF)
    inputs = [kept] if kept.exists() else []
    signed = None
    if signer:
        predicate = attest.predicate_of(decision, inputs)
        signed = attest.sign(run, signer, predicate, [run / manifest.FILE, *made, *inputs])
    return Signed(decision, html, run / document.PDF if pdf else None, signed)


def verify(run: Path, key: Path) -> tuple[Decision | None, list[str]]:
    """Derive the decision again, and list all problems of the signed one: none when it is genuine
    and still counts.

    Bytes come first: from files that are not those that were signed nothing is derived.
    """
    run, public = run.resolve(), attest.public_key(key)
    problems = manifest.differences(run)
    try:
        attested = attest.read(run, public)
    except ValueError as error:
        return None, [*problems, str(error)]
    if later := _added_later(run, attested):
        added = f"evidence was added after signing: {', '.join(later)}"
        return None, [f"{added}; make the sign-off again and sign it"]
    problems += _changed(run, attested)
    if problems:
        return None, problems
    kept = run / manifest.WAIVERS
    inputs = [kept] if kept.exists() else []
    granted = read_waivers(kept) if inputs else ()
    decision = decide(RunEvidence.read(run), granted, today=_today(), source=kept)
    derived = attest.predicate_of(decision, inputs)
    # one that had run out before the signing, or that no row needs, changes nothing of what was
    # signed
    unanswered = set(derived["failedTests"]).intersection(attested.predicate.get("warnedTests", ()))
    rows = [row for row in decision.rows if attest.name_of(row) in unanswered]
    problems = []
    for waiver in decision.expired:
        if any(waiver.covers(row.deployment, row.scope.row) for row in rows):
            problems.append(f"waiver of {waiver.row} ({waiver.who}): ran out on {waiver.until}")
    problems += decision.contradictions
    if not problems and derived != attested.predicate:
        signed = attested.predicate.get("result")
        problems.append(f"the evidence says {derived['result']}, the signature {signed}")
    return decision, problems


def _added_later(run: Path, attested: attest.Attested) -> list[str]:
    """The names of the files that were added to the evidence and that the signature does not list."""
    signed = {item["name"] for item in attested.predicate.get("configuration", ())}
    return [one["file"] for one in read_witnesses(run) if attest.witness_name(one) not in signed]


def _changed(run: Path, attested: attest.Attested) -> Iterator[str]:
    """A line for each of the signed files that is not as it was signed."""
    for name in (manifest.FILE, document.HTML, document.PDF, manifest.WAIVERS):
        path, digest = run / name, attested.subjects.get(name)
        if path.is_file() and digest is None:
            yield f"{name}: was added"
        elif digest is not None and not path.is_file():
            yield f"{name}: is missing"
        elif digest is not None and manifest.digest(path) != digest:
            yield f"{name}: was changed"


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
