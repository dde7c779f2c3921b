"""What tests in several folders share; being here, it also lets them import `small_result`."""

import pytest

from small_result import build


@pytest.fixture
def result():
    return build()


@pytest.fixture
def empty_result():
    return build({})
