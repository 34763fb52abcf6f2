"""Failing stores and damaged objects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from harness.run.fleet.store import Store


class TransportError(Exception):
    """Like botocore's errors, not an ``OSError``."""


class Flaky(MemoryFileSystem):  # type: ignore[misc]
    """An object store whose next ``failures`` requests fail."""

    protocol = "flaky"
    failures = 0

    def fail(self) -> None:
        if Flaky.failures:
            Flaky.failures -= 1
            raise TransportError("connection closed")

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: object) -> None:
        self.fail()
        super().pipe_file(path, value, mode)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: object
    ) -> bytes:
        self.fail()
        found: bytes = super().cat_file(path, start, end)
        return found


@pytest.fixture
def flaky() -> Iterator[type[Flaky]]:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    Flaky.failures = 0
    yield Flaky
    MemoryFileSystem.store.clear()


def a_case(tmp_path: Path) -> Path:
    case = tmp_path / "run" / "cases" / "one"
    case.mkdir(parents=True)
    (case / "case.json").write_text("{}", encoding="utf-8")
    return case


def test_store_retries_after_a_transport_error(
    tmp_path: Path, flaky: type[Flaky], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.run.fleet.store._AGAIN_S", 0.0)
    store = Store("flaky://bucket/prefix", "run", within_s=60)
    flaky.failures = 2
    store.put_case(1, 1, a_case(tmp_path))
    flaky.failures = 2
    assert store.fetch(1, 1, tmp_path / "out") == []
    assert (tmp_path / "out" / "cases" / "one" / "case.json").read_text(encoding="utf-8") == "{}"


@given(cut=st.booleans(), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_damaged_object_is_named_and_left_out(cut: bool, where: float, bit: int) -> None:
    """Truncated anywhere, or with one bit flipped."""
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        store = Store(str(here / "results"), "run")
        store.put_case(1, 1, a_case(here))
        (packed,) = (here / "results").rglob("*.tar.gz")
        whole = packed.read_bytes()
        at = int(len(whole) * where)
        turned = max(at, 10)  # after gzip's header, whose time and system fields are ignored
        damaged = (
            whole[:at]
            if cut
            else whole[:turned] + bytes([whole[turned] ^ 1 << bit]) + whole[turned + 1 :]
        )
        packed.write_bytes(damaged)
        left_out = store.fetch(1, 1, here / "out")
        unpacked = [path.read_text(encoding="utf-8") for path in (here / "out").rglob("case.json")]
        # some bits of deflate's last octet are unused
        assert (left_out, unpacked) in [([str(packed)], []), *([] if cut else [([], ["{}"])])]
