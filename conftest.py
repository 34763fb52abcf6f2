"""Makes the project's pytest plugin known to every pytest run in this tree."""

pytest_plugins = ["harness.pytest_plugin"]
