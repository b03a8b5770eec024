"""The memory of a process, where /proc/PID/stat and the kernel's own total do not tell it."""

import contextlib
import os
import pathlib
import subprocess
import time
import unittest

import subjects
from subjects import subject, unique
from test_08_collector import Collector
from vigie import PREFIX, Vigie, wait_until

CONFIG = "[server]\ninterval = 1s\ncache = 0\n[collector]\ninterval = 1s\n[alert]\ninterval = 1s\nphase = 500ms\n"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
HUGE_PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")

# What a process has at most beside the memory that it is told to have: the C library, its stack.
BESIDE_MIB = 8


def setUpModule():
    subjects.build()


def meminfo():
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def huge_pages_in_use():
    return meminfo()["HugePages_Total"] - meminfo()["HugePages_Free"]


MEMORY_MIB = meminfo()["MemTotal"] / 1024


class MemoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie(config=CONFIG).start()
        cls.addClassCleanup(cls.vigie.stop)

    def samples(self, name, resource="mem"):
        """[(time, value), …]"""
        answer = self.vigie.get(f"get-all-detailed?process={name}&resource={resource}&timestamps=1")
        self.assertEqual(answer.status, 200, answer)
        return answer.json().get(name, [])

    def assert_mib(self, name, expected, beside=BESIDE_MIB):
        """From the second tick on, and once it is there: on a busy machine it may be allocating for some ticks."""
        def latest():
            found = [value / 100 * MEMORY_MIB for _, value in self.samples(name)[1:]]
            return found[-1:] if found and found[-1] >= expected - 0.1 else None
        [mib] = wait_until(latest, 15, lambda: f"{name} has {expected} MiB: {self.samples(name)}")
        self.assertLessEqual(mib, expected + beside, name)

    def test_first_thread_has_ended_memory_is_of_those_that_live(self):
        name = unique("headless")
        with subject(name, "headless", 600, 60) as process:
            stat = pathlib.Path(f"/proc/{process.pid}/stat")
            self.assertIn(b") Z ", stat.read_bytes())
            self.assert_mib(name, 600)

            def used_s():
                fields = stat.read_bytes().rpartition(b") ")[2].split()
                return (int(fields[11]) + int(fields[12])) / TICKS_PER_S
            wait_until(lambda: used_s() > 1, 60, "it has burnt for a second")
            before_s, at = used_s(), time.time()
            wait_until(lambda: self.samples(name, "cpu")[-1][0] > at, 10, "one more tick")
            samples = self.samples(name, "cpu")
            after_s = used_s()
            ticks = [time for time, _ in self.samples("nginx", "cpu")]
            told_s = sum(value / 100 * (time - max(tick for tick in ticks if tick < time)) for time, value in samples)
            # Not none of it, and not all of it twice: on a busy machine a reading is late by what it likes.
            self.assertGreater(told_s, before_s / 2)
            self.assertLess(told_s, after_s * 1.5)

    def test_several_of_one_name_without_their_first_threads_count_each(self):
        name = unique("headless2")
        with subject(name, "headless", 100, 0), subject(name, "headless", 60, 0):
            self.assert_mib(name, 160, 2 * BESIDE_MIB)

    def test_child_that_waits_in_vfork_counts_once(self):
        with contextlib.ExitStack() as stack:
            for threads in (1, 2):
                name = unique(f"vfork{threads}")
                process = stack.enter_context(subject(name, "vfork", 300, threads))
                tasks = pathlib.Path(f"/proc/{process.pid}/task")
                children = [child for task in tasks.iterdir() for child in (task / "children").read_text().split()]
                self.assertEqual(len(children), 1)
                self.assertEqual(pathlib.Path(f"/proc/{children[0]}/comm").read_text().strip(), name)
            for threads in (1, 2):
                with self.subTest(threads=threads):
                    self.assert_mib(unique(f"vfork{threads}"), 300)

    def huge_pages(self, mib):
        """Has the machine that much of explicit huge pages more until the end of the test."""
        if not HUGE_PAGES.exists() or "HugePages_Free" not in meminfo():
            self.skipTest("this machine knows no explicit huge pages")
        before, in_use = int(HUGE_PAGES.read_text()), huge_pages_in_use()
        count = before + mib * 1024 // meminfo()["Hugepagesize"]

        def give_back():
            # A page that is freed while their number is lowered stays.
            with contextlib.suppress(AssertionError):
                wait_until(lambda: huge_pages_in_use() <= in_use, 10, "they are free again")
            HUGE_PAGES.write_text(str(before))
        try:
            HUGE_PAGES.write_text(str(count))
        except OSError as error:
            self.skipTest(f"no explicit huge pages can be had here: {error}")
        self.addCleanup(give_back)
        if int(HUGE_PAGES.read_text()) < count:
            self.skipTest("the machine has no room for explicit huge pages")

    def test_huge_pages_are_memory_of_who_has_them(self):
        self.huge_pages(256 + 64)
        one, twenty, without = unique("huge1"), unique("huge20"), unique("huge0")
        with subject(one, "huge", 1, 256), subject(twenty, "huge", 20, 64, processes=20), subject(without, "sleep"):
            self.assert_mib(one, 256 + 1)
            # One segment; each has 1 MiB of its own, and what fork alone shares.
            self.assert_mib(twenty, 64 + 20, 40)
            self.assert_mib(without, 0)

    def collector_with(self, memory_file, ip, name):
        """A collector for which `memory_file` is /proc/meminfo."""
        around = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc/meminfo && exec "$@"', str(memory_file)]
        if subprocess.run([*around, "true"], capture_output=True).returncode != 0:
            self.skipTest("nothing can be mounted over /proc/meminfo here")
        collector = Collector(f"http://127.0.0.1:{self.vigie.port}{PREFIX}", ip, f"include={name}", around=around)
        self.addCleanup(collector.remove)
        return collector.start()

    def latest(self, ip, name):
        return self.vigie.get("latest").json().get(ip, {}).get(name, {}).get("mem", (0, None))[1]

    def wait_for_percent(self, ip, name, lowest, highest, log):
        wait_until(lambda: lowest <= (self.latest(ip, name) or 0) <= highest, 10,
                   lambda: f"{lowest} to {highest}, but {self.latest(ip, name)}: {log()}")

    def test_memory_of_the_machine_is_what_meminfo_says_at_each_tick(self):
        name, ip = unique("contained"), "10.20.5.1"
        with subject(name, "grow", 120, 120, 0) as process, contextlib.ExitStack() as stack:
            memory_file = subjects.SUBJECT.parent / "meminfo"
            stack.callback(memory_file.unlink)
            memory_file.write_text("MemTotal:         131072 kB\nMemFree:           1024 kB\n")
            collector = self.collector_with(memory_file, ip, name)
            self.wait_for_percent(ip, name, 93.7, 97, collector.log)
            memory_file.write_text("MemTotal:         262144 kB\n")  # as with memory hotplug
            self.wait_for_percent(ip, name, 46.8, 48.5, collector.log)
            # Not told for a moment: as it was.
            memory_file.write_text("")
            at = time.time() + 1
            wait_until(lambda: any(time > at for time, _ in self.vigie.get(
                f"get-all-detailed?process={name}&ip={ip}&timestamps=1").json().get(name, [])), 10, "a further tick")
            self.wait_for_percent(ip, name, 46.8, 48.5, collector.log)
            self.assertIsNone(process.poll())

    def test_memory_of_the_machine_is_the_kernels_where_meminfo_cannot_be_read(self):
        name, ip = unique("untold"), "10.20.5.2"
        with subject(name, "grow", 500, 500, 0):
            collector = self.collector_with("/dev/null", ip, name)
            percent = 100 * 500 / MEMORY_MIB
            self.wait_for_percent(ip, name, percent - 0.01, percent * 1.1, collector.log)


if __name__ == "__main__":
    unittest.main()
