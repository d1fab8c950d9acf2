from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sparrowlm.foundation.interrupts import StoppedBySignal, stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_first_signal_only_asks(number):
    before = signal.getsignal(number)
    said: list[str] = []
    with stop_on_signal(said.append) as stop:
        assert not stop.is_requested
        os.kill(os.getpid(), number)
        assert stop.is_requested
        assert stop.signal_number == number
    assert len(said) == 1
    assert signal.getsignal(number) == before


def test_interrupts_second_signal_ends_at_once():
    with pytest.raises(StoppedBySignal) as caught, stop_on_signal(lambda _text: None):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == 143


def test_interrupts_in_a_thread_installs_nothing():
    seen: list[bool] = []

    def work() -> None:
        with stop_on_signal() as stop:
            seen.append(stop.is_requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_interrupts_sentence_names_the_directory():
    stopped = StoppedBySignal(signal.SIGINT, saved_to=Path("my-model"))
    assert "my-model" in stopped.sentence("en")
    assert "--resume" in stopped.sentence("zh")
    assert stopped.exit_code == 130
    assert "saved in" not in StoppedBySignal().sentence("en")


def test_interrupts_whole_process_says_it_and_saves():
    program = (
        "import os, signal\n"
        "from sparrowlm.foundation.interrupts import stop_on_signal\n"
        "with stop_on_signal() as stop:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('saved' if stop.is_requested else 'lost')\n"
    )
    environment = os.environ | {"SPARROW_LANG": "zh", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, encoding="utf-8", env=environment, check=True,
    )  # fmt: skip
    assert done.stdout == "saved\n"
    assert "Ctrl-C" in done.stderr and "正在停止" in done.stderr
