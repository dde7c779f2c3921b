"""The spaCy components of clinnlp, one a module; `find_*` computes and returns, the component stores."""
