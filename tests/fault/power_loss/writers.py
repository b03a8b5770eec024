"""Writers that are right, and that are wrong in one thing each: what is to be found, and what is not, is known of them."""

import pathlib
import subprocess
import sys

import recording

# Replaces a file again and again, and says so after each time; argv: this folder, what it syncs, and what it leaves out.
WRITER = """
import os, sys
sys.path.insert(0, sys.argv[1])
import disk
folder, left_out = sys.argv[2:]
def sync(what, path):
    if what != left_out:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
for number in range(50):
    with open(folder + "/number.new", "wb", buffering=0) as file:
        file.write(b"%9d\\n" % number * 300)
    sync("file", folder + "/number.new")
    os.rename(folder + "/number.new", folder + "/number")
    sync("folder", folder)
    with open(os.environ["POWER_LOG"], "ab", buffering=0) as log:
        disk.write_mark(log, str(number))
"""


class Writer(recording.Subject):
    POINTS, AT_ONCE = 60, 1
    left_out = ""
    sound = True  # nothing is wrong at any point

    def record(self):
        self.recording = recording.Recording(self.folder, self.recorder)
        subprocess.run([*self.recording.command, sys.executable, "-c", WRITER, pathlib.Path(__file__).parent, self.folder,
                        self.left_out], check=True)
        self.recording.end()
        self.marks = self.recording.marks()

    def judge(self, place, folder):
        told = max((int(words) for at, words in self.marks if at <= place), default=-1)
        path = folder / "number"
        lines = path.read_bytes().splitlines() if path.exists() else []
        if len(lines) != (300 if told >= 0 or path.exists() else 0) or len(set(lines)) > 1:
            return [f"{len(lines)} lines of {len(set(lines))} kinds, after {told} were written"]
        return [f"{lines[0]} after {told}"] if lines and int(lines[0]) < told else []

    def describe(self):
        return f"{len(self.marks)} files replaced"


class Right(Writer):
    name = "right"


class Hasty(Writer):
    """Renames what is not synced."""
    name, left_out, sound = "hasty", "file", False


class Forgetful(Writer):
    """Does not sync the folder."""
    name, left_out, sound = "forgetful", "folder", False
