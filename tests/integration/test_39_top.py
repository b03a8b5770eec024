"""vigie top: for scripts, and on a terminal, whose screens tmux captures."""

import os
import pty
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from test_09_security import bearer, write_tokens
from vigie import BUILD, PREFIX, Vigie, sample, wait_until

VIGIE = BUILD / "vigie"
UTF8 = {**os.environ, "LC_ALL": "C.UTF-8"}
HOSTILE = "a\u202eb\u200bc\u4e2d"
RED, AMBER, DIM = "\x1b[31m", "\x1b[33m", re.compile(r"[\[;]2m")


class TopTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ncache = 0\ninterval = 1h\nread_tokens = read.tokens\n"
                          "admin_tokens = admin.tokens\n")
        write_tokens(cls.vigie, "read", ["reader-1"])
        write_tokens(cls.vigie, "admin", ["admin-1"])
        cls.vigie.start()
        cls.running = True
        cls.addClassCleanup(lambda: cls.running and cls.vigie.stop())
        cls.url = f"http://127.0.0.1:{cls.vigie.port}{PREFIX}"
        cls.token_file = cls.vigie.folder / "token"
        cls.token_file.write_text("reader-1\n")
        cls.token_file.chmod(0o600)
        now = time.time()
        for ip, host, samples in (
                ("10.35.0.1", "db1", [("postgres", "mem", 41.5), ("postgres", "cpu", 150.25), (HOSTILE, "cpu", 7)]),
                ("10.35.0.2", "web 1", [("nginx", "mem", 0.5), ("nginx", "cpu", 3), ("java", "mem", 83.1), ("java", "cpu", 12.5)])):
            answer = cls.vigie.save(ip, *(sample(*one, now) for one in samples), collector={"hostname": host})
            assert answer.status == 200, answer
        alarm = {"ipaddress": "10.35.0.2", "threshold": 80, "since": now}
        for body, path in (({"data": [{**alarm, "process_name": "java", "type_data": "mem", "color": "red"},
                                      {**alarm, "process_name": "nginx", "type_data": "cpu", "color": "orange"}]}, "save-alarms"),
                           ({"data": [{"ipaddress": "10.35.0.2", "process_name": "java", "type_data": "mem", "probability": 0.91,
                                       "forecast": 90, "expected_at": now + 60}]}, "save-forecasts")):
            answer = cls.vigie.put(path, body)
            assert answer.status == 200, answer

    def write_config(self, lines):
        path = self.vigie.folder / "top.conf"
        path.write_text(f"[alert]\n{lines}")
        return path

    def run_top(self, *options, **more):
        return subprocess.run([VIGIE, "top", "--url", self.url, "--token-file", self.token_file, *options], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=UTF8, timeout=60, **more)

    def test_a_once_is_for_scripts(self):
        expected = ["HOST   IP          CPU%   MEM%  PROB  STATE      PROCESS",
                    "db1    10.35.0.1  150.2  41.50     -  -          postgres",
                    "web_1  10.35.0.2   12.5  83.10  0.91  RED:mem    java",
                    "db1    10.35.0.1    7.0      -     -  -          a?b?c\u4e2d",
                    "web_1  10.35.0.2    3.0   0.50     -  AMBER:cpu  nginx"]
        for options in (["--once"], []):  # without a terminal it is the same
            run = self.run_top(*options)
            self.assertEqual((run.stdout.splitlines(), run.stderr, run.returncode), (expected, "", 0))
        run = self.run_top("--once", "--sort", "mem", "--host", "WEB", "--process", "A")
        self.assertEqual([line.split()[-1] for line in run.stdout.splitlines()], ["PROCESS", "java"])
        run = self.run_top("--sort", "mem")
        self.assertEqual([line.split()[-1] for line in run.stdout.splitlines()][1:4], ["java", "postgres", "nginx"])

    def test_a_what_is_not_said_is_in_the_configuration(self):
        config, empty = self.write_config(f"url = {self.url}\ntoken_file = {self.token_file}\n"), self.vigie.folder / "empty"
        run = subprocess.run([VIGIE, "top", "--once", "--config", config], capture_output=True, text=True, env=UTF8, timeout=60)
        self.assertEqual((len(run.stdout.splitlines()), run.stderr, run.returncode), (5, "", 0))
        # What is said comes before it.
        self.write_config("url = http://127.0.0.1:1/\ntoken_file = /nowhere\n")
        self.assertEqual(self.run_top("--once", "--config", config).returncode, 0)
        empty.write_text("\n")
        empty.chmod(0o600)
        for lines, options, words in (
                ("url = nowhere", [], "[alert] url"), ("proxy = no/where", ["--url", self.url], "[alert] proxy"),
                ("", ["--url", self.url, "--token-file", empty], f"{empty}: it holds no token"),
                ("", ["--url", self.url.replace("http:", "https:"), "--ca-file", "/nowhere/ca"], "/nowhere/ca")):
            self.write_config(lines)
            run = subprocess.run([VIGIE, "top", "--once", "--config", config, *options], capture_output=True, text=True, timeout=60)
            self.assertEqual((run.returncode, run.stdout), (1, ""), words)
            self.assertIn(words, run.stderr)

    def test_a_half_a_terminal_is_none(self):
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, its)
        run = subprocess.run([VIGIE, "top", "--url", self.url, "--token-file", self.token_file], stdin=its, stdout=subprocess.PIPE,
                             text=True, env=UTF8, timeout=60)
        self.assertEqual((run.returncode, len(run.stdout.splitlines())), (0, 5))

    def test_a_what_cannot_be_is_said(self):
        for options, words in ((["--sort", "name"], "--sort"), (["--interval", "0s"], "--interval"), (["--interval", "2h"], "--interval"),
                               (["--interval", "soon"], "--interval"), (["--url", "x y"], "--url"),
                               (["--token-file", "/nowhere"], "/nowhere: No such file"), (["--nothing"], "--nothing"),
                               (["--url", "http://127.0.0.1:1/"], "http://127.0.0.1:1/latest")):
            run = self.run_top("--once", *options)
            self.assertEqual((run.returncode, run.stdout), (1, ""), options)
            self.assertIn(words, run.stderr)
        with open("/dev/full", "w") as full:
            run = subprocess.run([VIGIE, "top", "--once", "--url", self.url, "--token-file", self.token_file], stdout=full,
                                 stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn("not all of it could be printed", run.stderr)
        run = subprocess.run([VIGIE, "top", "--once", "--url", self.url], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn("401", run.stderr)
        for words in ([], ["bottom"]):
            run = subprocess.run([VIGIE, *words], capture_output=True, text=True)
            self.assertEqual((run.returncode, run.stdout), (1, ""))
            self.assertIn("vigie top", run.stderr)
        for option in ("--help", "--version"):
            self.assertIn("vigie", subprocess.run([VIGIE, option], check=True, capture_output=True, text=True).stdout)

    def test_a_terminal_that_cannot_be_drawn_on_is_said(self):
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, its)
        terminals = self.vigie.folder / "terminfo"
        subprocess.run(["tic", "-o", terminals, "-"], check=True, text=True,
                       input="vigie-unclear|places its cursor and does not clear, cols#80, lines#24, cup=\\E[%i%p1%d;%p2%dH,\n")
        for term in ("none-such", "dumb", "vigie-unclear"):  # a dumb one is known, and can place no cursor
            run = subprocess.run([VIGIE, "top", "--url", self.url, "--token-file", self.token_file], stdin=its, stdout=its,
                                 stderr=subprocess.PIPE, text=True, env={**UTF8, "TERM": term, "TERMINFO_DIRS": f"{terminals}:"},
                                 timeout=30)
            self.assertEqual(run.returncode, 1, term)
            self.assertIn("TERM", run.stderr)

    def test_a_terminal_that_is_gone_ends_it(self):
        ours, its = pty.openpty()
        config = self.write_config(f"url = {self.url}\ntoken_file = {self.token_file}\n")
        program = subprocess.Popen([VIGIE, "top", "--config", config], stdin=its, stdout=its, stderr=subprocess.PIPE,
                                   env={**UTF8, "TERM": "vt100"})
        self.addCleanup(program.stderr.close)
        self.addCleanup(program.kill)
        os.close(its)
        seen = b""
        while b"postgres" not in seen:
            seen += os.read(ours, 4096)
        self.assertIn(self.url.encode(), seen)
        self.assertNotIn(b"\x1b[3", seen)  # such a terminal has no colours
        os.close(ours)
        self.assertEqual((program.wait(20), program.stderr.read()), (0, b""))

    # ---- on a terminal

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *map(str, words)], check=True, stdout=subprocess.PIPE, text=True,
                              env=UTF8).stdout

    def open_terminal(self, columns=100, lines=16):
        folder = tempfile.mkdtemp(prefix="vigie-tmux-")
        self.addCleanup(shutil.rmtree, folder, True)
        self.socket = f"{folder}/socket"
        self.tmux("new-session", "-d", "-x", columns, "-y", lines,
                  f"'{VIGIE}' top --interval 1s --url '{self.url}' --token-file '{self.token_file}'; echo ended with $?; sleep 600")
        self.addCleanup(self.tmux, "kill-server")

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options).rstrip("\n").split("\n")

    def wait_for(self, is_so, what):
        wait_until(lambda: is_so(self.screen()), 15, lambda: f"{what}: {self.screen()}")

    def end(self, what):
        self.press("q")
        self.wait_for(lambda screen: "ended with 0" in screen, what)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def processes(self, screen):
        """The first words of the rows."""
        return [line.split()[0] for line in screen[3:-1] if line.strip()]

    def colored(self):
        """{process: the codes before it} of the rows; codes go on until others come."""
        found, before = {}, ""
        for line in self.screen("-e")[3:-1]:
            codes = "".join(re.findall(r"\x1b\[[\d;]*m", line.split("  ")[0]))
            before = codes or before
            found[re.sub(r"\x1b\[[\d;]*m", "", line).split(" ")[0]] = before
        return found

    def test_b_keys_order_filter_and_scroll(self):
        self.open_terminal()
        self.wait_for(lambda screen: self.processes(screen) == ["postgres", "java", "a?b?c\u4e2d", "nginx"], "by CPU")
        screen = self.screen()
        self.assertIn("2 hosts, 4 processes: 1 RED, 1 AMBER, 0 UNKNOWN", screen[0])
        self.assertRegex(screen[2], r"^PROCESS +\*CPU% +MEM% +PROB STATE +HOST")
        self.assertRegex(screen[4], r"^java +12\.5 +83\.10 +0\.91 RED mem +web 1$")
        colors = self.colored()
        self.assertIn(RED, colors["java"])
        self.assertIn(AMBER, colors["nginx"])
        self.assertNotIn(RED, colors["postgres"])
        self.press("m")
        self.wait_for(lambda screen: self.processes(screen)[:3] == ["java", "postgres", "nginx"] and "*MEM%" in screen[2], "by memory")
        self.press("p")
        self.wait_for(lambda screen: self.processes(screen)[0] == "java" and "*PROB" in screen[2], "by probability")
        self.press("a")
        self.wait_for(lambda screen: self.processes(screen)[:2] == ["java", "nginx"] and "*STATE" in screen[2], "by alarm")
        self.press("/", "P", "O", "s")
        self.wait_for(lambda screen: self.processes(screen) == ["postgres"] and screen[1] == "process: POs_", "filtered while typed")
        self.press("Enter")
        self.wait_for(lambda screen: screen[1].startswith('1 shown: process "POs"'), "the filter is said")
        self.press("Escape")
        self.wait_for(lambda screen: len(self.processes(screen)) == 4, "all again")
        self.press("F5", "h", "w", "e", "b")  # no key of ours, and one
        self.wait_for(lambda screen: screen[1] == "host: web_", "a host is typed")
        self.press("Enter", "c")
        self.wait_for(lambda screen: self.processes(screen) == ["java", "nginx"], "one host")
        self.press("?")
        self.wait_for(lambda screen: any("order by CPU" in line for line in screen), "help")
        self.press("x", "Escape")
        self.wait_for(lambda screen: len(self.processes(screen)) == 4, "all again")
        # Another size, in which a row has no place for all, and two rows are seen at a time.
        self.tmux("resize-window", "-x", 40, "-y", 6)
        self.wait_for(lambda screen: self.processes(screen) == ["postgres", "java"] and "HOST" not in screen[2], "smaller")
        self.press("Down")
        self.wait_for(lambda screen: self.processes(screen) == ["java", "a?b?c\u4e2d"], "scrolled")
        self.press("End")
        self.wait_for(lambda screen: self.processes(screen) == ["a?b?c\u4e2d", "nginx"], "the end")
        self.tmux("resize-window", "-x", 3, "-y", 2)
        time.sleep(0.5)
        self.tmux("resize-window", "-x", 120, "-y", 20)
        self.wait_for(lambda screen: len(self.processes(screen)) == 4 and "HOST" in screen[2], "larger")
        self.end("the end, and the terminal is as it was")

    def test_b_why_there_is_nothing_is_seen_on_a_narrow_terminal(self):
        self.url = "http://127.0.0.1:1/a/path/that/is/as/long/as/the/terminal/is/wide/ressources-usage/"
        self.open_terminal(80, 10)
        said = "the server is away: GET " + self.url + "latest: Failed to connect to 127.0.0.1 port 1"
        self.wait_for(lambda screen: said in "".join(line.ljust(80) for line in screen[1:]), "why")
        heading = [line.split()[:2] for line in self.screen()].index(["PROCESS", "*CPU%"])
        self.assertEqual(len(self.screen()), 10)
        self.assertEqual(heading, 4)
        self.end("it ends without a server")

    def test_b_what_is_silenced_is_told_from_what_calls(self):
        admin = {"headers": bearer("admin-1")}
        self.open_terminal()
        self.wait_for(lambda screen: len(self.processes(screen)) == 4 and " RED mem " in screen[4] and "silenced" not in screen[0], "it calls")
        answer = self.vigie.put("silences", {"process": "java", "until": time.time() + 600}, **admin)
        self.assertEqual(answer.status, 200, answer)
        try:
            self.wait_for(lambda screen: re.match(r"java .* \(RED mem\) +web 1$", screen[4]) and
                          "1 RED, 1 AMBER, 0 UNKNOWN, 1 of them silenced" in screen[0], "it does not")
            self.assertNotIn(RED, self.colored()["java"])
            self.assertIn(AMBER, self.colored()["nginx"])
            self.assertIn(" (RED:mem)  java", self.run_top("--once").stdout)
            self.end("the end")
        finally:
            self.vigie.request("DELETE", f"silences/{answer.json()['id']}", **admin)

    def test_c_server_that_is_away_is_said_and_what_is_old_is_grey(self):
        """The last: the server is gone then."""
        self.open_terminal(240)
        self.wait_for(lambda screen: len(self.processes(screen)) == 4, "it is there")
        self.assertNotRegex(self.colored()["java"], DIM)
        type(self).running = False
        self.vigie.stop()
        self.wait_for(lambda screen: re.match(r"the server is away; this is of \d\d:\d\d:\d\d: GET http://", screen[1]), "it is said")
        self.assertEqual(len(self.processes(self.screen())), 4)
        self.assertTrue(all(DIM.search(codes) for codes in self.colored().values()), self.colored())
        begun = time.monotonic()
        self.end("it ends at once")
        self.assertLess(time.monotonic() - begun, 10)


if __name__ == "__main__":
    unittest.main()
