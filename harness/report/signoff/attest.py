"""The signature: an in-toto test-result statement in a DSSE envelope, signed with Ed25519.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md and
https://github.com/secure-systems-lab/dsse; both have kept libraries, and other programs can read what is written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NotRequired

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError, VerificationError
from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import SSlibKey
from typing_extensions import TypedDict

from harness.case.verdict import Verdict
from harness.errors import MistakeError, writing
from harness.report.run_directory import AddedFile
from harness.report.signoff import manifest
from harness.report.signoff.decision import Acceptance, Decision
from harness.report.signoff.rows import RowResult
from harness.support.files import user_files, whole_file

FILE = manifest.ATTESTATION
PREDICATE: Final = "https://in-toto.io/attestation/test-result/v0.1"
_PAYLOAD = "application/vnd.in-toto+json"
_Result = Literal["PASSED", "WARNED", "FAILED"]
_RESULT: Mapping[Acceptance, _Result] = {
    Acceptance.ACCEPTED: "PASSED",
    Acceptance.WITH_WAIVERS: "WARNED",
    Acceptance.NOT_ACCEPTED: "FAILED",
}


class Digest(TypedDict):
    """The digest of a file."""

    sha256: str


class Resource(TypedDict):
    """A file, or a deployment's content, with its digest."""

    name: str
    digest: Digest


class Predicate(TypedDict):
    """What is attested of a run, by the in-toto predicate type ``test-result``. Tests are rows,
    named ``DEPLOYMENT/ROW``.
    """

    result: _Result
    # the waivers, the content of each deployment file, and files added after the run
    configuration: list[Resource]
    passedTests: list[str]
    warnedTests: list[str]  # not proved, and covered by a waiver
    failedTests: list[str]
    hoursJudgedAsOf: NotRequired[str]  # where HARNESS_AS_OF set another moment than that of the run


class StatementDocument(TypedDict):
    """The in-toto statement that the DSSE envelope ``signoff.intoto.json`` holds as its payload."""

    _type: Literal["https://in-toto.io/Statement/v1"]
    subject: list[Resource]  # the files that are signed
    predicateType: Literal["https://in-toto.io/attestation/test-result/v0.1"]
    predicate: Predicate


@dataclass(frozen=True)
class Attested:
    """What an envelope says, its signature checked."""

    subjects: Mapping[str, str]  #: file → SHA-256
    predicate: Mapping[str, Any]


def make_keys(private: Path) -> Path:
    """Make a pair; the private key is readable by its owner alone. Returns the public key's path."""
    public = private.with_name(private.name + ".pub")
    if private.suffix == ".pem":
        public = private.with_suffix(".pub")
    for path in (private, public):
        if path.exists():
            there = "is there already, and keys are never overwritten"
            raise MistakeError(f"{path}: {there}; allowed: another name")
    key = Ed25519PrivateKey.generate()
    _write(private, 0o600, key.private_bytes(*_PEM_PRIVATE, serialization.NoEncryption()))
    _write(public, 0o644, key.public_key().public_bytes(*_PEM_PUBLIC))
    return public


_PEM_PRIVATE = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
_PEM_PUBLIC = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


def _write(path: Path, mode: int, content: bytes) -> None:
    with writing(path):
        whole_file.create(path, content, mode)


def signer_of(path: Path) -> CryptoSigner:
    """The signer of a private key. Raises :class:`MistakeError` for another kind of file, or one
    that others can read.
    """
    raw = _read(path, user_files.PRIVATE_KEY)
    try:
        key = serialization.load_pem_private_key(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        allowed = "allowed: one that `harness signoff key` has made"
        raise MistakeError(f"{path}: not a private key; {allowed}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise MistakeError(f"{path}: not an Ed25519 key; `harness signoff key` makes one")
    return CryptoSigner(key)


def public_key(path: Path) -> SSlibKey:
    """A public key. Raises :class:`MistakeError` for another kind of file."""
    allowed = "allowed: the .pub that `harness signoff key` has made"
    try:
        key = serialization.load_pem_public_key(_read(path, user_files.PEM))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MistakeError(f"{path}: not a public key; {allowed}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise MistakeError(f"{path}: not an Ed25519 key; {allowed}")
    return SSlibKey.from_crypto(key)


def _read(path: Path, kind: user_files.FileKind) -> bytes:
    try:
        return user_files.read(path, kind)
    except FileNotFoundError:
        raise MistakeError(f"no such file: {path}; allowed: a key's file (PEM)") from None
    except OSError as error:
        raise MistakeError(f"{path}: the key is not used: {error.strerror}") from error


def predicate_of(decision: Decision, inputs: Sequence[Path]) -> Predicate:
    """What is attested of a run; the same for the same evidence and the same waivers."""
    named: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for row in decision.rows:
        if place := _place(row):
            named[place].append(name_of(row))
    digests = {path.name: manifest.digest(path) for path in inputs}
    digests |= {f"deployment {one.name}": one.hash for one in decision.scope.deployments}
    digests |= {witness_name(one): one["sha256"] for one in decision.evidence.witnesses}
    configuration: list[Resource] = []
    for name, digest in digests.items():
        configuration.append({"name": name, "digest": {"sha256": digest}})
    predicate: Predicate = {
        "result": _RESULT[decision.outcome],
        "configuration": configuration,
        "passedTests": named["passedTests"],
        "warnedTests": named["warnedTests"],
        "failedTests": named["failedTests"],
    }
    if as_of := decision.scope.options.get("as_of"):
        predicate["hoursJudgedAsOf"] = as_of
    return predicate


def witness_name(added: AddedFile) -> str:
    """The name in the statement of a file that was added after the run; two of one name are told
    apart.
    """
    return f"witness {added['file']} ({added['sha256'][:8]})"


def name_of(row: RowResult) -> str:
    """The row's name in the statement."""
    return f"{row.deployment}/{row.scope.row}"


def _place(row: RowResult) -> str:
    """The list a row goes into; one that was not run and need not be is in none."""
    if row.blocks:
        return "failedTests"
    if row.short:
        return "warnedTests"
    return "passedTests" if row.verdict == Verdict.PASSED else ""


def sign(
    run: Path, signer: CryptoSigner, predicate: Mapping[str, Any], subjects: Sequence[Path]
) -> Path:
    """Write the signed envelope over these files of the run."""
    described = []
    for path in subjects:
        digest = {"sha256": manifest.digest(path)}
        described.append(ResourceDescriptor(name=path.name, digest=digest).pb)
    statement = Statement(described, PREDICATE, dict(predicate))
    statement.validate()
    payload = json.dumps(MessageToDict(statement.pb), sort_keys=True).encode()
    envelope = Envelope(payload, _PAYLOAD, {})
    envelope.sign(signer)
    path = run / FILE
    whole_file.write(path, _bytes(envelope))
    return path


def _bytes(envelope: Envelope) -> bytes:
    return (json.dumps(envelope.to_dict(), indent=1) + "\n").encode()


def read(run: Path, key: SSlibKey) -> Attested:
    """What the run's envelope says. Raises :class:`ValueError` that says why it cannot be believed."""
    try:
        raw = user_files.read(run / FILE, user_files.EVIDENCE)
    except OSError:
        raise ValueError(f"{FILE}: is missing: the run is unsigned") from None
    try:
        envelope = Envelope.from_dict(json.loads(raw))
        envelope.verify([key], 1)
        if len(envelope.signatures) > 1:  # the key vouches for one; nothing is known of another
            raise VerificationError
        is_statement = envelope.payload_type == _PAYLOAD
        if is_statement:
            parsed = ParseDict(json.loads(envelope.payload), statement_pb2.Statement())
            statement = Statement.copy_from_pb(parsed)
            statement.validate()
    except (VerificationError, FormatError):
        raise ValueError(f"{FILE}: not signed with this key, or changed since") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, ParseError) as error:
        raise ValueError(f"{FILE}: no signed statement: {error}") from None
    # Envelope keeps members that DSSE does not define, and no signature covers those.
    for signature in envelope.signatures.values():
        signature.unrecognized_fields.clear()
    if raw != _bytes(envelope):  # no byte beside what is signed, either
        raise ValueError(f"{FILE}: was changed")
    if not is_statement:
        raise ValueError(f"{FILE}: holds no in-toto statement")
    if statement.pb.predicate_type != PREDICATE:
        raise ValueError(f"{FILE}: attests no test result")
    found = MessageToDict(statement.pb)
    subjects = {item["name"]: item["digest"]["sha256"] for item in found["subject"]}
    return Attested(subjects, found["predicate"])
