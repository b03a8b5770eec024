"""Engines beyond the network for the integration tests: Debian's own on loopback ports, and a fake one whose failures a
test chooses. Each is ended by its process number, or with the tests."""

import base64
import contextlib
import http.client
import http.server
import json
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse

from served import Served, Server
from vigie import free_port, wait_until


def engine_port():
    """A free port that no client is given: one that connects to an engine which is down must not meet itself."""
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10000, first), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


# ---- the fake one

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # an answer is one packet

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        status, words = self.server.engine.answer(urllib.parse.urlsplit(self.path).path.strip("/"), body,
                                                  self.headers.get("Authorization"))
        content = words.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class FakeEngine(Served):
    """As much of InfluxDB 1 as vigie asks for, its database included. What a test may set at any time:

    failures  {"write": (status, words), "query": (status, words)}: what is answered instead
    refuses   called with the text of a write: (status, words) to refuse it with, or None
    delay     seconds that a write takes
    password  of the user "vigie"; None: nobody is asked for it
    retention of the database, as InfluxDB writes it
    """

    def __init__(self):
        self.port = engine_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.failures, self.refuses, self.delay, self.password = {}, lambda text: None, 0, None
        self.retention = "48h0m0s"
        self.requests = []  # (kind, text) of all
        self.lines = []     # that it has accepted
        self.changed = threading.Condition()
        self.held, self.waiting = set(), 0
        self.server = None

    def start(self):
        self.server = Server(self, Handler)

    def stop(self):
        """It is gone, and the connections to it with it."""
        if self.server:
            self.server.stop()
            self.server = None

    @contextlib.contextmanager
    def holding(self, *kinds):
        """Requests of these kinds are not answered until the end of the block."""
        self.held |= set(kinds)
        try:
            yield
        finally:
            with self.changed:
                self.held -= set(kinds)
                self.changed.notify_all()

    def count(self, kind, part=""):
        """How many requests of a kind have come, those that are held included."""
        return sum(1 for request in list(self.requests) if request[0] == kind and part in request[1])

    def answer(self, kind, body, authorization):
        text = body if kind == "write" else urllib.parse.parse_qs(body).get("q", [""])[0]
        self.requests.append((kind, text))
        with self.changed:
            self.waiting += 1
            if kind == "write" and self.delay:
                self.changed.wait_for(lambda: False, self.delay)
            self.changed.wait_for(lambda: kind not in self.held, 60)
            self.waiting -= 1
        if self.password is not None:
            expected = "Basic " + base64.b64encode(f"vigie:{self.password}".encode()).decode()
            if authorization != expected:
                return self.failure(401, "authorization failed")
        if kind in self.failures:
            return self.failure(*self.failures[kind])
        if kind == "query":
            return 200, self.select(text)
        if kind != "write":
            return 204, ""
        refusal = self.refuses(text)
        if refusal:
            return self.failure(*refusal)
        self.lines += text.splitlines()
        return 204, ""

    @staticmethod
    def failure(status, words):
        return status, json.dumps({"error": words})

    def select(self, statement):
        result = {"statement_id": 0}
        if statement.startswith("SHOW RETENTION POLICIES"):
            result["series"] = [{"columns": ["name", "duration", "shardGroupDuration", "replicaN", "default"],
                                 "values": [["autogen", self.retention, "24h0m0s", 1, True]]}]
        return json.dumps({"results": [result]})


# ---- the real ones

class Engine:
    """A program that listens on `url`. It may be started and stopped in turns: what it stores is there again."""

    store = None   # as vigie calls it
    health = None  # a path that it answers when it is up

    def __init__(self):
        self.port = engine_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-engine-"))
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.remove()

    def command(self):
        raise NotImplementedError

    def start(self):
        """By the thread that lives as long as the engine is to: its end is the engine's."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *self.command()], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.is_up, 20, lambda: f"{self.command()[0]} is up: {(self.folder / 'log').read_text()}")
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.command()[0]} has ended: {(self.folder / 'log').read_text()}")
        with contextlib.suppress(OSError):
            return self.request("GET", self.health)[0] in (200, 204)

    def stop(self):
        """With SIGTERM: all that was acknowledged is on the disk then."""
        self.process.terminate()
        self.process.wait(30)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def request(self, method, path, body=None):
        """The status and the text of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def settle(self):
        """What was written can be read afterwards."""


class Influxd(Engine):
    store = "influxql"
    health = "/ping"
    more = ""  # of its configuration

    def command(self):
        config = self.folder / "conf"
        if not config.exists():
            config.write_text(f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
                              f'[meta]\ndir = "{self.folder}/meta"\n'
                              f'[data]\ndir = "{self.folder}/data"\nwal-dir = "{self.folder}/wal"\n'
                              f'[http]\nbind-address = "127.0.0.1:{self.port}"\nlog-enabled = false\n{self.more}')
        return ["influxd", "-config", config]

    def query(self, statement, database=""):
        """The rows of the statement's only series."""
        status, text = self.request("POST", "/query?" + urllib.parse.urlencode({"q": statement, "db": database}))
        result = json.loads(text)["results"][0]
        if status != 200 or "error" in result:
            raise AssertionError(f"{statement}: {text}")
        return [row for series in result.get("series", []) for row in series["values"]]

    def config(self, database="monitoring"):
        return f"[influxql]\nurl = {self.url}\ndatabase = {database}\n"


class VictoriaMetrics(Engine):
    store = "victoriametrics"
    health = "/health"
    program = "victoria-metrics"

    def __init__(self, *flags):
        super().__init__()
        self.flags = flags or ("-retentionPeriod=2d", "-dedup.minScrapeInterval=1ms")

    def command(self):
        return [self.program, f"-storageDataPath={self.folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}",
                "-memory.allowedPercent=5", *self.flags]

    def settle(self):
        if self.request("GET", "/internal/force_flush")[0] != 200:
            raise AssertionError("VictoriaMetrics did not flush")

    def export(self, selector):
        """{(ip, process): [(time in ms, value), …]}"""
        _, text = self.request("GET", "/api/v1/export?" + urllib.parse.urlencode({"match[]": selector, "nocache": 1}))
        series = [json.loads(line) for line in text.splitlines()]
        return {(one["metric"]["ip"], one["metric"]["process"]): list(zip(one["timestamps"], one["values"]))
                for one in series}

    def config(self):
        return f"[victoriametrics]\ninsert_url = {self.url}\nselect_url = {self.url}\n"


class Prometheus(Engine):
    """Debian's, which scrapes what a vigie says of all processes, each second. No store of vigie's."""

    health = "/-/ready"

    def __init__(self, vigie, token=""):
        super().__init__()
        (self.folder / "token").write_text(token)
        (self.folder / "prometheus.yml").write_text(f"""
scrape_configs:
- job_name: vigie
  scrape_interval: 1s
  scrape_timeout: 1s
  metrics_path: /ressources-usage/metrics/processes
  authorization:
    credentials_file: {self.folder}/token
  static_configs:
  - targets: ["127.0.0.1:{vigie.port}"]
""")

    def command(self):
        return ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]

    def query(self, expression):
        """[(labels, value)] of now, without the labels that scraping adds."""
        status, text = self.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(text)
        if status != 200:
            raise AssertionError(f"{expression}: {answer['error']}")
        return [({name: value for name, value in one["metric"].items() if name not in ("instance", "job")},
                 float(one["value"][1])) for one in answer["data"]["result"]]
