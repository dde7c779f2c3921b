"""Check a summary against its note, claim by claim.

`claims` reads both texts with words of `wording`; `findings`, `drugs`, `persons` and `words` compare one kind of claim
each by the places that `places` finds in the note; `check` puts their judgements together.
"""

from clinnlp.faithfulness.check import check_summary, faithfulness_score, judge, show_check

__all__ = ["check_summary", "faithfulness_score", "judge", "show_check"]
