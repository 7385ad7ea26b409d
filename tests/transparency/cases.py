# SPDX-License-Identifier: Apache-2.0
"""Runs Python's own test modules and tells what came of each test, one line per test.

  cases.py FILE MODULE...      FILE: where the lines go; patterns of tests to leave out come on standard input

A line is NAME, outcome, seconds and a word of detail, with tabs between; "begun" comes first.  The tests that want a
network are run as well: there is none, which they must be told in the same way.
"""
import sys
import time
import unittest
from fnmatch import fnmatchcase

from test import support


def one_line(text):
    return " ".join(str(text).split())[:200]


class Lines(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.begun = {}
        self.failed = set()

    def write(self, test, outcome, detail=""):
        name = test.id()
        took = time.monotonic() - self.begun.pop(name, time.monotonic())
        self.out.write(f"{name}\t{outcome}\t{took:.3f}\t{one_line(detail)}\n")
        self.out.flush()

    def startTest(self, test):
        super().startTest(test)
        self.begun[test.id()] = time.monotonic()
        # Where a run was ended, the last such line says in which test.
        self.out.write(f"{test.id()}\tbegun\t0\t\n")
        self.out.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        if test.id() not in self.failed:
            self.write(test, "ok")

    def addError(self, test, err):
        super().addError(test, err)
        self.failed.add(test.id())
        self.write(test, "error", f"{err[0].__name__}: {err[1]}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.failed.add(test.id())
        self.write(test, "fail", err[1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.write(test, "skip", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.write(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.write(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None and test.id() not in self.failed:
            self.failed.add(test.id())
            self.write(test, "fail", f"{err[0].__name__}: {err[1]}")


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def main():
    support.use_resources = ["network"]
    support.verbose = 0
    left_out = tuple(sys.stdin.read().split())
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for module in sys.argv[2:]:
            wanted = unittest.TestSuite()
            for test in flat(unittest.defaultTestLoader.loadTestsFromName(module)):
                if not any(fnmatchcase(test.id(), pattern) for pattern in left_out):
                    wanted.addTest(test)
            wanted.run(Lines(out))


if __name__ == "__main__":
    main()
