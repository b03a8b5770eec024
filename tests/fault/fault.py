"""What the programs of this folder share: their rounds and their dice, a vigie that can be made to fail, load on it whose
acknowledgements are remembered, and what must hold of all of it afterwards.

Each program ends with `N passed, N failed`, after a line of what it has done. ROUNDS (1) says how often; SEED, which is
printed, what by chance."""

import collections
import contextlib
import ctypes
import errno
import http.client
import mmap
import os
import pathlib
import random
import re
import sqlite3
import sys
import threading
import time
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "integration"))

from run import Result  # noqa: E402
from vigie import BUILD, PREFIX, Vigie, is_sanitized, sample, wait_until  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "1"))
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
PROGRAMS = ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast")
LIBRARY = BUILD / "fault" / "faults.so"
NAME = "vigie-collector"  # the process that the collector sends: itself
DAMAGED = "away and start again"  # what is said of a database that cannot be used any more
SECONDS = 60  # for what comes within some, on a machine that does much else
DAY_S = 86400

# Everything each second; what the clients write raises no alarm, and what forecasts say is no part of what is told.
CONFIG = """[server]
interval = 1s
cache = 0
store_timeout = 2s
%(server)s
[collector]
interval = 1s
include = vigie-collector
[alert]
interval = 1s
phase = 300ms
clear_after = 1
rule = process=p* mute=yes
rule = process=hot amber_probability=1
hook = %(hook)s
[forecast]
refresh = 1s
phase = 500ms
step = 3s
above = 5
history = 10m
timeout = 2s
%(sections)s"""

counts = collections.Counter()  # what has been done, for the last words
counting = threading.Lock()


def count(what, number=1):
    with counting:
        counts[what] += number


def dice(*names):
    """Numbers of chance that are the same for a seed, whatever else has thrown."""
    return random.Random(f"{SEED} {names}")


# ---- calls that fail

KINDS = ("write", "short", "sync", "rename", "open", "truncate", "unlink", "read", "send", "alloc")  # as faults.c has them
ERRORS = {"alloc": errno.ENOMEM, "open": errno.EMFILE, "send": errno.ECONNRESET, "write": errno.ENOSPC, "truncate": errno.ENOSPC,
          "rename": errno.ENOSPC}


class Call(ctypes.Structure):
    _fields_ = [("left", ctypes.c_longlong), ("times", ctypes.c_longlong), ("error", ctypes.c_longlong), ("failed", ctypes.c_longlong)]


class Control(ctypes.Structure):
    """`struct control` of faults.c, in a file that one program has mapped."""
    _fields_ = [("clock_offset_s", ctypes.c_longlong), ("kinds", Call * len(KINDS))]

    @classmethod
    def at(cls, path):
        path.write_bytes(bytes(ctypes.sizeof(cls)))
        with open(path, "r+b") as file:
            control = cls.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(cls)))
        control.environment = {"LD_PRELOAD": str(LIBRARY), "FAULT_CONTROL": str(path)}
        return control

    def fail(self, kind, number, times=1):
        """The `number`th call of a kind from now on fails, and those after it up to `times`."""
        call = self.kinds[KINDS.index(kind)]
        call.left, call.error, call.times = 0, ERRORS.get(kind, errno.EIO), times
        call.left = number

    def failed(self):
        """How many calls have failed, of all kinds."""
        return sum(call.failed for call in self.kinds)

    def stop(self):
        for call in self.kinds:
            call.left = 0


def prepared_build(folder):
    """A folder of programs that are loaded with faults.c: the folder, and the control of each."""
    build = folder / "build"
    build.mkdir()
    controls = {}
    for name in PROGRAMS:
        control = controls[name] = Control.at(folder / f"{name}.control")
        words = " ".join(f"{key}={value}" for key, value in control.environment.items())
        (build / name).write_text(f'#!/bin/sh\ncase "$*" in *-config) exec {BUILD}/{name} "$@" ;; esac\n'
                                  f'{words} exec {BUILD}/{name} "$@"\n')
        (build / name).chmod(0o755)
    return build, controls


# ---- load

class Load:
    """Clients that PUT batches of three samples, some of which send again what was not taken, as collectors do; and a host of
    which nothing is written any more, which is read all the time."""

    BATCH = 3
    CLIENTS = 4
    STILL = 200  # samples of the host that is read

    def __init__(self, vigie, name=0, pause_s=0.005):
        self.vigie, self.name, self.pause_s = vigie, name, pause_s
        self.sent = {}          # (ip, ms): whether it was acknowledged
        self.statuses = collections.Counter()
        self.odd = []           # answers that tell neither that it was done nor to come back
        self.slowest_s = 0
        self.wrong = []         # answers to reads that are not what was written
        self.done = threading.Event()
        self.still_ip = f"10.22.{name}.1"
        self.still_path = f"get-all-detailed?timestamps=1&resource=mem&ip={self.still_ip}"
        self.begun_ms = int(time.time() * 1000) - 60000
        self.calm = threading.Condition()
        self.held, self.busy = False, 0
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(1, self.CLIENTS + 1)]
        self.threads.append(threading.Thread(target=self.read))

    def start(self):
        self.still = [[(self.begun_ms + second) / 1000, second % 100] for second in range(self.STILL)]
        answer = self.vigie.save(self.still_ip, *(sample("p", "mem", value, at) for at, value in self.still))
        if answer.status != 200:
            raise AssertionError(f"the load cannot begin: {answer}")
        # An engine may take its time to show what was written.
        wait_until(lambda: not self.is_wrong(self.ask("GET", self.still_path)), SECONDS, "what was written is read")
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.done.set()
        for thread in self.threads:
            if thread.ident:
                thread.join()

    @contextlib.contextmanager
    def holding(self):
        """No request of the clients is under way until the end of the block."""
        with self.calm:
            self.held = True
            self.calm.wait_for(lambda: not self.busy)
        try:
            yield
        finally:
            with self.calm:
                self.held = False
                self.calm.notify_all()

    @contextlib.contextmanager
    def turn(self):
        """Of one client."""
        with self.calm:
            self.calm.wait_for(lambda: not self.held)
            self.busy += 1
        try:
            yield
        finally:
            with self.calm:
                self.busy -= 1
                self.calm.notify_all()

    def ask(self, method, path, body=None):
        """The answer; None where there was none."""
        begun = time.monotonic()
        try:
            answer = self.vigie.request(method, path, body, timeout=SECONDS)
        except (OSError, http.client.HTTPException):
            answer = None
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        self.statuses[answer.status if answer else None] += 1
        if answer and answer.status not in (200, 500, 502, 503, 504):
            self.odd.append((method, answer.status, answer.body[:300]))
        return answer

    def write(self, number):
        ip, again, at_ms = f"10.20.{self.name}.{number}", number % 2, 0
        while not self.done.is_set():
            at_ms = max(at_ms + 1, int(time.time() * 1000))
            body = {"ipaddress": ip, "data": [sample(f"p{item}", "mem", at_ms % 1000, at_ms / 1000) for item in range(self.BATCH)]}
            self.sent[ip, at_ms] = False
            while not self.done.is_set():
                with self.turn():
                    answer = self.ask("PUT", "save-all", body)
                self.sent[ip, at_ms] = bool(answer and answer.status == 200)
                if self.sent[ip, at_ms] or not again:
                    break
                self.done.wait(0.05)
            self.done.wait(self.pause_s)

    def read(self):
        while not self.done.is_set():
            with self.turn():
                answer = self.ask("GET", self.still_path)
            if answer and answer.status == 200 and self.is_wrong(answer):
                self.wrong.append(answer.body[:300])
            self.done.wait(0.02)

    def is_wrong(self, answer):
        return answer.json() != {"p": self.still}

    def acknowledged(self):
        return sum(self.sent.values())

    def unlike(self, stored, whole=True):
        """What is not as it was told, of what is stored: {(ip, process): [(ms, value), …]}. `whole`: batches are stored whole or not
        at all."""
        seen = collections.Counter((ip, at_ms) for (ip, process), points in stored.items() for at_ms, _ in points)
        twice = [key for key, points in stored.items() if len({at_ms for at_ms, _ in points}) != len(points)]
        other = [(key, at_ms, value) for key, points in stored.items() for at_ms, value in points if value != at_ms % 1000]
        return {name: found[:5] + ([f"… {len(found)}"] if len(found) > 5 else []) for name, found in {
            "acknowledged and lost": [key for key, taken in self.sent.items() if taken and seen[key] != self.BATCH],
            "there twice": twice, "not what was sent": other, "never sent": [key for key in seen if key not in self.sent],
            "half a batch": [key for key, number in seen.items() if whole and number != self.BATCH],
            "read wrong": self.wrong}.items() if found}

    def stored(self):
        """What the server has of the clients."""
        stored = {}
        for ip in sorted({ip for ip, _ in self.sent}):
            answer = self.vigie.get(f"get-all-detailed?timestamps=1&resource=mem&window=1h&ip={ip}", timeout=SECONDS)
            if answer.status != 200:
                raise AssertionError(f"the samples cannot be read: {answer}")
            for process, points in answer.json().items():
                stored[ip, process] = [(round(at * 1000), value) for at, value in points]
        return stored

    def check(self, whole=True):
        count("batches acknowledged", self.acknowledged())
        count("lost", 0)
        unlike = self.unlike(self.stored(), whole)
        count("lost", len(unlike.get("acknowledged and lost", [])))
        if unlike:
            raise AssertionError(unlike)


class Alarms:
    """A process that goes over its limit and comes back, as soon as alert.log has each: its lines are those and no others."""

    IP = "10.21.0.1"

    def __init__(self, vigie, log):
        self.vigie, self.log, self.value, self.words, self.failure = vigie, log, 10, [], None
        self.ended = threading.Event()
        self.turning_ended = threading.Event()
        self.writer = threading.Thread(target=self.write)
        self.turner = threading.Thread(target=self.turn)

    def start(self):
        self.writer.start()
        self.turner.start()

    def stop(self):
        self.turning_ended.set()
        for thread, ended in ((self.turner, self.turning_ended), (self.writer, self.ended)):
            ended.set()
            if thread.ident:
                thread.join()

    def write(self):
        while not self.ended.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.vigie.save(self.IP, sample("hot", "mem", self.value, int(time.time())))
            self.ended.wait(0.5)

    def told(self):
        """The words of the lines in alert.log."""
        return self.words_of(self.log)

    def words_of(self, path):
        text = path.read_text() if path.exists() else ""
        return re.findall(rf'^(?:\S+Z )?([A-Z]+) ip={self.IP} process="?hot"? ', text, re.MULTILINE)

    def turn(self):
        """Until it is told to end, with nothing that stands."""
        while not self.turning_ended.is_set() or self.value == 90:
            self.value, word = (90, "RED") if self.value == 10 else (10, "CLEAR")
            self.words.append(word)
            try:
                wait_until(lambda: len(self.told()) >= len(self.words), SECONDS, "")
            except AssertionError:
                self.failure = f"no {word}"
                return

    def check(self, unheard=0):
        """`unheard`: how many of them may not have come to the hook, which hears nothing twice."""
        told = self.told()
        count("alarms told", len(told))
        if self.failure or told != self.words:
            raise AssertionError(f"alarms: {self.failure}; told {told}, not {self.words}")
        path = self.vigie.folder / "told"

        def heard():
            return len(self.words_of(path)) + unheard >= len(told)
        wait_until(heard, SECONDS, lambda: f"the hook has heard of {told}: {self.words_of(path)}")
        rest = iter(told)
        if not all(word in rest for word in self.words_of(path)):
            raise AssertionError(f"the hook has heard {self.words_of(path)} of {told}")
        count("alarms that the hook did not hear", len(told) - len(self.words_of(path)))


class System:
    """All four programs, and load; a context. Use check() at the end of it."""

    def __init__(self, engine=None, server="", sections="", prepared=False, name=0, database="vigie.db", log="alert.log"):
        """`database` and `log`: where `sections` have them, absolute."""
        self.engine, self.name = engine, name
        self.vigie = Vigie()
        self.vigie.holds_answers = False  # that takes more of the machine than the load
        build, self.controls = prepared_build(self.vigie.folder) if prepared else (BUILD, {})
        store = f"store = {engine.store}\n" if engine else ""
        hook = self.vigie.folder / "hook"
        hook.write_text(f'#!/bin/sh\necho "$*" >>{self.vigie.folder}/told\n')
        hook.chmod(0o755)
        config = self.vigie.folder / "vigie.conf"
        config.write_text(CONFIG % {"server": store + server, "hook": hook,
                                    "sections": sections + (engine.config() if engine else "")})
        self.vigie.environment.update(BUILD=str(build), CONF=str(config))
        self.database = self.vigie.state / database
        self.load, self.alarms = Load(self.vigie, name), Alarms(self.vigie, self.vigie.state / log)
        self.deaths = collections.defaultdict(list)  # name: [(from, to)] when it was away

    def __enter__(self):
        self.vigie.start()
        try:
            self.load.start()
            self.alarms.start()
            wait_until(self.ticks, SECONDS, lambda: f"the collector sends: {self.vigie.logs()}")
            self.pids = {name: self.vigie.pid_of(name) for name in PROGRAMS}
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, error, *_):
        self.load.stop()
        self.alarms.stop()
        if error:
            print(self.vigie.printed()[-3000:], flush=True)
            self.vigie.remove()
        else:
            self.vigie.stop()

    def log(self, name):
        return self.vigie.logs()[f"{name}.log"]

    def ticks(self):
        """The times of the collector's own process, each of them once or it fails; () where they cannot be read."""
        answer = self.load.ask("GET", f"get-all-detailed?timestamps=1&ip=127.0.0.1&resource=cpu&window=1h&process={NAME}")
        if not answer or answer.status != 200:
            return ()
        times = [at for points in answer.json().values() for at, _ in points]
        if len(set(times)) != len(times):
            raise AssertionError(f"a tick is there twice: {times}")
        return sorted(times)

    def is_well(self):
        answer = self.load.ask("GET", "health")
        return answer and answer.status == 200 and answer.json()["forecast"]["status"] == answer.json()["alert"]["status"] == "ok"

    def holes(self):
        """The ticks that are missing though the collector was there."""
        away = self.deaths[NAME]
        times = self.ticks()
        if not times or times[-1] < time.time() - 5:
            return ["now"]
        return [at for at in range(int(times[0]), int(times[-1])) if at not in times and
                not any(begun - 2 <= at <= ended + 4 for begun, ended in away)]

    def forecasts_are_made(self):
        """Whether the forecast service has told of itself just now."""
        answer = self.load.ask("GET", "health")
        return answer and answer.status == 200 and (answer.json()["forecast"]["last_report"] or 0) > self.settled

    def settle(self):
        """Ends the load once all is well again."""
        wait_until(self.is_well, SECONDS, lambda: f"all is well again: {self.vigie.get('health').body} {self.vigie.printed()[-2000:]}")
        self.settled = time.time()
        wait_until(self.forecasts_are_made, SECONDS, lambda: f"forecasts are made: {self.log('vigie-forecast')[-2000:]}")
        self.load.stop()
        self.alarms.stop()
        if self.engine:
            self.engine.settle()

    def check(self, holes=0, unheard=0, same=True):
        """What was acknowledged is there once, alarms were told once, and but for `unheard` to the hook, the collector's ticks are
        there but for `holes`, no state was lost, and, with `same`, no program has ended."""
        self.settle()
        self.load.check(whole=self.engine is None)
        self.alarms.check(unheard)
        wait_until(lambda: len(self.holes()) <= holes, SECONDS,
                   lambda: f"the ticks of the collector: {self.holes()} {self.log(NAME)[-3000:]}")
        count("ticks collected", len(self.ticks()))
        broken = [path.name for path in self.vigie.state.rglob("*") if path.name.endswith(".broken")]
        if broken:
            raise AssertionError(f"not readable after it: {broken}")
        if not self.engine:
            with contextlib.closing(sqlite3.connect(self.database)) as database:
                found = database.execute("PRAGMA integrity_check").fetchall()
            if found != [("ok",)]:
                raise AssertionError(f"the database: {found}")
        if DAMAGED in self.log("vigie-fcgi"):
            raise AssertionError("a database is called damaged that is not")
        if same and {name: self.vigie.pid_of(name) for name in PROGRAMS} != self.pids:
            raise AssertionError(f"a program has ended: {self.vigie.printed()[-3000:]}")


class FaultTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if is_sanitized():
            raise unittest.SkipTest("a sanitizer has allocations of its own, and takes its time")


def main():
    """Runs the tests of the program, and says what was done."""
    name = pathlib.Path(sys.argv[0]).name
    print(f"{name}: SEED={SEED} ROUNDS={ROUNDS}", flush=True)
    begun = time.monotonic()
    module = sys.modules["__main__"]
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else \
        unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    print(f"{name}: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items())) +
          f" ({time.monotonic() - begun:.0f} s)")
    ran_and_failed = sum(1 for test in result.failed if not test.startswith(("setUp", "tearDown")))
    print(f"{max(0, result.testsRun - ran_and_failed - len(result.skipped))} passed, {len(result.failed)} failed")
    sys.exit(1 if result.failed else 0)
