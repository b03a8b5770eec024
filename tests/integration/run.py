"""Runs all integration tests, from the basic to the complex, and ends with a line `N passed, N failed`.

A test case with several failing parts has failed once. Arguments, if any, choose tests by a part of their name.
"""

import pathlib
import sys
import time
import unittest


class Result(unittest.TextTestResult):
    """Counts test cases, and says how long each took."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.failed = set()
        self.begun = 0.0

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)

    def getDescription(self, test):
        return test.id()

    def stopTest(self, test):
        super().stopTest(test)
        if self.showAll:
            self.stream.writeln(f"    {time.monotonic() - self.begun:.1f} s")

    def addError(self, test, error):
        super().addError(test, error)
        self.failed.add(test.id())

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.failed.add(test.id())

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.failed.add(test.id())

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.failed.add(test.id())


def main():
    folder = pathlib.Path(__file__).resolve().parent
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in sys.argv[1:]] or None
    suite = loader.discover(str(folder), pattern="test_*.py", top_level_dir=str(folder))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    # What fails before a class's first test is in `failed` and not among those that ran.
    ran_and_failed = sum(1 for name in result.failed if not name.startswith(("setUp", "tearDown")))
    print(f"{max(0, result.testsRun - ran_and_failed - len(result.skipped))} passed, {len(result.failed)} failed")
    sys.exit(1 if result.failed else 0)


if __name__ == "__main__":
    main()
