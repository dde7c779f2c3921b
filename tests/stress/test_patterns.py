"""No pattern of the package becomes slow, whatever the text: not more than twice as slow as its length says."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import attacks
import pytest

LEAST = 800  # patterns that the package compiles, so that the test sees when they are no longer collected
PATIENCE = 600  # seconds


def test_every_pattern_is_quick_on_texts_made_to_slow_it_down():
    script = Path(__file__).with_name("attacks.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=PATIENCE, check=True)
    *slow, summary = map(json.loads, done.stdout.splitlines())
    assert slow == []
    assert summary["patterns"] > LEAST


@pytest.mark.parametrize(
    "bomb", [r"(a+)+$", r"(?:a|aa)+$", r"(\w+\s?)*:", r"\s+\s+\s+x", r"x*y*x*y*z", r"[ \t]*\n", r"(.*),(.*),(.*)!"]
)
def test_bombs_are_found(bomb):
    before = signal.signal(signal.SIGVTALRM, attacks._stop)
    try:
        assert attacks.slow_text(re.compile(bomb)) is not None
    finally:
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("pattern", [r"\w+", r"(?<!\s)\s++x", r"a{1,3}b", r"(?:cat|dog)s?\b", r"\d+(?:[.,]\d+)*+"])
def test_others_are_not(pattern):
    assert attacks.slow_text(re.compile(pattern)) is None
