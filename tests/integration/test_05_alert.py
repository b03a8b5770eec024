"""From a busy process to the line in alert.log and back, through all programs."""

import datetime
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from subjects import burner, unique
from vigie import BUILD, PREFIX, Vigie, sample, wait_until

BURNER = unique("burner")
# Tests cannot count on a free core: what burns CPU is over this whatever else the machine does.
CONFIG = f"""
[server]
interval = 1s
[collector]
interval = 1s
[alert]
interval = 1s
phase = 500ms
threshold = 100000
clear = 99999
clear_after = 2
rule = process={BURNER} resource=cpu threshold=4 clear=2
"""

LINE = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (RED|CLEAR|GONE|UNKNOWN) ip=127\.0\.0\.1 '
                  rf'process="{BURNER}" resource=cpu( [a-z_]+=\S+)*$')


class AlertTest(unittest.TestCase):
    def setUp(self):
        self.vigie = Vigie(config=CONFIG).start()
        self.addCleanup(self.vigie.stop)

    def start_burner(self):
        return burner(self, self.vigie.folder, BURNER)

    def words(self):
        """The transitions of the burner, oldest first."""
        path = self.vigie.state / "alert.log"
        lines = path.read_text().splitlines() if path.exists() else []
        lines = [line for line in lines if BURNER in line]
        for line in lines:
            self.assertRegex(line, LINE)
        return [LINE.match(line).group(1) for line in lines]

    def wait_for_words(self, *words):
        try:
            wait_until(lambda: self.words() == list(words), 15, words)
        except AssertionError:
            self.fail(f"alert.log says {self.words()}, not {words}; {self.vigie.logs()}")

    def burner_alarms(self):
        return [alarm for alarm in self.vigie.get("query-alarm").json()["alarms"]
                if alarm["process"] == BURNER]

    def test_red_clear_and_gone(self):
        wait_until(lambda: self.vigie.get("query-alarm").json() == {"color": "green", "alarms": []}, 15, "green")
        burner = self.start_burner()
        self.wait_for_words("RED")
        line = (self.vigie.state / "alert.log").read_text().splitlines()[0]
        self.assertRegex(line, r" value=\d+\.\d\d threshold=4 since=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        wait_until(lambda: line in self.vigie.printed(), 5, "deploy/run shows the line")
        [alarm] = wait_until(self.burner_alarms, 5, "query-alarm shows it")
        self.assertEqual((alarm["color"], alarm["ip"], alarm["resource"], alarm["threshold"]),
                         ("red", "127.0.0.1", "cpu", 4))
        self.assertGreater(alarm["value"], 4)
        self.assertEqual(self.vigie.get("query-alarm").json()["color"], "red")

        # Its state outlives the alert service: no second line.
        pid = self.vigie.pid_of("vigie-alert")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.vigie.pid_of("vigie-alert") not in (None, pid), 10, "started again")
        reported = self.vigie.get("health").json()["alert"]["last_report"]
        wait_until(lambda: self.vigie.get("health").json()["alert"]["last_report"] > reported + 3, 15, "reports again")
        self.assertEqual(self.words(), ["RED"])
        self.assertEqual([alarm["color"] for alarm in self.burner_alarms()], ["red"])

        burner.send_signal(signal.SIGSTOP)
        self.wait_for_words("RED", "CLEAR")
        wait_until(lambda: not self.burner_alarms(), 5, "query-alarm is green")
        burner.send_signal(signal.SIGCONT)
        self.wait_for_words("RED", "CLEAR", "RED")
        burner.kill()
        burner.wait()
        self.wait_for_words("RED", "CLEAR", "RED", "GONE")
        wait_until(lambda: not self.burner_alarms(), 10, "query-alarm has forgotten it")
        history = [entry["color"] for entry in self.vigie.get(f"alarms?process={BURNER}").json()]
        self.assertEqual(history, ["red", "green", "red", "green"])

    def test_silent_host_is_unknown_and_not_resolved(self):
        self.start_burner()
        self.wait_for_words("RED")
        collector = self.vigie.pid_of("vigie-collector")
        os.kill(collector, signal.SIGSTOP)
        self.addCleanup(os.kill, collector, signal.SIGCONT)

        def colors():
            return {alarm["color"] for alarm in self.vigie.get("query-alarm").json()["alarms"]}
        wait_until(lambda: "unknown" in colors(), 15, "query-alarm says unknown")
        log = (self.vigie.state / "alert.log").read_text()
        self.assertIn(" UNKNOWN ip=127.0.0.1 ", log)
        self.assertNotIn(" CLEAR ", log)
        self.assertNotIn(" GONE ", log)

    def test_moved_log_is_followed(self):
        self.start_burner()
        self.wait_for_words("RED")
        log = pathlib.Path(self.vigie.state / "alert.log")
        log.rename(self.vigie.state / "alert.log.1")
        os.kill(self.vigie.pid_of("vigie-collector"), signal.SIGSTOP)
        self.addCleanup(os.kill, self.vigie.pid_of("vigie-collector"), signal.SIGCONT)
        wait_until(lambda: log.exists() and " UNKNOWN " in log.read_text(), 15, "the line in a new alert.log")


class LateTest(unittest.TestCase):
    INTERVAL, LATE = 3, 0.7  # seconds: so long after the boundary a tick's values come, and 2.4 s after it they are not awaited any more

    def test_values_that_come_late_are_judged_in_their_tick(self):
        """The round begins 0.1 s after the boundary, and waits."""
        vigie = Vigie("--server", config=f"[server]\ninterval = {self.INTERVAL}s\ncache = 0\n").start()
        self.addCleanup(vigie.stop)
        log = vigie.folder / "alert.log"
        options = {"url": f"http://127.0.0.1:{vigie.port}{PREFIX}", "interval": f"{self.INTERVAL}s", "phase": "100ms",
                   "log": log, "state": vigie.folder / "alert.state"}
        with open(vigie.folder / "vigie-alert.log", "wb") as printed:
            alert = subprocess.Popen([BUILD / "vigie-alert", *(word for name, value in options.items()
                                                               for word in ("--set", f"alert.{name}={value}"))], stderr=printed)
        self.addCleanup(alert.wait)
        self.addCleanup(alert.terminate)

        def save(process, value):
            """At its time; the boundary, and when it was stored."""
            boundary = time.time() // self.INTERVAL * self.INTERVAL + self.INTERVAL
            time.sleep(boundary + self.LATE - time.time())
            self.assertEqual(vigie.save("10.5.0.1", sample(process, "cpu", value, boundary)).status, 200)
            return boundary, time.time()
        for _ in range(4):
            save("late", 1)
        for number in range(5):  # again where the machine was busy
            boundary, stored = save(f"late{number}", 99)
            if stored < boundary + self.LATE + 0.3:
                break

        def line():
            return re.search(rf'^(\S+)Z RED .* process="late{number}"', log.read_text(), re.M)
        wait_until(line, 2 * self.INTERVAL, "it is RED")
        said = datetime.datetime.fromisoformat(line()[1] + "+00:00").timestamp()
        self.assertGreater(said, boundary + self.LATE)
        self.assertLess(said, boundary + self.INTERVAL)


if __name__ == "__main__":
    unittest.main()
