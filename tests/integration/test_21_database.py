"""The file of the embedded store: its first moments, full disks, damage, copies."""

import contextlib
import glob
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

from vigie import BUILD, Vigie, is_sanitized, sample, wait_until


class Server:
    """vigie-fcgi alone, with a database in `folder` and nobody who asks it anything."""

    def __init__(self, folder, *options, command=(), environment=None):
        self.log = pathlib.Path(tempfile.mkdtemp(prefix="vigie-log-"))
        with socket.socket(socket.AF_UNIX) as listener, open(self.log / "log", "wb") as log:
            listener.bind(str(self.log / "socket"))
            listener.listen()
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command, BUILD / "vigie-fcgi", "--set", f"sqlite.path={folder}/vigie.db",
                 *options], stdin=listener, stdout=log, stderr=log, env=dict(os.environ, **(environment or {})))

    def printed(self):
        return (self.log / "log").read_text(errors="replace")

    def answers(self):
        """Whether it has come up; False when it has ended instead."""
        wait_until(lambda: "answering with" in self.printed() or self.process.poll() is not None, 60, "up, or at its end")
        return "answering with" in self.printed()

    def end(self, number=signal.SIGTERM):
        """What it has printed until its end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        printed = self.printed()
        shutil.rmtree(self.log)
        return printed


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
    @unittest.skipIf(is_sanitized(), "the leak checker cannot be traced")
    def test_killed_at_any_sync_starts_again(self):
        for number in range(1, 40):
            with self.subTest(number):
                for path in self.folder.glob("vigie.db*"):
                    path.unlink()
                server = Server(self.folder, command=["strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e",
                                                      f"inject=fdatasync,fsync:signal=KILL:when={number}"])
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
        offset.write_text("+0\n")
        build = program_folder(self.folder, f"""export FAKETIME_TIMESTAMP_FILE={offset} FAKETIME_NO_CACHE=1
export FAKETIME_DONT_FAKE_MONOTONIC=1
LD_PRELOAD={self.LIBRARY} exec "$PROGRAM" "$@" """)
        with Vigie("--server", build=build, config="[server]\ncache = 0\n") as vigie:
            begun = time.time()
            for second in range(3):
                for ip in ("10.0.0.1", "10.0.0.2"):
                    self.assertEqual(vigie.save(ip, sample("a", "mem", 1, begun - 20 + second)).status, 200)
            offset.write_text("+30d\n")
            for second in range(4):
                self.assertEqual(vigie.save("10.0.0.1", sample("a", "mem", 9, begun + self.MONTH + second)).status, 200)
            offset.write_text("+0\n")
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
