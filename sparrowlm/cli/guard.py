"""What surrounds every verb: UTF-8, one sentence instead of a traceback, the right exit code."""

from __future__ import annotations

import io
import os
import sys

from sparrowlm.foundation.errors import DependencyError, SparrowError
from sparrowlm.foundation.interrupts import StoppedBySignal
from sparrowlm.foundation.messages import say

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

# What runs no model, or says about the compiled part what there is to say.
_VERBS_WITHOUT_RUNNING = frozenset(("doctor", "info", "export", "self-test", "label", "redact"))
_VERBS_WITH_FILES = frozenset(("train", "score", "evaluate", "label", "redact"))
_COMMANDS_FOR_PACKAGES = {
    "torch": "pip install torch --index-url https://download.pytorch.org/whl/cpu",
    "pyarrow": 'pip install "sparrowlm[parquet]"',
    "tokenizers": "pip install tokenizers",
    "safetensors": "pip install safetensors",
}


def run_guarded(arguments: list[str]) -> int:
    """Run the command and turn whatever happens into an exit code.

    Args:
        arguments: words after `sparrow`.

    Returns:
        0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    force_utf8()
    try:
        exit_code = _run(arguments or ["--help"])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough. What is still buffered must go nowhere,
        # or Python complains once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        exit_code = EXIT_DONE
    except (SparrowError, StoppedBySignal) as error:
        complain(error.sentence())
        exit_code = error.exit_code
    except KeyboardInterrupt:
        complain(say("cli.interrupted"))
        exit_code = EXIT_INTERRUPTED
    except MemoryError:
        complain(say("cli.out-of-memory"))
        exit_code = EXIT_FAILED
    except Exception as error:
        exit_code = _explain_unexpected(error)
    return exit_code


def force_utf8() -> None:
    """Make stdout and stderr speak UTF-8 whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def complain(sentence: str) -> None:
    """Say one sentence on stderr."""
    sys.stderr.write(sentence + "\n")


def _run(arguments: list[str]) -> int:
    from cyclopts import CycloptsError

    from sparrowlm.cli.application import build_application
    from sparrowlm.cli.usage_errors import usage_sentence

    _tell_of_numpy(arguments)
    application = build_application()
    try:
        result = application(
            _with_standard_input(arguments), exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        complain(usage_sentence(error))
        return EXIT_USAGE
    return result if isinstance(result, int) else EXIT_DONE


def _tell_of_numpy(arguments: list[str]) -> None:
    """Say that NumPy does the work where nothing was compiled; whoever switched it off knows."""
    from sparrowlm.foundation.native_part import is_missing

    verb = arguments[0]
    if is_missing() and not verb.startswith("-") and verb not in _VERBS_WITHOUT_RUNNING:
        complain(say("cli.runs-in-numpy"))


def _with_standard_input(arguments: list[str]) -> list[str]:
    """Spell "-" among files so that it is not taken for an option; the path stays the same."""
    if arguments[0] not in _VERBS_WITH_FILES:
        return arguments
    return ["./-" if word == "-" else word for word in arguments]


def _explain_unexpected(error: Exception) -> int:
    if isinstance(error, ModuleNotFoundError):
        package = str(error.name).partition(".")[0]
        command = _COMMANDS_FOR_PACKAGES.get(package)
        if command:
            missing = DependencyError("foundation.missing-extra", package=package, command=command)
            complain(missing.sentence())
            return missing.exit_code
    import traceback

    details = "".join(traceback.format_exception(error))
    if os.environ.get("SPARROW_DEBUG") == "1":
        sys.stderr.write(details)
        return EXIT_FAILED
    complain(say("cli.unexpected", kind=type(error).__name__, path=_write_log(details)))
    return EXIT_FAILED


def _write_log(details: str) -> str:
    import tempfile

    try:
        descriptor, path = tempfile.mkstemp(prefix="sparrow-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8") as log:
            log.write(details)
    except OSError:
        # Nowhere to write: the variable that shows the traceback is the way left.
        return "SPARROW_DEBUG=1"
    return path
