"""The page in a real browser, before a server that says odd things: what a store, a front or a report of somebody else's can
make of an answer. The page's own files are served with the policy of nginx/vigie.conf.in."""

import datetime
import functools
import http.server
import json
import pathlib
import re
import shutil
import threading
import time
import unittest
import urllib.parse

from browser import PATIENCE_S, Browser
from vigie import PREFIX, ROOT, is_sanitized, wait_until

POLICY = re.search(r'Content-Security-Policy "([^"]*)"', (ROOT / "nginx/vigie.conf.in").read_text())[1]
CHARTS = pathlib.Path("/usr/share/javascript/dygraphs")
IP, OTHER = "10.34.0.1", "10.34.0.2"


def setUpModule():
    if is_sanitized() or not shutil.which("chromium"):
        raise unittest.SkipTest("the programs have sanitizers" if is_sanitized() else "chromium is not installed")
    OddTest.browser = unittest.enterModuleContext(Browser())


def alarm(**more):
    return {"process": "java", "ip": IP, "resource": "mem", "color": "red", "value": 91, "forecast": None, "expected_at": None,
            "threshold": 80, "since": time.time() - 60, "hostname": "app1", "probability": None, "full_at": None, **more}


class Server(http.server.ThreadingHTTPServer):
    """`answers` are those of the interface by path: what is sent as JSON, or a function of the request that gives a status and that."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=ROOT / "nginx/www"))
        life = {"status": "ok", "last_report": time.time()}
        self.asked = []
        self.answers = {
            "health": lambda _: (200, {"status": "ok", "time": time.time(), "interval_s": 1, "refresh_s": 1, "retention_s": 172800,
                                       "store": {"status": "ok"}, "alert": life, "forecast": life}),
            "query-alarm": {"color": "green", "alarms": []},
            "hosts": {IP: {"last_seen": time.time(), "hostname": "app1", "interval_s": 3600}},
            "get-all": {IP: {"java": [58, 30], "sshd": [0.1, 0]}}, "get-all-detailed": {IP: {"java": [[time.time() - 9, 58]]}},
            "alarms": [], "forecasts": {}, "services": {}, "silences": [],
        }
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if not url.path.startswith(PREFIX):
            return super().do_GET()
        name = url.path.removeprefix(PREFIX)
        self.server.asked.append((name, urllib.parse.parse_qs(url.query), self.headers.get("X-Vigie-Token")))
        answer = self.server.answers[name]
        status, body = answer(self) if callable(answer) else (200, answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        return self.wfile.write(json.dumps(body).encode())

    def translate_path(self, path):
        return str(CHARTS / path.removeprefix("/dygraphs/")) if path.startswith("/dygraphs/") else super().translate_path(path)

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_):
        pass


class OddTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def open(self, query="", **options):
        page = self.browser.open(f"http://127.0.0.1:{self.server.server_port}/{query}", **options)
        self.addCleanup(self.check, page)
        return page

    def check(self, page):
        page.settle()
        strangers = page.strangers()
        page.close()
        self.assertEqual((page.problems, strangers), ([], []))

    def count_asked(self, name):
        return sum(asked[0] == name for asked in self.server.asked)

    def wait_until_asked_again(self, name, times=2):
        before = self.count_asked(name)
        wait_until(lambda: self.count_asked(name) >= before + times, PATIENCE_S, f"{name} is asked for again")

    def test_refusal_in_passing_does_not_stop_the_page(self):
        page = self.open()
        page.find("link", "java")
        self.server.answers["hosts"] = lambda _: (429, {"error": "too many"})
        page.wait_for_text("too many")
        self.server.answers["hosts"] = {}
        wait_until(lambda: "too many" not in page.text(), PATIENCE_S, page.text)

    def test_busy_front_is_no_health(self):
        self.server.answers["health"] = lambda _: (503, {"Response": "NOk", "error": "too many requests of one address"})
        self.open().wait_for_text("The server is away")

    def test_alarm_without_limit_and_begin_is_shown(self):
        self.server.answers["query-alarm"] = {"color": "red", "alarms": [alarm(threshold=None, since=None),
                                                                          alarm(color="orange", resource="cpu", threshold=None)]}
        page = self.open()
        wait_until(lambda: page.nodes("list", "Alarms"), PATIENCE_S, page.text)
        self.assertNotIn("1970", page.text())

    def test_time_beyond_all_dates_is_refused_by_the_server(self):
        self.server.answers["get-all"] = lambda _: (400, {"error": "from is not in the past"})
        self.open("?from=99999999999999999999").wait_for_text("from is not in the past")

    def test_token_that_no_header_takes_is_refused_as_one(self):
        self.server.answers["hosts"] = lambda request: (200, {}) if request.headers.get("X-Vigie-Token") == "right" else (401, {"error": "no token"})
        page = self.open()
        for token in ("right…", "right"):
            page.find("textbox", "Token").focus()
            page.type(token)
            page.press("Enter")
            wait_until(lambda: page.nodes("dialog") == [] or page.nodes("textbox", "Token")[0].value in (None, ""), PATIENCE_S, page.text)
        page.find("link", "java")
        self.assertNotIn("away", page.text())

    def test_span_without_end_goes_on(self):
        page = self.open(f"?from={time.time() - 60:.0f}")
        page.find("link", "java")
        self.wait_until_asked_again("get-all")

    def test_hosts_of_one_name_are_told_apart(self):
        self.server.answers["hosts"] = {ip: {"last_seen": time.time(), "hostname": "app1", "interval_s": 3600} for ip in (IP, OTHER)}
        self.server.answers["get-all"] = {ip: {"java": [58, 30]} for ip in (IP, OTHER)}
        page = self.open()
        page.find("link", "java")
        for ip in (IP, OTHER):
            self.assertIn(ip, page.find("table", "Processes").text())

    def test_collectors_of_one_name_are_told_apart(self):
        collector = {"hostname": "app1", "wish": "run", "state": "run", "last_report": time.time()}
        service = {"wish": "run", "state": "run", "last_report": time.time()}
        self.server.answers["services"] = {"collector": {"wish": "run", "hosts": {IP: collector, OTHER: collector}}, "alert": service, "forecast": service}
        page = self.open("?view=services")
        for ip in (IP, OTHER):
            page.find("button", f"Stop collector of app1 ({ip})")

    def test_process_that_is_called_like_a_host_itself_is_a_process(self):
        self.server.answers["get-all"] = {IP: {"*": [91, 3], "sshd": [0.1, 0]}}
        self.server.answers["query-alarm"] = {"color": "red", "alarms": [alarm(process="*")]}
        page = self.open()
        table = page.find("table", "Processes")
        page.find("link", "sshd")
        self.assertIn("91.0 %, limit 80 %", page.find("list", "Alarms").text())
        self.assertEqual([table.text().count(color) for color in ("RED", "GREEN")], [1, 1])

    def test_name_that_turns_text_round_turns_its_own_alone(self):
        self.server.answers["query-alarm"] = {"color": "red", "alarms": [alarm(process="\u202etxet")]}
        page = self.open()
        link = page.find("link", "txet")
        self.assertEqual(link.run("function() { return getComputedStyle(this).unicodeBidi; }"), "isolate")

    def test_nothing_is_green_where_nobody_watches(self):
        self.server.answers["query-alarm"] = {"color": "unknown", "alarms": []}
        page = self.open(f"?process=java&ip={IP}")
        page.wait_for_text("unknown on app1 now")

    def test_refused_span_does_not_show_another_ones_process(self):
        page = self.open(f"?process=java&ip={IP}")
        page.find("image", "Memory of java")
        wait_until(lambda: page.evaluate("document.querySelectorAll('canvas').length"), PATIENCE_S, page.text)
        self.server.answers["get-all"] = lambda _: (400, {"error": "window is too long"})
        page.find("button", "15 min").click()
        page.wait_for_text("window is too long")
        self.assertEqual(page.evaluate("document.querySelectorAll('canvas').length"), 0)

    def test_night_that_is_not_kept_is_not_offered(self):
        health = self.server.answers["health"]
        self.server.answers["health"] = lambda request: (200, {**health(request)[1], "retention_s": 60})
        page = self.open("?window=30s")
        page.find("link", "java")
        self.assertEqual(page.nodes("button", "03:00"), [])

    def test_lost_token_takes_the_color_away(self):
        page = self.open()
        wait_until(lambda: "GREEN" in page.title(), PATIENCE_S, page.title)
        self.server.answers["query-alarm"] = lambda _: (401, {"error": "no token"})
        page.find("dialog")
        self.assertNotIn("GREEN", page.title())

    def test_row_that_leaves_the_view_takes_enter_along(self):
        names = [f"p{number:03}" for number in range(300)]
        self.server.answers["get-all"] = {IP: {name: [300 - number, 1] for number, name in enumerate(names)}}
        page = self.open()
        page.find("link", names[0]).focus()
        page.evaluate("scrollTo(0, 6000)")
        page.find("link", names[150])
        page.press("Enter")
        page.settle()
        self.assertNotIn("process=", page.url())
        page.press("ArrowDown")
        wait_until(lambda: names[1] in str(page.focused()), PATIENCE_S, lambda: str(page.focused()))

    def test_long_names_have_room_on_a_phone(self):
        host, name = "h" * 64, "x" * 255
        self.server.answers["hosts"] = {IP: {"last_seen": time.time(), "hostname": host, "interval_s": 3600}}
        self.server.answers["get-all"] = {IP: {name: [58, 30]}}
        self.server.answers["query-alarm"] = {"color": "red", "alarms": [alarm(process=name)]}
        for query in ("", f"?process={name}&ip={IP}"):
            page = self.open(query, width=320)
            page.wait_for_text(f"on {host}")
            self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 320)

    def test_earlier_alarms_are_asked_for_once(self):
        now, ahead = time.time(), [0]
        health = self.server.answers["health"]

        def alarms(request):
            begin = float(urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)["from"][0])
            turns = [(now - 90000, "red"), (now - 80000, "green"), (now - 30, "red"), (now + 30, "green")]
            return 200, [{"time": at, "ip": IP, "process": "java", "resource": "mem", "color": color} for at, color in reversed(turns)
                         if begin < at <= time.time() + ahead[0]]

        self.server.answers["alarms"] = alarms
        self.server.answers["health"] = lambda request: (200, {**health(request)[1], "time": time.time() + ahead[0], "retention_s": 3 * 365 * 86400})
        page = self.open()
        page.wait_for_text("Earlier alarms (1)")
        ahead[0] = 100
        page.wait_for_text("Earlier alarms (2)")
        begins = [float(query["from"][0]) for name, query, _ in self.server.asked if name == "alarms"]
        self.assertGreater(begins[0], now - 3 * 86400)
        self.assertGreater(begins[1], now - 600)

    def test_clock_that_is_put_back_means_the_hour_that_is_shown(self):
        health, time_there = self.server.answers["health"], [""]
        self.server.answers["health"] = lambda request: (
            200, {**health(request)[1], "time": datetime.datetime.fromisoformat(time_there[0]).timestamp()})
        for at, night in (("2026-11-01T07:00:00+00:00", "2026-10-31T06:55:00Z"), ("2026-11-01T09:00:00+00:00", "2026-11-01T07:55:00Z")):
            time_there[0] = at
            page = self.open("404.html")
            page.call("Emulation.setTimezoneOverride", timezoneId="America/New_York")
            page.go(f"http://127.0.0.1:{self.server.server_port}/?from=2026-11-01T06:30:00Z&to=2026-11-01T06:40:00Z")
            page.find("link", "java")
            page.evaluate("document.getElementById('moment').requestSubmit()")
            page.settle()
            self.assertIn("from=2026-11-01T06:30:00Z&to=2026-11-01T06:40:00Z", page.url())
            page.find("button", "Last night 03:00").click()
            wait_until(lambda: f"from={night}" in page.url(), PATIENCE_S, page.url)


if __name__ == "__main__":
    unittest.main()
