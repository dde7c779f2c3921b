"""Finding entities with transformer models: loading, running, comparing and training them."""

from clinnlp.models.comparison import compare_models
from clinnlp.models.pack import load_classifier

__all__ = ["compare_models", "load_classifier"]
