"""Hours that are past are sealed while the server runs, and nothing is lost or doubled by that."""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import signal
import sqlite3
import tempfile
import time
import unittest

from server import Server
from subjects import build_killer, killed_at_sync
from vigie import Vigie, is_sanitized, sample, wait_until

HOSTS = ("10.25.0.1", "10.25.0.2", "10.25.0.3")
FRESH = "[server]\ncache = 0\n"
MOST_SYNCS = 24  # that taking over and sealing these makes, and more
UNSEALED = "SELECT count(*) FROM sample WHERE key < 1 << 56"


def setUpModule():
    build_killer()


def ask(path, sql):
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
        return database.execute(sql).fetchall()


def put_hours(vigie):
    """Two hours that are past of a few hosts, a sample a minute; returns when they began."""
    begin = (int(time.time()) // 3600 - 3) * 3600
    for number, ip in enumerate(HOSTS):
        data = [sample(name, resource, (minute * (number + 1)) % 17 / 8, begin + minute * 60 + number)
                for minute in range(120) for name in ("a", "b", "c") for resource in ("mem", "cpu")]
        answer = vigie.save(ip, *data)
        assert answer.status == 200, answer
    return begin


class SealedTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-sealed-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def restart(self, vigie, number):
        pid = vigie.pid_of("vigie-fcgi")
        os.kill(pid, number)
        wait_until(lambda: vigie.pid_of("vigie-fcgi") not in (None, pid), 20, "started again")
        wait_until(lambda: vigie.get("health").status == 200, 20, "well again")

    def answers(self, vigie):
        paths = ("get-all?window=6h&by=host", "get-all?window=6h", "get-all-detailed?window=6h", "get-all-detailed?window=6h&step=5m",
                 "get-all-detailed?window=6h&step=7m&aggregate=max&by=host", f"get-all/{HOSTS[1]}?window=6h")
        found = {path: vigie.get(path).json() for path in paths}
        found["hosts"] = {ip: (host["last_seen"], host["processes"]) for ip, host in vigie.get("hosts").json().items()}
        return found

    def test_answers_are_the_same_once_hours_are_sealed(self):
        with Vigie("--server", config=FRESH) as vigie:
            path = vigie.state / "vigie.db"
            begin = put_hours(vigie)
            before = self.answers(vigie)
            # What was written lately is not known to a new start, which need not wait for more of it.
            self.restart(vigie, signal.SIGTERM)
            wait_until(lambda: ask(path, UNSEALED) == [(0,)], 30, "all is sealed")
            self.assertEqual(ask(path, "SELECT count(*), sum(late) FROM hour"), [(2 * len(HOSTS), 0)])
            self.assertEqual(self.answers(vigie), before)
            self.assertIn("\nvigie_sealed_hours_total 6\n", vigie.get("metrics").body.decode())
            # Late samples count over it at once, and are merged into it.
            self.assertEqual(vigie.save(HOSTS[0], sample("a", "mem", 99, begin + 60), sample("d", "cpu", 5, begin + 61)).status, 200)
            self.assertEqual(ask(path, UNSEALED), [(1,)])
            late = self.answers(vigie)
            self.assertNotEqual(late, before)
            self.assertIn("99", str(late["get-all-detailed?window=6h"]))
            self.restart(vigie, signal.SIGKILL)
            wait_until(lambda: ask(path, UNSEALED) == [(0,)], 30, "all is merged")
            self.assertEqual(self.answers(vigie), late)
            self.assertIn("\nvigie_merged_hours_total 1\n", vigie.get("metrics").body.decode())

    def run_server(self, folder, *command):
        """Runs a server until all is sealed, or it is killed; whether it was."""
        server = Server(folder, command=command)
        if server.answers():
            wait_until(lambda: server.process.poll() is not None or ask(folder / "vigie.db", UNSEALED) == [(0,)], 40, "sealed")
        killed = server.process.poll() == -signal.SIGKILL
        server.end()
        return killed

    def seal(self, number):
        """Takes a copy of version 1 over, seals it with a kill at a sync, then without; whether it was killed, and the hours."""
        folder = self.folder / f"killed{number}"
        folder.mkdir()
        shutil.copy(self.folder / "vigie.db", folder)
        killed = self.run_server(folder, *killed_at_sync(number))
        if killed:
            both = "SELECT count(*) FROM sample JOIN hour ON hour.key = ((sample.key >> 24) / 360 << 24) | (sample.key & 0xffffff)"
            if ask(folder / "vigie.db", "SELECT count(*) FROM sqlite_schema WHERE name = 'hour'") == [(1,)]:
                self.assertEqual(ask(folder / "vigie.db", both), [(0,)])
        self.run_server(folder)
        return killed, ask(folder / "vigie.db", "SELECT * FROM hour ORDER BY key")

    @unittest.skipIf(is_sanitized(), "the sanitizer's library is to be loaded before all others")
    def test_taken_over_and_killed_at_any_sync_seals_the_same(self):
        with Vigie("--server", state=self.folder / "state") as vigie:
            put_hours(vigie)
        shutil.copy(self.folder / "state" / "vigie.db", self.folder)
        with contextlib.closing(sqlite3.connect(self.folder / "vigie.db")) as database, database:
            database.executescript("DROP TABLE hour; PRAGMA user_version = 1")
        with concurrent.futures.ThreadPoolExecutor(MOST_SYNCS) as pool:
            ends = list(pool.map(self.seal, range(1, MOST_SYNCS + 1)))
        killed = [was_killed for was_killed, _ in ends]
        self.assertTrue(killed[0])
        self.assertFalse(killed[-1], "there are more syncs than were tried")
        for _, hours in ends:
            self.assertEqual(len(hours), 2 * len(HOSTS))
            self.assertEqual(hours, ends[-1][1])


if __name__ == "__main__":
    unittest.main()
