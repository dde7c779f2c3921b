"""Finding, loading and running transformer models."""
