"""vigie-alert and vigie-forecast alone, against a server that says what the test wants: clocks that jump, full disks,
deaths, and two of them on one configuration."""

import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from vigie import BUILD, PREFIX, is_sanitized, set_faked_clock, wait_until

FAKETIME = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


class Server:
    """Answers GET latest with the values that it was given, now; counts what is reported."""

    def __init__(self):
        server = self
        self.values = {}  # host: {process: percent of the memory}
        self.reports = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, body):
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                now = int(time.time())
                latest = {host: {process: {"mem": [now, value]} for process, value in processes.items()}
                          for host, processes in server.values.items()}
                self.answer(latest if self.path == PREFIX + "latest" else {})

            def do_PUT(self):
                server.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer({"Response": "Ok"})

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}{PREFIX}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


class WatcherTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.log = self.folder / "alert.log"
        self.state = self.folder / "state"

    def start(self, program="vigie-alert", environment=None):
        section = program.removeprefix("vigie-")
        more = {"vigie-alert": (f"log={self.log}", "interval=1s", "phase=300ms"), "vigie-forecast": ("refresh=1s", "step=60s")}
        options = [f"url={self.server.url}", f"state={self.state}", *more[program]]
        command = [BUILD / program]
        for option in options:
            command += ["--set", f"{section}.{option}"]
        output = open(self.folder / "output", "ab")
        self.addCleanup(output.close)
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, env=dict(os.environ, **(environment or {})))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def printed(self):
        return (self.folder / "output").read_text(errors="replace")

    def end(self, process, with_signal=signal.SIGTERM):
        process.send_signal(with_signal)
        self.assertEqual(process.wait(40), 0 if with_signal == signal.SIGTERM else -with_signal, self.printed())

    def lines(self, *words):
        """The lines of alert.log that have one of the words, as "WORD ip process"."""
        text = self.log.read_text() if self.log.exists() else ""
        found = re.findall(r'^\S+Z ([A-Z]+) ip=(\S+) process="([^"]*)"', text, re.MULTILINE)
        return [" ".join(line) for line in found if line[0] in words]

    def evaluations(self, count):
        """Waits for so many more."""
        wanted = len(self.server.reports) + count
        wait_until(lambda: len(self.server.reports) >= wanted, 60, lambda: f"{count} evaluations: {self.printed()}")

    def wait_for_lines(self, *lines):
        words = {line.split()[0] for line in lines}
        wait_until(lambda: self.lines(*words) == list(lines), 60, lambda: f"{lines}: {self.lines(*words)} {self.printed()}")

    def small_disk(self, kib):
        """A file system of its own, which can be filled: a folder and what fills and frees it."""
        folder = self.folder / "disk"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], capture_output=True).returncode:
            self.skipTest("this machine does not let a test mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        filler = folder / "filler"

        def fill():
            with open(filler, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
        return folder, fill, filler.unlink


class ClockTest(WatcherTest):
    def setUp(self):
        super().setUp()
        if is_sanitized():
            self.skipTest("a sanitizer and libfaketime do not go together")
        self.assertTrue(FAKETIME, "libfaketime is not installed: deploy/install-deps test")
        self.offset = self.folder / "offset"
        set_faked_clock(self.offset, 0)

    def start_faked(self, program):
        return self.start(program, {"LD_PRELOAD": str(FAKETIME[0]), "FAKETIME_TIMESTAMP_FILE": str(self.offset),
                                    "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})

    def test_alarms_stand_while_the_clock_is_a_month_ahead(self):
        self.server.values = {"10.0.0.5": {"java": 90}, "10.0.0.6": {"bash": 95}}
        process = self.start_faked("vigie-alert")
        self.wait_for_lines("RED 10.0.0.5 java", "RED 10.0.0.6 bash")
        del self.server.values["10.0.0.5"]
        self.wait_for_lines("UNKNOWN 10.0.0.5 *")
        for days in (30, 0, -30, 0):
            set_faked_clock(self.offset, days)
            self.evaluations(4)
            self.assertEqual(self.lines("GONE", "CLEAR"), [], days)
            standing = {(alarm["ipaddress"], alarm["process_name"]): alarm["color"]
                        for alarm in self.server.reports[-1]["data"]}
            self.assertEqual(standing, {("10.0.0.5", "java"): "red", ("10.0.0.6", "bash"): "red", ("10.0.0.5", "*"): "unknown"})
        self.end(process)
        self.assertEqual(len(self.log.read_text().splitlines()), 3)

    def test_forecast_waits_while_the_clock_is_a_month_ahead(self):
        # As after some hours on this machine.
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text()
        boot = int(boot[:8] + boot[9:13] + boot[14:18], 16)
        learnt = '0 10.0.0.5 cpu "java" 1 0.5\n'
        now, since_boot = int(time.time() * 1000), int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        self.state.write_text(f"vigie-forecast 2 60000\nclock {boot} {now} {since_boot}\n{learnt}end 1\n")
        process = self.start_faked("vigie-forecast")
        self.evaluations(2)
        set_faked_clock(self.offset, 30)
        wait_until(lambda: "the clock has jumped" in self.printed(), 60, self.printed)
        reports = len(self.server.reports)
        time.sleep(3)  # some refreshes, had there been any
        self.assertEqual(len(self.server.reports), reports)
        set_faked_clock(self.offset, 0)
        wait_until(lambda: "the clock is right again" in self.printed(), 60, self.printed)
        self.evaluations(2)
        self.end(process)
        self.assertRegex(self.state.read_text(), r'\n\d+ 10\.0\.0\.5 cpu "java" 1 0\.5\nend 1\n$')
        self.assertEqual(self.printed().count("the clock"), 2, self.printed())


class FullDiskTest(WatcherTest):
    def test_red_that_came_on_a_full_disk_is_written_after_the_restart(self):
        folder, fill, free = self.small_disk(64)
        self.log = folder / "alert.log"
        # There is room for a part of a line behind what stands there.
        cut = "2026-11-22T14:00:15.000Z a line that was cut".rjust(os.sysconf("SC_PAGESIZE") - 20)
        self.log.write_text(cut)
        fill()
        self.server.values = {"10.0.0.5": {"java": 90}}
        process = self.start()
        self.evaluations(3)
        self.assertIn("writing the alert log fails: No space left on device", self.printed())
        self.end(process)
        self.assertEqual(self.lines("RED"), [])
        free()
        process = self.start()
        self.wait_for_lines("RED 10.0.0.5 java")
        self.server.values = {"10.0.0.5": {"java": 10}}
        self.wait_for_lines("RED 10.0.0.5 java", "CLEAR 10.0.0.5 java")
        self.end(process)
        # What was cut is a line of its own, and so is the part of the RED that there was room for.
        first, part, *whole = self.log.read_text().splitlines()
        self.assertEqual(first, cut)
        self.assertTrue(whole[0].startswith(part), part)
        self.assertEqual(len(whole), 2)

    def test_red_is_said_once_though_the_state_s_disk_was_full_and_it_was_killed(self):
        folder, fill, free = self.small_disk(64)
        self.state = folder / "state"
        self.server.values = {"10.0.0.5": {"java": 10}}
        process = self.start()
        self.evaluations(2)
        fill()
        self.server.values = {"10.0.0.5": {"java": 90}}
        self.wait_for_lines("RED 10.0.0.5 java")
        self.evaluations(1)
        self.assertIn("writing the state fails: No space left on device", self.printed())
        self.end(process, signal.SIGKILL)
        free()
        process = self.start()
        self.evaluations(3)
        self.assertEqual(self.lines("RED"), ["RED 10.0.0.5 java"])
        self.server.values = {"10.0.0.5": {"java": 10}}
        self.wait_for_lines("RED 10.0.0.5 java", "CLEAR 10.0.0.5 java")
        self.end(process)


class LockTest(WatcherTest):
    def test_second_one_says_who_uses_the_state(self):
        for program in ("vigie-alert", "vigie-forecast"):
            with self.subTest(program):
                self.state = self.folder / f"{program}.state"
                first = self.start(program)
                self.evaluations(1)
                second = self.start(program)
                self.assertEqual(second.wait(60), 1)
                self.assertIn(f"the state in {self.state} is in use by process {first.pid}\n", self.printed())
                # Whatever becomes of the first one, the next one can begin.
                self.end(first, signal.SIGKILL)
                third = self.start(program)
                self.evaluations(1)
                self.end(third)


if __name__ == "__main__":
    unittest.main()
