"""Failing stores and damaged objects."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A case as nobody's site packs it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in more.items():
        setattr(found, key, value)
    return found


HOLES = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
ZEROS = bytes(1 << 16)


@pytest.mark.parametrize(
    "hostile",
    [
        packed((member("cases/x/zeros"), ZEROS * 20)),  # a few hundred bytes when packed
        os.urandom(1 << 20),
        packed(*((member(f"cases/x/{number}"), b"") for number in range(60))),
        packed((member("cases/x/holes", pax_headers=HOLES), b"1\n0\n0\n".ljust(512, b"\0"))),
        packed((member("cases/x/link", tarfile.SYMTYPE, linkname="case.json"), b"")),
        packed((member("cases/x/link", tarfile.LNKTYPE, linkname="case.json"), b"")),
        packed((member("cases/x/fifo", tarfile.FIFOTYPE), b"")),
        packed((member("cases/x/null", tarfile.CHRTYPE, devmajor=1, devminor=3), b"")),
        packed((member("../../escaped"), b"x")),
        packed((member("/escaped"), b"x"), (member("../escaped"), b"x")),
    ],
    ids=[
        "bomb",
        "large",
        "many",
        "holes",
        "symlink",
        "hardlink",
        "fifo",
        "device",
        "above",
        "absolute",
    ],
)
def test_object_that_no_site_packs_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: bytes
) -> None:
    monkeypatch.setattr("harness.run.fleet.store.MOST_BYTES", 1 << 20)
    monkeypatch.setattr("harness.run.fleet.store.MOST_FILES", 50)
    store = Store(str(tmp_path / "results"), "run")
    store.put_case(1, 1, a_case(tmp_path))
    (good,) = (tmp_path / "results").rglob("*.tar.gz")
    bad = good.with_name("case-bad.tar.gz")
    bad.write_bytes(hostile)
    out = tmp_path / "deep" / "out"
    assert store.fetch(1, 1, out) == [str(bad)]
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {good.name, bad.name, "case.json"}
    assert list(out.rglob("x/*")) == []


def test_objects_of_an_attempt_have_a_limit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path / "results"), "run")
    store.put_case(1, 1, a_case(tmp_path))
    (first,) = (tmp_path / "results").rglob("*.tar.gz")
    for number in range(5):
        content = packed((member(f"cases/{number}/zeros"), ZEROS))
        first.with_name(f"case-x{number}.tar.gz").write_bytes(content)
    monkeypatch.setattr("harness.run.fleet.store.MOST_OF_AN_ATTEMPT", 200_000)
    assert len(store.fetch(1, 1, tmp_path / "out")) == 3
