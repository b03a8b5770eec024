"""How programs reach the server: through a proxy or not, from which address, under which name, and what they do when it
sends them elsewhere."""

import contextlib
import ctypes
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from server import Server
from test_08_collector import Collector
from vigie import BUILD, PREFIX, SANITIZER_WORDS, Vigie, free_port, is_alive, wait_until

PROGRAMS = ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast")
PROXIES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
QUICK = """
[server]
interval = 1s
cache = 0
[collector]
interval = 1s
[alert]
interval = 1s
phase = 500ms
[forecast]
refresh = 1s
step = 5s
phase = 100ms
"""


def bare_environment(**more):
    """Without the proxies of whoever runs the tests."""
    return {**{name: value for name, value in os.environ.items() if name not in PROXIES}, **more}


class Listener(http.server.ThreadingHTTPServer):
    """An HTTP server that answers everything alike and keeps (method, target, client's address, body)."""

    daemon_threads = True

    def __init__(self, listening=None, status=200, location=None):
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=listening is None)
        if listening:
            self.socket.close()
            self.socket = listening
            self.server_address = listening.getsockname()
        self.status, self.location = status, location
        self.closes = False  # each connection behind its answer
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, host=None):
        return f"http://{host or self.server_address[0]}:{self.server_address[1]}{PREFIX}"

    def end(self):
        self.shutdown()
        self.server_close()

    def puts(self):
        """(client's address, body) of each PUT."""
        return [(client, json.loads(body)) for method, _, client, body in list(self.requests) if method == "PUT"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, self.client_address[0], body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location + self.path.rsplit("/", 1)[-1])
        if self.server.closes:
            self.send_header("Connection", "close")
            self.close_connection = True
        answer = b'{"Response": "Ok"}'
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *_):
        pass


class ConnectionTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-connection-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def listener(self, *arguments, **options):
        listener = Listener(*arguments, **options)
        self.addCleanup(listener.end)
        return listener

    def start(self, name, *settings, **environment):
        """A program in a folder of its own; a function that gives its log."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        if name == "vigie-fcgi":
            server = Server(folder, *(word for setting in settings for word in ("--set", setting)),
                            command=("env", *(f"-u{proxy}" for proxy in PROXIES),
                                     *(f"{variable}={value}" for variable, value in environment.items())))
            self.addCleanup(server.end)
            return server.printed
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", BUILD / name, *(word for setting in settings for word in ("--set", setting))],
                cwd=folder, env=bare_environment(**environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.end, process, folder / "log")
        return (folder / "log").read_text

    def end(self, process, log):
        process.terminate()
        process.wait(10)
        self.assertFalse([word for word in SANITIZER_WORDS if word in log.read_text()])

    def start_all(self, url, proxy=None, **environment):
        """{name: function that gives the log} of all programs, each a client of what is at the URL."""
        sections = {"vigie-collector": ("collector", "interval=1s"), "vigie-alert": ("alert", "interval=1s", "phase=0"),
                    "vigie-forecast": ("forecast", "refresh=1s", "step=5s", "phase=0")}
        logs = {}
        for name, (section, *settings) in sections.items():
            settings = [f"url={url}", *([f"proxy={proxy}"] if proxy else []), *settings]
            logs[name] = self.start(name, *(f"{section}.{setting}" for setting in settings), **environment)
        logs["vigie-fcgi"] = self.start("vigie-fcgi", "server.store=influxql", f"influxql.url={url}",
                                        *([f"server.store_proxy={proxy}"] if proxy else []), **environment)
        return logs

    def wait_for_words(self, logs, *words):
        for name, log in logs.items():
            with self.subTest(name):
                wait_until(lambda: all(word in log() for word in words), 15, lambda: f"{words} in {log()}")


class ProxyTest(ConnectionTest):
    def test_loopback_is_asked_itself_and_signals_end_nothing(self):
        nowhere = "http://127.0.0.1:9/"
        listener = self.listener()
        for variable in ("http_proxy", "ALL_PROXY"):
            self.start("vigie-fcgi", "server.store=influxql", f"influxql.url={listener.url('vigie.localhost')}",
                       **{variable: nowhere})
        with Vigie(config=QUICK, environment={"http_proxy": nowhere, "ALL_PROXY": nowhere}) as vigie:
            wait_until(lambda: vigie.get("latest").json().get("127.0.0.1"), 15, lambda: f"samples come: {vigie.logs()}")
            for service in ("alert", "forecast"):
                wait_until(lambda: vigie.get("health").json()[service]["status"] == "ok", 15,
                           lambda: f"{service} reports: {vigie.logs()}")
            self.assertNotIn("127.0.0.1 port 9", "".join(vigie.logs().values()))
            self.signal_all(vigie)
        self.assertGreaterEqual(len(listener.requests), 2)

    def signal_all(self, vigie):
        """No program ends by a signal that others log by."""
        pids = {name: pid for pid, name in vigie.programs().items() if name in PROGRAMS}
        self.assertEqual(set(pids), set(PROGRAMS))
        for pid in pids.values():
            for number in (signal.SIGUSR2, signal.SIGPIPE, signal.SIGUSR1):
                os.kill(pid, number)
        for name, words in (("vigie-collector", "samples sent"), ("vigie-alert", " alarms RED, "), ("vigie-forecast", " refreshes")):
            wait_until(lambda: words in vigie.logs()[f"{name}.log"], 10, lambda: f"{words}: {vigie.logs()}")
        self.assertTrue(all(is_alive(pid) for pid in pids.values()))
        self.assertEqual(vigie.get("health").status, 200)

    def test_failures_name_the_proxy_without_its_password(self):
        port = free_port()
        logs = self.start_all("http://vigie.example/", f"http://user:secret@127.0.0.1:{port}")
        logs |= {f"{name}, by its environment": log for name, log in
                 self.start_all("http://vigie.example/", http_proxy=f"http://user:secret@127.0.0.1:{port}").items()}
        self.wait_for_words(logs, f", through the proxy http://127.0.0.1:{port}")
        for name, log in logs.items():
            with self.subTest(name):
                self.assertNotIn("secret", log())

    def test_other_servers_are_asked_through_the_proxy_unless_it_is_not_for_them(self):
        proxy = self.listener()
        address = f"http://127.0.0.1:{proxy.server_port}"
        asked = Collector("http://vigie.example/x", "", f"proxy={address}", "gzip=no").start()
        self.addCleanup(asked.remove)
        url = "collector.url=http://vigie.example/x"
        unasked = {
            "none": self.start("vigie-collector", url, "collector.interval=1s", "collector.proxy=none", http_proxy=address),
            "no_proxy": self.start("vigie-collector", url, "collector.interval=1s", http_proxy=address, no_proxy="a,.example"),
        }
        wait_until(proxy.puts, 15, asked.log)
        self.assertEqual(proxy.requests[-1][1], "http://vigie.example/x/save-all")
        self.assertIn("known as 127.0.0.1, since the proxy is on it", asked.log())
        self.wait_for_words(unasked, "resolve host")
        self.assertNotIn("proxy", "".join(log() for log in unasked.values()))
        self.assertTrue(all(target.startswith("http://vigie.example/x/") for _, target, _, _ in proxy.requests))

    def test_check_config_says_what_is_wrong(self):
        options = {"vigie-fcgi": "server.store_proxy", "vigie-collector": "collector.proxy", "vigie-alert": "alert.proxy",
                   "vigie-forecast": "forecast.proxy"}
        for name, option in options.items():
            for value, words in ((value, None) for value in ("environment", "none", "http://p:3128", "socks5h://user:x@p:1080")):
                with self.subTest(name, value=value):
                    self.check(name, option, value, 0, "the configuration is right")
            for value, words in (("off", "it begins with none of http://, "), ("http://user:secret@p/x", "it has more than a host and a port")):
                with self.subTest(name, value=value):
                    printed = self.check(name, option, value, 1, words)
                    self.assertIn("proxy: it is neither environment nor none nor the URL of a proxy: ", printed)
                    self.assertNotIn("secret", printed)

    def check(self, name, option, value, status, words):
        run = subprocess.run([BUILD / name, "--set", f"{option}={value}", "--check-config"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        self.assertEqual(run.returncode, status, run.stdout)
        self.assertIn(words, run.stdout)
        return run.stdout


class RedirectTest(ConnectionTest):
    def test_the_target_is_named_and_never_asked(self):
        target = self.listener()
        at = f"127.0.0.1:{target.server_port}{PREFIX}"
        logs = {}
        for status in (301, 308):
            moved = self.listener(status=status, location=f"http://user:secret@{at}")
            logs |= {(name, status): log for name, log in self.start_all(moved.url()).items()}
        for (name, status), log in logs.items():
            # vigie-fcgi knows the paths of an engine, and not where its URL ends.
            advice = "" if name == "vigie-fcgi" else f": the URL would be http://{at}"
            self.wait_for_words({name: log}, f"{status}, to http://{at}", f", which is not followed{advice}")
            self.assertNotIn("secret", log())
        self.assertEqual(target.requests, [])


class Network:
    """Two network namespaces with a line between them: the server's, 10.9.0.1, and the host's."""

    def __init__(self, test):
        for tool in ("ip", "nsenter", "unshare"):
            if not shutil.which(tool):
                test.skipTest(f"{tool} is not installed")
        self.pids = []
        for _ in range(2):
            holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
            test.addCleanup(holder.stdout.close)
            test.addCleanup(holder.wait)
            test.addCleanup(holder.kill)
            if not holder.stdout.readline():
                test.skipTest("this machine allows no network namespace")
            self.pids.append(holder.pid)
        server, host = self.pids
        if subprocess.run([*self.inside(server), "ip", "link", "add", "line", "type", "veth", "peer", "name", "line", "netns",
                           str(host)], stderr=subprocess.DEVNULL).returncode != 0:
            test.skipTest("this machine has no veth")
        self.ip("addr add 10.9.0.1/24 dev line", server)
        self.ip("link set line up", server)
        self.ip("addr add 10.9.0.2/24 dev line")
        self.ip("link set line up")

    @staticmethod
    def inside(pid):
        return ["nsenter", "--net", "--target", str(pid)]

    def ip(self, words, pid=None):
        subprocess.run([*self.inside(pid or self.pids[1]), "ip", *words.split()], check=True)

    def listening_socket(self):
        """On the server's side. A socket stays in the namespace of the thread that made it."""
        made = []

        def make():
            with open(f"/proc/{self.pids[0]}/ns/net") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
                    return
            made.append(socket.create_server(("10.9.0.1", 0)))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]


class AddressTest(ConnectionTest):
    def collector(self, url, *options, around):
        collector = Collector(url, "", "gzip=no", "timeout=1s", *options, around=around)
        self.addCleanup(collector.remove)
        return collector.start()

    def test_every_batch_has_the_address_of_its_connection(self):
        network = Network(self)
        server = self.listener(network.listening_socket())
        collector = self.collector(server.url(), around=network.inside(network.pids[1]))

        def wait_for(address, count):
            wait_until(lambda: len([1 for client, _ in server.puts() if client == address]) >= count, 20,
                       lambda: f"{count} from {address}: {collector.log()}")

        wait_for("10.9.0.2", 2)
        # It is another one within a connection, which then hears nothing any more.
        network.ip("addr del 10.9.0.2/24 dev line")
        network.ip("addr add 10.9.0.3/24 dev line")
        wait_for("10.9.0.3", 2)
        # The next connection takes another one.
        server.closes = True
        wait_for("10.9.0.3", 3)
        network.ip("addr add 10.9.0.4/24 dev line")
        network.ip("route replace 10.9.0.0/24 dev line src 10.9.0.4")
        wait_for("10.9.0.4", 2)
        puts = server.puts()
        self.assertEqual([(client, body["ipaddress"]) for client, body in puts if client != body["ipaddress"]], [])
        self.assertIn("this host's address is 10.9.0.3 now, and was 10.9.0.2", collector.log())
        # What waited went under the address that the host had by then.
        times = sorted({round(item["timestamp"]) for _, body in puts for item in body["data"]})
        missed = [int(body["collector"]["counters"]["missed_ticks"]) for _, body in puts][-1]
        self.assertLessEqual(len(set(range(times[0], times[-1] + 1)) - set(times)), missed)

    def test_hostname_is_that_of_now(self):
        around = ["unshare", "--uts"]
        with contextlib.suppress(OSError):
            if subprocess.run([*around, "hostname", "first"], stderr=subprocess.DEVNULL).returncode != 0:
                self.skipTest("this machine allows no UTS namespace")
        server = self.listener()
        collector = self.collector(server.url(), around=[*around, "sh", "-c", 'hostname first && exec "$0" "$@"'])
        hostnames = lambda: [body["collector"]["hostname"] for _, body in server.puts()]
        wait_until(lambda: "first" in hostnames(), 15, collector.log)
        subprocess.run(["nsenter", "--uts", "--target", str(collector.process.pid), "hostname", "second"], check=True)
        before = len(hostnames())
        wait_until(lambda: len(hostnames()) > before + 1, 15, collector.log)
        self.assertEqual(hostnames()[-1], "second")


if __name__ == "__main__":
    unittest.main()
