"""What installs vigie and starts it with the machine: units, the site of the system's nginx, configurations, tokens.
That packages install, run, upgrade and go is tested in tests/packages, in roots of their own."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from vigie import BUILD, PREFIX, ROOT, Vigie, free_port, wait_until

UNITS = ROOT / "deploy" / "systemd"
PACKAGES = ROOT / "deploy" / "packages"
EXPOSURE_MAX = 3.0


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)


class FolderTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.addCleanup(shutil.rmtree, self.folder)


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
class UnitTest(FolderTest):
    def test_units_are_right(self):
        for unit in UNITS.iterdir():
            text = re.sub(r"/usr/bin/vigie-", f"{BUILD}/vigie-", unit.read_text())
            (self.folder / unit.name).write_text(text)
        done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", *self.folder.iterdir())
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_services_are_closed_to_what_they_do_not_need(self):
        for unit in UNITS.glob("*.service"):
            with self.subTest(unit.name):
                done = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
                exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
                self.assertLess(float(exposure[1]), EXPOSURE_MAX, done.stdout)


    def test_services_are_started_again_for_ever(self):
        """Five starts within ten seconds are the most that systemd allows by default."""
        for unit in UNITS.glob("*.service"):
            with self.subTest(unit.name):
                self.assertGreater(5 * int(re.search(r"\nRestartSec=(\d+)\n", unit.read_text())[1]), 10)

    def test_hook_hears_no_signal_of_its_service(self):
        """What ends vigie-alert, or has it open its log anew, would end the telling of an alarm."""
        self.assertIn("\nKillMode=mixed\n", (UNITS / "vigie-alert.service").read_text())
        rotation = (ROOT / "debian" / "vigie-alert.logrotate").read_text()
        self.assertIn("systemctl kill --kill-whom=main --signal=HUP vigie-alert.service\n", rotation)


class PackageTest(FolderTest):
    def test_version_is_that_of_the_makefile(self):
        version = re.search(r"^VERSION = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
        self.assertIn(f"vigie ({version}) ", (ROOT / "debian" / "changelog").read_text().splitlines()[0])

    def test_services_read_what_their_packages_have(self):
        for unit in UNITS.glob("*.service"):
            with self.subTest(unit.name):
                started = re.search(r"^ExecStart=.*/usr/bin/(vigie-\w+) --config /etc/vigie/(.*)$", unit.read_text(),
                                    re.MULTILINE)
                program, config = started.groups()
                shutil.copy(PACKAGES / config, self.folder)
                for secret in ("write.tokens", "read.tokens", "admin.tokens", "collector.token", "alert.token",
                               "forecast.token"):
                    (self.folder / secret).touch(0o600)
                    (self.folder / secret).write_text("token\n")
                done = run(BUILD / program, "--config", self.folder / config, "--check-config")
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_what_is_needed_stands_in_one_place(self):
        """deploy/install-deps looks for all that debian/control has."""
        control = (ROOT / "debian" / "control").read_text()
        needs = control.split("Build-Depends:")[1].split("Standards-Version")[0]
        libraries = set(re.findall(r"\b[\w.+-]+-dev\b", needs))
        self.assertGreater(len(libraries), 8)
        asked = self.folder / "asked"
        for name, text in (("dpkg-query", f'echo "$3" >>{asked}; echo installed'), ("dirname", f"echo {ROOT}/deploy")):
            (self.folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.folder / name).chmod(0o755)
        done = run(ROOT / "deploy" / "install-deps", "run", env={"PATH": f"{self.folder}:{os.environ['PATH']}"})
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertLessEqual(libraries, set(asked.read_text().split()))


class TokenTest(FolderTest):
    PROGRAM = PACKAGES / "vigie-token"

    def setUp(self):
        super().setUp()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name, text in (("chown", ":"), ("hostname", "echo '10.0.0.1 10.0.0.2 fd00::1'")):
            (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.bin / name).chmod(0o755)

    def ask(self, *words):
        return run("sh", self.PROGRAM, *words,
                   env={"VIGIE_TOKENS": str(self.folder), "PATH": f"{self.bin}:{os.environ['PATH']}"})

    def tokens(self, right):
        return [line for line in (self.folder / f"{right}.tokens").read_text().splitlines() if not line.startswith("#")]

    def make(self):
        self.assertEqual(self.ask("make").stdout, "")

    def test_make_gives_each_client_what_it_needs(self):
        self.make()
        write, read, admin = (self.tokens(right) for right in ("write", "read", "admin"))
        self.assertEqual([len(write), len(read), len(admin), len({*write, *read, *admin})], [2, 2, 1, 4])
        self.assertEqual(len({*write} & {*read}), 1)  # that of alert and forecast
        for right in ("write", "read", "admin"):
            self.assertEqual((self.folder / f"{right}.tokens").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.ask("read").stdout, f"{read[0]}\n")
        self.assertEqual(self.ask("admin").stdout, f"{admin[0]}\n")

    def test_make_leaves_what_there_is(self):
        self.make()
        before = {path: path.read_text() for path in self.folder.glob("*.tokens")}
        self.make()
        self.assertEqual({path: path.read_text() for path in self.folder.glob("*.tokens")}, before)
        (self.folder / "read.tokens").unlink()
        self.make()
        self.assertEqual(len({*self.tokens("write")} & {*self.tokens("read")}), 1)

    def test_make_takes_files_as_administrators_leave_them(self):
        """At each upgrade: one that fails would leave the package half configured."""
        self.make()
        (self.folder / "write.tokens").write_text("TOKEN\n")
        (self.folder / "admin.tokens").unlink()
        self.make()
        self.assertEqual((self.folder / "write.tokens").read_text(), "TOKEN\n")
        self.assertEqual(len(self.tokens("admin")), 1)

    def test_paste_gives_url_and_token(self):
        self.make()
        hosts = {"collector": ["collector"], "alert": ["alert", "forecast"]}
        for what, programs in hosts.items():
            for url in ("http://10.0.0.1:8000/ressources-usage/", "https://vigie.example/vigie/ressources-usage/"):
                with self.subTest(what, url=url):
                    words = ("--url", url.rstrip("/")) if url.startswith("https") else ()
                    etc = self.folder / "etc"
                    etc.mkdir(exist_ok=True)
                    shutil.copy(PACKAGES / f"{what}.conf", etc)
                    paste = self.ask(what, *words).stdout.replace("/etc/vigie", str(etc))
                    paste = paste.replace("/run/systemd/system", "/nowhere")
                    done = run("sh", "-c", paste, env={"PATH": f"{self.bin}:{os.environ['PATH']}"})
                    self.assertEqual((done.returncode, done.stdout), (0, ""))
                    for program in programs:
                        token = etc / f"{program}.token"
                        self.assertEqual(token.stat().st_mode & 0o777, 0o600)
                        self.assertIn(token.read_text().strip(), self.tokens("write"))
                        printed = run(BUILD / f"vigie-{program}", "--config", etc / f"{what}.conf", "--print-config")
                        section = printed.stdout.split(f"\n[{program}]\n")[1].split("\n[")[0]
                        self.assertIn(f"\nurl = {url}\n", section)
                        self.assertIn(f"\ntoken_file = {token}\n", section)

    def test_what_is_wrong_is_one_sentence(self):
        for words in ((), ("nobody",), ("read",), ("collector", "--url", "ftp://a"), ("read", "admin"),
                      ("collector", "--url", "http://a'b"), ("collector", "--url"), ("collector", "--url", "http://")):
            with self.subTest(words):
                done = self.ask(*words)
                self.assertEqual((done.returncode, len(done.stdout.splitlines())), (1, 1), done.stdout)
                self.assertTrue(done.stdout.startswith("vigie-token: "), done.stdout)

    def test_paste_takes_nothing_but_a_url_and_a_token(self):
        """The file is that of the server's user, the paste is root's."""
        self.make()
        done = self.ask("collector", "--url", "http://a\nfalse '")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (1, 1), done.stdout)
        (self.folder / "write.tokens").write_text("# collector\n'; false; '\n")
        done = self.ask("collector")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (1, 1), done.stdout)

    def test_paste_says_that_a_configuration_has_no_url(self):
        self.make()
        (self.folder / "collector.conf").write_text("[collector]\nurl=http://10.0.0.9/\n")
        paste = self.ask("collector").stdout.replace("/etc/vigie", str(self.folder))
        done = run("sh", "-c", paste, env={"PATH": f"{self.bin}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("collector.conf has no line", done.stdout)
        self.assertFalse((self.folder / "collector.token").exists())

    def test_page_has_every_word(self):
        page = (PACKAGES / "vigie-token.8").read_text()
        for word in re.findall(r"^  vigie-token (\w+)", self.ask("--help").stdout, re.MULTILINE):
            self.assertRegex(page, rf"(?m)^\.It Cm {word}$")
        if shutil.which("mandoc"):
            lint = run("mandoc", "-Tlint", PACKAGES / "vigie-token.8").stdout.splitlines()
            self.assertEqual([line for line in lint if "WARNING" in line or "ERROR" in line or "STYLE: " in line
                              and "referenced manual not found" not in line], [])


class SiteTest(FolderTest):
    """The site of Debian's nginx, in an nginx of its own; the application is that of deploy/run."""

    def test_site_answers_as_the_server_does(self):
        vigie = Vigie("--server").start()
        self.addCleanup(vigie.stop)
        port = free_port()
        run(ROOT / "deploy" / "nginx" / "make-snippets", self.folder / "snippets")
        for path in (self.folder / "snippets").iterdir():
            text = path.read_text().replace("/run/vigie/fcgi.sock", str(vigie.state / "nginx" / "fcgi.sock"))
            path.write_text(text.replace("/usr/share/vigie/www", str(ROOT / "nginx" / "www")))
        site = (ROOT / "deploy" / "nginx" / "sites-available" / "vigie").read_text()
        site = site.replace("listen 8000", f"listen 127.0.0.1:{port}").replace("[::]:8000", f"[::1]:{port}")
        (self.folder / "site").write_text(site)
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            f"daemon off; pid nginx.pid; {user} events {{}}\nhttp {{ include /etc/nginx/mime.types; include site;"
            "client_body_temp_path body; fastcgi_temp_path fastcgi; proxy_temp_path proxy; scgi_temp_path scgi;"
            "uwsgi_temp_path uwsgi; }\n")
        with open(self.folder / "log", "wb") as log:
            nginx = subprocess.Popen(["/usr/sbin/nginx", "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", "stderr"],
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(nginx.wait)
        self.addCleanup(nginx.terminate)
        wait_until(lambda: (self.folder / "nginx.pid").exists() or nginx.poll() is not None, 10, "nginx runs")
        self.assertIsNone(nginx.poll(), (self.folder / "log").read_text())
        large = b'{"ipaddress": "10.0.0.5", "data": []}' + b" " * 200000

        def answers(port):
            """But for what differs from one request to the next."""
            vigie.port = port
            differ = ("Date", "Expires", "Last-Modified", "ETag")
            for method, path, body in (("GET", "get-all", None), ("GET", "nothing", None), ("POST", "get-all", b""),
                                       ("PUT", "save-all", large), ("PUT", "save-all", b"x" * (5 << 20)),
                                       ("GET", "/", None), ("GET", "/style.css", None), ("GET", "/nothing", None),
                                       ("GET", "/dygraphs/dygraph.min.js", None), ("GET", PREFIX + "openapi.json", None), ("TRACE", "services/alert/stop", None)):
                answer = vigie.request(method, path, body)
                kept = {name: value for name, value in answer.headers.items() if name not in differ}
                if path.endswith(".js"):
                    self.assertIn("/javascript", kept.pop("Content-Type"))  # two names of one type
                yield method, path, answer.status, kept, answer.body
        own = vigie.port
        self.assertEqual(list(answers(port)), list(answers(own)))


if __name__ == "__main__":
    unittest.main()
