"""What tests in several folders share; being here, it also lets them import `small_result`."""

import os

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # the workers share the cores; more threads than cores wait for each other

import pytest

from small_result import build


@pytest.fixture
def result():
    return build()


@pytest.fixture
def empty_result():
    return build({})
