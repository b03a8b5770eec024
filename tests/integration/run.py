"""Runs all integration tests and ends with a line `N passed, N failed`.

Each module of tests is a process of its own, three of them at a time: tests mostly wait. What a module prints is shown
whole once it has ended. A test case with several failing parts has failed once. Arguments, if any, choose tests by a
part of their name.
"""

import concurrent.futures
import pathlib
import re
import subprocess
import sys
import time
import unittest

from vigie import is_sanitized

FOLDER = pathlib.Path(__file__).resolve().parent
AT_ONCE = 3
# Those that take longest come first, so that none is left for the end.
FIRST = ["test_13_leak", "test_07_engines", "test_08_collector", "test_11_amber", "test_10_values", "test_14_backtest", "test_01_run",
         "test_41_channels"]
# A browser uses both cores: one after another, and from the beginning.
PAGES = ["test_33_page_life", "test_32_page", "test_34_page_odd"]
# About the words of the documents, and the queries of others' dashboards: what the programs do for these, they do elsewhere, too,
# so that nothing is found by running them again under the sanitizers.
WORDS = ["test_06_style", "test_15_documents", "test_30_containers", "test_37_grafana"]


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


def run_module(module, names):
    """Runs one module in this process; its last line counts."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in names] or None
    suite = loader.discover(str(FOLDER), pattern=f"{module}.py", top_level_dir=str(FOLDER))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    # What fails before a class's first test is in `failed` and not among those that ran.
    ran_and_failed = sum(1 for name in result.failed if not name.startswith(("setUp", "tearDown")))
    print(f"{max(0, result.testsRun - ran_and_failed - len(result.skipped))} passed, {len(result.failed)} failed")


def run_apart(module, names):
    """Runs one module in a process of its own, and gives what passed, what failed and what it printed."""
    process = subprocess.run([sys.executable, "-B", __file__, "--module", module, *names], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    counts = re.search(r"^(\d+) passed, (\d+) failed\n\Z", process.stdout, re.MULTILINE)
    if not counts:
        return 0, 1, f"{process.stdout}\n{module} did not come to its end: status {process.returncode}\n"
    return int(counts[1]), int(counts[2]), process.stdout[: counts.start()]


def run_in_turn(modules, names):
    return [(module, run_apart(module, names)) for module in modules]


def main():
    if sys.argv[1:2] == ["--module"]:
        run_module(sys.argv[2], sys.argv[3:])
        return
    left_out = WORDS if is_sanitized() else []
    modules = sorted({path.stem for path in FOLDER.glob("test_*.py")} - {*PAGES, *left_out}, key=lambda name: (name not in FIRST, name))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(run_in_turn, some, sys.argv[1:]) for some in (PAGES, *([module] for module in modules))]
        for run in concurrent.futures.as_completed(runs):
            for module, (good, bad, output) in run.result():
                passed, failed = passed + good, failed + bad
                print(f"== {module}: {good} passed, {bad} failed\n{output}", flush=True)
    if left_out:
        print(f"== left out under the sanitizers: {' '.join(left_out)}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
