"""Where evidence goes from the sites, and the controller takes it from: a directory or an object
store, by fsspec.

A failing object store is retried: cases whose evidence is missing when a site ends are run, and
called, again.
"""

from __future__ import annotations

import gzip
import io
import sys
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from harness.errors import ResourceError

if sys.version_info >= (3, 11, 4):
    import tarfile
else:  # its own does not know PEP 706
    from backports import tarfile  # type: ignore[no-redef]

T = TypeVar("T")

#: What an attempt leaves besides its cases.
SCOPE, REST = "scope.tar.gz", "rest.tar.gz"
_CASE = "case-"
#: Of one object: a case of half an hour with eight legs has 500 MB of sound, and some 50 files.
MOST_BYTES, MOST_FILES = 1 << 30, 10_000
MOST_OF_AN_ATTEMPT = 16 << 30
#: For how long an object store is asked again, and how often, in seconds.
_WITHIN_S, _AGAIN_S = 30.0, 0.5


class Store:
    """The results of one run."""

    def __init__(self, address: str, run: str, within_s: float = _WITHIN_S) -> None:
        """``address``: a directory, or what fsspec takes (``s3://bucket/prefix``). Raises
        :class:`ResourceError`.

        ``within_s``: for how long an object store that fails is asked again.
        """
        self._within_s = within_s
        try:
            self._files, root = fsspec.core.url_to_fs(address)
        except (OSError, ValueError, ImportError) as error:
            raise ResourceError(f"{address}: results cannot be kept there: {error}") from error
        self._root = f"{root.rstrip('/')}/{run}"

    def put(self, shard: int, attempt: int, name: str, *paths: Path, within: Path) -> None:
        """Keep files or directories as one object, with their names within ``within``."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
            for path in paths:
                archive.add(path, arcname=str(path.relative_to(within)))
        place = self._place(shard, attempt)
        keep = partial(self._keep, place, name, packed.getvalue())
        self._ask(f"{place}: results cannot be kept there", keep)

    def _keep(self, place: str, name: str, packed: bytes) -> None:
        self._files.makedirs(place, exist_ok=True)
        # write, then rename, so that no reader sees half; an object store does so itself
        if self._is_local:
            part = f"{place}/.{name}.part"
            self._files.pipe_file(part, packed)
            self._files.mv(part, f"{place}/{name}")
        else:
            self._files.pipe_file(f"{place}/{name}", packed)

    def put_case(self, shard: int, attempt: int, directory: Path) -> None:
        """Keep a case's evidence."""
        run = directory.parent.parent
        self.put(shard, attempt, f"{_CASE}{directory.name}.tar.gz", directory, within=run)

    def fetch(self, shard: int, attempt: int, into: Path) -> list[str]:
        """Unpack all that an attempt has left; the names of what is damaged, which is left out."""
        place = self._place(shard, attempt)
        (into / "cases").mkdir(parents=True, exist_ok=True)
        return self._ask(f"{place}: results cannot be read", partial(self._unpack, place, into))

    def _unpack(self, place: str, into: Path) -> list[str]:
        """Unpack what an attempt has left; returns the names of damaged objects."""
        damaged = []
        self._files.invalidate_cache()
        names = self._files.ls(place, detail=False) if self._files.exists(place) else []
        room = MOST_OF_AN_ATTEMPT
        for name in sorted(map(str, names)):
            if name.rpartition("/")[2].startswith("."):
                continue
            try:
                room -= self._unpack_one(name, into, min(room, MOST_BYTES))
            except (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError):
                damaged.append(name)
        return damaged

    def _unpack_one(self, name: str, into: Path, most: int) -> int:
        """How many bytes it has. Raises :class:`tarfile.TarError` for what no site packs: links,
        devices, files with holes, and more than ``most`` bytes.
        """
        if (self._files.size(name) or 0) > most:
            raise tarfile.TarError(f"more than {most} bytes")
        with gzip.GzipFile(fileobj=io.BytesIO(self._files.cat_file(name))) as packed:
            # to the end, where the checksum is: tarfile stops before it
            unpacked = packed.read(most + 1)
        if len(unpacked) > most:
            raise tarfile.TarError(f"more than {most} bytes when unpacked")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for count, member in enumerate(archive, 1):
                tarfile.data_filter(member, str(into))  # raises before any file is written
                is_plain = (member.isreg() and not member.issparse()) or member.isdir()
                if count > MOST_FILES or not is_plain:
                    raise tarfile.TarError(f"{member.name}: no file of a case")
            archive.extractall(into, filter="data")  # never outside of ``into`` (PEP 706)
        return len(unpacked)

    def _ask(self, failed: str, what: Callable[[], T]) -> T:
        """What it returns. Raises :class:`ResourceError`, which begins with ``failed``."""
        deadline = time.monotonic() + (0 if self._is_local else self._within_s)
        while True:
            try:
                return what()
            # any class: object store clients pass on their transport's errors
            except Exception as error:
                if isinstance(error, PermissionError) or time.monotonic() >= deadline:
                    raise ResourceError(f"{failed}: {error}") from error
                time.sleep(_AGAIN_S)

    @property
    def _is_local(self) -> bool:
        protocol: Any = self._files.protocol
        return "file" in protocol or "local" in protocol

    def _place(self, shard: int, attempt: int) -> str:
        return f"{self._root}/{shard:05}.{attempt}"
