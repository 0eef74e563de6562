"""One emulator process for all modules of this folder."""

from collections.abc import Iterator

import pytest
from tests.support.processes.emulator import EmulatorProcess, running_emulator


@pytest.fixture(scope="session")
def emulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: EmulatorProcess) -> Iterator[EmulatorProcess]:
    """The shared emulator, without faults. Its clock only moves forward, and tasks of other tests remain."""
    yield emulator_process
    emulator_process.clear_faults()
