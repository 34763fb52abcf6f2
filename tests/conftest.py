"""In the tests of the harness every warning is an error; a verification run is spared that."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")
