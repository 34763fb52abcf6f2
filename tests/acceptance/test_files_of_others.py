"""Every command that takes a deployment file refuses one that wants more than its user allows, before
anything is sent, run or read.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w

from harness.deployment.file import read
from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import LAB, Tree

SECRET = "secret-of-the-users-shell"
COMMANDS = [
    ["verify", "FILE", "--live"],
    ["verify", "FILE", "--live", "--preflight", "off"],
    ["preflight", "FILE"],
    ["call", "FILE", "+13125550100", "--live"],
    ["load", "FILE", "--calls", "1", "--live"],
    ["nightly", "FILE", "--verify", "--live"],
]


@pytest.fixture
def received() -> Iterator[tuple[int, list[bytes]]]:
    """A server's port, and what it was sent."""
    listener, requests = socket.create_server(("127.0.0.1", 0)), list[bytes]()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                requests.append(connection.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], requests
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def sent(tree: Tree, port: int) -> Path:
    """The file of a lab, whose author asks for a token of its user's."""
    text = LAB.format(name="lab").replace("127.9.9.4:9", f"127.0.0.1:{port}")
    path = tree.path / "lab.toml"
    path.write_text(text.replace("HARNESS_LAB", "AWS_SECRET_ACCESS_KEY"))
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_token_for_a_host_that_its_user_has_not_named_stays_here(
    tree: Tree, received: tuple[int, list[bytes]], command: list[str]
) -> None:
    port, requests = received
    file = sent(tree, port)
    words = [str(file) if word == "FILE" else word for word in command]
    environment = {"AWS_SECRET_ACCESS_KEY": SECRET, "HARNESS_GRANT": ""}
    code, output = tree.harness(*words, **environment)
    assert code == 2, output
    assert f"--grant host=127.0.0.1:{port}" in output
    assert "--grant env=AWS_SECRET_ACCESS_KEY" in output
    assert requests == []


def test_preflight_names_host_and_variable_and_asks_what_is_granted(
    tree: Tree, received: tuple[int, list[bytes]]
) -> None:
    port, requests = received
    words = ["--grant", f"host=127.0.0.1:{port}", "--grant", "env=AWS_*"]
    environment = {"AWS_SECRET_ACCESS_KEY": SECRET, "HARNESS_GRANT": ""}
    code, output = tree.harness("preflight", str(sent(tree, port)), *words, **environment)
    assert code == 1, output
    named = (
        f"lab: asks 127.0.0.1:{port} with the value of AWS_SECRET_ACCESS_KEY (synthflow.api_base)"
    )
    assert output.startswith(named), output
    assert f"Authorization: Bearer {SECRET}".encode() in requests[0]


def with_command(tree: Tree, marker: Path) -> Path:
    """A simulated deployment that wants to run a program after the calls."""
    plain = read(EXAMPLES / "recorded.toml")
    path = tree.path / "recorded.toml"
    path.write_text(tomli_w.dumps(plain | {"witness": {"command": ["touch", str(marker)]}}))
    return path


def test_the_command_of_a_file_is_run_with_an_option_alone(tree: Tree) -> None:
    marker = tree.path / "ran"
    file = str(with_command(tree, marker))
    asked = ["verify", file, "--row", "TD-INBOUND", "--quiet"]
    said = f"witness.command: runs touch {marker} on this machine; allowed: --grant command"
    for grant in ("", "env=* host=* path=/"):
        code, output = tree.harness(*asked, HARNESS_GRANT=grant)
        line = Path(file).read_text().splitlines().index("[witness]") + 2
        assert (code, output.strip()) == (2, f"ERROR: {file}: line {line}: {said}")
    code, output = tree.harness(*asked, HARNESS_GRANT="command")
    assert code == 2
    assert "HARNESS_GRANT: command: is not valid" in output
    code, output = tree.harness(*asked, "--plan")
    assert code == 0
    assert f"recorded: runs touch {marker} (witness.command), with --grant command alone" in output
    assert not marker.exists()
    code, output = tree.harness(*asked, "--grant", "command")
    assert code == 0, output
    assert marker.exists()
    scope = json.loads((tree.run_directory / "scope.json").read_text())
    assert scope["options"]["grant"][-1] == "command"
    assert scope["deployments"][0]["content"]["witness"]["command"] == ["touch", str(marker)]
    (signoff,) = tree.run_directory.glob("signoff.html")
    assert "path=/, command" in signoff.read_text()
