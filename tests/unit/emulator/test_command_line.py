"""The emulator's command line options."""

from pathlib import Path

import pytest

from telecine_emulator.__main__ import parse_settings


@pytest.mark.parametrize("options", [["--fault", "nonsense"], ["--fault", "slow_accept=soon"], []])
def test_invalid_options_print_the_usage(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path)] if options else []
    with pytest.raises(SystemExit) as ended:
        parse_settings([*data, *options])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_faults_can_be_given_as_options(tmp_path: Path) -> None:
    faults = ["--fault=fail=OutputVideoSensitiveContentDetected", "--fault=list_lag=5"]
    settings = parse_settings(["--data", str(tmp_path), *faults])
    assert settings.faults == ("fail=OutputVideoSensitiveContentDetected", "list_lag=5")


def test_a_fifth_of_the_task_time_is_queued(tmp_path: Path) -> None:
    settings = parse_settings(["--data", str(tmp_path), "--task-seconds=10"])
    assert (settings.queue_seconds, settings.run_seconds) == (2, 8)
