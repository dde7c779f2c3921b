"""Rules, vocabularies and definitions as data; `read_yaml` reads one of them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def read_yaml(name: str) -> Any:
    """Read the YAML file `name` of this package, once; its content is shared, so do not change it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(files(__package__).joinpath(name).read_text(encoding="utf-8"), Loader=loader)
