"""Runs in the interpreter under test: `inside.py REPORT NAME...` runs tests of the standard library's and reports each.

A line of JSON a test, written at once: of a process that was killed, the report tells in which test. The last line
tells loopscope's own counts, null where it is off. Standard library only.
"""

import asyncio
import gc
import json
import signal
import sys
import unittest

from test import support


class Report(unittest.TestResult):
    """Writes the outcome of each test to a file."""

    def __init__(self, path):
        super().__init__()
        self._file = open(path, "a", encoding="utf-8")
        self._outcome, self._text = "passed", ""

    def write(self, **facts):
        """Append a line."""
        self._file.write(json.dumps(facts) + "\n")
        self._file.flush()

    def startTest(self, test):
        super().startTest(test)
        self._outcome, self._text = "passed", ""
        self.write(begun=test.id())

    def stopTest(self, test):
        self.write(test=test.id(), outcome=self._outcome, text=self._text)
        super().stopTest(test)

    def _bad(self, test, error):
        text = self._exc_info_to_string(error, test)
        if isinstance(test, unittest.TestCase):
            self._outcome, self._text = "failed", self._text + text
        else:  # a setUpClass or setUpModule
            self.write(test=test.id(), outcome="failed", text=text)

    def addError(self, test, err):
        self._bad(test, err)

    def addFailure(self, test, err):
        self._bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._bad(test, err)

    def addSkip(self, test, reason):
        if isinstance(test, unittest.TestCase):
            self._outcome, self._text = "skipped", reason
        else:
            self.write(test=test.id(), outcome="skipped", text=reason)

    def addUnexpectedSuccess(self, test):
        self._outcome = "failed"


def counts():
    """What loopscope recorded in this process so far, None where it is off."""
    process = sys.modules.get("loopscope.runtime.process")
    if process is None or process.current() is None:
        return None
    flushed = process.flush(60)
    return {**process.statistics(), "flushed": flushed}


def warm_up():
    """Run a task: loopscope is on now, and its file is open. Some tests count descriptors. The counts after it."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return counts()


def main(path, names):
    # A shell starts background jobs with SIGINT ignored: tests that interrupt themselves would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    support.use_resources = ["cpu", "walltime", "subprocess"]
    report = Report(path)
    before = warm_up()
    # The suite collects garbage after nearly every test: spare it what is there already.
    gc.collect()
    gc.freeze()
    try:
        suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    except unittest.SkipTest as skipped:  # a module for another system
        report.write(test=names[0], outcome="skipped", text=str(skipped))
    else:
        suite.run(report)
    after = counts()
    if after is not None:
        after["spans.of_tests"] = after["spans.exported"] - before["spans.exported"]
    report.write(counts=after)


if __name__ == "__main__":  # a child of multiprocessing imports this file too
    main(sys.argv[1], sys.argv[2:])
