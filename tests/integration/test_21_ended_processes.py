"""The CPU of processes that end between two ticks is counted, once: against what the processes say of themselves."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import subjects
from subjects import unique
from vigie import BUILD, PREFIX, SANITIZER_WORDS, Vigie, is_sanitized, wait_until

RECORDS, PARENTS = "exit_records", "waited_children"
FIRST_NAMESPACES = {"pid": 0xeffffffc, "user": 0xeffffffd}  # include/linux/proc_ns.h
CAP_NET_ADMIN = 1 << 12
CAP_SYSLOG = 1 << 34  # for the records of test_38_oom.py
WITHOUT = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"]
OWN_PIDS = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
INTERVAL = 2  # seconds; a tick that is late by some hundredths on a busy machine is then off by little
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def setUpModule():
    global BURNERS
    BURNERS = subjects.compile_program("burners.c", "burners")


def capabilities(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"{name}:\s*([0-9a-f]+)", status)[1], 16) for name in CAPABILITIES}


def may_listen():
    """Whether the kernel tells who is as we are of what ends."""
    return capabilities("self")["CapEff"] & CAP_NET_ADMIN and all(
        os.readlink(f"/proc/self/ns/{kind}") == f"{kind}:[{number}]" for kind, number in FIRST_NAMESPACES.items())


def may_enter():
    """Whether a PID namespace with a /proc of its own can be had."""
    return subprocess.run([*OWN_PIDS, "true"], capture_output=True).returncode == 0


def count_forks():
    """Of the whole machine, since its start, threads as well."""
    return int(re.search(r"^processes (\d+)$", pathlib.Path("/proc/stat").read_text(), re.MULTILINE)[1])


def results(process):
    """Seconds: what burners.c's processes say that they have used, what it has itself, and the former with their ends."""
    return [int(word) / 1e6 for word in process.stdout.readline().split()]


KINDS = {"short": (600, 5), "nested": (70, 5), "orphans": (100, 10), "long": (3, 500), "threads": (40, 6), "plain": (300, 5)}


class EndedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config=f"[server]\ninterval = {INTERVAL}s\ncache = 0\n").start()
        cls.addClassCleanup(cls.vigie.stop)

    def collect(self, ip, *around, keep=None):
        """Starts a collector, `around` is the command that it is run by; gives what runs it, and its log."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-collector-"))
        self.addCleanup(shutil.rmtree, folder, True)
        log = folder / "log"
        settings = [word for setting in (f"url=http://127.0.0.1:{self.vigie.port}{PREFIX}", f"interval={INTERVAL}s", f"ip={ip}")
                    for word in ("--set", f"collector.{setting}")]
        with open(log, "wb") as target:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *around, BUILD / "vigie-collector", *settings],
                                       cwd=folder, stdin=subprocess.DEVNULL, stdout=target, stderr=target,
                                       pass_fds=[keep] if keep else [])
        self.addCleanup(self.end, process, log)
        return process, log

    def end(self, process, log):
        process.kill()
        process.wait()
        self.assertFalse([word for word in SANITIZER_WORDS if word in log.read_text(errors="replace")])

    def hosts(self):
        return self.vigie.get("hosts").json()

    def burn(self, kind, count, ms):
        """Starts burners.c; gives its process and its name."""
        name = unique(kind[:4])
        process = subprocess.Popen([BURNERS, name, kind, str(count), str(ms)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, name

    def used(self, ip):
        """{name: seconds} that the processes of a host have used so far; each value is of the time since the tick before."""
        answer = self.vigie.get(f"get-all-detailed?timestamps=1&resource=cpu&by=host&ip={ip}")
        self.assertEqual(answer.status, 200, answer)
        series = answer.json().get(ip, {})
        times = sorted({at for points in series.values() for at, _ in points})
        before = dict(zip(times[1:], times))
        return {name: sum(value / 100 * (at - before[at]) for at, value in points if at in before)
                for name, points in series.items()}

    def wait_for_ticks(self, ips, count=2):
        """So that what has been used until now is counted."""
        after = time.time() + (count - 1) * INTERVAL
        wait_until(lambda: all(self.hosts().get(ip, {"last_seen": 0})["last_seen"] > after for ip in ips), 20,
                   "the next ticks are there")

    def assert_between(self, used, least, most, what):
        """Within 5 %, and what the ticks of /proc's clock leave out of each of several sums."""
        self.assertGreaterEqual(used, least * 0.95 - 0.03, what)
        self.assertLessEqual(used, most * 1.05 + 0.03, what)

    def test_both_ways_count_what_was_used_once(self):
        ways = {PARENTS: "10.21.0.2"}
        self.collect(ways[PARENTS], *WITHOUT)
        if may_listen():
            ways[RECORDS] = "10.21.0.1"
            collector, _ = self.collect(ways[RECORDS])
        inside = self.start_inside() if may_enter() else None
        self.wait_for_ticks(ways.values())
        if RECORDS in ways:
            own = capabilities("self")
            self.assertEqual(capabilities(collector.pid), {name: own[name] & ~(CAP_NET_ADMIN | CAP_SYSLOG) for name in CAPABILITIES})
        for way, ip in ways.items():
            host = self.hosts()[ip]
            self.assertEqual((host["ended_cpu"], host["counters"]["lost_exits"]), (way, 0))

        running = {kind: self.burn(kind, *numbers) for kind, numbers in KINDS.items()}
        expected = {kind: results(process) for kind, (process, _) in running.items()}
        self.wait_for_ticks(ways.values())
        for way, ip in ways.items():
            used = self.used(ip)
            for kind, (children_s, own_s, ends_s) in expected.items():
                name = running[kind][1]
                parent_s, child_s = used.get(f"{name}-p", 0), used.get(f"{name}-c", 0)
                with self.subTest(way=way, kind=kind):
                    said = f"{child_s:.3f} and {parent_s:.3f} s of {children_s:.3f} ({ends_s:.3f}) and {own_s:.3f} s"
                    self.assert_between(child_s + parent_s, children_s + own_s, ends_s + own_s, said)
                    # Who lives long is mostly seen while it lives.
                    if way == RECORDS:
                        self.assert_between(child_s, children_s, ends_s, said)
                    elif kind != "long":
                        self.assertGreater(parent_s, 0.8 * children_s, said)
            self.assertEqual(self.hosts()[ip]["counters"]["lost_exits"], 0)
        if inside:
            self.check_inside(*inside)

    def start_inside(self):
        """A collector in a PID namespace, where the kernel tells it nothing, with burners of its own."""
        name, reader, writer = unique("inner"), *os.pipe()
        self.addCleanup(os.close, reader)
        script = f'(sleep 7; exec "{BURNERS}" {name} short 200 5 >&{writer}) & exec "$@"'
        self.collect("10.21.0.3", *OWN_PIDS, "sh", "-c", script, "sh", keep=writer)
        os.close(writer)
        return name, reader

    def check_inside(self, name, reader):
        host = self.hosts()["10.21.0.3"]
        self.assertEqual((host["ended_cpu"], host["counters"]["lost_exits"]), (PARENTS, 0))
        children_s, own_s, ends_s = [int(word) / 1e6 for word in os.read(reader, 100).split()]
        self.wait_for_ticks(["10.21.0.3"])
        self.assert_between(self.used("10.21.0.3")[f"{name}-p"], children_s + own_s, ends_s + own_s, name)

    def test_flood_of_ends_costs_a_bounded_buffer_and_is_counted(self):
        if not may_listen():
            self.skipTest("the kernel tells nobody here of what ends")
        ip = "10.21.0.4"
        collector, log = self.collect(ip)
        self.wait_for_ticks([ip])
        forks = count_forks()
        collector.send_signal(signal.SIGSTOP)
        process, name = self.burn("flood", 4500, 0)
        _, own_s, ends_s = results(process)
        # A tick that is late is of more time than the next is away.
        time.sleep(INTERVAL + 0.02 - time.time() % INTERVAL)
        collector.send_signal(signal.SIGCONT)
        host = wait_until(lambda: (lambda host: host if host["counters"]["lost_exits"] else None)(self.hosts()[ip]), 10,
                          log.read_text)
        self.assertGreater(host["counters"]["lost_exits"], 500)
        self.assertLess(host["counters"]["lost_exits"], count_forks() - forks, "others end here, too")
        self.assertEqual(host["ended_cpu"], PARENTS)
        self.assertEqual(log.read_text().count(" have ended too fast "), 1)
        wait_until(lambda: self.hosts()[ip]["ended_cpu"] == RECORDS, 10, "the records are whole again")
        used = self.used(ip)
        self.assertNotIn(f"{name}-c", used)
        self.assert_between(used[f"{name}-p"], ends_s + own_s, ends_s + own_s, name)
        if not is_sanitized():
            status = pathlib.Path(f"/proc/{collector.pid}/status").read_text()
            self.assertLess(int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]), 4096)


if __name__ == "__main__":
    unittest.main()
