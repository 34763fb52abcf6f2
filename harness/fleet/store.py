"""Where evidence goes from the sites, and the controller takes it from: a directory or an object store, by fsspec."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import fsspec

from harness.errors import ResourceError

#: What an attempt leaves besides its cases.
SCOPE, REST = "scope.tar.gz", "rest.tar.gz"
_CASE = "case-"


class Store:
    """The results of one run."""

    def __init__(self, address: str, run: str) -> None:
        """``address``: a directory, or what fsspec takes (``s3://bucket/prefix``). Raises :class:`ResourceError`."""
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
        part = f"{place}/.{name}.part"
        try:
            self._files.makedirs(place, exist_ok=True)
            if self._is_local:  # nobody sees half of it; an object store shows an object when it is whole
                self._files.pipe_file(part, packed.getvalue())
                self._files.mv(part, f"{place}/{name}")
            else:
                self._files.pipe_file(f"{place}/{name}", packed.getvalue())
        except OSError as error:
            raise ResourceError(f"{place}: results cannot be kept there: {error}") from error

    def put_case(self, shard: int, attempt: int, directory: Path) -> None:
        """Keep a case's evidence."""
        run = directory.parent.parent
        self.put(shard, attempt, f"{_CASE}{directory.name}.tar.gz", directory, within=run)

    def fetch(self, shard: int, attempt: int, into: Path) -> int:
        """Unpack all that an attempt has left; how many cases there are."""
        place, cases = self._place(shard, attempt), 0
        (into / "cases").mkdir(parents=True, exist_ok=True)
        try:
            self._files.invalidate_cache()
            names = self._files.ls(place, detail=False) if self._files.exists(place) else []
            for name in sorted(map(str, names)):
                leaf = name.rpartition("/")[2]
                if leaf.startswith("."):
                    continue
                with tarfile.open(fileobj=io.BytesIO(self._files.cat_file(name)), mode="r:gz") as archive:
                    archive.extractall(into, filter="data")  # never out of it, whatever a site packs (PEP 706)
                cases += leaf.startswith(_CASE)
        except (OSError, tarfile.TarError) as error:
            raise ResourceError(f"{place}: results cannot be read: {error}") from error
        return cases

    @property
    def _is_local(self) -> bool:
        protocol: Any = self._files.protocol
        return "file" in protocol or "local" in protocol

    def _place(self, shard: int, attempt: int) -> str:
        return f"{self._root}/{shard:05}.{attempt}"
