"""AMBER, reminders, muting and the hook: vigie-alert with the real server, and with one that hangs."""

import contextlib
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

from vigie import BUILD, SANITIZER_WORDS, Vigie, sample, wait_until

IP = "10.9.0.1"

CONFIG = """
[server]
interval = 1s
[collector]
interval = 1s
[alert]
interval = 1s
phase = 500ms
clear_after = 2
hook = ./hook
rule = ip=127.0.0.1 mute=yes
[forecast]
refresh = 1s
"""

HOOK = """#!/bin/sh
{ printf '%s' "$1"; shift; printf '|%s' "$@"; echo; } >> hook.output
"""

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"


def parse(line):
    """(word, {key: value}) of a line of alert.log."""
    match = re.fullmatch(rf'{TIME} ([A-Z]+)((?: [a-z_]+=(?:"(?:[^"\\]|\\.)*"|\S+))+)', line)
    assert match, line
    fields = dict(re.findall(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|\S+)', match.group(2)))
    return match.group(1), {key: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value
                            for key, value in fields.items()}


class Feeder:
    """A host that is all by hand: {process: (value, probability)} of its memory, sent again and again."""

    def __init__(self, vigie):
        self.vigie, self.series, self.forecasting, self.stopped = vigie, {}, True, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(0.25):
            series = dict(self.series)
            with contextlib.suppress(OSError):
                self.vigie.save(IP, sample("bash", "mem", 1), *(sample(name, "mem", value) for name, (value, _) in series.items()))
                if self.forecasting:
                    self.vigie.put("save-forecasts", {"data": [
                        {"ipaddress": IP, "process_name": name, "type_data": "mem", "probability": probability,
                         "forecast": 91.2, "expected_at": time.time() + 600 if probability > 0.5 else None}
                        for name, (_, probability) in series.items() if probability is not None]})

    def stop(self):
        self.stopped.set()
        self.thread.join()


class AmberTest(unittest.TestCase):
    def setUp(self):
        self.vigie = Vigie(config=CONFIG)
        hook = self.vigie.folder / "hook"
        hook.write_text(HOOK)
        hook.chmod(0o755)
        self.vigie.start()
        self.addCleanup(self.vigie.stop)
        # The forecasts are made by hand: the service that makes them is held.
        forecast = wait_until(lambda: self.vigie.pid_of("vigie-forecast"), 5, "vigie-forecast runs")
        os.kill(forecast, signal.SIGSTOP)
        self.addCleanup(os.kill, forecast, signal.SIGCONT)
        self.feeder = Feeder(self.vigie)
        self.addCleanup(self.feeder.stop)

    def lines(self, process):
        path = self.vigie.state / "alert.log"
        found = [parse(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(word, fields) for word, fields in found if fields["process"] == process]

    def wait_for_words(self, process, *words):
        wait_until(lambda: [word for word, _ in self.lines(process)] == list(words), 20,
                   lambda: f"{words}: {self.lines(process)}; {self.vigie.logs()}")

    def alarms(self):
        return {alarm["process"]: alarm for alarm in self.vigie.get("query-alarm?ip=" + IP).json()["alarms"]}

    def reports(self, count):
        """Waits for so many more rounds of vigie-alert."""
        def last():
            return self.vigie.get("health").json()["alert"]["last_report"]
        before = last()
        wait_until(lambda: (last() or 0) >= (before or 0) + count, 20, "vigie-alert reports")

    def test_amber_red_clear_amber_gone(self):
        self.feeder.series["a \"leak\""] = (61, 0.83)
        process = "a \"leak\""
        self.wait_for_words(process, "AMBER")
        [(_, fields)] = self.lines(process)
        self.assertEqual(list(fields), ["ip", "process", "resource", "value", "forecast", "probability", "threshold",
                                        "expected_at", "since"])
        self.assertEqual([fields[key] for key in ("ip", "resource", "value", "forecast", "probability", "threshold")],
                         [IP, "mem", "61.00", "91.20", "0.83", "80"])
        for key in ("expected_at", "since"):
            self.assertRegex(fields[key], TIME)
        wait_until(lambda: process in self.alarms(), 5, "query-alarm shows it")
        alarm = self.alarms()[process]
        self.assertEqual((alarm["color"], alarm["forecast"], alarm["threshold"]), ("orange", 91.2, 80))
        self.assertAlmostEqual(alarm["expected_at"], time.time() + 600, delta=30)
        self.assertEqual(self.vigie.get("query-alarm").json()["color"], "orange")

        # Neither a restart nor a reload repeats the line.
        alert = self.vigie.pid_of("vigie-alert")
        os.kill(alert, signal.SIGHUP)
        self.reports(2)
        os.kill(alert, signal.SIGKILL)
        wait_until(lambda: self.vigie.pid_of("vigie-alert") not in (None, alert), 10, "started again")
        self.reports(3)
        self.wait_for_words(process, "AMBER")

        self.feeder.series[process] = (85, 0.83)
        self.wait_for_words(process, "AMBER", "RED")
        wait_until(lambda: self.alarms()[process]["color"] == "red", 5, "query-alarm is red")
        self.feeder.series[process] = (40, 0.1)
        self.wait_for_words(process, "AMBER", "RED", "CLEAR")
        wait_until(lambda: not self.alarms(), 5, "query-alarm is green")
        self.feeder.series[process] = (40, 0.9)
        self.wait_for_words(process, "AMBER", "RED", "CLEAR", "AMBER")
        self.feeder.series[process] = (40, 0.1)
        self.wait_for_words(process, "AMBER", "RED", "CLEAR", "AMBER", "CLEAR")
        self.assertEqual(self.lines(process)[-1][1]["probability"], "0.10")
        wait_until(lambda: not self.alarms(), 5, "query-alarm is green")
        self.feeder.series[process] = (40, 0.9)
        self.wait_for_words(process, "AMBER", "RED", "CLEAR", "AMBER", "CLEAR", "AMBER")
        del self.feeder.series[process]
        self.wait_for_words(process, "AMBER", "RED", "CLEAR", "AMBER", "CLEAR", "AMBER", "GONE")

        # The hook was given the same, raw.
        expected = ["|".join([word, *(f"{key}={value}" for key, value in fields.items())])
                    for word, fields in self.lines(process)]
        output = self.vigie.state / "hook.output"
        wait_until(lambda: [line for line in output.read_text().splitlines() if process in line] == expected, 10,
                   lambda: f"{expected}: {output.read_text()}")

    def test_forecasts_away_are_said_once_and_red_goes_on(self):
        self.feeder.series["leak"] = (61, 0.83)
        self.wait_for_words("leak", "AMBER")
        log = self.vigie.state / "vigie-alert.log"
        before = log.read_text().count("no forecasts: ")
        self.feeder.forecasting = False
        wait_until(lambda: log.read_text().count("no forecasts: vigie-forecast does not report; AMBER waits") > before, 15,
                   "it is said")
        self.feeder.series.update({"over": (85, None), "leak": (62, None)})
        self.wait_for_words("over", "RED")
        self.reports(4)
        self.wait_for_words("leak", "AMBER")
        self.assertEqual(self.alarms()["leak"]["color"], "orange")
        self.assertEqual(log.read_text().count("no forecasts: "), before + 1)
        back = log.read_text().count("the forecasts are back")
        self.feeder.series["leak"] = (62, 0.1)
        self.feeder.forecasting = True
        self.wait_for_words("leak", "AMBER", "CLEAR")
        self.assertEqual(log.read_text().count("the forecasts are back"), back + 1)

    def test_reload_mutes_reminds_and_changes_the_cuts(self):
        self.feeder.series.update({"leak": (61, 0.83), "over": (85, 0), "mild": (50, 0.45)})
        self.wait_for_words("leak", "AMBER")
        self.wait_for_words("over", "RED")
        config = CONFIG.replace("[forecast]", "rule = process=over mute=yes\nrule = process=mild amber_probability=0.4\n"
                                              "reminder = 2s\n[forecast]")
        self.vigie.config_path.write_text(config)
        os.kill(self.vigie.pid_of("vigie-alert"), signal.SIGHUP)
        self.wait_for_words("over", "RED", "CLEAR")
        wait_until(lambda: [word for word, _ in self.lines("leak")][:3] == ["AMBER", "REMINDER", "REMINDER"], 20,
                   lambda: self.lines("leak"))
        self.assertEqual(list(self.lines("leak")[1][1]), list(self.lines("leak")[0][1]))
        wait_until(lambda: [word for word, _ in self.lines("mild")][:1] == ["AMBER"], 20, lambda: self.lines("mild"))
        self.wait_for_words("over", "RED", "CLEAR")
        self.assertNotIn("over", self.alarms())


class Hanging(http.server.BaseHTTPRequestHandler):
    """A server that answers all at once but the forecasts, which take their time."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body):
        if self.server.ended:  # whose kept connections live on
            self.close_connection = True
            return
        body = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        name = self.path.rsplit("/", 1)[1]
        with contextlib.suppress(OSError):
            if name == "latest":
                now = time.time()
                self.answer({IP: {"java": {"mem": [now, self.server.value]}}})
            elif name == "forecasts":
                self.server.hold.wait(20 if self.server.hanging else 0)
                self.answer({IP: {"java": {"mem": {"probability": self.server.probability, "forecast": 91, "expected_at": None}}}})

    def do_PUT(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.reported.append(body["data"])
        with contextlib.suppress(OSError):
            self.answer({"Response": "Ok"})


class AloneTest(unittest.TestCase):
    """vigie-alert and a server that is a part of this test."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.port = 0
        self.serve()
        self.process = None

    def serve(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Hanging)
        self.server.daemon_threads = True
        self.server.value, self.server.probability, self.server.hanging, self.server.reported = 61, 0.1, False, []
        self.server.hold, self.server.ended = threading.Event(), False
        self.port = self.server.server_address[1]
        server, thread = self.server, threading.Thread(target=self.server.serve_forever)
        thread.start()

        def end():
            server.ended = True
            server.hold.set()
            server.shutdown()
            server.server_close()
            thread.join()
        self.end_server = end
        self.addCleanup(lambda: self.end_server())

    def start(self, *options):
        arguments = [word for option in (f"url=http://127.0.0.1:{self.port}/ressources-usage/", "interval=1s",
                                         "phase=100ms", "clear_after=2", *options) for word in ("--set", "alert." + option)]
        self.output = open(self.folder / "output", "ab")
        self.addCleanup(self.output.close)
        self.process = subprocess.Popen([BUILD / "vigie-alert", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=self.output)
        self.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.assertEqual(self.process.wait(20), 0, self.said())
        self.assertFalse([word for word in SANITIZER_WORDS if word in self.said()], self.said())

    def said(self):
        return (self.folder / "output").read_text()

    def words(self):
        path = self.folder / "alert.log"
        return [parse(line)[0] for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_words(self, *words, seconds=10):
        wait_until(lambda: self.words() == list(words), seconds, lambda: f"{words}: {self.words()}; {self.said()}")

    def test_hanging_forecasts_delay_no_red(self):
        self.server.hanging = True
        self.start("timeout=30s")
        wait_until(lambda: len(self.server.reported) >= 2, 10, "rounds go on")
        for value, words in ((81, ["RED"]), (40, ["RED", "CLEAR"]), (82, ["RED", "CLEAR", "RED"])):
            self.server.value = value
            # One round, or two to clear, and a second for a machine that is busy.
            self.wait_for_words(*words, seconds=3 + (value == 40))
        self.assertEqual(self.said().count("no forecasts: "), 1)
        self.server.hold.set()
        self.server.hanging = False
        wait_until(lambda: "the forecasts are back" in self.said(), 10, "they are back")

    def test_server_away_keeps_amber(self):
        self.server.probability = 0.9
        self.start()
        self.wait_for_words("AMBER")
        wait_until(lambda: [[item["color"] for item in data] for data in self.server.reported[-1:]] == [["orange"]], 10,
                   "it is reported")
        self.end_server()
        wait_until(lambda: "asking for the latest samples fails" in self.said(), 10, "it is said")
        time.sleep(2.5)
        self.end()  # a restart while it is away
        self.start()
        wait_until(lambda: self.said().count("asking for the latest samples fails") == 2, 10, "it is said")
        time.sleep(1.5)
        self.serve()
        self.server.probability = 0.9
        wait_until(lambda: [[item["color"] for item in data] for data in self.server.reported[-1:]] == [["orange"]], 10,
                   "it is reported again")
        self.assertEqual(self.words(), ["AMBER"])
        self.assertEqual(self.said().count("asking for the latest samples fails"), 2)
        self.server.probability = 0.1
        self.wait_for_words("AMBER", "CLEAR")
        wait_until(lambda: ["green"] in [[item["color"] for item in data] for data in self.server.reported], 10, "its end")

    def test_slow_hook_delays_neither_lines_nor_the_end(self):
        hook = self.folder / "hook"
        hook.write_text("#!/bin/sh\necho begun >> begun\nexec sleep 300\n")
        hook.chmod(0o755)
        self.start("hook=./hook", "hook_timeout=2s")
        wait_until(lambda: self.server.reported, 10, "it runs")
        self.server.value = 81
        self.wait_for_words("RED")
        wait_until((self.folder / "begun").exists, 5, "the hook runs")
        self.server.value = 40
        self.wait_for_words("RED", "CLEAR", seconds=5)
        wait_until(lambda: "the hook ./hook fails: it took too long and was killed" in self.said(), 10, "it is killed")
        self.server.value = 81
        self.wait_for_words("RED", "CLEAR", "RED", seconds=5)
        begun = time.monotonic()
        self.end()
        self.assertLess(time.monotonic() - begun, 4)
        self.assertEqual(self.said().count("took too long"), 1)

    def test_missing_hook_is_said_and_all_else_goes_on(self):
        self.server.value = 81
        self.start("hook=./hook")
        self.wait_for_words("RED")
        wait_until(lambda: "the hook ./hook fails: it cannot be run: No such file or directory" in self.said(), 5, "said")
        self.assertIn("the hook ./hook cannot be run as things are: No such file or directory", self.said())


if __name__ == "__main__":
    unittest.main()
