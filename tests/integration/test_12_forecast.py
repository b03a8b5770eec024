"""The forecast service against the real server: forecasts of what is PUT, at a pace of seconds."""

import os
import signal
import subprocess
import threading
import time
import unittest

from vigie import BUILD, Vigie, is_alive, sample, wait_until

# Nothing is above a limit here, and the machine's own processes are no part of it.
CONFIG = """
[server]
interval = 1s
cache = 0
[collector]
interval = 1s
include = vigie-no-such
[alert]
interval = 1s
phase = 500ms
threshold = 80
horizon = 15s
[forecast]
refresh = 1s
phase = 300ms
step = 3s
above = 5
history = 10m
timeout = 1s
"""

IP = "10.0.0.5"
LEAKER = 'leak "é\\'


class ForecastTest(unittest.TestCase):
    def setUp(self):
        self.vigie = Vigie(config=CONFIG).start()
        self.addCleanup(self.vigie.stop)
        self.begun = int(time.time())
        self.feeding = threading.Event()
        self.feed(self.begun - 60, self.begun)
        feeder = threading.Thread(target=self.keep_feeding)
        feeder.start()
        self.addCleanup(feeder.join)
        self.addCleanup(self.feeding.set)

    def feed(self, first, last):
        """Two samples for each second from `first` to `last`: one climbs by a percent in three seconds, one does not."""
        self.vigie.save(IP, *[each for at in range(first, last + 1) for each in
                              (sample(LEAKER, "mem", 30 + (at - self.begun) / 3, at), sample("quiet", "cpu", 3, at))])

    def keep_feeding(self):
        last = self.begun
        while not self.feeding.wait(0.2):
            now = int(time.time())
            if now > last:
                self.feed(last + 1, now)
                last = now

    def forecasts(self):
        answer = self.vigie.get("forecasts?ip=" + IP)
        self.assertEqual(answer.status, 200, answer)
        return answer.json().get(IP, {})

    def wait_for_histories(self, seen):
        """Until the log says more often than `seen` times that they have been read."""
        wait_until(lambda: self.histories_read() > seen, 15, self.log)

    def histories_read(self):
        return self.log().count("1 series of 1 hosts have their history")

    def wait_for_forecast(self):
        return wait_until(lambda: self.forecasts().get(LEAKER, {}).get("mem"), 20,
                          lambda: f"a forecast: {self.vigie.logs()}")

    def log(self):
        return self.vigie.logs()["vigie-forecast.log"]

    def test_what_is_put_is_forecast(self):
        forecast = self.wait_for_forecast()
        self.assertEqual(set(forecast), {"probability", "forecast", "expected_at"})
        self.assertGreaterEqual(forecast["probability"], 0)
        self.assertLessEqual(forecast["probability"], 1)
        self.assertGreater(forecast["forecast"], 0)
        self.assertNotIn("quiet", self.forecasts())
        # On demand with its limit; why it is what it is only where it is probable.
        explained = self.vigie.get(f"forecasts?explain=1&ip={IP}").json()[IP][LEAKER]["mem"]
        self.assertEqual((explained["limit"], explained["horizon_s"]), (80, 15))
        self.assertEqual(explained["why"] is None, explained["probability"] < 0.1)
        # It is made anew at each refresh.
        wait_until(lambda: self.forecasts()[LEAKER]["mem"] != forecast, 10, "another forecast")
        os.kill(self.vigie.pid_of("vigie-forecast"), signal.SIGUSR1)
        wait_until(lambda: " us of CPU a series; " in self.log(), 5, self.log)
        self.assertNotIn(" error: ", self.log())

    def test_what_was_learnt_survives_a_restart(self):
        self.wait_for_forecast()
        read = self.histories_read()
        pid = self.vigie.pid_of("vigie-forecast")
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: self.vigie.pid_of("vigie-forecast") not in (None, pid), 10, "started again")
        state = (self.vigie.state / "forecast.state").read_text()
        self.assertRegex(state, r"^vigie-forecast 2 3000\nclock \d+ \d+ \d+\n")
        self.assertIn(f'{IP} mem "leak \\"é\\\\" ', state)
        self.assertTrue(state.endswith("end 1\n"), state)
        self.wait_for_histories(read)
        made = self.wait_for_forecast()
        wait_until(lambda: self.forecasts()[LEAKER]["mem"] != made, 10, "another forecast")
        self.assertNotIn(" error: ", self.log())

        # A broken one is moved aside.
        pid = self.vigie.pid_of("vigie-forecast")
        os.kill(pid, signal.SIGKILL)
        (self.vigie.state / "forecast.state").write_text(state[:-2])
        wait_until(lambda: "forecast.state is not a state of vigie-forecast: it is cut short" in self.log(), 10, self.log)
        self.assertEqual((self.vigie.state / "forecast.state.broken").read_text(), state[:-2])

    def test_absence_of_the_server_is_said_once(self):
        self.wait_for_forecast()
        fcgi = self.vigie.pid_of("vigie-fcgi")
        os.kill(fcgi, signal.SIGSTOP)
        try:
            wait_until(lambda: " fails: " in self.log(), 10, self.log)
            time.sleep(3)  # some refreshes more
        finally:
            os.kill(fcgi, signal.SIGCONT)
        wait_until(lambda: " works again" in self.log(), 10, self.log)
        made = self.wait_for_forecast()
        wait_until(lambda: self.forecasts()[LEAKER]["mem"] != made, 10, "another forecast")
        self.assertLessEqual(self.log().count(" error: "), 2, self.log())  # asking, and perhaps reporting

    def test_ends_in_time_and_keeps_what_was_learnt_while_the_server_hangs(self):
        self.wait_for_forecast()
        self.vigie.config_path.write_text(CONFIG.replace("timeout = 1s", "timeout = 60s"))
        read = self.histories_read()
        os.kill(self.vigie.pid_of("vigie-forecast"), signal.SIGHUP)
        self.wait_for_histories(read)
        self.wait_for_forecast()
        fcgi, pid = self.vigie.pid_of("vigie-fcgi"), self.vigie.pid_of("vigie-forecast")
        os.kill(fcgi, signal.SIGSTOP)
        try:
            time.sleep(3)  # it has asked, and waits
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(pid), 4, "vigie-forecast has ended")
        finally:
            os.kill(fcgi, signal.SIGCONT)
        state = (self.vigie.state / "forecast.state").read_text()
        self.assertTrue(state.endswith("end 1\n"), state)

    def test_reload_with_a_broken_file_changes_nothing(self):
        self.wait_for_forecast()
        read = self.histories_read()
        self.vigie.config_path.write_text(CONFIG.replace("step = 3s", "step = 2500ms"))
        os.kill(self.vigie.pid_of("vigie-forecast"), signal.SIGHUP)
        wait_until(lambda: "[forecast] step: it is not 1 to 300 times refresh" in self.log(), 5, self.log)
        self.vigie.config_path.write_text(CONFIG.replace("horizon = 15s", "horizon = 9s"))
        os.kill(self.vigie.pid_of("vigie-forecast"), signal.SIGHUP)
        self.wait_for_histories(read)

    def test_what_cannot_be_explained_is_said(self):
        asked = {"ip": IP, "process": LEAKER, "resource": "mem"}
        for changed, words in (({"ip": None}, "--ip, --process and --resource are needed"), ({"process": None}, "are needed"),
                               ({"resource": None}, "are needed"), ({"ip": "10.0.0"}, "--ip: '10.0.0' is no address"),
                               ({"process": ""}, "--process: it is no process name"), ({"process": "x" * 256}, "--process: it is no"),
                               ({"process": b"\xff"}, "--process: it is no"), ({"resource": "read"}, "'read' is neither cpu nor mem")):
            with self.subTest(changed):
                options = [word for name, value in {**asked, **changed}.items() if value is not None for word in (f"--{name}", value)]
                run = subprocess.run([BUILD / "vigie-forecast", "explain", "--config", self.vigie.state / "vigie.conf", *options],
                                     capture_output=True, text=True, timeout=60)
                self.assertEqual((run.returncode, run.stdout), (1, ""), run.stderr)
                self.assertIn(words, run.stderr)

    def explain(self, *options):
        return subprocess.run([BUILD / "vigie-forecast", "explain", "--config", self.vigie.state / "vigie.conf", "--ip", IP, "--resource",
                               "mem", *options], capture_output=True, text=True, timeout=60)

    def test_explain_says_what_the_kernel_keeps_of_a_name(self):
        run = self.explain("--process", "a-name-of-more-than-15-bytes")
        self.assertEqual((run.returncode, run.stdout), (0, "limit 80, horizon 5 steps of 3 s\ntoo little is known of it: no forecast\n"))
        self.assertIn("warning: --process: the kernel keeps 15 bytes of a name: a-name-of-more-\n", run.stderr)
        run = self.explain("--process", "a-name-of-more-than-15-bytes", "--set", "collector.name=unit")
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_explain_and_train_name_their_options(self):
        for command, option in ("explain", "--resource cpu|mem"), ("train", "--traces FOLDER"):
            with self.subTest(command):
                run = subprocess.run([BUILD / "vigie-forecast", command, "--help"], capture_output=True, text=True, timeout=60)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertIn(option, run.stdout)
                run = subprocess.run([BUILD / "vigie-forecast", command, "--nothing"], capture_output=True, text=True, timeout=60)
                self.assertEqual((run.returncode, run.stdout), (1, ""))
                self.assertIn("--nothing", run.stderr)

    def test_explain_without_a_server_says_why(self):
        for url, words in (("nowhere", "[forecast] url: 'nowhere' is no http:// or https:// URL"),
                           ("http://127.0.0.1:1/x", "GET http://127.0.0.1:1/x/get-all-detailed?")):
            with self.subTest(url):
                run = self.explain("--process", LEAKER, "--set", f"forecast.url={url}")
                self.assertEqual((run.returncode, run.stdout), (1, ""))
                self.assertIn(words, run.stderr)

    def test_train_reads_nothing_of_what_is_muted(self):
        model = self.vigie.state / "model"
        run = subprocess.run([BUILD / "vigie-forecast", "train", "--config", self.vigie.state / "vigie.conf", "--output", model,
                              "--set", "alert.rule=process=leak* mute=yes"], capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stdout, model.exists()), (1, "", False))
        self.assertIn("cannot learn from 0 steps of 0 series", run.stderr)

    def test_train_has_read_what_the_server_has(self):
        """Nothing has passed its limit: how much there was is said. What is always below [forecast] above is not read."""
        model = self.vigie.state / "model"
        run = subprocess.run([BUILD / "vigie-forecast", "train", "--config", self.vigie.state / "vigie.conf", "--output", model],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stdout, model.exists()), (1, "", False))
        self.assertRegex(run.stderr, r"cannot learn from [1-9]\d* steps of 1 series: none of them passes its limit")

    def test_explain_says_why(self):
        made = self.wait_for_forecast()
        run = subprocess.run([BUILD / "vigie-forecast", "explain", "--config", self.vigie.state / "vigie.conf", "--ip", IP,
                              "--process", LEAKER, "--resource", "mem"], cwd="/", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, check=True)
        self.assertEqual(run.stderr, "")
        lines = run.stdout.splitlines()
        self.assertEqual(lines[0], "limit 80, horizon 5 steps of 3 s")
        self.assertRegex(lines[1], r"^probability [01]\.\d{4}$")
        self.assertRegex(lines[2], r"^forecast \d+\.\d\d$")
        self.assertGreater(len(lines), 4, lines)
        self.assertAlmostEqual(float(lines[2].split()[1]), made["forecast"], delta=50)


if __name__ == "__main__":
    unittest.main()
