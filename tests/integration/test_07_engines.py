"""Engines beyond the network: what they refuse, that they are down, slow, locked or made differently, and that the
answers are the same with each. Failures are a fake engine's; what is stored is told by the real ones."""

import concurrent.futures
import datetime
import json
import pathlib
import re
import shutil
import tempfile
import threading
import time
import unittest
import urllib.parse

from engines import FakeEngine, Influxd, VictoriaMetrics, engine_port
from influxdb3 import InfluxDB3
from vigie import Vigie, is_sanitized, sample, wait_until

RETRY_SECONDS = 2  # between two tries of vigie-fcgi to set an engine up
FAILURES = {"429": (429, "too many requests"), "500": (500, "engine is broken"), "503": (503, "engine is busy")}


def config_of(store, section="", **server):
    options = {"store": store, "cache": "0", **server}
    return "[server]\n" + "".join(f"{name} = {value}\n" for name, value in options.items()) + section


class EngineTest(unittest.TestCase):
    def use(self, context):
        """A context until the end of the test."""
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def start_over_fake(self, engine, user="", **server):
        return self.use(Vigie("--server", config=config_of("influxql", f"[influxql]\nurl = {engine.url}\n{user}", **server)))

    def start_over(self, engine, **server):
        return self.use(Vigie("--server", config=config_of(engine.store, engine.config(), **server)))

    def start_clients(self, count):
        pool = concurrent.futures.ThreadPoolExecutor(count)
        self.addCleanup(pool.shutdown)
        return pool

    def log_lines(self, vigie, word):
        return [line for line in vigie.logs()["vigie-fcgi.log"].splitlines() if word in line]

    def metric(self, vigie, name):
        return float(re.search(rf"^{name} (\S+)$", vigie.get("metrics").body.decode(), re.M)[1])

    def assert_saved(self, answer):
        self.assertEqual((answer.status, answer.body), (200, b'{"Response": "Ok"}\n'))

    def assert_unavailable(self, answer):
        self.assertEqual(answer.status, 503, answer)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertEqual(answer.json()["Response"], "NOk")
        return answer.json()["error"]

    def assert_failing(self, vigie):
        answer = vigie.get("health")
        health = answer.json()
        self.assertEqual((answer.status, health["status"], health["store"]["status"]), (503, "failing", "failing"))

    def wait_for_health(self, vigie, seconds=RETRY_SECONDS + 3):
        wait_until(lambda: vigie.get("health").status == 200, seconds, "health is ok")


class RefusalTest(EngineTest):
    CLIENTS = 8

    def save_together(self, vigie, engine, pool, names):
        """The answers to PUTs of one sample each, all of which wait for one write, after others that do not wait."""
        def waiting():
            return self.metric(vigie, "vigie_queue_batches")
        others = []
        with engine.holding("write"):
            while not waiting():
                writes = engine.count("write")
                others.append(pool.submit(vigie.save, "10.8.0.1", sample("other", "cpu", len(others))))
                wait_until(lambda: engine.count("write") > writes or waiting(), 5, "it is written or waits")
            answers = [pool.submit(vigie.save, "10.8.0.2", sample(name, "cpu", 1)) for name in names]
            wait_until(lambda: waiting() == len(names) + 1, 5, "all wait")
        for other in others:
            self.assert_saved(other.result())
        return len(others), [answer.result() for answer in answers]

    def test_of_a_merged_write_only_the_guilty_client_is_refused(self):
        engine = self.use(FakeEngine())
        vigie = self.start_over_fake(engine)
        pool = self.start_clients(self.CLIENTS + 6)
        for status, words in ((400, "partial write: field type conflict"), (422, "outside retention"), (413, "too large")):
            with self.subTest(status):
                engine.lines.clear()
                engine.refuses = lambda text: (status, words) if "guilty" in text else None
                names = [f"p{status}-{number}" for number in range(self.CLIENTS)]
                names[3] += "-guilty"
                others, answers = self.save_together(vigie, engine, pool, names)
                together = [text for kind, text in engine.requests
                            if kind == "write" and all(f"process={name} " in text for name in names)]
                self.assertEqual(len(together), 1, "they were written together, once")
                for name, answer in zip(names, answers):
                    if "guilty" in name:
                        self.assertEqual((answer.status, answer.json()["Response"]), (400, "NOk"))
                        self.assertIn(words, answer.json()["error"])
                        self.assertNotIn("Retry-After", answer.headers)
                    else:
                        self.assert_saved(answer)
                stored = [re.search("process=([^ ]*) ", line)[1] for line in engine.lines]
                self.assertEqual(sorted(stored), sorted(["other"] * others + [name for name in names if "guilty" not in name]))
        # It is the client's failure, not the store's.
        self.assertEqual(vigie.get("health").status, 200)
        self.assertEqual(self.log_lines(vigie, " error: "), [])

    def test_field_type_conflict_of_influxdb(self):
        engine = self.use(Influxd())
        vigie = self.start_over(engine)
        status, text = engine.request("POST", "/write?db=monitoring", "cpu_usage_percent,ip=10.8.0.3,process=y value=1i")
        self.assertEqual(status, 204, text)
        answer = vigie.save("10.8.0.3", sample("a", "cpu", 1), sample("b", "cpu", 2.5))
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("field type conflict", answer.json()["error"])
        self.assert_saved(vigie.save("10.8.0.3", sample("a", "mem", 1)))
        self.assertEqual(vigie.get("get-all/10.8.0.3?resource=mem").json(), {"a": [1, None]})
        self.assertEqual(vigie.get("health").status, 200)


class ForeignDataTest(EngineTest):
    """What comes from an engine is input: others write to it, too."""
    READS = ("get-all", "get-all/10.8.0.5", "get-all-detailed", "get-all-detailed?step=10s", "get-all-detailed?step=10s&fn=max",
             "get-all?above=1", "latest", "hosts", "query-alarm", "alarms", "forecasts", "health", "metrics")

    def assert_good_alone(self, vigie, engine):
        def good():
            engine.settle()
            return vigie.get("get-all").json().get("good") == [None, 12.5]
        wait_until(good, 20, lambda: f"good is there: {vigie.get('get-all').body}")
        for path in self.READS:
            with self.subTest(path):
                answer = vigie.get(path)
                self.assertEqual(answer.status, 200, answer.body)
                if path != "metrics":
                    self.assertNotRegex(answer.body.decode(), r"(?i)\b(inf|nan)\b|e\+?[0-9]{3}|[ \[]-\d")
        self.assertEqual(vigie.get("get-all").json(), {"good": [None, 12.5]})
        self.assertEqual(vigie.get("latest").json()["10.8.0.5"].keys(), {"good"})
        self.assertGreater(self.metric(vigie, "vigie_unusable_values_total"), 0)
        self.assertEqual(len(self.log_lines(vigie, "cannot be right")), 1)

    def write_foreign(self, engine, path, lines):
        status, text = engine.request("POST", path, "".join(f"{line}\n" for line in lines))
        self.assertIn(status, (200, 204), text)

    def test_influxdb_numbers_beyond_ours(self):
        engine = self.use(Influxd())
        vigie = self.start_over(engine)
        self.assert_saved(vigie.save("10.8.0.5", sample("good", "cpu", 12.5)))
        now_s = int(time.time())
        series = "cpu_usage_percent,ip=10.8.0.5,process="
        self.write_foreign(engine, "/write?db=monitoring&precision=s", [
            f"{series}huge value=1e305 {now_s}", f"{series}twice value=1.7e308 {now_s - 1}",
            f"{series}twice value=1.7e308 {now_s - 2}", f"{series}negative value=-5 {now_s}"])
        self.write_foreign(engine, "/write?db=monitoring&precision=s",
                           [f"cpu_alarm,ip=10.8.0.5,process=odd value=1e300 {now_s}",
                            f"cpu_forecast_percent,ip=10.8.0.5,process=odd value=-1 {now_s}"])
        self.assert_good_alone(vigie, engine)

    def test_victoriametrics_infinity(self):
        engine = self.use(VictoriaMetrics())
        vigie = self.start_over(engine)
        self.assert_saved(vigie.save("10.8.0.5", sample("good", "cpu", 12.5)))
        now_ms = int(time.time() * 1000)
        self.write_foreign(engine, "/api/v1/import/prometheus", [
            f'cpu_usage_percent_value{{ip="10.8.0.5",process="{name}"}} {value} {now_ms}'
            for name, value in (("infinite", "+Inf"), ("huge", "1.7e308"), ("negative", "-5"))])
        self.assert_good_alone(vigie, engine)


class ReaderFaultTest(EngineTest):
    """What a reader asks for in vain is no failure of the store."""

    def test_control_characters_are_in_no_name(self):
        for start in (Influxd, VictoriaMetrics):
            with self.subTest(start.__name__):
                vigie = self.start_over(self.use(start()))
                for name in ("a%0Ab", "%01", "a%7F"):
                    self.assertEqual(vigie.get(f"get-all-detailed?process={name}").json(), {})
                    self.assertEqual(vigie.get(f"latest?process={name}").json(), {})
                    self.assertEqual(vigie.get("health").status, 200)

    def test_limits_of_the_engine_are_the_readers(self):
        influxd = Influxd()
        influxd.more = "[coordinator]\nmax-select-buckets = 10\n"
        for engine in (influxd, VictoriaMetrics("-retentionPeriod=2d", "-dedup.minScrapeInterval=1ms",
                                                "-search.maxPointsPerTimeseries=10")):
            with self.subTest(type(engine).__name__):
                vigie = self.start_over(self.use(engine))
                self.assert_saved(vigie.save("10.8.0.5", sample("good", "cpu", 12.5)))
                wait_until(lambda: engine.settle() or "good" in vigie.get("get-all").json(), 20, "good is there")
                answer = vigie.get("get-all-detailed?step=1m&window=1d&resource=cpu")
                self.assertEqual(answer.status, 400, answer.body)
                self.assertEqual(vigie.get("health").status, 200)
                self.assertEqual(self.log_lines(vigie, " error: "), [])


class OutageTest(EngineTest):
    def assert_outage(self, vigie, engine, name):
        at = time.time()
        self.assert_unavailable(vigie.save("10.8.1.1", sample(name, "mem", 1, at)))
        self.assert_unavailable(vigie.get("get-all"))
        self.assert_failing(vigie)
        self.assertEqual([line for line in engine.lines if f",process={name} " in line], [])
        return at

    def assert_works(self, vigie, engine, name, at):
        self.assert_saved(vigie.save("10.8.1.1", sample(name, "mem", 1, at)))
        self.assertEqual([line for line in engine.lines if f",process={name} " in line],
                         [f"mem_usage_percent,ip=10.8.1.1,process={name} value=1 {at * 1000:.0f}"])
        self.assertEqual(vigie.get("get-all").json(), {})

    def test_engine_that_is_down_slow_or_busy_is_503_until_it_works(self):
        engine = self.use(FakeEngine())
        vigie = self.start_over_fake(engine, store_timeout="300ms")
        for name, failure in FAILURES.items():
            with self.subTest(name):
                engine.failures = {"write": failure, "query": failure}
                at = self.assert_outage(vigie, engine, name)
                engine.failures = {}
                self.assert_works(vigie, engine, name, at)
                self.assertTrue([line for line in self.log_lines(vigie, " error: ") if f"{name} {failure[1]}" in line])
        with self.subTest("timeout"):
            with engine.holding("write", "query"):
                begun = time.monotonic()
                at = self.assert_outage(vigie, engine, "slow")
                self.assertLess(time.monotonic() - begun, 5)
                engine.failures = {"write": (500, "too late for those that were held")}
            wait_until(lambda: engine.waiting == 0, 5, "nothing is held")
            engine.failures = {}
            self.assert_works(vigie, engine, "slow", at)
        with self.subTest("refused"):
            engine.stop()
            at = self.assert_outage(vigie, engine, "down")
            engine.start()
            self.assert_works(vigie, engine, "down", at)
        self.wait_for_health(vigie)

    def test_what_waits_is_bounded(self):
        engine = self.use(FakeEngine())
        vigie = self.start_over_fake(engine, store_queue="256KiB", threads=64)  # a batch has 60 KB at least
        pid = vigie.pid_of("vigie-fcgi")
        engine.delay = 0.1

        def resident_mib(name):
            return int(re.search(rf"^{name}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) / 1024

        def save(number):
            return vigie.save(f"10.8.2.{number % 200 + 1}", *(sample(f"p{number}-{item}", "mem", item) for item in range(300)))
        before = resident_mib("VmRSS")
        pool = self.start_clients(40)
        answers = list(pool.map(save, range(400)))
        if not is_sanitized():  # ASan keeps what was freed for a while
            self.assertLess(resident_mib("VmHWM") - before, 64)
        saved = {number for number, answer in enumerate(answers) if answer.status == 200}
        busy = [self.assert_unavailable(answer) for answer in answers if answer.status != 200]
        self.assertIn("too many samples wait for the store", busy)
        self.assertGreater(len(saved), 10)
        stored = {}
        for line in engine.lines:
            number = int(re.search("process=p([0-9]+)-", line)[1])
            stored[number] = stored.get(number, 0) + 1
        self.assertEqual(set(stored), saved)
        self.assertEqual(set(stored.values()), {300})
        # And what has been written waits no longer: there is room for three.
        engine.delay, answers = 0, []
        with engine.holding("write"):
            while self.metric(vigie, "vigie_queue_batches") < 3 and len(answers) < 20:
                answers.append(pool.submit(vigie.save, "10.8.2.250", sample("a", "mem", len(answers))))
                wait_until(lambda: engine.waiting + self.metric(vigie, "vigie_queue_batches") == len(answers) or
                           answers[-1].done(), 5, "it is written or waits")
        for answer in answers:
            self.assert_saved(answer.result())
        self.assertEqual(vigie.get("health").status, 200)

    def test_hanging_engine_never_blocks_health_and_metrics(self):
        threads, clients = 16, 60
        engine = self.use(FakeEngine())
        vigie = self.start_over_fake(engine, threads=threads, store_timeout="20s")
        pool = self.start_clients(clients)

        def ask(number):
            begun = time.monotonic()
            if number % 2:
                answer = vigie.get(f"get-all/10.8.3.{number}")
            else:
                answer = vigie.save("10.8.3.1", sample(f"p{number}", "mem", 1))
            return answer.status, time.monotonic() - begun
        with engine.holding("write", "query"):
            answers = [pool.submit(ask, number) for number in range(clients)]
            wait_until(lambda: vigie.get("health").status == 503, 5, "health says that the store does not answer")
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for path, status in (("health", 503), ("metrics", 200), ("get-all", 503), ("nothing", 404)):
                    begun = time.monotonic()
                    self.assertEqual(vigie.get(path).status, status)
                    self.assertLess(time.monotonic() - begun, 1, path)
            self.assertGreater(sum(not answer.done() for answer in answers), threads // 2, "threads are held")
            wait_until(lambda: sum(answer.done() for answer in answers) >= clients - threads, 10, "others are turned away")
        results = [answer.result() for answer in answers]
        self.assertEqual({status for status, _ in results}, {200, 503}, results)
        # All at once, not by twos.
        self.assertLess(max(seconds for status, seconds in results if status == 503), 3.5)
        self.assert_saved(vigie.save("10.8.3.1", sample("after", "mem", 1)))
        self.assertEqual(vigie.get("health").status, 200)

    def test_engine_that_hangs_at_the_start_is_failing_at_once(self):
        engine = self.use(FakeEngine())
        with engine.holding("query"):
            begun = time.monotonic()
            vigie = self.start_over_fake(engine, store_timeout="20s")
            self.assertLess(time.monotonic() - begun, 6)
            self.assert_failing(vigie)
        self.wait_for_health(vigie)


class AccessTest(EngineTest):
    def setUp(self):
        self.engine = self.use(FakeEngine())
        folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-secret-"))
        self.addCleanup(shutil.rmtree, folder)
        self.password = folder / "password"
        self.password.write_text("known\n")

    def start(self):
        return self.start_over_fake(self.engine, user=f"user = vigie\npassword_file = {self.password}\n")

    def assert_denied(self, vigie, words):
        """For longer than the engine is left alone, all requests fail, and it is said once."""
        tries = self.engine.count("query", "SHOW") + 2
        wait_until(lambda: vigie.save("10.8.4.1", sample("a", "mem", 1)).status != 503 or
                   self.engine.count("query", "SHOW") >= tries, 3 * RETRY_SECONDS + 2, "vigie tries to set the engine up")
        for number in range(20):
            self.assert_unavailable(vigie.save("10.8.4.1", sample(f"p{number}", "mem", 1)))
        self.assert_failing(vigie)
        errors = self.log_lines(vigie, " error: ")
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(words, errors[0])
        self.assertEqual(self.log_lines(vigie, "works again"), [])

    def assert_accepted_again(self, vigie):
        self.assert_saved(vigie.save("10.8.4.1", sample("again", "mem", 1)))
        self.assertEqual(vigie.get("get-all").status, 200)
        self.assertEqual(len(self.log_lines(vigie, "works again")), 1)
        self.assertEqual(len(self.log_lines(vigie, " error: ")), 1)

    def test_wrong_password_is_said_once_and_a_new_one_is_read_from_its_file(self):
        self.engine.password = "new"
        vigie = self.start()
        self.assert_denied(vigie, "401 authorization failed")
        self.assert_unavailable(vigie.get("get-all"))
        self.password.write_text("new\n")
        self.wait_for_health(vigie)
        self.assert_accepted_again(vigie)

    def test_password_that_the_engine_no_longer_takes_and_takes_again(self):
        self.engine.password = "known"
        vigie = self.start()
        self.assert_saved(vigie.save("10.8.4.1", sample("first", "mem", 1)))
        self.engine.password = "other"
        self.assert_denied(vigie, "401 authorization failed")
        self.engine.password = "known"
        self.wait_for_health(vigie)
        self.assert_accepted_again(vigie)

    def test_user_who_may_read_and_not_write(self):
        vigie = self.start()
        self.engine.failures = {"write": (403, "vigie not authorized to write to monitoring")}
        self.assert_denied(vigie, "403 vigie not authorized to write")
        self.assertEqual(vigie.get("get-all").status, 200)
        self.engine.failures = {}
        self.assert_saved(vigie.save("10.8.4.1", sample("allowed", "mem", 1)))
        self.wait_for_health(vigie)
        self.assert_accepted_again(vigie)


class InfluxDB3Test(EngineTest):
    """What its own words lead to, over a stand-in."""

    def setUp(self):
        self.engine = self.use(InfluxDB3(engine_port(), flush_s=0.05))

    def assert_kept(self, retention_s):
        self.assertEqual(self.engine.databases, {"monitoring": retention_s})

    def test_database_keeps_for_ever_at_no_time(self):
        self.engine.token = "a-token"
        folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-secret-"))
        self.addCleanup(shutil.rmtree, folder)
        token = folder / "token"
        token.write_text("another\n")
        vigie = self.use(Vigie("--server", config=config_of("influxdb3", f"{self.engine.config()}token_file = {token}\n")))
        self.assert_unavailable(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.assert_failing(vigie)
        token.write_text("a-token\n")
        self.wait_for_health(vigie)
        self.assert_saved(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.assert_kept(172800)
        # It is begun anew in no time, and nobody may have seen that it was away.
        for pause in (0, 0.3):
            self.engine.stop()
            if pause:
                self.assert_unavailable(vigie.save("10.8.6.1", sample("a", "mem", 1)))
            self.engine.lose_all()
            self.engine.start()
            wait_until(lambda: vigie.save("10.8.6.1", sample("b", "mem", 2)).status == 200, 5, "it is saved again")
            if pause:
                self.assert_kept(172800)
        self.assertEqual(vigie.get("get-all").json(), {"b": [2, None]})

    def test_limit_on_files_is_told_with_what_to_change(self):
        vigie = self.start_over(self.engine)
        self.assert_saved(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.engine.file_limit = 7200
        self.assertEqual(vigie.get("hosts").json()["10.8.6.1"]["processes"], 1)
        for path in ("get-all?window=3h", "get-all-detailed?window=3h&step=1m"):
            answer = vigie.get(path)
            self.assertEqual(answer.status, 400, path)
            self.assertIn("raise --query-file-limit", answer.json()["error"], path)
        self.assertEqual(vigie.get("get-all").json(), {"a": [1, None]})
        self.assertEqual(vigie.get("health").status, 200)
        self.assertEqual(len(self.log_lines(vigie, "--query-file-limit")), 1)

    def test_version_2_and_1_over_it(self):
        section = f"[influxdb2]\nurl = {self.engine.url}\n[influxql]\nurl = {self.engine.url}\n"
        vigie = self.use(Vigie("--server", config=config_of("influxdb2", section)))
        self.assert_unavailable(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.assert_failing(vigie)
        self.assertEqual(len(self.log_lines(vigie, "this is InfluxDB 3.6.0")), 1)
        vigie = self.use(Vigie("--server", config=config_of("influxql", section)))
        self.assert_unavailable(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.assert_failing(vigie)
        self.assertEqual(self.engine.databases, {})
        self.engine.databases["monitoring"] = 172800
        self.wait_for_health(vigie)
        self.assert_saved(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.assertEqual(vigie.get("get-all").json(), {"a": [1, None]})
        self.assertEqual(len(self.log_lines(vigie, "store = influxdb3 is for it")), 1)


class Load:
    """Clients that put numbered samples, a millisecond apart, and repeat what is not answered with 200."""

    CLIENTS, BATCH = 12, 4

    def __init__(self, vigie):
        self.vigie = vigie
        self.first_ms = int(time.time() * 1000) - 60000
        self.saved = [0] * self.CLIENTS  # samples
        self.unavailable = 0
        self.unexpected = []
        self.running = True
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(self.CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, client):
        repeat_until = None
        while self.running or repeat_until and time.monotonic() < repeat_until:
            numbers = range(self.saved[client], self.saved[client] + self.BATCH)
            answer = self.vigie.save(f"10.8.5.{client + 1}", *(sample("p", "cpu", number, (self.first_ms + number) / 1000)
                                                               for number in numbers))
            if answer.status == 200:
                self.saved[client] += self.BATCH
                repeat_until = None
                continue
            if answer.status != 503:
                self.unexpected.append(answer)
            self.unavailable += 1
            repeat_until = repeat_until or time.monotonic() + 15
            time.sleep(0.05)
        if repeat_until:
            self.unexpected.append("a batch was never taken")

    def wait_for(self, batches):
        """Until that many more have been saved."""
        saved = sum(self.saved) + batches * self.BATCH
        wait_until(lambda: sum(self.saved) >= saved, 20, "more batches are saved")

    def end(self):
        self.running = False
        for thread in self.threads:
            thread.join()

    def expected(self):
        return {f"10.8.5.{client + 1}": [(self.first_ms + number, number) for number in range(count)]
                for client, count in enumerate(self.saved)}


class RestartTest(EngineTest):
    def restart_under_load(self, engine):
        vigie = self.start_over(engine)
        load = Load(vigie)
        self.addCleanup(load.end)
        for _ in range(3):
            load.wait_for(200)
            unavailable = load.unavailable
            engine.stop()
            wait_until(lambda: load.unavailable > unavailable + load.CLIENTS, 10, "clients see the engine gone")
            engine.start()
        load.wait_for(200)
        load.end()
        engine.settle()
        self.assertEqual(load.unexpected, [])
        answer = vigie.get("get-all-detailed?timestamps=1&by=host&resource=cpu").json()
        self.assert_stored({ip: [(round(at * 1000), value) for at, value in host["p"]] for ip, host in answer.items()}, load)
        return load

    def assert_stored(self, stored, load):
        """Exactly what was answered with 200. (To show the difference of lists this long takes minutes.)"""
        expected = load.expected()
        self.assertEqual(set(stored), set(expected))
        for ip, samples in expected.items():
            self.assertEqual(sorted(set(samples) - set(stored[ip]))[:5], [], "lost")
            self.assertEqual(sorted(set(stored[ip]) - set(samples))[:5], [], "never sent")
            self.assertEqual(len(stored[ip]), len(samples), "doubled")
            self.assertTrue(stored[ip] == samples, "out of order")

    def test_influxdb_restarted_under_load_loses_and_doubles_nothing(self):
        engine = self.use(Influxd())
        load = self.restart_under_load(engine)
        counted = engine.query("SELECT count(value) FROM cpu_usage_percent", "monitoring")
        self.assertEqual(counted[0][1], sum(load.saved))

    def test_victoriametrics_restarted_under_load_loses_and_doubles_nothing(self):
        engine = self.use(VictoriaMetrics())
        load = self.restart_under_load(engine)
        stored = engine.export("cpu_usage_percent_value")
        self.assert_stored({ip: samples for (ip, _), samples in stored.items()}, load)


class SetUpTest(EngineTest):
    def policy(self, engine, database="monitoring"):
        """The name and the duration of the default retention policy."""
        rows = engine.query(f'SHOW RETENTION POLICIES ON "{database}"')
        return [(row[0], row[1]) for row in rows if row[-1]]

    def test_engine_that_comes_after_vigie_is_set_up_without_any_request(self):
        engine = Influxd()
        self.addCleanup(engine.remove)
        begun = time.monotonic()
        vigie = self.start_over(engine)
        self.assertLess(time.monotonic() - begun, 6)
        self.assertRegex(vigie.printed(), f"^vigie: the store does not work yet: see {vigie.state}/vigie-fcgi.log\n"
                                          f"vigie: http://127.0.0.1:{vigie.port}/ .*\n$")
        self.assert_failing(vigie)
        self.assert_unavailable(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.assert_unavailable(vigie.get("get-all"))
        engine.start()
        self.wait_for_health(vigie)
        self.assertEqual(self.policy(engine), [("autogen", "48h0m0s")])
        self.assertEqual(len(self.log_lines(vigie, 'database "monitoring" was created')), 1)
        self.assert_saved(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.assertEqual(vigie.get("get-all").json(), {"a": [1, None]})
        # And when somebody drops it.
        engine.query('DROP DATABASE "monitoring"')
        self.assert_unavailable(vigie.save("10.8.6.1", sample("a", "mem", 1)))
        self.wait_for_health(vigie)
        self.assert_saved(vigie.save("10.8.6.1", sample("a", "mem", 2)))
        self.assertEqual(self.policy(engine), [("autogen", "48h0m0s")])

    def test_retention_of_a_database_that_is_there_is_only_changed_on_demand(self):
        engine = self.use(Influxd())
        engine.query('CREATE DATABASE "kept" WITH DURATION 36h NAME "own"')
        for manage, policy, warnings in (("no", ("own", "36h0m0s"), 1), ("yes", ("own", "48h0m0s"), 0),
                                         ("no", ("own", "48h0m0s"), 0)):
            with self.subTest(manage):
                with Vigie("--server", config=config_of("influxql", engine.config("kept"), manage_retention=manage)) as vigie:
                    found = self.log_lines(vigie, " warning: ")
                    self.assert_saved(vigie.save("10.8.6.2", sample("a", "mem", 1)))
                self.assertEqual(len(found), warnings, found)
                self.assertTrue(all("keeps samples for 129600 s" in line and "not for 172800 s" in line for line in found), found)
                self.assertEqual(self.policy(engine, "kept"), [policy])

    def test_warning_is_not_repeated_while_the_engine_fails(self):
        engine = self.use(FakeEngine())
        engine.retention = "24h0m0s"
        vigie = self.start_over_fake(engine)
        engine.failures = {"write": FAILURES["503"]}
        self.assert_unavailable(vigie.save("10.8.6.3", sample("a", "mem", 1)))
        wait_until(lambda: engine.count("query", "SHOW") >= 4, 4 * RETRY_SECONDS + 2, "vigie tries to set the engine up")
        self.assertEqual(len(self.log_lines(vigie, " warning: ")), 1)
        engine.failures = {}
        self.assert_saved(vigie.save("10.8.6.3", sample("a", "mem", 1)))

    def test_flags_of_victoriametrics(self):
        for flags, words in ((("-retentionPeriod=1",), ("-retentionPeriod=2d", "-dedup.minScrapeInterval=1ms")), ((), ())):
            with self.subTest(flags), VictoriaMetrics(*flags) as engine:
                with Vigie("--server", config=config_of("victoriametrics", engine.config())) as vigie:
                    self.assertEqual(vigie.get("health").status, 200)
                    warnings = self.log_lines(vigie, " warning: ")
                self.assertEqual(len(warnings), len(words), warnings)
                for line, word in zip(warnings, words):
                    self.assertTrue(line.endswith(f"start it with {word}"), line)


class SameAnswersTest(EngineTest):
    NAMES = ['" or true or "', "${1+1}", "a\\", ",=", "a b", "%5C", "plain", "'; DROP DATABASE monitoring"]
    HOSTS = ["10.8.7.1", "10.8.7.2", "2001:db8::7"]

    def bodies(self, now):
        """What is put: (path, body). Values whose means every engine can say exactly; the order of two hosts' samples of
        one time is nobody's promise."""
        base = (int(now) - 200) // 20 * 20
        for place, ip in enumerate(self.HOSTS):
            samples = []
            at = round(now - 3 + place / 100, 3)
            recent = [at - age for age in (4, 9, 13, 18, 27)]
            for number, name in enumerate(self.NAMES[place:]):
                samples += [sample(name, "mem", value + number, base + offset)
                            for offset, value in ((place / 1000, 8), (19.999 - place / 1000, 16), (20 + place / 1000, 32.5),
                                                  (61 + place, 7.25))]
                samples += [sample(name, "cpu", number * 32 + 4, at), sample(name, "mem", number + 0.5, at - 0.001)]
                samples += [sample(name, "cpu", number * 32 + 8 * step, when) for step, when in enumerate(recent)]
            if place == 0:
                samples_of_first = samples[:20]
            yield "save-all", {"ipaddress": ip, "data": samples,
                               "collector": {"hostname": f"host-{place}", "version": "1", "state": "run"}}
        # One that is silent, and one whose clock is ahead.
        yield "save-all", {"ipaddress": "10.8.7.3", "data": [sample("gone", "mem", 1, now - 1000), sample("gone", "cpu", 2, now - 990)]}
        yield "save-all", {"ipaddress": "10.8.7.4", "data": [sample("plain", "mem", 3, now - 8), sample("plain", "mem", 4, now + 45)]}
        # Written again. (Which of two different values of one time is kept, VictoriaMetrics alone decides.)
        yield "save-all", {"ipaddress": self.HOSTS[0], "data": samples_of_first}
        for color in ("orange", "red"):
            yield "save-alarms", {"data": [
                {"ipaddress": self.HOSTS[0], "process_name": name, "type_data": "cpu", "color": color, "value": 92.5,
                 "threshold": 80, "since": at - 1, "timestamp": at - (color == "orange")} for name in self.NAMES[:3]]}

        expected_at = int(now) + 1000.125
        for ago, more in ((70, {"expected_at": expected_at - 60}), (10, {"expected_at": expected_at}), (3, {})):
            yield "save-forecasts", {"data": [
                {"ipaddress": ip, "process_name": name, "type_data": "mem", "timestamp": round(now - ago, 3),
                 "probability": (number + 1) / 9 / (place + 1), "forecast": number * 12.345678 + 1 / ago, **more}
                for place, ip in enumerate(self.HOSTS) for number, name in enumerate(self.NAMES)
                if more or number % 2]}
        yield "save-forecasts", {"data": [
            {"ipaddress": self.HOSTS[0], "process_name": self.NAMES[0], "type_data": "cpu", "timestamp": round(now - 40, 3),
             "probability": 0.875, "forecast": 92.5, "expected_at": expected_at},
            {"ipaddress": self.HOSTS[1], "process_name": "silent", "type_data": "cpu", "timestamp": round(now - 500, 3),
             "probability": 1, "forecast": 100, "expected_at": expected_at}]}
        yield "save-alarms", {"data": [
            {"ipaddress": self.HOSTS[1], "process_name": name, "type_data": "mem", "color": "orange", "threshold": 80,
             "since": at - 1, "timestamp": at} for name in self.NAMES]}

    def spans(self, now):
        """Past spans, by the same times as the samples' own, in all the ways to write them."""
        base = (int(now) - 200) // 20 * 20
        utc = datetime.timezone.utc
        first, last = (datetime.datetime.fromtimestamp(base + offset, zone).isoformat() for offset, zone in
                       ((20, utc), (61, datetime.timezone(datetime.timedelta(hours=5, minutes=30)))))
        return (f"from={base}&to={base + 20}", f"from={base - 0.001:.3f}&to={base * 1000 + 20001}", f"from={first}&to={last}",
                f"from={base - 3000}&to={base + 62}", f"to={base + 19.998:.3f}", f"from={int(now) - 20}")

    def paths(self, now):
        several = "&".join("process=" + urllib.parse.quote(name, safe="") for name in (*self.NAMES[2:6], "none", "a\nb"))
        for span in self.spans(now):
            for more in ("", "by=host", "resource=mem", "above=8&by=host", "limit=2", "limit=2&by=host", several, several + "&by=host",
                         several + "&limit=2&by=host&resource=mem", "ip=2001:db8::7&" + several):
                yield f"get-all?{span}&{more}"
                yield f"get-all-detailed?timestamps=1&{span}&{more}"
                yield f"get-all-detailed?timestamps=1&step=7s&fn=max&{span}&{more}"
            yield from (f"get-all/10.8.7.2?{span}", f"get-all-detailed?timestamps=1&step=20s&{span}", f"alarms?{span}&standing=1")
        yield from (f"{path}?{several}" for path in ("latest", "query-alarm", "forecasts", "alarms"))
        yield from ("query-alarm?explain=1", "forecasts?explain=1")
        for name in self.NAMES:
            process = "process=" + urllib.parse.quote(name, safe="")
            yield from (f"get-all?{process}", f"get-all-detailed?{process}&by=host&timestamps=1", f"latest?{process}",
                        f"get-all-detailed?{process}&step=20s&timestamps=1", f"alarms?{process}", f"query-alarm?{process}",
                        f"forecasts?{process}")
        for ip in (*self.HOSTS, "10.8.7.3", "10.8.7.4", "10.8.7.9"):
            yield from (f"get-all/{ip}", f"latest?ip={ip}", f"hosts?ip={ip}", f"get-all-detailed?ip={ip}&resource=cpu",
                        f"forecasts?ip={ip}")
        for more in ("", "&by=host", "&resource=cpu", "&resource=mem&window=1m", "&above=66", "&above=66&by=host", "&limit=3",
                     "&limit=3&by=host", "&limit=2&resource=cpu"):
            yield f"get-all?{more[1:]}"
            yield f"get-all-detailed?{more[1:]}"
            yield f"get-all-detailed?timestamps=1{more}"
        for step in ("10s", "20s", "7s", "1m"):
            for more in ("", "&by=host", "&fn=max", "&fn=max&by=host", "&resource=cpu&above=100", "&fn=max&limit=2"):
                yield f"get-all-detailed?timestamps=1&step={step}{more}"
        yield from ("forecasts", "forecasts?resource=cpu")
        yield from ("latest", "hosts", "query-alarm", "alarms", "alarms?window=1m&resource=cpu", "alarms?ip=10.8.7.2")

    def test_every_engine_gives_the_same_answers(self):
        engines = [self.use(Influxd()), self.use(VictoriaMetrics()), self.use(InfluxDB3(engine_port(), flush_s=0.05))]
        patient = {"interval": "100s"}  # what is the newest stays it for three of these, while hundreds of reads are asked
        vigies = {"sqlite": self.use(Vigie("--server", config=config_of("sqlite", **patient)))}
        vigies.update((engine.store, self.start_over(engine, **patient)) for engine in engines)
        now = time.time()
        for path, body in self.bodies(now):
            for vigie in vigies.values():
                self.assert_saved(vigie.put(path, body))
        for engine in engines:
            engine.settle()

        def ask(vigie):
            return {path: vigie.get(path) for path in self.paths(now)}
        answers = dict(zip(vigies, self.start_clients(len(vigies)).map(ask, vigies.values())))
        self.assertEqual(set(answers["sqlite"]["get-all?"].json()), set(self.NAMES))
        empty = [path for path, answer in answers["sqlite"].items() if answer.json() in ({}, [])]
        self.assertLess(len(empty), 24, empty)
        self.check_forecasts(answers["sqlite"])
        for name in vigies:
            for path, answer in answers[name].items():
                with self.subTest(store=name, path=path):
                    self.assertEqual(answer.status, 200, answer)
                    # As pairs: the order counts as well.
                    self.assert_same(json.loads(answer.body, object_pairs_hook=list),
                                     json.loads(answers["sqlite"][path].body, object_pairs_hook=list))

    def check_forecasts(self, answers):
        """Each time to come is of its own forecast."""
        forecasts = answers["forecasts"].json()
        for ip in self.HOSTS:
            self.assertEqual(set(forecasts[ip]), set(self.NAMES))
            for number, name in enumerate(self.NAMES):
                self.assertEqual(forecasts[ip][name]["mem"]["expected_at"] is None, number % 2 == 1)
        alarms = answers["query-alarm"].json()["alarms"]
        self.assertEqual({alarm["expected_at"] is None for alarm in alarms if alarm["color"] == "orange"}, {True, False})
        self.assertEqual(len([alarm for alarm in alarms if alarm["forecast"] is not None]), len(self.NAMES) + 1)

    def assert_same(self, answer, wanted):
        """Equal, but for the digits of a number that VictoriaMetrics does not keep."""
        if isinstance(wanted, float) and isinstance(answer, float):
            self.assertAlmostEqual(answer, wanted, delta=1e-9 * max(1, abs(wanted)))
        elif isinstance(wanted, (list, tuple)):
            self.assertEqual((type(answer), len(answer)), (type(wanted), len(wanted)), answer)
            for one, other in zip(answer, wanted):
                self.assert_same(one, other)
        else:
            self.assertEqual(answer, wanted)


class FreshTest(EngineTest):
    def test_new_process_is_in_latest_within_five_seconds(self):
        vigie = self.start_over(self.use(VictoriaMetrics()))
        self.assert_saved(vigie.save("10.8.9.1", sample("old", "mem", 1), sample("old", "cpu", 1)))
        for name in ("new", "newer", "newest"):
            for path in ("latest", f"latest?process={name}", "latest?ip=10.8.9.1"):
                self.assertEqual(vigie.get(path).status, 200)  # what is found now is not all there is
            self.assert_saved(vigie.save("10.8.9.1", sample(name, "mem", 2)))
            wait_until(lambda: all(name in vigie.get(path).json().get("10.8.9.1", {})
                                   for path in ("latest", f"latest?process={name}", "latest?ip=10.8.9.1")),
                       5, f"latest shows {name}")


if __name__ == "__main__":
    unittest.main()
