# SPDX-License-Identifier: Apache-2.0
"""How the runners under tests/ say that something is wrong, cannot be tried, or takes its time."""
import os
import shutil
import time


class Failure(Exception):
    """Of a test: what is not as it should be."""


class Skip(Exception):
    """Why a test cannot be run here."""


def own_places(directory):
    """What gae-run keeps of the user's (ledger, quotas, sockets) is in @directory from now on."""
    for variable, name in (("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")):
        os.environ[variable] = os.path.join(directory, name)
        os.makedirs(os.environ[variable], 0o700, exist_ok=True)


def remove_tree(directory):
    """Removes it with all that is in it, also while a supervisor whose program has ended takes its own files away."""
    end = time.monotonic() + 10
    while True:
        try:
            return shutil.rmtree(directory)
        except OSError:  # gone before it was unlinked, or come after the directory was read
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


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
