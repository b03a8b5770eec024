"""The pages as long as they are open: real processes and a real alarm, a server that goes away and comes back, tokens, a
path of another server, and a working day of refreshes."""

import shutil
import time
import unittest

from browser import PATIENCE_S, BrowserTest
from page_data import DB, Fleet, put
from subjects import burner
from test_05_alert import BURNER, CONFIG as ALERT_CONFIG
from test_09_security import bearer, write_tokens
from test_29_fronts import Front, make_folder
from test_32_page import QUICK, rows
from vigie import Vigie, sample, wait_until

PATIENT = "interval = 1h\ncache = 0\n"  # what is saved once stands however long the test takes
# What the page waits for between two refreshes takes no time. Once it is to, it is answered what it was answered in the
# ticks before, in turns: the network would take most of the test's time.
HURRY = """{
	const wait = setTimeout, ask = fetch, answers = new Map();
	let asked = 0, wanted = Infinity, reached, turn = 0;
	window.setTimeout = (call, ms, ...rest) => wait(call, ms / 10000, ...rest);
	window.fetch = async (url, ...rest) => {
		const path = url.split('?')[0];
		if (path.endsWith('query-alarm') && ++asked >= wanted) reached();
		const kept = answers.get(path) ?? answers.set(path, []).get(path);
		if (window.answered && kept.length) return new Response(kept[++turn % kept.length]);
		const answer = await ask(url, ...rest), text = await answer.clone().text();
		if (text !== kept.at(-1)) kept.push(text);
		return answer;
	};
	window.ticks = () => answers.get('ressources-usage/get-all')?.length ?? 0;
	AbortSignal.timeout = () => new AbortController().signal; // of which there would be 20 seconds' worth
	window.refreshes = count => new Promise(resolve => [wanted, reached] = [count, resolve]);
}"""
REFRESHES = 8 * 3600 // 10
TICKS, PARTS = 5, 20
GROWTH_MAX = 1.1


def setUpModule():
    LifeTest.start_browser()


class LifeTest(BrowserTest):
    def start(self, *options, config="[server]\n" + QUICK, **tokens):
        vigie = Vigie(*options, config=config)
        for kind, token in tokens.items():
            write_tokens(vigie, kind, [token])
        vigie.start()
        self.addCleanup(vigie.stop)
        return vigie

    def overview(self, vigie):
        page = self.open(f"http://127.0.0.1:{vigie.port}/")
        page.find("table", "Processes")
        return page

    def wait_for(self, condition, what):
        wait_until(condition, PATIENCE_S, what)


class RealTest(LifeTest):
    def test_own_processes_appear_and_one_that_burns_turns_the_page_red(self):
        vigie = self.start(config=ALERT_CONFIG)
        page = self.overview(vigie)
        for name in ("vigie-collector", "vigie-fcgi", "chromium"):
            self.wait_for(lambda: name in rows(page), lambda: f"{name} is not in {rows(page)}")
        self.wait_for(lambda: "GREEN" in page.title() and "icon-green" in page.icon(), page.title)
        burning = burner(self, vigie.folder, BURNER)
        self.wait_for(lambda: vigie.get("query-alarm").json()["color"] == "red", vigie.logs)
        page.settle(0)
        asked = page.asked("query-alarm")
        self.wait_for(lambda: "RED" in page.title(), page.title)
        self.assertLessEqual(page.asked("query-alarm") - asked, 2, "ticks until it is red")
        self.assertIn("icon-red", page.icon())
        # The title comes first, the rest once all is there.
        self.wait_for(lambda: "red" in page.find("status").text().lower(), page.text)
        self.assertIn(BURNER, page.find("list", "Alarms").text())
        burning.kill()
        self.wait_for(lambda: "GREEN" in page.title() and "icon-green" in page.icon(), page.title)


class AwayTest(LifeTest):
    def test_who_is_away_is_said_and_taken_back(self):
        vigie = self.start("--server")
        vigie.save(DB, sample("postgres", "cpu", 12))
        page = self.overview(vigie)
        page.wait_for_text("The alert service is away")
        page.wait_for_text("The forecast service is away")
        with Fleet(vigie, 1, past_s=0):
            self.wait_for(lambda: "RED" in page.title() and " away" not in page.text().lower(), page.text)
        self.assertEqual(vigie.end(), 0)
        vigie.output.close()
        page.wait_for_text("The server is away")
        self.wait_for(lambda: "AWAY" in page.title() and "icon-unknown" in page.icon(), page.title)
        begun = vigie.printed().count("Ctrl-C")
        vigie.spawn()
        self.wait_for(lambda: vigie.printed().count("Ctrl-C") > begun, vigie.printed)
        self.wait_for(lambda: "server is away" not in page.text() and "AWAY" not in page.title(), page.text)


class TokenTest(LifeTest):
    def enter(self, page, title, token):
        page.find("dialog", title)
        page.find("textbox", "Token").focus()
        page.type(token)
        page.press("Enter")

    def test_tokens_are_asked_for_where_they_are_needed(self):
        vigie = self.start("--server", config=f"[server]\nread_tokens = read.tokens\nadmin_tokens = admin.tokens\n{QUICK}",
                           read="reader", admin="ruler")
        vigie.save(DB, sample("postgres", "cpu", 12))
        page = self.open(f"http://127.0.0.1:{vigie.port}/")
        self.enter(page, "Read token", "wrong")
        self.enter(page, "Read token", "reader")
        self.wait_for(lambda: "postgres" in rows(page), page.text)
        page.find("link", "Services").click()
        page.find("button", "Stop forecast").click()
        self.enter(page, "Admin token", "ruler")
        wish = lambda: vigie.get("services", headers=bearer("reader")).json()["forecast"]["wish"]  # noqa: E731
        self.wait_for(lambda: wish() == "stop", page.text)
        page.find("button", "Start forecast").click()
        self.wait_for(lambda: wish() == "run", page.text)
        self.assertEqual(page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]"), [0, 0, ""])

    def test_alarm_is_silenced_with_an_admin_token_until_that_is_ended(self):
        vigie = self.start("--server", config=f"[server]\nadmin_tokens = admin.tokens\n{PATIENT}", admin="ruler")
        alarm = {"ipaddress": DB, "process_name": "post*gres", "type_data": "cpu", "color": "red", "value": 95, "threshold": 80,
                 "since": time.time()}
        vigie.save(DB, sample("post*gres", "cpu", 95))
        put(vigie, "save-alarms", {"data": [alarm]})
        page = self.open(f"http://127.0.0.1:{vigie.port}/")
        page.find("button", "Silence post*gres").click()
        page.find("dialog", "Silence")
        page.find("textbox", "Comment").focus()
        page.type("a deploy")
        page.find("button", "Set").click()
        self.enter(page, "Admin token", "ruler")
        silences = lambda: vigie.get("silences").json()  # noqa: E731
        self.wait_for(silences, page.text)
        told = silences()[0]
        self.assertEqual((told["process"], told["ip"], told["resource"], told["comment"]), ("post\\*gres", DB, "cpu", "a deploy"))
        self.assertAlmostEqual(told["until"], time.time() + 3600, delta=120)
        self.wait_for(lambda: "silenced until" in page.find("list", "Alarms").text(), page.text)
        page.find("link", "Services").click()
        self.wait_for(lambda: "a deploy" in page.find("table", "Silences").text(), page.text)
        page.look(360, 800, False)
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 360, "it is all in the window")
        page.find("button", "End the silence").click()
        self.wait_for(lambda: not silences(), page.text)
        self.wait_for(lambda: "None." in page.text(), page.text)

    def test_what_was_killed_and_what_is_missing_is_said(self):
        vigie = self.start("--server", config=f"[server]\n{PATIENT}")
        now = time.time()
        vigie.save(DB, sample("postgres", "cpu", 5), oom_kills={"timestamp": now, "processes": {"java": 2, "*": 1}})
        put(vigie, "save-alarms", {"data": [
            {"ipaddress": DB, "process_name": "nginx", "type_data": resource, "color": "red", "since": now, "missing": True}
            for resource in ("mem", "cpu")]})
        page = self.open(f"http://127.0.0.1:{vigie.port}/")
        alarms = page.find("list", "Alarms")
        self.wait_for(lambda: "must run and does not" in alarms.text(), page.text)
        self.assertEqual(alarms.text().count("nginx"), 1)
        self.assertIn("1 missing", page.find("status").text())
        page.evaluate("document.getElementById('earlier').open = true")
        earlier = page.find("list", "Earlier alarms")
        self.wait_for(lambda: "OOM" in earlier.text() and "2 killed for want of memory" in earlier.text(), page.text)
        self.assertIn("of unknown name", earlier.text())


class PathTest(LifeTest):
    def test_page_works_below_a_path(self):
        vigie = self.start("--server")
        vigie.save(DB, sample("postgres", "cpu", 12))
        folder = make_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        front = Front(folder, vigie.port, ("sub-path",))
        self.addCleanup(front.stop)
        page = self.open(front.url("sub-path", "/vigie/"))
        page.find("link", "postgres").click()
        page.find("image", "CPU of postgres")
        self.assertTrue(all("/vigie/" in url for url in page.requests if url.startswith("http")), page.requests)


class DayTest(LifeTest):
    def test_refreshes_of_eight_hours_do_not_grow_the_heap(self):
        vigie = self.start("--server")
        with Fleet(vigie, 1):
            page = self.open(f"http://127.0.0.1:{vigie.port}/", width=400, height=300, script=HURRY)
            page.call("Network.disable")  # whose words of each request take longer than the request
            self.wait_for(lambda: page.evaluate("ticks()") > TICKS, page.text)
            page.evaluate("window.answered = true")
            heaps = []
            for part in range(1, PARTS + 1):
                page.evaluate(f"refreshes({REFRESHES * part // PARTS})")
                heaps.append(page.heap())
        # The least of the second quarter and of the last: chromium itself takes and gives back some at any time.
        for what, values in zip(("bytes", "nodes"), zip(*heaps)):
            with self.subTest(what):
                begun, ended = min(values[PARTS // 4:PARTS // 2]), min(values[-PARTS // 4:])
                self.assertLess(ended, begun * GROWTH_MAX, values)


if __name__ == "__main__":
    unittest.main()
