"""The REST interface: every endpoint with every query parameter and every error, through the real nginx."""

import re
import subprocess
import threading
import time
import unittest
import urllib.parse

from vigie import PREFIX, ROOT, ServerTest, sample, wait_until

# What each GET endpoint takes.
PARAMETERS = {
    "get-all": ("format", "window", "ip", "process", "resource", "above", "limit", "by"),
    "get-all/10.9.9.9": ("format", "window", "process", "resource", "above", "limit"),
    "get-all-detailed": ("format", "window", "ip", "process", "resource", "timestamps", "step", "above", "limit", "by"),
    "latest": ("format", "ip", "process", "resource"),
    "query-alarm": ("format", "ip", "process", "resource"),
    "alarms": ("format", "window", "ip", "process", "resource", "limit"),
    "oom-kills": ("format", "window", "ip", "process", "limit"),
    "forecasts": ("format", "ip", "process", "resource"),
    "hosts": ("format", "ip"),
    "health": (),
    "metrics": (),
    "metrics/processes": ("ip", "process", "resource"),
}
GOOD = {"window": ("10s", "5m", "12h", "2d"), "ip": ("10.0.0.1", "10-0-0-1", "2001:db8::1"), "process": ("a", "%C3%A9"),
        "resource": ("mem", "cpu"), "above": ("0", "99.5"), "limit": ("1", "1000"), "by": ("host",),
        "timestamps": ("1",), "format": ("json", "csv"), "step": ("10s", "1m")}
BAD = {"window": ("", "9s", "3d", "5", "-5m", "5 m", "nan"), "ip": ("", "10.0.0", "10.0.0.256", "a"),
       "process": ("", "a" * 256, "%FF"), "resource": ("", "disk", "MEM"), "above": ("", "x", "-1", "nan", "inf"),
       "limit": ("", "0", "-1", "1.5", "x"), "by": ("", "ip"), "timestamps": ("", "yes"), "format": ("", "xml", "CSV"), "step": ("", "0s", "-1s", "x")}


class WriteTest(ServerTest):
    config = "[server]\nmax_body = 64KiB\n"

    def test_save_all_is_read_back(self):
        self.save("10.1.0.1", sample("alpha", "mem", 10), sample("alpha", "cpu", 50))
        self.assertEqual(self.json_of("get-all/10.1.0.1"), {"alpha": [10, 50]})

    def test_upload_that_curl_repeats_without_its_body_is_refused(self):
        """curl 7.88.1 (Debian 12) repeats an upload from a pipe, --retry with -T -, as an empty body in chunks, and takes a
        200 for the success of the upload (findings/curl-retry-stdin.sh): no sample would be there, and nobody told."""
        run = subprocess.run(["curl", "--silent", "--fail", "--max-time", "30", "--upload-file", "-", "--output", "/dev/null",
                              "--write-out", "%{http_code}", f"http://127.0.0.1:{self.vigie.port}{PREFIX}save-all"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.assertEqual((run.returncode, run.stdout), (22, "400"))

    def test_bad_item_is_named_and_nothing_is_stored(self):
        for key, value in (("value", "12"), ("value", -1), ("value", None), ("value", True), ("timestamp", "now"),
                           ("timestamp", -5), ("process_name", 7), ("process_name", "x" * 256), ("type_data", "disk"),
                           ("type_data", None)):
            with self.subTest(key=key, value=value):
                samples = [sample(name, "mem", 1) for name in "abcde"]
                samples[3][key] = value
                self.assert_refused(self.vigie.save("10.1.0.2", *samples), 400, f"data[3].{key}")
        for key in ("value", "timestamp", "process_name", "type_data"):
            with self.subTest(missing=key):
                samples = [sample(name, "mem", 1) for name in "abcde"]
                del samples[3][key]
                self.assert_refused(self.vigie.save("10.1.0.2", *samples), 400, f"data[3].{key}")
        self.assertEqual(self.json_of("get-all/10.1.0.2"), {})

    def test_bad_item_at_the_end_of_a_large_batch_stores_nothing(self):
        samples = [sample(f"p{number}", "cpu", 1) for number in range(500)] + [sample("last", "cpu", "x")]
        self.assert_refused(self.vigie.save("10.1.0.3", *samples), 400, "data[500].value")
        self.assertEqual(self.json_of("get-all/10.1.0.3"), {})

    def test_bad_envelope_is_400(self):
        for body, field in (({"data": []}, "ipaddress"), ({"ipaddress": "10.1.0.4"}, "data"),
                            ({"ipaddress": "nowhere", "data": []}, "ipaddress"),
                            ({"ipaddress": 10, "data": []}, "ipaddress"),
                            ({"ipaddress": "10.1.0.4", "data": {}}, "data"),
                            ({"ipaddress": "10.1.0.4", "data": [1]}, "data[0]"),
                            ({"ipaddress": "10.1.0.4", "data": [], "collector": 1}, "collector"),
                            ([], None), ("text", None)):
            with self.subTest(body=body):
                self.assert_refused(self.vigie.put("save-all", body), 400, field)

    def test_clock_errors_are_409_with_the_servers_time(self):
        now = time.time()
        for at in (now + 75, now - 2 * 86400 - 60):
            with self.subTest(at - now):
                answer = self.vigie.save("10.1.0.5", sample("a", "mem", 1), sample("b", "mem", 1, at))
                body = self.assert_refused(answer, 409, "data[1].timestamp")
                self.assertAlmostEqual(body["server_time"], time.time(), delta=5)
        self.assertEqual(self.json_of("get-all/10.1.0.5?window=2d"), {})
        self.save("10.1.0.5", sample("a", "mem", 1, now + 50), sample("a", "mem", 1, now - 2 * 86400 + 60))

    def test_body_over_the_limit_is_413(self):
        samples = [sample(f"p{number}", "mem", 1) for number in range(2000)]
        self.assert_refused(self.vigie.save("10.1.0.6", *samples), 413)
        self.assertEqual(self.json_of("get-all/10.1.0.6"), {})
        self.save("10.1.0.6", *samples[:500])

    def test_empty_data_is_ok(self):
        self.save("10.1.0.7")

    def test_tick_is_read_back(self):
        at = round(time.time() - 5, 3)
        tick = {"ipaddress": "10.1.0.11", "timestamp": at, "processes": {"bash": [0.012, 0], "java": [31.5, None], "top": [None, 2]},
                "collector": {"hostname": "mast"}}
        for processes, field in (({**tick["processes"], "java": [31.5, "x"]}, "processes.java[1]"),
                                 ({**tick["processes"], "java": [None, None]}, "processes.java"), ([], "processes")):
            answer = self.vigie.put("save-all", {**tick, "processes": processes})
            self.assert_refused(answer, 400, field)
            self.assertEqual(answer.headers["Vigie-Accept"], "processes")
        self.assert_refused(self.vigie.put("save-all", {**tick, "timestamp": at + 90}), 409, "timestamp")
        self.assert_refused(self.vigie.put("save-all", {**tick, "data": []}), 400, "data")
        self.assertEqual(self.json_of("get-all/10.1.0.11"), {})
        answer = self.vigie.put("save-all", tick)
        self.assertEqual((answer.status, answer.json()), (200, {"Response": "Ok"}))
        self.assertEqual(answer.headers["Vigie-Accept"], "processes")
        self.assertEqual(self.json_of("get-all/10.1.0.11"), tick["processes"])
        # Both forms mean the same sample.
        self.save("10.1.0.11", sample("bash", "mem", 7, at))
        self.assertEqual(self.json_of("get-all-detailed?ip=10.1.0.11&timestamps=1"), {"bash": [[at, 7]], "java": [[at, 31.5]]})
        self.assertEqual(self.json_of("hosts?ip=10.1.0.11")["10.1.0.11"]["hostname"], "mast")

    def test_the_same_sample_twice_is_one_with_the_later_value(self):
        at = time.time() - 5
        self.save("10.1.0.8", sample("a", "mem", 10, at))
        self.save("10.1.0.8", sample("a", "mem", 30, at))
        self.save("10.1.0.8", sample("a", "mem", 50, at - 1))
        self.assertEqual(self.json_of("get-all-detailed?ip=10.1.0.8"), {"a": [50, 30]})

    def test_samples_keep_their_milliseconds(self):
        at = round(time.time() - 10) + 0.123
        self.save("10.1.0.9", sample("a", "mem", 1, at), sample("a", "mem", 2, at + 0.001))
        self.assertEqual(self.json_of("get-all-detailed?ip=10.1.0.9&timestamps=1"),
                         {"a": [[round(at, 3), 1], [round(at + 0.001, 3), 2]]})

    def test_collector_report_is_shown_by_hosts(self):
        self.save("10.1.0.10", sample("a", "mem", 1), sample("b", "mem", 1),
                  collector={"hostname": "mast", "version": "9.9", "state": "run", "clock_offset_s": -1.5,
                             "partial": True, "counters": {"sent": 5000000000, "dropped": 0, "else": 1}})
        host = self.json_of("hosts?ip=10.1.0.10")["10.1.0.10"]
        self.assertAlmostEqual(host.pop("last_seen"), time.time(), delta=5)
        self.assertEqual(host, {"processes": 2, "hostname": "mast", "version": "9.9", "state": "run",
                                "clock_offset_s": -1.5, "partial": True,
                                "shared_by": None, "ended_cpu": None, "interval_s": None, "at_series_limit": False,
                                "counters": {"sent": 5000000000, "dropped": 0}})
        metrics = self.vigie.get("metrics").body.decode()
        for name, value in (('samples_total', 5000000000), ('clock_offset_seconds', -1.5), ('partial', 1)):
            what = ',what="sent"' if name == "samples_total" else ""
            self.assertIn(f'\nvigie_collector_{name}{{ip="10.1.0.10",hostname="mast"{what}}} {value}\n', metrics)
        self.assertIn("10.1.0.10", self.json_of("hosts"))

    def test_save_alarms_names_the_bad_item(self):
        good = {"ipaddress": "10.1.0.11", "process_name": "a", "type_data": "mem", "color": "red"}
        for key, value in (("ipaddress", "x"), ("process_name", 1), ("type_data", "disk"), ("color", "blue"),
                           ("value", "x"), ("threshold", "x"), ("since", "x"), ("forecast", "x"), ("expected_at", "x")):
            with self.subTest(key):
                body = {"data": [good, dict(good, **{key: value})]}
                self.assert_refused(self.vigie.put("save-alarms", body), 400, f"data[1].{key}")
        for key in good:
            with self.subTest(missing=key):
                bad = {name: value for name, value in good.items() if name != key}
                self.assert_refused(self.vigie.put("save-alarms", {"data": [good, bad]}), 400, f"data[1].{key}")
        self.assert_refused(self.vigie.put("save-alarms", {"data": 1}), 400, "data")
        self.assertEqual(self.json_of("query-alarm?ip=10.1.0.11")["alarms"], [])

    def test_save_forecasts_names_the_bad_item_and_nothing_is_stored(self):
        good = {"ipaddress": "10.1.0.12", "process_name": "a", "type_data": "mem", "probability": 0.5, "forecast": 50}
        for key, value in (("ipaddress", "x"), ("process_name", 1), ("type_data", "disk"), ("probability", "x"),
                           ("probability", -0.1), ("probability", 1.01), ("probability", None), ("forecast", "x"),
                           ("forecast", -1), ("forecast", None), ("expected_at", "x"), ("expected_at", -1),
                           ("timestamp", "x")):
            with self.subTest(key=key, value=value):
                body = {"data": [good, dict(good, **{key: value})]}
                self.assert_refused(self.vigie.put("save-forecasts", body), 400, f"data[1].{key}")
        for key in good:
            with self.subTest(missing=key):
                bad = {name: value for name, value in good.items() if name != key}
                self.assert_refused(self.vigie.put("save-forecasts", {"data": [good, bad]}), 400, f"data[1].{key}")
        self.assert_refused(self.vigie.put("save-forecasts", {"data": 1}), 400, "data")
        self.assertEqual(self.json_of("forecasts?ip=10.1.0.12"), {})


class ReadTest(ServerTest):
    def test_means_weigh_every_sample_the_same(self):
        now = time.time()
        self.save("10.2.0.1", sample("mean", "mem", 10, now - 3), sample("mean", "mem", 20, now - 2),
                  sample("mean", "mem", 30, now - 1))
        self.save("10.2.0.2", sample("mean", "mem", 60, now), sample("mean", "cpu", 5, now))
        self.assertEqual(self.json_of("get-all?process=mean"), {"mean": [30, 5]})
        self.assertEqual(self.json_of("get-all?process=mean&by=host"),
                         {"10.2.0.1": {"mean": [20, None]}, "10.2.0.2": {"mean": [60, 5]}})
        self.assertEqual(self.json_of("get-all?process=mean&ip=10.2.0.1"), {"mean": [20, None]})

    def test_names_are_sorted(self):
        self.save("10.2.0.3", *(sample(name, "mem", 1) for name in ("c", "a", "B", "b", "é", "_")))
        names = list(self.json_of("get-all/10.2.0.3"))
        self.assertEqual(names, sorted(names, key=lambda name: name.encode()))
        self.assertEqual(len(names), 6)

    def test_addresses_have_one_name_however_written(self):
        self.save("10.2.0.4", sample("a", "mem", 1))
        self.save("2001:0DB8:0::1", sample("six", "mem", 1))
        for path in ("get-all/10.2.0.4", "get-all/10-2-0-4", "get-all/10.2.0.4/", "get-all?ip=10-2-0-4"):
            with self.subTest(path):
                self.assertEqual(self.json_of(path), {"a": [1, None]})
        for path in ("get-all/2001:db8::1", "get-all/2001-db8--1", "get-all/2001-db8--1/", "get-all?ip=2001:db8::1",
                     "get-all/2001%3adb8%3a%3a1"):
            with self.subTest(path):
                self.assertEqual(self.json_of(path), {"six": [1, None]})
        for path in ("get-all/10.2.0", "get-all/10.2.0.4.5", "get-all/x", "get-all/10.2.0.4/5"):
            with self.subTest(path):
                self.assert_refused(self.vigie.get(path), 400)
        self.assertEqual(self.json_of("get-all/10.2.99.99"), {})

    def test_window_bounds_what_is_read(self):
        now = time.time()
        self.save("10.2.0.5", sample("a", "mem", 10, now - 480), sample("a", "mem", 30, now - 60),
                  sample("a", "mem", 50, now - 1))
        for window, values in (("10s", [50]), ("5m", [30, 50]), ("10m", [10, 30, 50]), ("2d", [10, 30, 50])):
            with self.subTest(window):
                query = f"ip=10.2.0.5&window={window}"
                self.assertEqual(self.json_of(f"get-all-detailed?{query}"), {"a": values})
                self.assertEqual(self.json_of(f"get-all?{query}"), {"a": [sum(values) / len(values), None]})
        self.assertEqual(self.json_of("get-all-detailed?ip=10.2.0.5"), {"a": [30, 50]})

    def test_resource_chooses(self):
        self.save("10.2.0.6", sample("a", "mem", 1), sample("a", "cpu", 2), sample("m", "mem", 3))
        self.assertEqual(self.json_of("get-all/10.2.0.6"), {"a": [1, 2], "m": [3, None]})
        self.assertEqual(self.json_of("get-all/10.2.0.6?resource=cpu"), {"a": [None, 2]})
        self.assertEqual(self.json_of("get-all-detailed?ip=10.2.0.6"), {"a": [1], "m": [3]})
        self.assertEqual(self.json_of("get-all-detailed?ip=10.2.0.6&resource=cpu"), {"a": [2]})

    def test_above_and_limit_choose(self):
        now = time.time()
        for name, values in (("low", (1, 2)), ("peak", (0, 90)), ("high", (60, 62)), ("edge", (80, 80))):
            self.save("10.2.0.7", *(sample(name, "cpu", value, now - age) for age, value in enumerate(values)))
        query = "ip=10.2.0.7&resource=cpu"
        self.assertEqual(set(self.json_of(f"get-all?{query}&above=61")), {"peak", "high", "edge"})
        self.assertEqual(set(self.json_of(f"get-all?{query}&above=80")), {"peak"})
        self.assertEqual(set(self.json_of(f"get-all?{query}&limit=2")), {"edge", "high"})
        self.assertEqual(set(self.json_of(f"get-all/10.2.0.7?resource=cpu&above=61&limit=1")), {"edge"})
        self.assertEqual(self.json_of(f"get-all-detailed?{query}&above=80"), {"peak": [90, 0]})
        self.assertEqual(self.json_of(f"get-all-detailed?{query}&limit=1"), {"edge": [80, 80]})

    def test_detailed_by_host_and_with_timestamps(self):
        at = round(time.time()) - 5
        self.save("10.2.0.8", sample("twin", "mem", 1, at), sample("twin", "mem", 3, at + 2))
        self.save("10.2.0.9", sample("twin", "mem", 2, at + 1))
        self.assertEqual(self.json_of("get-all-detailed?process=twin"), {"twin": [1, 2, 3]})
        self.assertEqual(self.json_of("get-all-detailed?process=twin&by=host"),
                         {"10.2.0.8": {"twin": [1, 3]}, "10.2.0.9": {"twin": [2]}})
        self.assertEqual(self.json_of("get-all-detailed?process=twin&by=host&timestamps=1"),
                         {"10.2.0.8": {"twin": [[at, 1], [at + 2, 3]]}, "10.2.0.9": {"twin": [[at + 1, 2]]}})

    def test_step_buckets(self):
        base = (int(time.time()) - 120) // 20 * 20
        self.save("10.2.0.10", *(sample("a", "mem", value, base + offset)
                                 for offset, value in ((0, 10), (19.999, 30), (20, 50), (61, 70))))
        query = "get-all-detailed?ip=10.2.0.10&step=20s&timestamps=1"
        self.assertEqual(self.json_of(query), {"a": [[base, 20], [base + 20, 50], [base + 60, 70]]})
        self.assertEqual(self.json_of(f"{query}&fn=mean"), self.json_of(query))
        self.assertEqual(self.json_of(f"{query}&fn=max"), {"a": [[base, 30], [base + 20, 50], [base + 60, 70]]})
        self.assert_refused(self.vigie.get("get-all-detailed?fn=max"), 400, "fn")
        self.assert_refused(self.vigie.get("get-all-detailed?step=10s&fn=min"), 400, "fn")

    def test_latest_is_the_newest_of_each_series_and_none_that_is_old(self):
        now = round(time.time(), 3)
        self.save("10.2.0.11", sample("a", "mem", 1, now - 12), sample("a", "mem", 2, now - 2),
                  sample("a", "cpu", 3, now - 12), sample("old", "mem", 4, now - 40))
        self.assertEqual(self.json_of("latest?ip=10.2.0.11"),
                         {"10.2.0.11": {"a": {"mem": [round(now - 2, 3), 2], "cpu": [round(now - 12, 3), 3]}}})
        self.assertEqual(self.json_of("latest?ip=10.2.0.11&resource=cpu"),
                         {"10.2.0.11": {"a": {"cpu": [round(now - 12, 3), 3]}}})
        self.assertEqual(self.json_of("latest?ip=10.2.0.11&process=b"), {})
        self.assertIn("10.2.0.11", self.json_of("latest"))

    def test_every_parameter_of_every_endpoint(self):
        for path, taken in PARAMETERS.items():
            for name in GOOD:
                for value in GOOD[name]:
                    with self.subTest(path=path, name=name, value=value):
                        answer = self.vigie.get(f"{path}?{name}={value}")
                        if name in taken:
                            self.assertEqual(answer.status, 200, answer)
                        else:
                            self.assert_refused(answer, 400, name)
                for value in BAD[name] if name in taken else ():
                    with self.subTest(path=path, name=name, bad=value):
                        self.assert_refused(self.vigie.get(f"{path}?{name}={urllib.parse.quote(value, safe='%')}"),
                                            400, name)
            with self.subTest(path):
                self.assert_refused(self.vigie.get(f"{path}?nonsense=1"), 400, "nonsense")
                self.assertEqual(self.vigie.get(f"{path}/").status, 200)
                self.assertEqual(self.vigie.get(f"{path}?").status, 200)
        self.assert_refused(self.vigie.get("get-all?limit=1&limit=2"), 400, "limit")
        self.assert_refused(self.vigie.put("save-all?ip=10.0.0.1", {}), 400, "ip")

    def test_other_methods_are_405_with_allow(self):
        for path, allow in [*((path, "GET, HEAD") for path in PARAMETERS), ("save-all", "PUT"), ("save-alarms", "PUT"),
                            ("save-forecasts", "PUT")]:
            for method in {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"} - set(allow.split(", ")):
                with self.subTest(path=path, method=method):
                    answer = self.vigie.request(method, path)
                    self.assertEqual((answer.status, answer.headers["Allow"]), (405, allow))
                    if method != "HEAD":
                        self.assert_refused(answer, 405)

    def test_head_is_get_without_its_body(self):
        for path in PARAMETERS:
            with self.subTest(path):
                get, head = self.vigie.get(path), self.vigie.request("HEAD", path)
                self.assertEqual((head.status, head.body), (get.status, b""))
                self.assertEqual(head.headers["Content-Type"], get.headers["Content-Type"])

    def test_unknown_paths_are_404(self):
        for path in ("", "nothing", "get-al", "get-all-", "save-all/x", "hosts/10.0.0.1", "GET-ALL", "get-all/10.0.0.1/x/y"):
            with self.subTest(path):
                answer = self.vigie.get(path)
                if path.startswith("get-all/"):
                    self.assert_refused(answer, 400)
                else:
                    self.assert_refused(answer, 404)

    def test_health_and_metrics(self):
        health = self.json_of("health")
        self.assertEqual((health["status"], health["store"]["status"]), ("ok", "ok"))
        self.save("10.2.0.12", sample("a", "mem", 1))
        answer = self.vigie.get("metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        lines = answer.body.decode().splitlines()
        self.assertTrue([line for line in lines if line.startswith("# TYPE ")])
        for line in lines:
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                self.assertRegex(name, r'^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})?$')
                self.assertGreaterEqual(float(value), 0)
        self.assertTrue([line for line in lines if not line.startswith("#") and "points" in line and
                         float(line.rsplit(" ", 1)[1]) >= 1], lines)


class SharedReadTest(ServerTest):
    config = "[server]\ncache = 1s\n"

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.vigie.get("metrics").body.decode(), re.M).group(1))

    def test_answer_is_given_again_for_a_second(self):
        self.save("10.2.1.1", sample("a", "mem", 1))
        begun = time.monotonic()
        old = self.json_of("get-all-detailed?ip=10.2.1.1")
        answered = time.monotonic()
        self.save("10.2.1.1", sample("a", "mem", 2))
        again = self.json_of("get-all-detailed?ip=10.2.1.1")
        if time.monotonic() < begun + 1:
            self.assertEqual((old, again), ({"a": [1]}, {"a": [1]}))
        self.assertEqual(self.json_of("get-all-detailed?ip=10.2.1.1&resource=mem"), {"a": [1, 2]})
        while (asked := time.monotonic()) < answered + 1.001:
            self.assertIn(self.json_of("get-all-detailed?ip=10.2.1.1"), ({"a": [1]}, {"a": [1, 2]}))
            time.sleep(0.02)
        self.assertEqual(self.json_of("get-all-detailed?ip=10.2.1.1"), {"a": [1, 2]}, asked)

    def test_many_who_ask_the_same_cost_one_read_a_second(self):
        self.save("10.2.1.2", *(sample(f"p{number}", "cpu", number) for number in range(300)))
        expected = self.json_of("get-all/10.2.1.2")
        reads, shared = self.metric("vigie_store_read_seconds_count"), self.metric("vigie_shared_reads_total")
        wrong = []

        def ask():
            for _ in range(20):
                if (answer := self.vigie.get("get-all/10.2.1.2")).status != 200 or answer.json() != expected:
                    wrong.append(answer)
        clients = [threading.Thread(target=ask) for _ in range(32)]
        begun = time.monotonic()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        reads = self.metric("vigie_store_read_seconds_count") - reads
        self.assertEqual(wrong, [])
        self.assertLessEqual(reads, time.monotonic() - begun + 1)
        self.assertEqual(reads + self.metric("vigie_shared_reads_total") - shared, 32 * 20)


class AlarmTest(ServerTest):
    config = "[server]\ninterval = 1s\n"

    def test_alarms_from_unknown_to_red_to_green(self):
        self.assertEqual(self.json_of("query-alarm"), {"color": "unknown", "alarms": []})
        self.assertEqual(self.json_of("alarms"), [])
        now = round(time.time() - 1.2, 3)
        self.save("10.3.0.1", sample("java", "mem", 83.5, now))
        red = {"ipaddress": "10.3.0.1", "process_name": "java", "type_data": "mem", "color": "red", "value": 83.5,
               "threshold": 80, "since": now, "timestamp": now}
        amber = {"ipaddress": "10.3.0.2", "process_name": "tar", "type_data": "cpu", "color": "orange", "threshold": 80,
                 "since": now, "forecast": 91.5, "expected_at": now + 600, "timestamp": now}
        self.assertEqual(self.vigie.put("save-alarms", {"data": [amber]}).json(), {"Response": "Ok"})
        self.assertEqual(self.json_of("query-alarm")["color"], "orange")
        self.assertEqual(self.vigie.put("save-alarms", {"data": [red, amber]}).json(), {"Response": "Ok"})

        answer = self.json_of("query-alarm")
        self.assertEqual(answer["color"], "red")
        alarms = {alarm["process"]: alarm for alarm in answer["alarms"]}
        self.assertEqual(set(alarms), {"java", "tar"})
        self.assertEqual(alarms["java"], {"process": "java", "ip": "10.3.0.1", "resource": "mem", "color": "red",
                                          "value": 83.5, "forecast": None, "expected_at": None, "threshold": 80,
                                          "since": now})
        self.assertEqual((alarms["tar"]["color"], alarms["tar"]["forecast"]), ("orange", 91.5))
        self.assertAlmostEqual(alarms["tar"]["expected_at"], now + 600, places=2)
        self.assertEqual([alarm["process"] for alarm in self.json_of("query-alarm?ip=10.3.0.2")["alarms"]], ["tar"])
        self.assertEqual(self.json_of("query-alarm?resource=cpu")["color"], "orange")
        self.assertEqual(self.json_of("query-alarm?process=java")["alarms"][0]["process"], "java")
        self.assertEqual(self.json_of("query-alarm?process=none"), {"color": "green", "alarms": []})

        green = dict(red, color="green", timestamp=now + 1)
        self.assertEqual(self.vigie.put("save-alarms", {"data": [green]}).status, 200)
        self.assertEqual(self.json_of("alarms?process=java"),
                         [{"time": now, "ip": "10.3.0.1", "process": "java", "resource": "mem", "color": "red"},
                          {"time": round(now + 1, 3), "ip": "10.3.0.1", "process": "java", "resource": "mem",
                           "color": "green"}])
        self.assertEqual([entry["color"] for entry in self.json_of("alarms?resource=cpu&window=10s")], ["orange"])
        # Nobody reports any longer: nobody knows.
        wait_until(lambda: self.json_of("query-alarm")["color"] == "unknown", 10, "unknown again")


class ManyAlarmsTest(ServerTest):
    """Standing alarms are reported at every tick: the points that are read are not the items that are answered."""

    config = "[server]\ninterval = 10s\nmax_points = 1000\n"

    def report(self, ip, processes, colors):
        """One colour a tick, the last one now."""
        now = round(time.time(), 3)
        for number, color in enumerate(colors):
            at = now - 10 * (len(colors) - 1 - number)
            alarms = [{"ipaddress": ip, "process_name": f"p{process}", "type_data": "mem" if process % 2 else "cpu",
                       "color": color, "timestamp": at} for process in range(processes)]
            self.assertEqual(self.vigie.put("save-alarms", {"data": alarms}).status, 200)

    def test_alarms_that_stand_are_one_item_each(self):
        self.report("10.3.1.1", 40, ["red"] * 100)  # 4,000 points
        alarms = self.json_of("alarms?window=1h&ip=10.3.1.1")
        self.assertEqual([alarm["color"] for alarm in alarms], ["red"] * 40)
        self.assertEqual([alarm["process"] for alarm in alarms], sorted(f"p{number}" for number in range(40)))
        self.assertEqual(self.json_of("alarms?window=5m&ip=10.3.1.1"), [])

    def test_alarms_over_max_points_are_told_how_to_ask(self):
        self.report("10.3.1.2", 11, ["red", "green"] * 50)  # 1,100 transitions
        refused = self.assert_refused(self.vigie.get("alarms?window=1h&ip=10.3.1.2"), 400)
        self.assertIn("over 1000 items", refused["error"])
        for word in re.findall(r"\b(window|ip|process|resource|above|step|limit)\b", refused["error"]):
            self.assertIn(word, PARAMETERS["alarms"])
        self.assertIn("limit=", refused["error"])
        self.assert_refused(self.vigie.get("alarms?window=1h&ip=10.3.1.2&limit=1001"), 400)
        mem = self.json_of("alarms?window=1h&ip=10.3.1.2&resource=mem")
        self.assertEqual(len(mem), 500)
        self.assertEqual([alarm["color"] for alarm in mem[:5] + mem[-5:]], ["red"] * 5 + ["green"] * 5)
        for limit in (1, 5, 11, 12, 700, 1000):
            newest = self.json_of(f"alarms?window=1h&ip=10.3.1.2&limit={limit}")
            self.assertEqual(len(newest), limit)
            times = [alarm["time"] for alarm in newest]
            self.assertEqual(times, sorted(times, reverse=True))
            self.assertEqual([alarm["color"] for alarm in newest[:12]], (["green"] * 11 + ["red"])[:limit])
        self.assertEqual(self.json_of("alarms?window=1h&ip=10.3.1.2&resource=mem&limit=600"),
                         sorted(mem, key=lambda alarm: (-alarm["time"], alarm["process"])))


class ForecastTest(ServerTest):
    config = "[server]\ninterval = 1s\n[forecast]\nrefresh = 1s\n"

    def forecast(self, ip, process, resource, probability, forecast, **more):
        return {"ipaddress": ip, "process_name": process, "type_data": resource, "probability": probability,
                "forecast": forecast, **more}

    def put(self, path, *items):
        answer = self.vigie.put(path, {"data": items})
        self.assertEqual((answer.status, answer.json()), (200, {"Response": "Ok"}))

    def health(self):
        health = self.json_of("health")
        self.assertEqual(health["status"], "ok")
        return health["forecast"]

    def test_1_health_tells_when_forecasts_last_came(self):
        self.assertEqual(self.health(), {"status": "unknown", "last_report": None})
        self.assertEqual(self.json_of("forecasts"), {})
        self.put("save-forecasts")
        health = self.health()
        self.assertEqual(health["status"], "ok")
        self.assertAlmostEqual(health["last_report"], time.time(), delta=2)
        wait_until(lambda: self.health() == dict(health, status="unknown"), 10, "the forecast service is away")

    def test_2_forecasts_are_read_back_until_they_are_old(self):
        at = round(time.time()) + 600.25
        self.put("save-forecasts", self.forecast("10.4.0.1", "bash", "mem", 1 / 3, 91.2, expected_at=at, model="x"),
                 self.forecast("10.4.0.1", "bash", "cpu", 0, 0, expected_at=None),
                 self.forecast("2001:db8::4", "b\"\\\u20ac", "cpu", 1, 399.99))
        mem = {"probability": 1 / 3, "forecast": 91.2, "expected_at": at}
        none = {"probability": 0, "forecast": 0, "expected_at": None}
        other = {"2001:db8::4": {"b\"\\\u20ac": {"cpu": {"probability": 1, "forecast": 399.99, "expected_at": None}}}}
        self.assertEqual(self.json_of("forecasts"), {"10.4.0.1": {"bash": {"mem": mem, "cpu": none}}, **other})
        self.assertEqual(self.json_of("forecasts?ip=10-4-0-1&process=bash&resource=cpu"), {"10.4.0.1": {"bash": {"cpu": none}}})
        self.assertEqual(self.json_of("forecasts?resource=mem"), {"10.4.0.1": {"bash": {"mem": mem}}})
        self.assertEqual(self.json_of("forecasts?ip=2001:db8::4"), other)
        # The next one without a time has not the time of the one before.
        self.put("save-forecasts", self.forecast("10.4.0.1", "bash", "mem", 0.25, 60))
        self.assertEqual(self.json_of("forecasts?resource=mem"),
                         {"10.4.0.1": {"bash": {"mem": {"probability": 0.25, "forecast": 60, "expected_at": None}}}})
        wait_until(lambda: self.json_of("forecasts") == {}, 10, "they are old")

    def test_3_orange_alarm_tells_the_forecast(self):
        alarm = {"ipaddress": "10.4.0.2", "process_name": "tar", "type_data": "mem", "color": "orange", "value": 61,
                 "threshold": 80, "since": round(time.time()) - 5}
        shown = {"ip": "10.4.0.2", "process": "tar", "resource": "mem", "color": "orange", "value": 61, "forecast": 91.5,
                 "expected_at": alarm["since"] + 700, "threshold": 80, "since": alarm["since"]}
        self.save("10.4.0.2", sample("tar", "mem", 61))
        self.put("save-forecasts", self.forecast("10.4.0.2", "tar", "mem", 0.875, 91.5, expected_at=alarm["since"] + 700))
        self.put("save-alarms", alarm)
        self.assertEqual(self.json_of("query-alarm?ip=10.4.0.2"), {"color": "orange", "alarms": [shown]})
        [transition] = self.json_of("alarms?ip=10.4.0.2")
        self.assertAlmostEqual(transition.pop("time"), time.time(), delta=5)
        self.assertEqual(transition, {"ip": "10.4.0.2", "process": "tar", "resource": "mem", "color": "orange"})


class StaticTest(ServerTest):
    config = "[server]\nmax_body = 2KiB\n"

    def test_pages_allow_what_is_their_own_alone(self):
        for path in ("/", "/api.html"):
            answer = self.vigie.get(path)
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.headers["Content-Type"].startswith("text/html"))
            policy = [part.strip() for part in answer.headers["Content-Security-Policy"].split(";")]
            self.assertIn("default-src 'self'", policy)
            self.assertNotIn("unsafe", answer.headers["Content-Security-Policy"])
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(answer.headers["Cache-Control"], "no-cache")
            self.assertEqual(answer.headers["Server"], "nginx")
            # What the policy would refuse.
            self.assertNotRegex(answer.body.decode(), r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)")

    def test_scripts_make_text_alone_of_what_they_are_told(self):
        for path in (ROOT / "nginx" / "www").glob("*.js"):
            self.assertNotRegex(path.read_text(), r"(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\b|DOMParser|"
                                r"setAttribute\(\W?style|srcdoc", path.name)

    def test_charting_library_is_served_from_its_package(self):
        answer = self.vigie.get("/dygraphs/dygraph.min.js")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/javascript"))
        self.assertIn(b"Dygraph", answer.body)
        self.assertEqual(self.vigie.get("/dygraphs/nothing.js").status, 404)

    def test_api_page_names_every_endpoint_and_no_page_a_foreign_origin(self):
        page = self.vigie.get("/api.html").body.decode()
        for name in ("get-all", "get-all/127.0.0.1", "get-all-detailed", "latest", "query-alarm", "alarms", "oom-kills", "forecasts",
                     "hosts", "health", "metrics"):
            self.assertIn(f'href="ressources-usage/{name}"', page)
        for name in ("save-all", "save-alarms", "save-forecasts"):
            self.assertIn(f"PUT {name}", page)
        self.assertNotIn("<script", page)
        for path in (ROOT / "nginx" / "www").iterdir():
            text = path.read_text().replace("http://www.w3.org/2000/svg", "")
            self.assertNotRegex(text, r"(https?:)?//[a-z]", path.name)
            self.assertEqual(self.vigie.get(f"/{path.name}").status, 404 if path.name == "404.html" else 200)

    def test_links_of_the_pages_work(self):
        for path, least in (("/", 5), ("/api.html", 9)):
            page = self.vigie.get(path).body.decode()
            links = [link.replace("&amp;", "&") for link in re.findall(r'(?:href|src)="([^"]*)"', page)]
            self.assertGreater(len(links), least)
            for link in links:
                with self.subTest(link):
                    self.assertEqual(self.vigie.get(urllib.parse.urljoin(path, link)).status, 200)

    def test_unknown_page_is_a_small_404(self):
        answer = self.vigie.get("/nothing")
        self.assertEqual(answer.status, 404)
        self.assertIn(b'<a href="/">', answer.body)

    def test_errors_of_nginx_have_the_form_of_the_api(self):
        for answer, status in ((self.vigie.put("save-all", b"x" * 4096), 413),
                               (self.vigie.get("get-all?" + "x" * 20000), 414),
                               (self.vigie.get("get-all", headers={"X-Large": "x" * 40000}), 431),
                               (self.vigie.get("/%zz"), 400), (self.vigie.put("/", b""), 405)):
            with self.subTest(status):
                self.assertEqual(set(self.assert_refused(answer, status)), {"Response", "error"})


if __name__ == "__main__":
    unittest.main()
