#!/usr/bin/env python3
"""Makes traces in steps of the ten-second values that vigie itself has recorded.

    steps.py FOLDER

Of each recorded/<process>_<resource>.csv FOLDER/recorded_<process>_<resource>.csv is made, `timestamp,value,mean`: the maximum and the
mean of each minute, scaled as the real traces are: the 95th percentile of the first half's maxima is 80, the limit. A
recording is hours long, not weeks, so a minute stands for a step of 300 s, and so do the timestamps. Minutes without a value
are left out. Series that hardly move, or are there for less than an hour, are not made.
"""
import csv
import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MINUTE, STEP, LIMIT, LEAST = 60, 300, 80, 60


def minutes(path):
    """{minute: its values}"""
    found = {}
    with open(path) as file:
        for row in list(csv.reader(file))[1:]:
            found.setdefault(int(row[0]) // MINUTE, []).append(float(row[1]))
    return found


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for path in sorted(glob.glob(os.path.join(HERE, "recorded", "*.csv"))):
        found = sorted(minutes(path).items())
        tops = sorted(max(values) for _, values in found[:len(found) // 2])
        if len(found) < LEAST or not tops or tops[-1] - tops[0] < 0.05 * tops[-1]:
            continue
        scale = LIMIT / tops[int(.95 * (len(tops) - 1) + .5)]
        with open(os.path.join(folder, "recorded_" + os.path.basename(path)), "w") as file:
            file.write("timestamp,value,mean\n")
            for minute, values in found:
                file.write("%d,%.4f,%.4f\n" % (minute * STEP, scale * max(values), scale * sum(values) / len(values)))


if __name__ == "__main__":
    main()
