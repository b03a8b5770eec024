"""The pages in a real browser, of a small fleet (page_data.py), used as people use them: by what stands there, the mouse
and the keyboard. Whatever happens, no page has an error, or asks another origin."""

import itertools
import pathlib
import re
import subprocess
import time
import unittest

from browser import PATIENCE_S, BrowserTest
from page_data import HOSTILE, NIGHT, Fleet, last_night
from vigie import ROOT, Vigie, wait_until

QUICK = "interval = 1s\ncache = 0\n[forecast]\nrefresh = 1s\n"


def setUpModule():
    FleetTest.start_browser()
    FleetTest.vigie = unittest.enterModuleContext(Vigie("--server", config="[server]\n" + QUICK))
    unittest.enterModuleContext(Fleet(FleetTest.vigie, 1))
    FleetTest.url = f"http://127.0.0.1:{FleetTest.vigie.port}/"


def rows(page):
    """The processes that the table shows, in its order."""
    return [link.name for table in page.nodes("table", "Processes") for link in table.nodes("link")]


class FleetTest(BrowserTest):
    def wait_for_rows(self, page, *names):
        """Until the table begins with these processes."""
        wait_until(lambda: rows(page)[:len(names)] == list(names), PATIENCE_S, lambda: f"{names} come first, not {rows(page)}")

    def wait_for_rows_alone(self, page, *names):
        wait_until(lambda: rows(page) == list(names), PATIENCE_S, lambda: f"{names} are there alone, not {rows(page)}")

    def overview(self, query="", **options):
        page = self.open(self.url + query, **options)
        page.find("table", "Processes")
        wait_until(lambda: rows(page), PATIENCE_S, page.text)
        return page

    def process(self, name, **options):
        """The view of a process, by a click on its name."""
        page = self.overview(**options)
        page.find("table", "Processes").find("link", name).click()
        page.find("heading", name)
        return page


class OverviewTest(FleetTest):
    def test_worst_color_and_what_is_wrong_come_first(self):
        page = self.overview()
        wait_until(lambda: "red" in page.find("status").text().lower(), PATIENCE_S, page.text)
        self.assertIn("RED", page.title())
        self.assertIn("icon-red", page.icon())
        alarms = page.find("list", "Alarms").text().lower()
        for words in ("postgres", "db1", "cpu", "80", "java", "app1", "83"):
            self.assertIn(words, alarms)

    def test_hosts_tell_what_is_odd_about_them(self):
        page = self.overview()
        # That an address is shared is known once both have reported.
        for words in ("db1", "web1", "app1", "old1", "twin0", "twin1", "partial", "shared", "stale"):
            wait_until(lambda: words in page.find("list", "Hosts").text().lower(), PATIENCE_S, page.text)

    def test_columns_sort(self):
        page = self.overview()
        self.wait_for_rows(page, "java", "postgres")
        page.find("table", "Processes").find("button", "CPU").click()
        self.wait_for_rows(page, "postgres", HOSTILE)
        self.assertEqual(page.find("columnheader", "CPU").attribute("aria-sort"), "descending")
        page.find("table", "Processes").find("button", "Process").focus()
        page.press("Enter")
        self.wait_for_rows(page, HOSTILE, "backup")
        self.assertEqual(page.find("columnheader", "Process").attribute("aria-sort"), "ascending")
        again = self.overview(page.query())
        self.wait_for_rows(again, HOSTILE, "backup")

    def test_filters_narrow_and_stand_in_the_url(self):
        page = self.overview()
        page.press("/")
        page.type("sshd")
        self.wait_for_rows_alone(page, "sshd", "sshd")
        page.find("combobox", "Host").fill("web1")
        self.wait_for_rows_alone(page, "sshd")
        self.wait_for_rows_alone(self.overview(page.query()), "sshd")
        page.find("searchbox", "Filter").clear()
        page.find("combobox", "Host").fill("All")
        page.find("combobox", "Colour").fill("red")
        wait_until(lambda: sorted(rows(page)) == [HOSTILE, "postgres"], PATIENCE_S, lambda: rows(page))

    def test_keyboard_filters_walks_opens_and_goes_back(self):
        page = self.overview()
        page.press("/")
        self.assertEqual(page.focused().role, "searchbox")
        page.type("s")
        wait_until(lambda: rows(page) and all("s" in name for name in rows(page)), PATIENCE_S, page.text)
        found = rows(page)
        for key, name in (("ArrowDown", found[0]), ("ArrowDown", found[1]), ("ArrowUp", found[0])):
            page.press(key)
            wait_until(lambda: name in str(page.focused()), PATIENCE_S, lambda: f"{key} leads to {name}, not {page.focused()}")
        page.press("Enter")
        page.find("heading", found[0])
        page.press("Escape")
        wait_until(lambda: rows(page) == found, PATIENCE_S, page.text)
        self.assertIn("q=s", page.query())

    def test_refresh_keeps_scroll_sort_and_filter(self):
        page = self.overview("?sort=process&q=r", height=420)
        page.evaluate("scrollTo(0, 200)")
        before, asked = rows(page), page.asked("query-alarm")
        wait_until(lambda: page.asked("query-alarm") > asked + 2, PATIENCE_S, "it asks again")
        self.assertEqual((rows(page), page.evaluate("scrollY"), page.query()), (before, 200, "?sort=process&q=r"))

    def test_process_that_ate_the_memory_last_night_is_found(self):
        page = self.overview()
        self.assertNotIn(NIGHT, rows(page))
        page.find("button", "03:00").click()
        self.wait_for_rows(page, NIGHT)
        self.assertIn("from=", page.query())
        self.wait_for_rows(self.overview(page.query()), NIGHT)
        page.back()
        self.wait_for_rows(page, "java", "postgres")
        for name, offset in (("From", -120), ("To", 120)):
            page.find("DateTime", name).fill(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(last_night() + offset)))
        page.find("button", "Show").click()
        self.wait_for_rows(page, NIGHT)

    def test_window_is_chosen(self):
        page = self.overview()
        page.find("button", "15 min").click()
        wait_until(lambda: "window=15m" in page.query(), PATIENCE_S, page.url)
        self.wait_for_rows(page, "java", "postgres")
        wait_until(lambda: any("window=15m" in url for url in page.requests), PATIENCE_S, "15 minutes are asked for")


class ProcessTest(FleetTest):
    def test_process_shows_its_values_and_why(self):
        page = self.process("postgres")
        for name in ("Memory of postgres", "CPU of postgres"):
            page.find("image", name)
        wait_until(lambda: "db1" in page.find("table", "Hosts of this process").text(), PATIENCE_S, page.text)
        page.find("region", "Why")
        self.assertIn("postgres", page.title())
        page.find("link", "Overview").click()
        self.wait_for_rows(page, "java")

    def test_process_that_reads_and_writes_shows_it(self):
        page = self.process("postgres")
        page.find("image", "Reads of postgres")
        page.find("image", "Writes of postgres").focus()
        page.press("ArrowLeft")
        wait_until(lambda: re.search(r"^\d\d:\d\d:\d\d db1 [\d.]+ MiB/s$", page.text(), re.MULTILINE), PATIENCE_S, page.text)
        page.find("link", "Overview").click()
        self.wait_for_rows(page, "java")
        page.find("table", "Processes").find("link", "java").click()
        page.find("image", "CPU of java")
        self.assertNotIn("Writes", page.text())

    def test_chart_zooms_and_the_step_follows(self):
        page = self.open(self.url + "?process=postgres&window=2d")
        steps = lambda: [int(step) for url in page.requests for step in re.findall(r"[?&]step=(\d+)s", url)]  # noqa: E731
        chart = page.find("image", "CPU of postgres")
        before = wait_until(steps, PATIENCE_S, page.requests)[-1]
        chart.drag(0.8, 0.9)
        wait_until(lambda: "from=" in page.query(), PATIENCE_S, page.url)
        wait_until(lambda: page.url() and steps()[-1] < before / 2, PATIENCE_S, page.requests)
        page.back()
        wait_until(lambda: "from=" not in page.query(), PATIENCE_S, page.url)

    def test_chart_tells_exact_values(self):
        page = self.process("postgres")
        page.find("image", "CPU of postgres").focus()
        page.press("ArrowLeft")
        wait_until(lambda: re.search(r"^\d\d:\d\d:\d\d db1 \d+\s%$", page.text(), re.MULTILINE), PATIENCE_S, page.text)


class NameTest(FleetTest):
    """What a process is called is text, wherever it stands."""

    def assert_text(self, page):
        self.assertEqual(page.evaluate("document.querySelectorAll('[onerror], img[src=x]').length"), 0)
        self.assertNotIn("hacked", page.title().replace(HOSTILE, ""))

    def test_name_is_text_in_table_and_alarms(self):
        page = self.overview()
        self.assertIn(HOSTILE, rows(page))
        self.assertIn(HOSTILE, page.find("list", "Alarms").text())
        self.assert_text(page)

    def test_name_is_text_in_the_view_of_the_process(self):
        page = self.process(HOSTILE)
        page.find("image", f"Memory of {HOSTILE}")
        page.find("region", "Why")
        self.assertIn(HOSTILE, page.title())
        self.assert_text(page)
        again = self.open(page.url())
        again.find("heading", HOSTILE)
        self.assert_text(again)


class AccessibilityTest(FleetTest):
    """axe-core finds nothing that keeps anybody out."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = subprocess.run([ROOT / "tests" / "browser" / "axe-core"], stdout=subprocess.PIPE, text=True)
        if made.returncode != 0:
            raise unittest.SkipTest("axe-core is not here: there is no npm, or no registry")
        cls.axe = pathlib.Path(made.stdout.strip()).read_text()

    def test_nobody_is_kept_out(self):
        services = self.open(self.url + "?view=services")
        for what, page in (("overview", self.overview()), ("process", self.process("java")), ("services", services)):
            for width, dark in itertools.product((360, 1280), (False, True)):
                with self.subTest(what, dark=dark, width=width):
                    page.look(width, 800, dark)
                    found = page.evaluate(self.axe + ";axe.run().then(all => all.violations.map(one => "
                                          "[one.id, one.help, one.nodes.map(node => node.html.slice(0, 200))]))")
                    self.assertEqual(found, [])
                    self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), width, "it is all in the window")


if __name__ == "__main__":
    unittest.main()
