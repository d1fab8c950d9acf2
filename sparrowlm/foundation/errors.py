"""The one tree of errors that Sparrow raises on purpose.

    SparrowError                     anything a user can meet; never shown as a traceback
    ├── SettingError                 an option or argument is wrong               exit code 2
    ├── DataError                    the text given cannot be used                exit code 1
    ├── ModelError                   a model cannot be loaded or used             exit code 1
    │   └── DamagedFileError         a file of ours fails its own checks          exit code 1
    ├── ResourceError                disk, memory, permission, time               exit code 1
    └── DependencyError              an optional part is not installed            exit code 1

Every error has a code ("room.name"), and its sentence stands in Chinese and in English in
``foundation/messages/<room>.toml``: what happened, what was received, what to do.

>>> try:
...     raise SettingError("foundation.size-unreadable", received="4 apples")
... except SparrowError as error:
...     error.code
'foundation.size-unreadable'
"""

from __future__ import annotations

from sparrowlm.foundation.messages import Language, render


class SparrowError(Exception):
    """Base of all errors meant for the person at the keyboard.

    Args:
        code: key of the sentence, "room.name", e.g. "corpora.nothing-readable".
        **fields: values named in the sentence's braces.
    """

    exit_code = 1

    def __init__(self, code: str, **fields: object) -> None:
        self.code = code
        self.fields = fields
        super().__init__(code)

    def sentence(self, language: Language | None = None) -> str:
        """Render the error as one sentence in Chinese ("zh") or English ("en")."""
        return render(self.code, self.fields, language)

    def __str__(self) -> str:
        return self.sentence()

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes send errors home by pickling; keyword fields need a factory.
        return (_rebuild, (type(self), self.code, self.fields))


def _rebuild(kind: type[SparrowError], code: str, fields: dict[str, object]) -> SparrowError:
    return kind(code, **fields)


class SettingError(SparrowError):
    """An option, argument or settings file is wrong: the user can correct the call."""

    exit_code = 2


class DataError(SparrowError):
    """The text or table given cannot be used as asked."""


class ModelError(SparrowError):
    """A model directory or file is missing, incomplete or does not fit the request."""


class DamagedFileError(ModelError):
    """A file written by Sparrow fails its checks (length, checksum, header)."""


class ResourceError(SparrowError):
    """The machine refused: disk full, read-only, out of memory, no permission."""


class DependencyError(SparrowError):
    """An optional part (torch, a reader, a compiler) is not installed."""

    @staticmethod
    def for_extra(package: str, extra: str) -> DependencyError:
        """Return the error for a package that one of Sparrow's extras brings.

        Args:
            package: by the name people know it.
            extra: of `pip install "sparrowlm[extra]"`.
        """
        command = f'pip install "sparrowlm[{extra}]"'
        return DependencyError("foundation.missing-extra", package=package, command=command)
