"""``docs/reference/*.schema.json``: JSON Schemas of what the harness writes for machines, from the
models that write it.

Every field that is always written is required, and no other field is allowed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from harness.case.check_table import CHECKS
from harness.case.events import Event, SipMessage
from harness.case.log import Line
from harness.case.measurement import Measurement
from harness.report.case_document import AddedEvidence, CaseDocument
from harness.report.nightly.compare import Difference
from harness.report.rejudge import RejudgeDocument
from harness.report.run_directory import WitnessesDocument
from harness.report.scope import Scope
from harness.report.signoff.attest import StatementDocument
from harness.report.summary import Summary
from harness.run.cli.listen import ListenDocument
from harness.run.cli.lists import RowDocument
from harness.run.load.result import LoadResult
from harness.run.plugin.plan import Plan
from harness.run.plugin.progress import ResultDocument
from harness.run.plugin.worlds import FaultDocument
from tools import ROOT

DIRECTORY = ROOT / "docs" / "reference"
_WIDTH = 120
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class Document:
    """Something that the harness writes for machines."""

    model: Any  #: the type that its writer uses
    what: str  #: what has this form
    is_masked: bool = False  #: a large number in it may be masked, as ``310•••0342``


#: By the name of the schema.
DOCUMENTS = {
    "summary": Document(Summary, "summary.json"),
    "scope": Document(Scope, "scope.json"),
    "case": Document(CaseDocument, "case.json", is_masked=True),
    "event-line": Document(Line, "a line of events.jsonl", is_masked=True),
    "witnesses": Document(WitnessesDocument, "witnesses.json"),
    "witness": Document(AddedEvidence, "witness.json of a case", is_masked=True),
    "statement": Document(StatementDocument, "the signed statement in signoff.intoto.json"),
    "verify": Document(ResultDocument, "harness verify --json"),
    "plan": Document(Plan, "harness verify --plan --json"),
    "rejudge": Document(RejudgeDocument, "harness report RUN --rejudge --json"),
    "rows": Document(list[RowDocument], "harness rows --json"),
    "faults": Document(list[FaultDocument], "harness faults --json"),
    "compare": Document(list[Difference], "harness compare --json"),
    "listen": Document(ListenDocument, "harness listen --json"),
    "load": Document(LoadResult, "load.json, and harness load --json"),
}


def path(name: str) -> Path:
    """Where the schema is published."""
    return DIRECTORY / f"{name}.schema.json"


def text(name: str) -> str:
    """The schema."""
    document = DOCUMENTS[name]
    made_by = _Masked if document.is_masked else _Strict
    schema = TypeAdapter(document.model).json_schema(mode="serialization", schema_generator=made_by)
    whole = {"$schema": _DIALECT, "title": document.what, **schema}
    return _laid_out(whole) + "\n"


def write() -> None:
    """Write all schemas, and remove those of documents that are gone."""
    DIRECTORY.mkdir(exist_ok=True)
    for old in DIRECTORY.glob("*.schema.json"):
        old.unlink()
    for name in DOCUMENTS:
        path(name).write_text(text(name), encoding="utf-8")


class _Strict(GenerateJsonSchema):
    """Requires what is always written, and allows nothing else."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A title would only repeat the field's name."""
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        """A dataclass is written with all of its fields."""
        return (
            super().field_is_required(field, total) if field["type"] == "typed-dict-field" else True
        )

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Keys are text, whatever object they are in Python."""
        found = super().dict_schema(schema)
        found.pop("propertyNames", None)
        return found

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """An object with these keys."""
        found = _closed(super().typed_dict_schema(schema))
        if schema.get("cls") is Line:
            found |= {"minProperties": 1, "maxProperties": 1}
        return found

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """An object with these fields; of a base class whose subclasses are written, any of them."""
        cls = schema["cls"]
        if cls is Event:
            events = {
                kind.__name__: kind for kind in Event.__subclasses__()
            }  # a class with slots is made twice
            return {"anyOf": [self._of(kind) for kind in events.values()]}
        if cls is Measurement:  # which one depends on the check
            kinds = dict.fromkeys(
                check.measures for check in CHECKS.values() if check.measures is not None
            )
            return {"anyOf": [self._of(kind) for kind in kinds]}
        found = _closed(super().dataclass_schema(schema))
        if issubclass(cls, Event):
            _add(found, "kind", {"const": cls.__name__})
        if cls is SipMessage:
            _add(found, "number", {"type": "string", "pattern": "^m[0-9]+$"})
        return found

    def _of(self, model: type) -> JsonSchemaValue:
        return self.generate_inner(TypeAdapter(model).core_schema)


class _Masked(_Strict):
    """The same for evidence, in which an integer of ten digits or more is masked like a telephone
    number.
    """

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        """An integer, or what masking leaves of it."""
        return {"anyOf": [super().int_schema(schema), {"type": "string", "pattern": "•"}]}


def _closed(schema: JsonSchemaValue) -> JsonSchemaValue:
    schema.pop("title", None)
    for field in schema["properties"].values():
        field.pop("default", None)
    return schema | {"additionalProperties": False}


def _laid_out(value: Any, indent: int = 0) -> str:
    """JSON whose small objects and lists stand in one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= _WIDTH or not isinstance(value, dict | list):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, list):
        parts = [f"{inner}{_laid_out(item, indent + 2)}" for item in value]
        return "[\n" + ",\n".join(parts) + "\n" + " " * indent + "]"
    parts = [
        f"{inner}{json.dumps(key)}: {_laid_out(item, indent + 2)}" for key, item in value.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"


def _add(schema: JsonSchemaValue, name: str, field: JsonSchemaValue) -> None:
    schema["properties"] = {name: field, **schema["properties"]}
    schema["required"] = [name, *schema["required"]]
