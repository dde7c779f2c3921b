"""Notes of any size that are hard to read, made up for `test_huge_notes.py` and `benchmarks/stress.py`."""

from __future__ import annotations

NOTE = """HPI: 54 y/o M seen by Dr. A. on 3/4/2020 denies chest pain, fever or cough.
h/o MI in 2019; mother had breast cancer.
PMH:
1. HTN
2. Type 2 DM (A1c 8.2%), Cr 1.4 -> 2.1
3. COPD, former smoker
MEDICATIONS:
- lisinopril 10 mg PO BID
- Foobarol 5 mg daily for 7 days
ALLERGIES: penicillin (rash), sulfa.
ROS: Fever: no  Cough: yes  [x] HTN  [ ] DM
PE: BP 169/74, HR 88, Temp 37.2 C. Lungs clear (no wheezes). SOB (+) edema (-).
LABS: WBC 12.3 H, Hgb 9.8/Hct 29.1, Na 134 (L)
ASSESSMENT AND PLAN: Congestive heart failure (CHF) is stable. Pneumonia is unlikely. Start metformin 500 mg BID.
Return if fever develops; r/o PE with CT. Follow up in 2 weeks.

"""
PIECES = {  # what a text is made of, over and over
    "a note many times": NOTE,
    "a note in one line": NOTE.replace("\n", " "),
    "a note without spaces": "".join(NOTE.split()),
    "lines": "- no fever\n",
    "empty lines": "\n",
    "carriage returns": "\r\n \r",
    "spaces": " ",
    "one word": "a",
    "capitals": "A",
    "digits": "1",
    "numbers": "1,1.1/",
    "doses": "10 mg ",
    "drugs": "aspirin 81 mg daily, ",
    "findings in one sentence": "no fever, chest pain and diabetes ",
    "keys": "fever: no fever: ",
    "leads": "no\n- ",
    "boxes": "[x] fever [ ] ",
    "a form": "YES NO\nfever  x\n",
    "plus and minus": "+fever -",
    "brackets": "([{",
    "closing brackets": ")]}",
    "brackets with words": "(chest pain (CP) [",
    "punctuation": ".,;:!?-–—_'\"/\\|*#~",
    "full stops": ".",
    "underscores": "_",
    "null bytes": "\0",
    "null bytes in words": "fev\0er no\0 ",
    "right to left": "\u202eאין חום\u202c ولا \u200fسعال\u200e, no fever ",
    "emoji": "👩‍👩‍👧 fever 😀",
    "combining marks": "e\u0302\u0323\u0301",
    "long s and dotted I": "İſß ﬀ ",
    "line separators": "no fever\u2028\x85\x1c",
}  # fmt: skip


def make(name: str, size: int) -> str:
    """Make a text of about so many characters."""
    piece = PIECES[name]
    return piece * max(1, size // len(piece))
