"""Programs that cannot start: each says why in words that help, and ends."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from server import Server
from vigie import BUILD, wait_until

LOADED = 4  # descriptors that the dynamic loader needs at once
ENOUGH = 24
SECONDS = 60


class Program:
    """A program without a server, in `folder`; as server.py has that."""

    def __init__(self, name, folder, command):
        section = name.removeprefix("vigie-")
        own = {"collector": ("spool",), "alert": ("log", "state"), "forecast": ("state",)}[section]
        options = [f"{section}.url=http://127.0.0.1:9/", *(f"{section}.{option}={folder}/{option}" for option in own)]
        self.path = folder / "printed"
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command, BUILD / name, *(word for option in options for word in ("--set", option))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def answers(self):
        def is_up():
            return " every " in self.path.read_text(errors="replace")

        wait_until(lambda: is_up() or self.process.poll() is not None, SECONDS, "up, or at its end")
        return is_up()

    def end(self):
        self.process.terminate()
        self.process.wait(SECONDS)
        return self.path.read_text(errors="replace")


class StartTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_fcgi(self, *options):
        return subprocess.run([BUILD / "vigie-fcgi", "--set", f"sqlite.path={self.folder}/vigie.db", *options], check=False, text=True,
                              timeout=SECONDS, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def test_without_descriptors_each_says_so_and_has_the_state_it_had(self):
        """From as few as it can be loaded with, until it starts."""
        for name in ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast"):
            started = None
            for count in range(LOADED, ENOUGH):
                with self.subTest(f"{name} {count}"):
                    command = ["prlimit", f"--nofile={count}:{count}"]
                    program = Server(self.folder, command=command) if name == "vigie-fcgi" else Program(name, self.folder, command)
                    up, printed = program.answers(), program.end()
                    self.assertEqual(program.process.returncode, 0 if up else 1, printed)
                    self.assertTrue(up or "Too many open files" in printed, printed)
                    self.assertNotIn("Cannot allocate memory", printed)
                    self.assertFalse(started and not up, "with fewer it started")
                started = started or up
            self.assertTrue(started, name)

    def test_without_a_socket_fcgi_says_how_it_is_started(self):
        run = self.run_fcgi()
        self.assertEqual(run.returncode, 1)
        self.assertIn(" error: descriptor 0 is no listening socket: start it with spawn-fcgi\n", run.stderr)

    def test_what_cannot_be_printed_is_a_failure(self):
        """As onto a full disk."""
        for command in ("vigie-fcgi --print-routes", "vigie-fcgi --print-config", "vigie-fcgi --check-config", "vigie-fcgi --help",
                        "vigie-collector --version", "vigie --version", "vigie --help", "vigie-forecast backtest --threshold 1"):
            with self.subTest(command), open("/dev/full", "wb") as full:
                name, *words = command.split()
                run = subprocess.run([BUILD / name, *words], check=False, text=True, timeout=SECONDS, stdout=full, stderr=subprocess.PIPE,
                                     input="timestamp,value\n600,5\n")
                self.assertEqual(run.returncode, 1)
                self.assertIn(" error: not all of it could be printed\n", run.stderr)

    def test_backup_of_an_engine_is_the_engines(self):
        run = self.run_fcgi("--set", "server.store=victoriametrics", "--backup", self.folder / "copy")
        self.assertEqual(run.returncode, 1)
        self.assertIn(" error: no backup: victoriametrics has means of its own\n", run.stderr)
        self.assertFalse((self.folder / "copy").exists())


if __name__ == "__main__":
    unittest.main()
