"""Files of users and of other programs: regular ones only, and none larger than its kind may be."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.support.files import user_files
from harness.support.files.user_files import PRIVATE_KEY, SETTINGS, FileKind
from tests.ownership import give_away

SMALL = FileKind(10)


def fifo(directory: Path) -> Path:
    os.mkfifo(directory / "fifo")
    return directory / "fifo"


def listening(directory: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(directory / "socket"))
    return directory / "socket"


def link_to_a_device(directory: Path) -> Path:
    (directory / "link").symlink_to("/dev/zero")
    return directory / "link"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (fifo, r"Not a regular file \(a FIFO\)"),
        (link_to_a_device, r"Not a regular file \(a device\)"),
        (lambda _: Path("/dev/zero"), r"Not a regular file \(a device\)"),
        (listening, "No such device or address"),
        (lambda directory: directory, "Is a directory"),
        (lambda directory: directory / "missing", "No such file"),
    ],
)
def test_only_regular_files_are_read(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    with pytest.raises(OSError, match=said):
        user_files.read(make(tmp_path), SETTINGS)


def test_a_larger_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert user_files.read(tmp_path / "file", SMALL) == b"0123456789"
    with (tmp_path / "file").open("wb") as file:
        file.truncate(3 << 30)  # takes no disk
    with pytest.raises(OSError, match=re.escape("File too large (limit 4 MiB)")) as raised:
        user_files.read(tmp_path / "file", SETTINGS)
    assert raised.value.errno == errno.EFBIG


def test_a_file_of_the_kernel_is_read_though_its_size_is_nought() -> None:
    assert user_files.read_text(Path("/proc/self/stat"), SETTINGS).startswith(f"{os.getpid()} ")


def test_text_is_utf_8_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfname")
    assert user_files.read_text(tmp_path / "file", SMALL) == "name"
    (tmp_path / "file").write_bytes("\u00e4".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        user_files.read_text(tmp_path / "file", SMALL)
    assert user_files.read_text(tmp_path / "file", SMALL, "replace") == "\ufffd"


def test_only_a_secret_of_this_user_alone_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(b"secret")
    key.chmod(0o600)
    assert user_files.read(key, PRIVATE_KEY) == b"secret"
    key.chmod(0o640)
    with pytest.raises(PermissionError, match="0600"):
        user_files.read(key, PRIVATE_KEY)
    key.chmod(0o600)
    give_away(key, monkeypatch)
    with pytest.raises(PermissionError, match="another user"):
        user_files.read(key, PRIVATE_KEY)
