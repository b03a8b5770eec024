#!/usr/bin/env python3
"""Makes the generated part of what the built-in prior is learnt from.

    generate.py [--seed 1] [--busy 6] [--calm 2] FOLDER

Writes FOLDER/generated_<family><k>.csv, `timestamp,value`, steps of 300 s for two weeks, a limit of 80. The parameters of
each are drawn anew. The busy families pass the limit now and then; the calm ones never do, as most processes never do:
a prior that has not seen them takes every wave for the flood.
"""
import argparse
import math
import os
import random

STEPS = 4032
DAY = 288
LIMIT = 80


def leak(r):
    """Climbs at its own speed, to the limit or not, and begins again."""
    noise, high, values = r.uniform(.2, 3), r.uniform(82, 100), []
    while len(values) < STEPS:
        start, end = r.uniform(15, 50), r.choice([high, high, r.uniform(55, 79)])
        steps = int((end - start) / math.exp(r.uniform(math.log(.03), math.log(1))))
        curve, hold = r.choice([1, 1, .7, 1.4]), r.choice([0, 0, r.randint(0, 40)])
        values += [start + (end - start) * (i / max(1, steps)) ** curve + r.gauss(0, noise) for i in range(steps + 1)]
        values += [end + r.gauss(0, noise) for _ in range(hold)]
    return values


def collected_leak(r):
    """A sawtooth whose floor rises: a heap that is collected, and leaks."""
    first, noise, period, height, rise = r.uniform(10, 40), r.uniform(.3, 2), r.randint(6, 40), r.uniform(8, 30), r.uniform(.01, .12)
    floor, values = first, []
    for i in range(STEPS):
        floor += rise
        values.append(floor + height * (i % period) / period + r.gauss(0, noise))
        if floor + height > r.uniform(84, 110):
            floor = first
    return values


def steps(r, low=(5, 40), high=(75, 100)):
    """Plateaus."""
    noise, low, high, values = r.uniform(.5, 5), r.uniform(*low), r.uniform(*high), []
    while len(values) < STEPS:
        level, length, ramp = r.uniform(low, high), int(r.expovariate(1 / r.uniform(20, 120))) + 3, r.choice([1, 1, 2, 5])
        before = values[-1] if values else level
        values += [before + (level - before) * min(1, (i + 1) / ramp) + r.gauss(0, noise) for i in range(length)]
    return values


def days(r, peak=(70, 95)):
    """A day's curve, with weekends."""
    height, phase, noise, rho = r.uniform(15, 40), r.random(), r.uniform(.5, 5), r.uniform(0, .95)
    sharp, weekend, base, scale, error, values = r.choice([1, 1, 2, 3]), r.uniform(.5, 1), r.uniform(*peak) - height, 1, 0, []
    for i in range(STEPS):
        wave = math.sin(2 * math.pi * (i / DAY + phase))
        wave = math.copysign(abs(wave) ** (1 / sharp), wave)
        if i % DAY == 0:
            scale = r.uniform(.9, 1.1)
        part = weekend if i // DAY % 7 >= 5 else 1
        error = rho * error + r.gauss(0, noise) * math.sqrt(1 - rho * rho)
        values.append(base * part + height * part * wave * scale + error)
    return values


def jobs(r, top=(75, 100), busy=True):
    """Runs that come back with jitter, some left out, and bursts that nothing announces."""
    period = r.choice([6, 12, 24, 36, 48, 72, 96, 144, DAY]) * r.uniform(.95, 1.05)
    jitter, length, base, noise = r.uniform(0, .15) * period, r.uniform(1, max(2, period * .3)), r.uniform(2, 40), r.uniform(.3, 4)
    top, spread, missing, rare = r.uniform(*top), r.uniform(0, 15) if busy else 1, r.uniform(0, .3), r.uniform(0, .01) if busy else 0
    values, at = [base + r.gauss(0, noise) for _ in range(STEPS)], r.uniform(0, period)
    while at < STEPS:
        if r.random() > missing:
            start, height = int(at + r.gauss(0, jitter)), r.gauss(top, spread)
            for i in range(start, start + max(1, int(length * r.uniform(.7, 1.3)))):
                if 0 <= i < STEPS:
                    values[i] = max(values[i], min(100, height) + r.gauss(0, noise))
        at += period
    for i in range(STEPS):
        if r.random() < rare:
            for j in range(i, min(STEPS, i + r.randint(1, 5))):
                values[j] = max(values[j], r.uniform(50, 100))
    return values


def near(r):
    """Noise round a level near the limit that wanders."""
    level, noise, rho, wander, tail = r.uniform(60, 79), r.uniform(1, 8), r.uniform(0, .9), r.uniform(0, .4), r.uniform(0, .05)
    error, drift, values = 0, 0, []
    for _ in range(STEPS):
        drift = .999 * drift + r.gauss(0, wander)
        error = rho * error + r.gauss(0, noise) * math.sqrt(1 - rho * rho)
        values.append(level + drift + error + (abs(r.gauss(0, 25)) if r.random() < tail else 0))
    return values


def sessions(r):
    """Long idle times, and sessions of bursts."""
    noise, base, values = r.uniform(.1, 2), r.uniform(.5, 20), []
    while len(values) < STEPS:
        values += [base + abs(r.gauss(0, noise)) for _ in range(int(r.expovariate(1 / r.uniform(50, 300))))]
        on, off, height = r.uniform(2, 12), r.uniform(5, 40), r.uniform(70, 100)
        for _ in range(r.randint(1, 10)):
            values += [min(100, r.gauss(height, 6)) for _ in range(int(r.expovariate(1 / on)) + 1)]
            values += [base + abs(r.gauss(0, 2 * noise)) for _ in range(int(r.expovariate(1 / off)) + 1)]
    return values


def walk(r):
    """A random walk that is drawn back to its level."""
    level, pull, size, noise = r.uniform(30, 65), r.uniform(.002, .05), r.uniform(.5, 4), r.uniform(0, 3)
    at, values = level, []
    for _ in range(STEPS):
        at = min(110, max(0, at + pull * (level - at) + r.gauss(0, size)))
        values.append(at + r.gauss(0, noise))
    return values


def levels(r):
    """A few levels, taken at random."""
    size, share = r.uniform(10, 40), r.uniform(.02, .2)
    base = int(76 / size) * size
    return [base + (size if r.random() < share else 0) - (size if r.random() < .3 else 0) for _ in range(STEPS)]


def jobs_over_days(r):
    share = r.uniform(.3, .8)
    return [max(share * a, b) for a, b in zip(days(r), jobs(r))]


def calm_level(r):
    level, noise, rho, error, values = r.uniform(3, 74), r.choice([.01, .1, .5, 1]), r.uniform(0, .9), 0, []
    for _ in range(STEPS):
        error = rho * error + r.gauss(0, noise) * math.sqrt(1 - rho * rho)
        values.append(level + error)
    return values


def calm_saw(r):
    """A heap that is collected in time, or a process that is restarted."""
    low, top, noise, values = r.uniform(5, 40), r.uniform(45, 76), r.uniform(.05, .8), []
    period, jitter = r.choice([8, 12, 24, 48, 100, 200]), r.uniform(0, .1)
    while len(values) < STEPS:
        length = max(2, int(period * (1 + r.gauss(0, jitter))))
        values += [low + (top - low) * i / (length - 1) + r.gauss(0, noise) for i in range(length)]
    return values


def calm_climb(r):
    """A cache that fills and stays."""
    low, top, half, noise = r.uniform(2, 30), r.uniform(35, 72), r.uniform(20, 600), r.uniform(.05, 1)
    return [top - (top - low) * .5 ** (i / half) + r.gauss(0, noise) for i in range(STEPS)]


def calm_days(r):
    return days(r, peak=(20, 55))


def calm_steps(r):
    return steps(r, low=(2, 20), high=(30, 60))


def calm_jobs(r):
    return jobs(r, top=(20, 70), busy=False)


BUSY = [leak, collected_leak, steps, days, jobs, near, sessions, walk, levels, jobs_over_days]
CALM = [calm_level, calm_saw, calm_climb, calm_days, calm_steps, calm_jobs]


def fits(values, busy):
    crossings = sum(1 for i in range(STEPS // 2, STEPS) if values[i] > LIMIT and max(values[i - 3:i]) <= LIMIT)
    over = sum(value > LIMIT for value in values)
    return 3 <= crossings and over < STEPS / 2 if busy else over == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--busy", type=int, default=6, help="traces of each busy family")
    parser.add_argument("--calm", type=int, default=2, help="traces of each calm one")
    parser.add_argument("folder")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    for family in BUSY + CALM:
        made = tried = 0
        while made < (options.busy if family in BUSY else options.calm):
            r = random.Random("%d %s %d" % (options.seed, family.__name__, tried))
            tried += 1
            values = [max(.2, value) for value in family(r)[:STEPS]]
            if not fits(values, family in BUSY):
                continue
            start = 1700000000 // 300 * 300 + 300 * r.randrange(DAY)
            with open("%s/generated_%s%d.csv" % (options.folder, family.__name__, made), "w") as file:
                file.write("timestamp,value\n")
                file.writelines("%d,%.4g\n" % (start + 300 * i, value) for i, value in enumerate(values))
            made += 1


if __name__ == "__main__":
    main()
