"""All of vigie under load, whose calls can be made to fail and whose clocks to be wrong, and what must hold of it afterwards."""

import collections
import contextlib
import ctypes
import errno
import mmap
import sqlite3
import time

from fault import SECONDS, count
from load import Alarms, Load

from vigie import BUILD, Vigie, wait_until  # where fault finds them

PROGRAMS = ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast")
LIBRARY = BUILD / "fault" / "faults.so"
NAME = "vigie-collector"  # the process that the collector sends: itself
DAMAGED = "away and start again"  # what is said of a database that cannot be used any more

# Everything each second; what the clients write raises no alarm, and what forecasts say is no part of what is told.
CONFIG = """[server]
interval = 1s
cache = 0
store_timeout = 2s
%(store)s
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


# ---- the system

class System:
    """All four programs, and load; a context. Use check() at the end of it."""

    def __init__(self, engine=None, sections="", prepared=False, name=0, database="vigie.db", log="alert.log"):
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
        config.write_text(CONFIG % {"store": store, "hook": hook,
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

    def missed(self):
        """How many ticks the machine had no time for, since the collector was last started, as that says itself."""
        answer = self.load.ask("GET", "hosts")
        report = answer.json()["127.0.0.1"] if answer and answer.status == 200 else {}
        return (report.get("counters") or {}).get("missed_ticks", 0)  # a server that has just begun has no report

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
        wait_until(lambda: len(self.holes()) <= holes + self.missed(), SECONDS,
                   lambda: f"the ticks of the collector: {self.holes()}, missed {self.missed()} {self.log(NAME)[-3000:]}")
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
