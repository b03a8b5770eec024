"""Series that climb to the limit for the first time, and whether that was seen coming: what tests and benchmarks judge by.

Steps of 300 s and a limit of 80; each series ends with its first step over it, if it has one.
"""
import math
import random
import subprocess

LIMIT, DAY, HORIZON = 80, 288, 6


def leak(r):
    """Two flat days, then five days of a leak."""
    noise, start = r.uniform(.05, .5), r.uniform(10, 30)
    values = [start + r.gauss(0, noise) for _ in range(2 * DAY)]
    return values + [start + (LIMIT + 3 - start) * i / (5 * DAY) + r.gauss(0, noise) for i in range(5 * DAY + 40)]


def sawtooth(r):
    """A heap that was always collected well before the limit, and is not any more."""
    low, top, noise, period = r.uniform(15, 40), r.uniform(60, 75), r.uniform(.1, 1), r.randint(36, 200)
    lengths = [int(period * r.uniform(.95, 1.05)) for _ in range(max(4, 3 * DAY // period))] + [4 * period]
    return [low + (top - low) * i / period + r.gauss(0, noise) for length in lengths for i in range(length)]


def wave(r):
    """A day's wave that is higher each day."""
    middle, height, growth, noise, phase = r.uniform(30, 40), r.uniform(20, 25), r.uniform(1.5, 4), r.uniform(.1, 1), r.random()
    return [middle + (height + growth * i / DAY) * math.sin(2 * math.pi * (i / DAY + phase)) + r.gauss(0, noise)
            for i in range(20 * DAY)]


def steady(r):
    """All of a short life: at the limit within half an hour, so that none is seen a horizon ahead."""
    start, slope = 19.2 * r.uniform(.97, 1.03), 14.88 * r.uniform(.97, 1.03)
    return [start + slope * i + r.gauss(0, .2) for i in range(6)]


def any_leak(r):
    """One to five days of a leak, straight or not, after some hours without; one of three stays under the limit."""
    noise, start, steps, bend = r.uniform(.1, 2), r.uniform(10, 40), r.randint(DAY, 5 * DAY), r.choice([1, 1, .7, 1.4])
    end = r.choice([LIMIT + 5, LIMIT + 5, r.uniform(50, LIMIT - 5)])
    curve = [0] * r.randint(12, DAY) + [(i / steps) ** bend for i in range(steps)] + [1] * 3 * DAY
    return [start + (end - start) * part + r.gauss(0, noise) for part in curve]


FAMILIES = leak, sawtooth, wave, steady


def make(family, seed):
    values = family(random.Random(f"{family.__name__} {seed}"))
    return values[:1 + next((i for i, value in enumerate(values) if value > LIMIT), len(values))]


def default_cut(program):
    """The probability over which vigie-alert raises an AMBER."""
    printed = subprocess.run([program, "--print-config"], check=True, capture_output=True, text=True).stdout
    return float(next(line for line in printed.splitlines() if line.startswith("amber_probability = ")).split(" = ")[1])


def run(program, values, *options):
    """What backtest prints, a list of words a row."""
    trace = "timestamp,value\n" + "".join(f"{1700000100 + 300 * i},{value:.6g}\n" for i, value in enumerate(values))
    command = [program, "backtest", "--threshold", str(LIMIT), "--horizon", str(HORIZON), *options]
    output = subprocess.run(command, input=trace, check=True, capture_output=True, text=True, timeout=60).stdout
    return [line.split(",") for line in output.splitlines()[1:]]


def backtest(program, values):
    """The probability at each step."""
    return [float(row[1]) for row in run(program, values)]


def claims(program, values):
    """What was said of days ahead: (the step that it was said at first, the step that the limit was passed at, or None: not
    within three days of the last time that it was said)."""
    said = [i for i, row in enumerate(run(program, values, "--long-horizon", str(3 * DAY))) if row[3]]
    begins = [i for at, i in enumerate(said) if at == 0 or i - said[at - 1] > 12]
    found = []
    for begin, after in zip(begins, [*begins[1:], len(values)]):
        last = max(i for i in said if begin <= i < after)
        found.append((begin, next((i for i in range(begin + 1, min(last + 3 * DAY, len(values))) if values[i] > LIMIT), None)))
    return found


def judge(program, family, seeds, cut):
    """How many were warned of within the horizon before the end, and how many a whole horizon before; and the steps that
    were AMBER earlier, of all together."""
    warned = ahead = early = 0
    for seed in range(seeds):
        *before, _ = backtest(program, make(family, seed))
        amber = [probability > cut for probability in before]
        warned += any(amber[-HORIZON:])
        ahead += len(amber) >= HORIZON and amber[-HORIZON]
        early += sum(amber[:-HORIZON])
    return warned, ahead, early
