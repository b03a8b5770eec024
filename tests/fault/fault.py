"""What the programs of this folder share: their rounds, their dice, and their last words.

Each ends with `N passed, N failed`, after a line of what it has done. ROUNDS (1) says how often; SEED, which is
printed, what by chance."""

import collections
import os
import pathlib
import random
import sys
import threading
import time
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "integration"))

from run import Result  # noqa: E402
from vigie import is_sanitized  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "1"))
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
SECONDS = 60  # for what comes within some, on a machine that does much else

counts = collections.Counter()  # what has been done, for the last words
counting = threading.Lock()


def count(what, number=1):
    with counting:
        counts[what] += number


def dice(*names):
    """Numbers of chance that are the same for a seed, whatever else has thrown."""
    return random.Random(f"{SEED} {names}")


class FaultTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if is_sanitized():
            raise unittest.SkipTest("a sanitizer has allocations of its own, and takes its time")


def main():
    """Runs the tests of the program, and says what was done."""
    name = pathlib.Path(sys.argv[0]).name
    print(f"{name}: SEED={SEED} ROUNDS={ROUNDS}", flush=True)
    begun = time.monotonic()
    module = sys.modules["__main__"]
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else \
        unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    print(f"{name}: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items())) +
          f" ({time.monotonic() - begun:.0f} s)")
    ran_and_failed = sum(1 for test in result.failed if not test.startswith(("setUp", "tearDown")))
    print(f"{max(0, result.testsRun - ran_and_failed - len(result.skipped))} passed, {len(result.failed)} failed")
    sys.exit(1 if result.failed else 0)
