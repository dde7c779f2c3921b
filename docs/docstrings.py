"""What the reference makes of a docstring: doctests under no heading of their own are its examples."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Put the heading of examples before the first doctest of a docstring that has none."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of each object once it is read."""
        if obj.docstring and "\nExamples\n" not in obj.docstring.value:
            obj.docstring.value = re.sub(r"\n\n>>> ", "\n\nExamples\n--------\n>>> ", obj.docstring.value, count=1)
