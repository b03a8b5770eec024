"""Programs that cannot start, or take another configuration: each says why in words that help, and ends, or goes on."""

import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from server import Server
from vigie import BUILD, wait_until

LOADED = 4  # descriptors that the dynamic loader needs at once
ENOUGH = 24
SECONDS = 60
PROGRAMS = ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast")
COUNTS = {"vigie-collector": "info: samples sent ", "vigie-alert": "info: 0 hosts; ", "vigie-forecast": "info: 0 series, "}
CONFIG = """[collector]
url = http://127.0.0.1:9/
spool = spool
[alert]
url = http://127.0.0.1:9/
log = alert.log
state = alert.state
[forecast]
url = http://127.0.0.1:9/
state = forecast.state
"""


class Program:
    """A program without a server, by the configuration in `folder`; as server.py has vigie-fcgi."""

    def __init__(self, name, folder, command=()):
        self.path = pathlib.Path(tempfile.mkstemp(dir=folder)[1])
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command, BUILD / name, "--config", folder / "vigie.conf"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def printed(self):
        return self.path.read_text(errors="replace")

    def answers(self):
        wait_until(lambda: " every " in self.printed() or self.process.poll() is not None, SECONDS, "up, or at its end")
        return " every " in self.printed()

    def end(self):
        self.process.terminate()
        self.process.wait(SECONDS)
        return self.printed()


class StartTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.configure(CONFIG)

    def configure(self, content):
        (self.folder / "vigie.conf").write_text(content)

    def begin(self, name, command=()):
        if name == "vigie-fcgi":
            program = Server(self.folder, "--config", self.folder / "vigie.conf", command=command)
        else:
            program = Program(name, self.folder, command)
        self.addCleanup(program.process.kill)
        return program

    def tell(self, program, number, words):
        """Sends a signal, and waits until words are printed once more."""
        before = program.printed().count(words)
        program.process.send_signal(number)
        wait_until(lambda: program.printed().count(words) > before, SECONDS, lambda: f"{words}: {program.printed()}")

    def run_fcgi(self, *options):
        return subprocess.run([BUILD / "vigie-fcgi", "--set", f"sqlite.path={self.folder}/vigie.db", *options], check=False, text=True,
                              timeout=SECONDS, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def test_without_descriptors_each_says_so_and_has_the_state_it_had(self):
        """From as few as it can be loaded with, until it starts."""
        for name in PROGRAMS:
            started = None
            for count in range(LOADED, ENOUGH):
                with self.subTest(f"{name} {count}"):
                    program = self.begin(name, ["prlimit", f"--nofile={count}:{count}"])
                    up, printed = program.answers(), program.end()
                    self.assertEqual(program.process.returncode, 0 if up else 1, printed)
                    self.assertTrue(up or "Too many open files" in printed, printed)
                    self.assertNotIn("Cannot allocate memory", printed)
                    self.assertFalse(started and not up, "with fewer it started")
                started = started or up
            self.assertTrue(started, name)

    def test_configuration_that_is_broken_is_not_taken(self):
        for name in PROGRAMS:
            with self.subTest(name):
                program = self.begin(name)
                self.assertTrue(program.answers(), program.printed())
                self.configure(CONFIG + "nonsense = 1\n")
                self.tell(program, signal.SIGHUP, "the configuration stays as it was")
                if name != "vigie-fcgi":
                    self.tell(program, signal.SIGUSR1, COUNTS[name])
                self.configure(CONFIG)
                self.tell(program, signal.SIGHUP, "configuration reloaded")
                printed = program.end()
                self.assertEqual(program.process.returncode, 0, printed)

    def test_state_that_another_forecast_service_has_is_left_to_it(self):
        one = self.begin("vigie-forecast")
        self.assertTrue(one.answers(), one.printed())
        self.configure(CONFIG.replace("state = forecast.state", "state = other.state"))
        two = self.begin("vigie-forecast")
        self.assertTrue(two.answers(), two.printed())
        self.configure(CONFIG)
        self.tell(two, signal.SIGHUP, f"is in use by process {one.process.pid}; going on as before")
        for program in (one, two):
            printed = program.end()
            self.assertEqual(program.process.returncode, 0, printed)

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
