"""The CPU of processes that end between two ticks is counted, once: against what the processes say of themselves."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from subjects import unique
from vigie import BUILD, PREFIX, ROOT, SANITIZER_WORDS, Vigie, descendants, is_sanitized, wait_until

RECORDS, PARENTS = "exit_records", "waited_children"
CAP_NET_ADMIN = 1 << 12
WITHOUT = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"]
OWN_PIDS = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def setUpModule():
    global BURNERS
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-burners-"))
    unittest.addModuleCleanup(shutil.rmtree, folder, True)
    BURNERS = folder / "burners"
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-pthread", "-o", BURNERS,
                    ROOT / "tests" / "integration" / "burners.c"], check=True)


def capabilities(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"{name}:\s*([0-9a-f]+)", status)[1], 16) for name in CAPABILITIES}


def is_first_namespace():
    """Whether the kernel tells somebody here of what ends."""
    return os.geteuid() == 0 and capabilities("self")["CapEff"] & CAP_NET_ADMIN


class EndedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ninterval = 1s\ncache = 0\n").start()
        cls.addClassCleanup(cls.vigie.stop)

    def collect(self, ip, *around, interval="1s"):
        """Starts a collector, `around` is the command that it is run by; gives what runs it, and its log."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-collector-"))
        self.addCleanup(shutil.rmtree, folder, True)
        log = folder / "log"
        settings = [word for setting in (f"url=http://127.0.0.1:{self.vigie.port}{PREFIX}", f"interval={interval}", f"ip={ip}")
                    for word in ("--set", f"collector.{setting}")]
        with open(log, "wb") as target:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *around, BUILD / "vigie-collector", *settings],
                                       cwd=folder, stdin=subprocess.DEVNULL, stdout=target, stderr=target)
        self.addCleanup(self.end, process, log)
        wait_until(lambda: ip in self.hosts(), 15, lambda: f"{ip} sends: {log.read_text()}")
        return process, log

    def end(self, process, log):
        process.kill()
        process.wait()
        self.assertFalse([word for word in SANITIZER_WORDS if word in log.read_text(errors="replace")])

    def hosts(self):
        return self.vigie.get("hosts").json()

    def burn(self, kind, count, ms, around=()):
        """Starts burners.c; gives its process and its name."""
        name = unique(kind[:4])
        process = subprocess.Popen([*around, BURNERS, name, kind, str(count), str(ms)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, name

    def used(self, ip, ended=()):
        """{name: seconds} that a host's processes have used so far. The names of `ended` are there in some ticks alone."""
        answer = self.vigie.get(f"get-all-detailed?timestamps=1&resource=cpu&by=host&ip={ip}")
        self.assertEqual(answer.status, 200, answer)
        series = answer.json().get(ip, {})
        times = sorted({at for points in series.values() for at, _ in points})
        before = dict(zip(times[1:], times))
        return {name: sum(value / 100 * (at - before[at]) for at, value in points if at in before)
                for name, points in series.items()}

    def wait_for_ticks(self, ips, count=2):
        """So that what has been used until now is counted."""
        after = time.time() + count - 1
        wait_until(lambda: all(self.hosts()[ip]["last_seen"] > after for ip in ips), 15, "the next ticks are there")

    def assert_part(self, used, expected, part, what):
        self.assertGreaterEqual(used, expected * (1 - part), what)
        self.assertLessEqual(used, expected * (1 + part), what)


KINDS = {"short": (1000, 5), "nested": (120, 5), "orphans": (250, 6), "long": (3, 700), "threads": (60, 6)}


class TwoWaysTest(EndedTest):
    def test_both_ways_count_what_was_used_once(self):
        ways = {PARENTS: "10.21.0.2"}
        self.collect(ways[PARENTS], *WITHOUT)
        if is_first_namespace():
            ways[RECORDS] = "10.21.0.1"
            self.collect(ways[RECORDS])
        self.wait_for_ticks(ways.values())
        for way, ip in ways.items():
            host = self.hosts()[ip]
            self.assertEqual((host["ended_cpu"], host["counters"]["lost_exits"]), (way, 0))

        running = {kind: self.burn(kind, *numbers) for kind, numbers in KINDS.items()}
        expected = {}
        for kind, (process, name) in running.items():
            children_us, own_us = process.stdout.readline().split()
            expected[kind] = int(children_us) / 1e6, int(own_us) / 1e6
        self.wait_for_ticks(ways.values(), 3)
        for way, ip in ways.items():
            used = self.used(ip)
            for kind, (children_s, own_s) in expected.items():
                name = running[kind][1]
                parent_s, child_s = used.get(f"{name}-p", 0), used.get(f"{name}-c", 0)
                said = f"{kind} by {way}: {child_s:.3f} s ended and {parent_s:.3f} s of {children_s:.3f} s and {own_s:.3f} s"
                print(said)
                with self.subTest(said):
                    self.assert_part(parent_s + child_s, children_s + own_s, 0.05, said)
                    # Who lived long is mostly seen while it lives.
                    if way == RECORDS:
                        self.assert_part(child_s, children_s, 0.05, said)
                    elif kind != "long":
                        self.assertGreater(parent_s, 0.8 * children_s, said)
            self.assertEqual(self.hosts()[ip]["counters"]["lost_exits"], 0)


if __name__ == "__main__":
    unittest.main()
