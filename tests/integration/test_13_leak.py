"""A leak, end to end: a real process grows its memory, and all of vigie's programs see, forecast and say it, with limits
and times scaled down."""

import calendar
import concurrent.futures
import contextlib
import http.client
import os
import re
import signal
import string
import threading
import time
import unittest

import subjects
from engines import Influxd, VictoriaMetrics
from subjects import subject, unique
from vigie import Vigie, wait_until

MEMORY_MIB = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2 ** 20
HORIZON_S = 12
# VictoriaMetrics shows a sample up to 2 s (1.79) or 4 s (1.112) after it was written, and the latest are no older than three
# intervals.
VICTORIAMETRICS_PACE = 2
LONG_HORIZON_S = 72
LEARNS_AFTER_S = 8 + HORIZON_S + 6  # of three steps something is said, of which it is known after the horizon what came
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase + "-_"

CONFIG = """
[server]
interval = {pace}s
cache = 0
{server}
[collector]
interval = {pace}s
include = {leak}
include = {flat}
[alert]
interval = {pace}s
phase = {half_pace_ms}ms
horizon = {horizon}s
rule = resource=mem threshold={limit:.6f} clear={clear:.6f}
[forecast]
refresh = {pace}s
phase = 200ms
step = {step}s
above = {above}
history = 20m
timeout = 1s
{engine}
"""


def setUpModule():
    subjects.build()


def seconds(text):
    """Since 1970, of a time in alert.log."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


class Watcher:
    """What query-alarm says of the processes, again and again."""

    def __init__(self, vigie):
        self.vigie, self.colors, self.alarms, self.ended = vigie, [], {}, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended.wait(0.2):
            with contextlib.suppress(OSError, http.client.HTTPException):  # the server is being started again
                answer = self.vigie.get("query-alarm")
                for alarm in answer.json()["alarms"] if answer.status == 200 else []:
                    color = (alarm["process"], alarm["resource"], alarm["color"])
                    if color not in self.colors:
                        self.colors.append(color)
                    self.alarms.setdefault(color, alarm)

    def stop(self):
        self.ended.set()
        self.thread.join()


class Leak:
    """One leak from its beginning to its end, beside a process as large that does not grow; all that is said of them.
    `pace` is how many seconds each of the others is stretched to."""

    def __init__(self, name, limit_mib, limit_after_s=40, pace=1, step=2, server="", engine=""):
        self.leak, self.flat, self.limit_mib = unique(name), unique("flat" + name), limit_mib
        self.limit_after_s, self.horizon_s, self.pace = pace * limit_after_s, pace * HORIZON_S, pace
        self.limit = 100 * limit_mib / MEMORY_MIB
        self.vigie = Vigie(config=CONFIG.format(server=server, engine=engine, leak=self.leak, flat=self.flat, pace=pace,
                                                half_pace_ms=500 * pace, step=step * pace, horizon=self.horizon_s,
                                                limit=self.limit, clear=self.limit * 0.94, above=25))

    def lines(self):
        """[(time, word, {key: value})] of alert.log but those of the host: a busy machine may fall silent."""
        path = self.vigie.state / "alert.log"
        text = path.read_text() if path.exists() else ""
        found = [(seconds(line.split()[0]), line.split()[1], dict(re.findall(r'(\w+)="?([^"\s]*)', line)))
                 for line in text.splitlines()]
        return [(at, word, fields) for at, word, fields in found if fields["process"] != "*"]

    def wait_for_word(self, wanted, limit_s):
        wait_until(lambda: wanted in [word for _, word, _ in self.lines()], limit_s,
                   lambda: f"{wanted}: {self.lines()} {self.vigie.logs()}")

    def run(self, meanwhile=None):
        with self.vigie, contextlib.ExitStack() as stack:
            self.watcher = Watcher(self.vigie)
            stack.callback(self.watcher.stop)
            stack.enter_context(subject(self.flat, "grow", int(0.7 * self.limit_mib), int(0.7 * self.limit_mib), 0))
            first_mib, last_mib = int(0.2 * self.limit_mib), int(1.7 * self.limit_mib)
            rate = int(0.8 * self.limit_mib * 1024 / self.limit_after_s)
            with subject(self.leak, "grow", first_mib, last_mib, rate):
                if meanwhile:
                    meanwhile(self)
                self.wait_for_word("RED", 2 * self.limit_after_s)
                wait_until(lambda: self.watcher.colors[-1:] == [(self.leak, "mem", "red")], 10 * self.pace,
                           lambda: f"red: {self.watcher.colors}")
            self.wait_for_word("GONE", 20 * self.pace)
            wait_until(lambda: self.vigie.get("query-alarm").json()["color"] == "green", 20 * self.pace,
                       "query-alarm is green")
            self.told = self.lines()
            self.measured = set(self.vigie.get("get-all?resource=mem").json())
            self.log = self.vigie.logs()["vigie-forecast.log"]
            if meanwhile:
                self.state = end_and_read_state(self)
        return self


def restart(leak, name):
    """Ends a program in good order, and waits until deploy/run has started it again."""
    pid = leak.vigie.pid_of(name)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: leak.vigie.pid_of(name) not in (None, pid), 15, f"{name} is started again")


def end_and_read_state(leak):
    """Of the series that grows, what vigie-forecast writes at its end."""
    restart(leak, "vigie-forecast")
    for line in (leak.vigie.state / "forecast.state").read_text().splitlines():
        if f' mem "{leak.leak}" ' in line:
            return line.split('"')[2]
    raise AssertionError(f"nothing was learnt: {leak.vigie.logs()['vigie-forecast.log']}")


def disturb(leak):
    """Before there is anything to warn of, everything that forecasts pass through is started again or reloaded."""
    def wait_for_forecast(since):
        def forecast():
            answer = leak.vigie.get("forecasts")
            return answer.status == 200 and any(leak.leak in processes for processes in answer.json().values())
        time.sleep(max(0, since + 3.5 - time.monotonic()))  # what was forecast before is not shown any more
        wait_until(forecast, 15, lambda: f"forecasts: {leak.vigie.logs()}")

    begun = first = time.monotonic()
    wait_for_forecast(begun)
    begun = time.monotonic()
    restart(leak, "vigie-fcgi")
    wait_for_forecast(begun)
    begun = time.monotonic()
    os.kill(leak.vigie.pid_of("vigie-forecast"), signal.SIGHUP)
    wait_for_forecast(begun)
    time.sleep(max(0, first + LEARNS_AFTER_S - time.monotonic()))
    begun = time.monotonic()
    leak.state_before = end_and_read_state(leak)
    wait_for_forecast(begun)


def look_ahead(leak):
    """Once there is an alarm of what is far ahead, both watchers are started again."""
    leak.wait_for_word("AMBER", 2 * leak.limit_after_s)
    ip = leak.lines()[0][2]["ip"]
    leak.far = leak.vigie.get("forecasts?ip=" + ip).json()[ip][leak.leak]["mem"]
    restart(leak, "vigie-alert")
    restart(leak, "vigie-forecast")


def leak_over(name, engine, store, pace=1):
    with engine:
        return Leak(name, 80, pace=pace, server=f"store = {store}", engine=engine.config()).run()


class LeakTest(unittest.TestCase):
    """All at the same time: each takes the minute that a leak takes."""

    @classmethod
    def setUpClass(cls):
        pool = concurrent.futures.ThreadPoolExecutor()
        cls.addClassCleanup(pool.shutdown)
        cls.plain = pool.submit(Leak("plain", 240).run)
        cls.disturbed = pool.submit(Leak("reset", 80, LEARNS_AFTER_S + 28).run, disturb)
        cls.far = pool.submit(Leak("far", 160, 58, step=1, engine=f"[forecast]\nlong_horizon = {LONG_HORIZON_S}s").run, look_ahead)
        cls.influxdb = pool.submit(leak_over, "influx", Influxd(), "influxql")
        cls.victoriametrics = pool.submit(leak_over, "vm", VictoriaMetrics(), "victoriametrics", VICTORIAMETRICS_PACE)

    def check(self, leak):
        self.assertEqual(leak.measured, {leak.leak, leak.flat})
        self.assertEqual([(word, fields["process"], fields["resource"]) for _, word, fields in leak.told],
                         [(word, leak.leak, "mem") for word in ("AMBER", "RED", "GONE")])
        (amber_at, _, amber), (red_at, _, red), _ = leak.told
        self.assertEqual(amber["ip"], red["ip"])
        self.assertGreater(float(amber["probability"]), 0.35)  # amber_probability
        self.assertLessEqual(float(amber["value"]), leak.limit)
        self.assertGreater(float(amber["forecast"]), float(amber["value"]))
        self.assertGreaterEqual(red_at - amber_at, 2 * leak.pace)

        self.assertEqual([color for color in leak.watcher.colors if color[2] != "unknown"],
                         [(leak.leak, "mem", "orange"), (leak.leak, "mem", "red")])
        orange = leak.watcher.alarms[leak.leak, "mem", "orange"]
        self.assertGreater(orange["forecast"], orange["value"])
        self.assertAlmostEqual(orange["expected_at"], amber_at, delta=leak.horizon_s + 5 * leak.pace)
        self.assertIsNone(leak.watcher.alarms[leak.leak, "mem", "red"]["expected_at"])
        print(f"\n    AMBER {red_at - amber_at:.1f} s before RED, of a horizon of {leak.horizon_s} s; it expected RED "
              f"{orange['expected_at'] - red_at:+.1f} s from when it came", flush=True)

    def test_leak_is_amber_then_red_then_gone(self):
        leak = self.plain.result()
        self.check(leak)
        self.assertNotIn(" error: ", leak.log)

    def test_restarts_and_a_reload_lose_nothing(self):
        leak = self.disturbed.result()
        self.check(leak)
        # The sum of the squares' logarithms: they only ever grow.
        before, after = (sum(DIGITS.index(word[at]) * 64 ** (2 - digit) for word in state.split()[2:]
                             for first in range(4, len(word), 7) for digit, at in enumerate(range(first, first + 3)))
                         for state in (leak.state_before, leak.state))
        self.assertGreater(before, 0)
        self.assertGreater(after, before)

    def test_what_is_far_ahead_is_an_amber_of_its_own(self):
        leak = self.far.result()
        self.assertEqual([word for _, word, _ in leak.told], ["AMBER", "AMBER", "RED", "GONE"], leak.told)
        (far_at, _, far), (near_at, _, near), (red_at, _, _), _ = leak.told
        self.assertEqual(list(far), ["ip", "process", "resource", "value", "threshold", "horizon", "expected_at", "since"])
        self.assertEqual(far["horizon"], f"{LONG_HORIZON_S}s")
        self.assertGreater(red_at - far_at, leak.horizon_s)
        self.assertAlmostEqual(seconds(far["expected_at"]), red_at, delta=12)
        self.assertAlmostEqual(leak.far["full_at"], red_at, delta=12)
        self.assertIn("probability", near)
        self.assertNotIn("horizon", near)
        orange = leak.watcher.alarms[leak.leak, "mem", "orange"]
        self.assertAlmostEqual(orange["expected_at"], red_at, delta=12)
        self.assertGreaterEqual(orange["forecast"], orange["threshold"])

    def test_leak_over_influxdb(self):
        self.check(self.influxdb.result())

    def test_leak_over_victoriametrics(self):
        self.check(self.victoriametrics.result())


if __name__ == "__main__":
    unittest.main()
