"""An address at which no Ray cluster is gets one line at once, with or without Ray installed."""

import socket
import time

import pytest

from videdit.errors import VideditError
from videdit.farm.engines.ray import ANSWERS, check_answers


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_nobody_answers_at_an_address(form: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listened at: nobody else can be there
        address = form.format(held.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(VideditError, match="cannot reach a Ray cluster at .*(refused).*--address"):
            check_answers(address)
    assert time.monotonic() - began < ANSWERS + 5


def test_somebody_does_and_words_are_left_to_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_answers(f"127.0.0.1:{server.getsockname()[1]}")
    check_answers("auto")


def test_an_address_that_is_none() -> None:
    with pytest.raises(VideditError, match="HOST:PORT"):
        check_answers("node:port")
