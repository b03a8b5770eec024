#!/usr/bin/env python3
"""Puts all traces into one folder: those that are here and in more/, and those that steps.py and generate.py make.

    gather.py FOLDER
"""
import glob
import gzip
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for trace in glob.glob(os.path.join(HERE, "*.csv")):
        os.symlink(trace, os.path.join(folder, os.path.basename(trace)))
    for trace in glob.glob(os.path.join(HERE, "more", "*.csv.gz")):
        with gzip.open(trace) as packed, open(os.path.join(folder, os.path.basename(trace)[:-3]), "wb") as file:
            shutil.copyfileobj(packed, file)
    for maker in "steps.py", "generate.py":
        subprocess.run([sys.executable, os.path.join(HERE, maker), folder], check=True)


if __name__ == "__main__":
    main()
