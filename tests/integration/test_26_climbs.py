"""Climbs to the limit that no model can have learnt of: they are warned of, and more the nearer they come."""

import pathlib
import sys
import unittest

from vigie import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "traces"))

import climbs

FORECAST, SEEDS = BUILD / "vigie-forecast", 20


class ClimbsTest(unittest.TestCase):
    def test_climbs_are_warned_of(self):
        cut, seen_ahead = climbs.default_cut(FORECAST), 0
        for family in climbs.FAMILIES:
            warned, ahead, early = climbs.judge(FORECAST, family, SEEDS, cut)
            with self.subTest(family.__name__):
                self.assertGreaterEqual(warned, 0.9 * SEEDS)
                self.assertLess(early / SEEDS, 12)
                if family is not climbs.steady:
                    self.assertGreaterEqual(ahead, SEEDS / 2)
            seen_ahead += ahead
        self.assertGreaterEqual(seen_ahead, len(climbs.FAMILIES) * SEEDS / 2)

    def test_days_ahead(self):
        claims = true = 0
        for seed in range(12):
            found = climbs.claims(FORECAST, climbs.make(climbs.any_leak, seed))
            claims += len(found)
            true += sum(end is not None for _, end in found)
        self.assertGreaterEqual(claims, 10)
        self.assertGreaterEqual(true / claims, 0.6)

    def test_the_nearer_the_less_safe(self):
        for before in (), (19.2,) * 600:
            climb = [19.2 + 14.88 * i for i in range(5)]
            probabilities = climbs.backtest(FORECAST, [*before, *climb])[-5:]
            with self.subTest(flat=len(before)):
                self.assertEqual(probabilities, sorted(probabilities))
                self.assertGreater(probabilities[-1], 0.8)

    def test_what_always_turned_back_is_no_climb(self):
        saw = [30 + 40 * (i % 48) / 48 for i in range(1000)]
        steep = [30 + 45 * (i % 6) / 6 for i in range(1000)]
        for name, values in ("saw", saw), ("steep", steep):
            with self.subTest(name):
                self.assertLess(max(climbs.backtest(FORECAST, values)[100:]), 0.25)


if __name__ == "__main__":
    unittest.main()
