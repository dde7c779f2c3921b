"""The exceptions of clinnlp: each says what was found and what to do, and none quotes note text."""

from __future__ import annotations


class ClinnlpError(Exception):
    """Base of all errors that clinnlp raises on purpose."""


class InputError(ClinnlpError):
    """Raised when a file, a table or a column of the user's data cannot be used as it is."""


class ResourceError(ClinnlpError):
    """Raised when a rule, vocabulary or condition file is not valid."""


class ModelError(ClinnlpError):
    """Raised when a model cannot be found, loaded or run."""


class MissingExtraError(ClinnlpError):
    """Raised when an optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f'{package} is not installed. Run: pip install "clinnlp[{extra}]"')
