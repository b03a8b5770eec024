"""What vigie-collector says of real processes is what /proc says of them, by the test's own arithmetic, and psutil."""

import array
import contextlib
import fcntl
import os
import pathlib
import termios
import time
import unittest

import psutil

import subjects
from subjects import arguments, subject, unique
from vigie import Vigie, wait_until

try:
    import engines
except ImportError:  # SQLite alone then
    engines = None

CONFIG = "[server]\ninterval = 1s\ncache = 0\n{}[collector]\ninterval = 1s\n[alert]\ninterval = 1s\nphase = 500ms\n{}"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MEMORY = psutil.virtual_memory().total
CORES = os.sysconf("SC_NPROCESSORS_ONLN")
MIB = 1 << 20
HIGHEST = 100 * CORES + 100 / TICKS_PER_S  # percent: all cores, and a tick
TICKS = 8                                  # that a comparison is over

HALF, FORTY, SHARERS, IDLE, THREADS, BORN, DIED, MAYFLY, BEFORE, AFTER, BUSY = (unique(name) for name in (
    "half", "forty", "sharers", "idle", "threads", "born", "died", "mayfly", "before", "after", "busy"))

# As the kernel has them, and as they are stored. The first is cut by the kernel, at 15 bytes.
HOSTILE = {
    b"fourteen bytes\xc3\xa9": "fourteen bytes?",
    b"a) R 1 (": "a) R 1 (",
    b"with some space": "with some space",
    b" ": " ",
    b"new\nline": "new?line",
    b'"quoted"': '"quoted"',
    b"back\\slash": "back\\slash",
    b"a,=b": "a,=b",
    b"trailing\\": "trailing\\",
    b"ff\xff\xfe": "ff??",
    b"caf\xc3\xa9": "café",
    b"${x}%5C": "${x}%5C",
}


def setUpModule():
    subjects.build()


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Reading:
    """Of /proc at one moment: what some processes have used since they began, and have resident; psutil's as well."""

    def __init__(self, pids):
        self.at = time.monotonic()
        self.started, self.ticks, self.resident, self.shared = {}, {}, {}, {}
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
                self.ticks[pid] = int(fields[11]) + int(fields[12])
                self.started[pid] = int(fields[19])
                _, resident, shared, *_ = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
                self.resident[pid], self.shared[pid] = int(resident) * PAGE, int(shared) * PAGE
        self.psutil_at = time.monotonic()
        self.psutil_s, self.psutil_resident, self.psutil_shared = {}, {}, {}
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                used, memory = process.cpu_times(), process.memory_info()
                self.psutil_s[pid] = used.user + used.system
                self.psutil_resident[pid], self.psutil_shared[pid] = memory.rss, memory.shared

    def memory(self):
        """Percent of the machine's: by our arithmetic, and of psutil's figures."""
        return [100 * (sum(resident[pid] - shared[pid] for pid in resident) + max(shared.values())) / MEMORY
                if len(resident) > 1 else 100 * sum(resident.values()) / MEMORY
                for resident, shared in ((self.resident, self.shared), (self.psutil_resident, self.psutil_shared))]


def cpu_between(first, last):
    """Percent of a core: by our arithmetic, and of psutil's figures. Who was born since counts whole, who died not."""
    ticks = sum(used - (first.ticks.get(pid, 0) if first.started.get(pid) == last.started[pid] else 0)
                for pid, used in last.ticks.items())
    seconds = sum(used - first.psutil_s.get(pid, 0) for pid, used in last.psutil_s.items())
    return [100 * ticks / TICKS_PER_S / (last.at - first.at), 100 * seconds / (last.psutil_at - first.psutil_at)]


def sleep_to_boundary():
    """Until the collector's next reading; the time it is stamped with."""
    boundary = int(time.time()) + 1
    time.sleep(max(0, boundary - time.time()))
    return boundary


class ValueTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie(config=CONFIG.format("", "")).start()
        cls.addClassCleanup(cls.vigie.stop)
        wait_until(lambda: cls.vigie.get("get-all").json(), 10, "the collector sends")

    def start(self, name, *words, **options):
        context = subject(name, *words, **options)
        process = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return process.pid

    def samples(self, name, resource="cpu", since=0):
        """[(time, value), …]"""
        answer = self.vigie.request("GET", f"get-all-detailed?process={name}&resource={resource}&timestamps=1")
        self.assertEqual(answer.status, 200, answer)
        return [(at, value) for at, value in answer.json().get(name, []) if at > since]

    def wait_for(self, name, boundary, resource="cpu"):
        """The samples up to a tick, once it is there."""
        wait_until(lambda: (lambda found: found and found[-1][0] >= boundary)(self.samples(name, resource)), 10,
                   f"{name} at {boundary}")
        return [(at, value) for at, value in self.samples(name, resource) if at <= boundary]

    def watch(self, pids_of, ticks=TICKS):
        """{name: (first reading, last reading)} and the times of the two, on boundaries of the collector."""
        begun = sleep_to_boundary()
        first = {name: Reading(pids) for name, pids in pids_of.items()}
        while time.time() < begun + ticks - 0.5:
            time.sleep(0.2)
        ended = sleep_to_boundary()
        last = {name: Reading(pids) for name, pids in pids_of.items()}
        return begun, ended, {name: (first[name], last[name]) for name in pids_of}

    def cpu_within(self, name, begun, ended):
        """The mean of the samples, each weighing the time since the one before (a tick may have been missed)."""
        samples = self.wait_for(name, ended)
        times = [at for at, _ in samples]
        self.assertEqual(times, sorted(set(times)))
        self.assertIn(begun, times)
        used = sum(value * (at - before) for (before, _), (at, value) in zip(samples, samples[1:]) if at > begun)
        return used / (ended - begun)

    def assert_cpu(self, name, begun, ended, readings, processes=1):
        measured = self.cpu_within(name, begun, ended)
        own, of_psutil = cpu_between(*readings)
        # A reading that came 0.1 s late, at each end, and half a tick of the kernel's clock for each process.
        delta = 1 + (0.2 * max(own, 25) + 100 * 0.005 * processes) / (ended - begun)
        self.assertAlmostEqual(measured, own, delta=delta, msg=name)
        self.assertAlmostEqual(measured, of_psutil, delta=delta, msg=name)
        return measured

    def assert_memory(self, name, ended, reading):
        measured = dict(self.wait_for(name, ended, "mem"))[ended]
        for expected in reading.memory():
            self.assertAlmostEqual(measured, expected, delta=100 * MIB / MEMORY + 0.001, msg=name)
        return measured

    def assert_busy(self, name, begun):
        """What burns is not said to do nothing; a machine that is busy may leave it nothing for a tick, now and then."""
        values = [value for at, value in self.samples(name) if at > begun]
        self.assertGreater(sum(value > 0 for value in values), len(values) / 2, values)

    def test_values_are_those_of_proc_and_psutil(self):
        half = self.start(HALF, "burn", 1, 50)
        forty = children(self.start(FORTY, "copies", 40, 1, processes=40))
        sharers = children(self.start(SHARERS, "share", 8, 200, 10, processes=8))
        self.start(IDLE, "sleep")
        self.assertEqual((len(forty), len(sharers)), (40, 8))
        begun, ended, readings = self.watch({HALF: [half], FORTY: forty, SHARERS: sharers})

        self.assert_cpu(HALF, begun, ended, readings[HALF])
        self.assert_memory(HALF, ended, readings[HALF][1])
        self.assert_busy(HALF, begun)

        self.assertGreater(self.assert_cpu(FORTY, begun, ended, readings[FORTY], processes=40), 5)
        self.assert_memory(FORTY, ended, readings[FORTY][1])

        mib = self.assert_memory(SHARERS, ended, readings[SHARERS][1]) / 100 * MEMORY / MIB
        self.assertGreater(mib, 279)
        self.assertLess(mib, 290)
        # The kernel's own division of what is shared.
        proportional = sum(psutil.Process(pid).memory_full_info().pss for pid in sharers) / MIB
        self.assertAlmostEqual(mib, proportional, delta=10)

        self.assertEqual({value for at, value in self.samples(IDLE) if at > begun}, {0})

    def test_threads_use_several_cores(self):
        threads = self.start(THREADS, "burn", CORES + 1, 100)
        begun, ended, readings = self.watch({THREADS: [threads]})
        cpu = self.assert_cpu(THREADS, begun, ended, readings[THREADS])
        self.assertLessEqual(cpu, 100 * CORES)
        self.assert_busy(THREADS, begun)
        self.assertLessEqual(max(value for at, value in self.samples(THREADS) if at > begun), HIGHEST)

    def test_born_within_an_interval_counts_what_it_used(self):
        boundary = sleep_to_boundary()
        time.sleep(0.3)
        pid = self.start(BORN, "burn", 1, 100)
        first = sleep_to_boundary()
        used = Reading([pid]).ticks[pid] / TICKS_PER_S
        samples = dict(self.wait_for(BORN, first))
        self.assertEqual(min(samples), first)
        self.assertLessEqual(used, first - boundary + 0.2)
        self.assertAlmostEqual(samples[first] / 100 * (first - boundary), used, delta=0.2)
        self.assertGreater(samples[first], 0)

    def test_died_within_an_interval_is_gone(self):
        sleep_to_boundary()
        with subject(DIED, "burn", 1, 100):
            last = sleep_to_boundary()
            self.wait_for(DIED, last)
        after = sleep_to_boundary()
        time.sleep(0.1)
        with subject(MAYFLY, "burn", 1, 100):
            time.sleep(0.3)
        self.wait_for("nginx", sleep_to_boundary())
        self.assertLess(max(at for at, _ in self.samples(DIED)), after + 1)
        # Its CPU is known where the kernel tells of each end; memory, it has none at the tick.
        told = self.vigie.get("hosts").json()["127.0.0.1"]["ended_cpu"] == "exit_records"
        self.assertEqual(len(self.samples(MAYFLY)), 1 if told else 0)
        self.assertNotIn(MAYFLY, self.vigie.get("get-all-detailed?resource=mem").json())
        own = wait_until(lambda: (lambda host: host if DIED not in host else None)(
            self.vigie.get("latest").json()["127.0.0.1"]), 10, "latest forgets who died")
        self.assertIn("nginx", own)

    def test_exec_changes_the_name(self):
        pid = self.start(BEFORE, "exec", 3, *arguments(AFTER, "burn", 1, 100))
        begun, ended, readings = self.watch({"both": [pid]}, 7)
        self.wait_for(AFTER, ended)
        before, after = self.samples(BEFORE), self.samples(AFTER)
        self.assertLess(before[-1][0], after[0][0])
        self.assertGreater(len(before), 1)
        # One process all along: neither a gap nor its whole past at the change of the name.
        samples = sorted(before + after)
        used = sum(value * (at - last) for (last, _), (at, value) in zip(samples, samples[1:]) if begun < at <= ended)
        for expected in cpu_between(*readings["both"]):
            self.assertAlmostEqual(used / (ended - begun), expected, delta=6)
        self.assertTrue(all(value <= HIGHEST for _, value in samples[1:]), samples)

    def test_crowd_that_comes_and_goes_stays_in_bounds(self):
        busy = self.start(BUSY, "burn", 1, 100)
        crowds = {}
        for alive, burn, sleep in ((8, 1, 60), (40, 2, 400), (4, 50, 0)):
            context = subject(unique(f"crowd-{alive}"), "crowd", alive, burn, sleep)
            crowds[unique(f"crowd-{alive}")] = context.__enter__()
            self.addCleanup(context.__exit__, None, None, None)
        begun, ended, readings = self.watch({BUSY: [busy]})
        self.assert_cpu(BUSY, begun, ended, readings[BUSY])
        self.assertTrue(all(value <= HIGHEST for at, value in self.samples(BUSY) if at > begun))
        # What those used that have been waited for, and those that live.
        used_s = {name: sum(children_s(process.pid)) for name, process in crowds.items()}
        for name in crowds:
            samples = self.samples(name)
            self.assertGreater(len(samples), 3)
            self.assertLess(sum(value / 100 * (at - last) for (last, _), (at, value) in zip(samples, samples[1:])),
                            used_s[name] + 0.5, name)
        self.assertGreater(sum(unread(process.stdout) for process in crowds.values()), 500)

    def tearDown(self):
        """Whatever the test did, of every process of the machine."""
        for resource, highest in (("cpu", HIGHEST), ("mem", 100)):
            for name, values in self.vigie.get(f"get-all-detailed?resource={resource}").json().items():
                self.assertGreaterEqual(min(values), 0, name)
                self.assertLessEqual(max(values), highest, name)


def children_s(pid):
    """Seconds used by a process's children: those that it has waited for, and those that live."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    yield (int(fields[13]) + int(fields[14])) / TICKS_PER_S
    for child in children(pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{child}/stat").read_bytes().rpartition(b") ")[2].split()
            yield (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def unread(pipe):
    """How many bytes wait in a pipe; of a crowd: one for each child that has come and gone."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


class NameTest(unittest.TestCase):
    """Names that processes really have, through the collector into each store and out again as JSON."""

    def stores(self):
        yield "sqlite", contextlib.nullcontext(), lambda engine: ""
        if engines:
            for store, kind in (("influxql", engines.Influxd), ("victoriametrics", engines.VictoriaMetrics)):
                yield store, kind(), lambda engine: engine.config()

    def test_hostile_names_come_back(self):
        with contextlib.ExitStack() as stack:
            for name in HOSTILE:
                stack.enter_context(subject(name, "sleep"))
            servers = {}
            for store, context, section in self.stores():
                engine = stack.enter_context(context)
                servers[store] = stack.enter_context(Vigie(config=CONFIG.format(f"store = {store}\n", section(engine))))
            for store, vigie in servers.items():
                with self.subTest(store):
                    self.check(vigie, set(HOSTILE.values()))

    def check(self, vigie, names):
        # An engine may show a sample of a name before the others that were saved with it.
        def measured(answer):
            return names <= {name for name, values in answer.items() if None not in values} and answer

        def has_all(path):
            return names <= names_of(vigie.get(path).json(), path)

        stored = wait_until(lambda: measured(vigie.get("get-all").json()),
                            40, lambda: f"{names} come back, not {vigie.get('get-all').json()}")
        for name in names:
            mem, cpu = stored[name]
            self.assertGreaterEqual(mem, 0, name)
            self.assertEqual(cpu, 0, name)
        for path in ("latest", "get-all-detailed", "get-all/127.0.0.1"):
            wait_until(lambda: has_all(path), 40, lambda: f"{path} has {names}: {vigie.get(path)}")


def names_of(answer, path):
    return set(answer.get("127.0.0.1", {})) if path == "latest" else set(answer)


if __name__ == "__main__":
    unittest.main()
