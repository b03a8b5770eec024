"""The file of the embedded store: its first moments, full disks, damage, copies."""

import contextlib
import glob
import itertools
import math
import os
import pathlib
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from server import Server
from subjects import build_killer, killed_at_sync
from vigie import BUILD, Vigie, is_sanitized, sample, set_faked_clock, wait_until


def setUpModule():
    build_killer()


class DatabaseTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-database-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = self.folder / "vigie.db"


    def assert_starts(self, folder=None):
        """Starts a server, and ends it; what it has printed."""
        server = Server(folder or self.folder)
        up = server.answers()
        printed = server.end()
        self.assertTrue(up, printed)
        return printed

    def mount(self, size):
        """A small file system of its own."""
        folder = self.folder / "small"
        folder.mkdir(exist_ok=True)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "vigie-test", folder], capture_output=True).returncode:
            self.skipTest("this machine allows no tmpfs to be mounted")
        self.addCleanup(subprocess.run, ["umount", "--lazy", folder], check=True)
        return folder

    def remount(self, folder, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


class FirstStartTest(DatabaseTest):
    @unittest.skipIf(is_sanitized(), "the sanitizer's library is to be loaded before all others")
    def test_killed_at_any_sync_starts_again(self):
        for number in range(1, 40):
            with self.subTest(number):
                for path in self.folder.glob("vigie.db*"):
                    path.unlink()
                server = Server(self.folder, command=killed_at_sync(number))
                survived = server.answers()
                server.end(signal.SIGKILL)
                self.assert_starts()
            if survived:
                return
        self.fail("it was killed each time: nothing is proved of a whole start")

    def test_without_space_starts_once_there_is_some(self):
        for size in range(36, 129, 4):
            with self.subTest(size):
                folder = self.mount(f"{size}k")
                server = Server(folder)
                server.answers()
                server.end()
                self.remount(folder, "16m")
                self.assert_starts(folder)

    def test_half_made_by_an_older_version_is_made_whole(self):
        for tables in ("", "CREATE TABLE host (id INTEGER PRIMARY KEY, ip TEXT NOT NULL, seen_ms INTEGER NOT NULL);"):
            with self.subTest(tables):
                self.path.unlink(missing_ok=True)
                with contextlib.closing(sqlite3.connect(self.path)) as database:
                    database.executescript("PRAGMA journal_mode = WAL; PRAGMA user_version = 1;" + tables)
                self.assert_starts()
                with contextlib.closing(sqlite3.connect(self.path)) as database:
                    self.assertEqual(database.execute("SELECT count(*) FROM sample").fetchone(), (0,))


def program_folder(folder, script):
    """A folder of programs in which vigie-fcgi is this script, with $PROGRAM for itself."""
    build = pathlib.Path(folder) / "build"
    build.mkdir()
    for name in ("vigie-collector", "vigie-alert", "vigie-forecast"):
        os.symlink(BUILD / name, build / name)
    (build / "vigie-fcgi").write_text(f"#!/bin/bash\nPROGRAM={BUILD}/vigie-fcgi\n{script}\n")
    (build / "vigie-fcgi").chmod(0o755)
    return build


class ClockTest(DatabaseTest):
    LIBRARY = next(iter(sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))), None)
    MONTH = 30 * 86400

    @unittest.skipIf(is_sanitized(), "the sanitizer wants to be loaded first")
    @unittest.skipUnless(LIBRARY, "libfaketime is not installed")
    def test_a_month_ahead_for_four_writes_deletes_nothing(self):
        offset = self.folder / "offset"
        set_faked_clock(offset, 0)
        build = program_folder(self.folder, f"""export FAKETIME_TIMESTAMP_FILE={offset} FAKETIME_NO_CACHE=1
export FAKETIME_DONT_FAKE_MONOTONIC=1
LD_PRELOAD={self.LIBRARY} exec "$PROGRAM" "$@" """)
        with Vigie("--server", build=build, config="[server]\ncache = 0\n") as vigie:
            begun = time.time()
            for second in range(3):
                for ip in ("10.0.0.1", "10.0.0.2"):
                    self.assertEqual(vigie.save(ip, sample("a", "mem", 1, begun - 20 + second)).status, 200)
            set_faked_clock(offset, 30)
            for second in range(4):
                self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", 9, begun + self.MONTH + second)).status, 200)
            set_faked_clock(offset, 0)
            now = time.time()
            self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", 2, now)).status, 200)
            for _ in range(2):
                stored = vigie.get("get-all-detailed?window=1h&by=host").json()
                self.assertEqual(stored, {"10.0.0.1": {"a": [1, 1, 1, 2]}, "10.0.0.2": {"a": [1, 1, 1]}})
                hosts = vigie.get("hosts").json()
                self.assertAlmostEqual(hosts["10.0.0.1"]["last_seen"], now, delta=0.01)
                self.assertAlmostEqual(hosts["10.0.0.2"]["last_seen"], begun - 18, delta=0.01)
                pid = vigie.pid_of("vigie-fcgi")
                os.kill(pid, signal.SIGTERM)
                wait_until(lambda: vigie.pid_of("vigie-fcgi") not in (None, pid), 20, "started again")
                wait_until(lambda: vigie.get("health").status == 200, 20, "well again")


class CopyTest(DatabaseTest):
    def back_up(self, source, target, status=0):
        run = subprocess.run([BUILD / "vigie-fcgi", "--set", f"sqlite.path={source}", "--backup", target], capture_output=True,
                             text=True, timeout=60)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stderr

    def stored(self, path):
        """What a server over this database says that it has, and what it says of the database."""
        state = path.parent / f"{path.name}.state"
        state.mkdir()
        shutil.copy(path, state / "vigie.db")
        with Vigie("--server", state=state) as vigie:
            answer = vigie.get("get-all-detailed?window=1h&by=host").json()
            return answer, vigie.logs()["vigie-fcgi.log"]

    def test_backup_under_load_has_all_that_was_acknowledged(self):
        acknowledged, stop = [], threading.Event()

        def write(vigie, writer):
            for number in itertools.count():
                if stop.is_set():
                    return
                if vigie.save(f"10.0.0.{writer}", sample(f"p{number}", "mem", number)).status == 200:
                    acknowledged.append((f"10.0.0.{writer}", f"p{number}", number))

        with Vigie("--server") as vigie:
            writers = [threading.Thread(target=write, args=(vigie, writer)) for writer in range(1, 5)]
            for writer in writers:
                writer.start()
            try:
                copies = []
                for number in range(3):
                    wait_until(lambda: len(acknowledged) > 100 * (number + 1), 60, "some more are stored")
                    copies.append((self.folder / f"copy{number}", list(acknowledged)))
                    self.back_up(vigie.state / "vigie.db", copies[-1][0])
            finally:
                stop.set()
                for writer in writers:
                    writer.join()
        for copy, before in copies:
            with contextlib.closing(sqlite3.connect(copy)) as database:
                self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            answer, log = self.stored(copy)
            self.assertEqual([item for item in before if answer[item[0]].get(item[1]) != [item[2]]], [])
            self.assertNotIn("warning: store", log)
            self.assertEqual(list(self.folder.glob("*.new")), [])

    def test_backup_of_a_database_that_is_not_in_use(self):
        self.assert_starts()
        self.path.chmod(0o600)
        self.back_up(self.path, self.folder / "copy")
        self.assertEqual((self.folder / "copy").stat().st_mode & 0o777, 0o600) # whoever makes it
        self.assertIn("File exists", self.back_up(self.path, self.folder / "copy", 1))
        self.assertIn("No such file", self.back_up(self.folder / "nothing", self.folder / "other", 1))
        (self.folder / "empty").touch()
        self.assertIn("no such table", self.back_up(self.folder / "empty", self.folder / "other", 1))
        self.assertIn("no backup: ", self.back_up(self.path, self.folder / "nowhere" / "copy", 1))
        self.assertFalse((self.folder / "other").exists())
        # What a killed server has left is left for its next start.
        server = Server(self.folder)
        self.assertTrue(server.answers())
        server.end(signal.SIGKILL)
        self.back_up(self.path, self.folder / "third")
        self.assertNotIn("warning", self.assert_starts())

    def test_file_copied_alone_while_it_is_in_use_says_so(self):
        with Vigie("--server") as vigie:
            for _ in range(3):
                self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", 1)).status, 200)
                shutil.copy(vigie.state / "vigie.db", self.folder / "copy")
        answer, log = self.stored(self.folder / "copy")
        self.assertIn("its log", log)
        self.assertIn("is not there: samples that were in that alone are lost", log)
        # Of earlier versions: nothing but a header.
        with contextlib.closing(sqlite3.connect(self.path)) as database:
            database.executescript("PRAGMA journal_mode = WAL")
        self.assertIn(f"store {self.path}: it had no tables, and is begun anew", self.assert_starts())
        self.assertNotIn("warning", self.assert_starts())

    def test_log_removed_while_it_is_in_use_is_said_and_loses_nothing(self):
        with Vigie("--server", config="[server]\ncache = 0\n") as vigie:
            before = time.time() - 5
            self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", 1, before)).status, 200)
            (vigie.state / "vigie.db-wal").unlink()
            self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", 2)).status, 503)
            words = "its log vigie.db-wal was moved or removed; put it back, or start again"
            self.assertIn(words, vigie.logs()["vigie-fcgi.log"])
            self.assertEqual(vigie.get("health").status, 503)
            pid = vigie.pid_of("vigie-fcgi")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: vigie.pid_of("vigie-fcgi") not in (None, pid), 20, "started again")
            wait_until(lambda: vigie.get("health").status == 200, 20, "well again")
            self.assertEqual(vigie.get("get-all-detailed").json(), {"a": [1]})
            self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", 3)).status, 200)


class DamageTest(DatabaseTest):
    def assert_refused(self, *words):
        """It does not start, and says what is wrong, where, and what to do."""
        server = Server(self.folder)
        up = server.answers()
        printed = server.end()
        self.assertFalse(up, printed)
        for word in (*words, f"store {self.path}: ", f"move {self.path}, {self.path}-wal and {self.path}-shm away"):
            self.assertIn(word, printed)
        self.assertNotIn("not an error", printed)
        self.assertNotIn("another row available", printed)
        for path in (self.path, pathlib.Path(f"{self.path}-wal"), pathlib.Path(f"{self.path}-shm")):
            path.unlink(missing_ok=True)
        self.assert_starts()

    def test_a_file_that_is_no_database(self):
        self.path.write_bytes(b"this is no database\n" * 1000)
        self.assert_refused("file is not a database")

    def test_a_row_that_makes_no_sense(self):
        for sql, words in (("INSERT INTO series VALUES (5, 7, 'a', 0)", "row 5 of its table series"),
                           ("INSERT INTO host VALUES (-1, '10.0.0.1', 0)", "row -1 of its table host"),
                           ("INSERT INTO host VALUES (2000000000, '10.0.0.1', 0)", "row 2000000000 of its table host"),
                           ("INSERT INTO host VALUES (1, '10.0.0.1', 0), (2, '10.0.0.1', 0)", "row 2 of its table host")):
            with self.subTest(words):
                self.assert_starts()
                with contextlib.closing(sqlite3.connect(self.path)) as database, database:
                    database.execute(sql)
                self.assert_refused(words)

    def test_a_value_whose_bits_have_flipped_is_left_out(self):
        state = self.folder / "state"
        with Vigie("--server", state=state) as vigie:
            now = time.time() // 10 * 10 - 30
            for second, value in ((0, 1), (1, 1 / 3)):
                self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", value, now + second)).status, 200)
        with contextlib.closing(sqlite3.connect(state / "vigie.db")) as database, database:
            (data,) = database.execute("SELECT data FROM sample").fetchone()
            flipped = data.replace(struct.pack("<d", 1 / 3), struct.pack("<d", math.inf))
            self.assertNotEqual(flipped, data)
            database.execute("UPDATE sample SET data = ?", (flipped,))
        with Vigie("--server", config="[server]\ncache = 0\n", state=state) as vigie:
            pid = vigie.pid_of("vigie-fcgi")
            for _ in range(2):
                self.assertEqual(vigie.get("get-all").json(), {"a": [1, None]})
                self.assertEqual(vigie.get("get-all-detailed").json(), {"a": [1]})
            self.assertEqual(vigie.pid_of("vigie-fcgi"), pid)
            self.assertIn("\nvigie_unusable_values_total 4\n", vigie.get("metrics").body.decode())
            self.assertEqual(vigie.logs()["vigie-fcgi.log"].count("values that cannot be right"), 1)

    def test_a_page_that_was_overwritten(self):
        self.assert_starts()
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            database.executemany("INSERT INTO host VALUES (?, ?, 0)", ((i, f"10.0.{i // 250}.{i % 250}") for i in range(1, 2000)))
        # The last connection that was closed has brought all of it into the file.
        with open(self.path, "r+b") as file:
            file.seek(-4096, os.SEEK_END)
            file.write(b"\xff" * 4096)
        self.assert_refused("database disk image is malformed")


if __name__ == "__main__":
    unittest.main()
