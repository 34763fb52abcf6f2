"""In the tests of the harness every warning is an error; a verification run is spared that."""

import gc
import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from harness.support.memory import SELDOM, lasting
from tests.forked import forked_python as program

# The audio is of small matrices, for which threads only cost (as in the worlds and phones of a
# run). Set before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Files of the tests name hosts that nobody has, servers on loopback, and files of other tests'
# directories. Tests of what is refused without a user's word unset it.
os.environ["HARNESS_GRANT"] = "host=*.example host=127.* path=/"

# How fast a busy machine is says nothing about the code. `.ci/nightly properties` draws more
# examples (--hypothesis-profile=thorough).
settings.register_profile(
    "harness", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("harness"), max_examples=100)
settings.load_profile("harness")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "minutes: takes so long that it has to begin first")
    config.addinivalue_line("filterwarnings", "error")
    # WeasyPrint where Pango is there and libharfbuzz-subset is not: the machine's, and PDFs are
    # made all the same.
    config.addinivalue_line(
        "filterwarnings", "ignore:HarfBuzz-Subset will be required:DeprecationWarning"
    )
    # A shell without job control starts what runs in the background with SIGINT ignored, and
    # children inherit that; those that tests interrupt have to feel it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes begins first, each of it in another worker: xdist deals the list in even
    shares.
    """
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    longest = [item for item in items if item.get_closest_marker("minutes")]
    others = [item for item in items if not item.get_closest_marker("minutes")]
    shares = [longest[worker::workers] for worker in range(workers)]
    dealt: list[pytest.Item] = []
    for left, share in zip(range(workers, 0, -1), shares, strict=True):
        count = (len(items) - len(dealt)) // left - len(share)
        dealt += share + others[:count]
        del others[:count]
    items[:] = dealt


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and some ten thousand tests stay: no garbage is looked for meanwhile, nor among them
    ever after.
    """
    with lasting():
        found = yield
    gc.set_threshold(*SELDOM)
    return found


@pytest.fixture(scope="session")
def forked_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What is started like Python's interpreter, and has imported what a run needs
    (``tests.forked``).
    """
    with program(tmp_path_factory.mktemp("forked")) as path:
        yield path
