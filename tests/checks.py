# SPDX-License-Identifier: Apache-2.0
"""How the runners under tests/ say that something is wrong, cannot be tried, or takes its time."""
import time


class Failure(Exception):
    """Of a test: what is not as it should be."""


class Skip(Exception):
    """Why a test cannot be run here."""


def expect(condition, why):
    if not condition:
        raise Failure(why)


def until(condition, seconds, why):
    """Waits for condition() to be true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < end, f"{why}: not within {seconds} s")
        time.sleep(0.005)
