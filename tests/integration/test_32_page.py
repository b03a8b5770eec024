"""The pages in a real browser: what they ask and say, without an error and without asking anybody else."""

import shutil
import unittest

from browser import Browser
from vigie import ServerTest, is_sanitized


@unittest.skipIf(is_sanitized(), "the page is the same")
@unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
class BrowserTest(ServerTest):
    """Tests that share a server and a browser. A page must not have had an error, nor have asked another origin."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = cls.enterClassContext(Browser())

    def open(self, path="/", **options):
        page = self.browser.open(f"http://127.0.0.1:{self.vigie.port}{path}", **options)
        self.addCleanup(self.check, page)
        return page

    def check(self, page):
        page.settle()
        strangers = page.strangers()
        page.close()
        self.assertEqual((page.problems, strangers), ([], []))


class FirstTest(BrowserTest):
    def test_page_comes_without_errors_and_strangers(self):
        page = self.open()
        page.find("heading", "vigie")
        self.assertEqual(page.failures, [])


if __name__ == "__main__":
    unittest.main()
