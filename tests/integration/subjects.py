"""Processes to be measured: subject.c, which does what a test tells it to."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from vigie import ROOT


def unique(name):
    """A name that no other run of these tests on this machine has: processes of one name are one series. At most 15 bytes."""
    pid, suffix = os.getpid(), ""
    while pid:
        pid, digit = divmod(pid, 36)
        suffix = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + suffix
    return f"{name}-{suffix}"


def compile_program(source, name, *flags):
    """A program, or by `flags` a library, of this folder, until the end of the present module's tests; from its setUpModule()."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-subject-"))
    unittest.addModuleCleanup(shutil.rmtree, folder, True)
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-pthread", *flags, "-o", folder / name,
                    ROOT / "tests" / "integration" / source], check=True)
    return folder / name


def build():
    """subject.c, likewise."""
    global SUBJECT
    SUBJECT = compile_program("subject.c", "vt-parent")


def build_killer():
    """kill_at_sync.c, likewise."""
    global KILLER
    KILLER = compile_program("kill_at_sync.c", "kill_at_sync.so", "-shared", "-fPIC")


def killed_at_sync(number):
    """What stands before a command that is to be killed at its sync of that number, from 1 on."""
    return ["env", f"LD_PRELOAD={KILLER}", f"KILL_AT_SYNC={number}"]


def arguments(name, *words):
    name = name if isinstance(name, bytes) else name.encode()
    return [str(SUBJECT), name.hex(), *(str(word) for word in words)]


def subject(name, *words, processes=1):
    """Starts subject.c and gives it once it, or each of its children, does what it is to do."""
    return running(arguments(name, *words), processes)


@contextlib.contextmanager
def running(command, processes=1):
    """The same by a command that becomes subject.c."""
    # A session of its own: the kernel shares the cores out to sessions first (sched_autogroup_enabled), and one that burns
    # is not to starve for the many of another.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    try:
        for _ in range(processes):
            if process.stdout.read(1) != b"r":
                raise AssertionError(f"{command} did not start")
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def burner(test, folder, name):
    """A shell of that name that does nothing but burn, until the end of the test; its program is in the folder."""
    program = folder / name
    if not program.exists():
        shutil.copy("/bin/bash", program)
    # A session of its own, as above.
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", program, "-c", "while :; do :; done"], start_new_session=True)
    test.addCleanup(process.wait)
    test.addCleanup(process.kill)
    return process
