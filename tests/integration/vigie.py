"""What the integration tests share: a running vigie, requests to it, and waiting with a deadline.

Each Vigie is deploy/run with a port and a state folder of its own; everything is ended by process number.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import openapi

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("BUILD", "build")).resolve()
RUN = ROOT / "deploy" / "run"
PREFIX = "/ressources-usage/"
INTERFACE = openapi.Document(ROOT / "nginx" / "www" / "openapi.json", PREFIX)
SANITIZER_WORDS = ("Sanitizer", "runtime error:")

# It ends what is run here; who is started in the background of a script begins with it ignored, and passes that on.
signal.signal(signal.SIGINT, signal.default_int_handler)


def is_sanitized():
    return b"__asan_init" in (BUILD / "vigie-fcgi").read_bytes()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    """Calls condition() until it gives something true, and returns that; fails after `seconds`. `what` is the sentence
    that was to become true, or a function that gives it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)


def is_alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rsplit(b") ", 1)[1][:1] not in b"ZX"


def descendants(pid):
    """{process number: comm} of all children, grandchildren and so on."""
    found = {}
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    for child in children:
        with contextlib.suppress(OSError):  # it has ended
            found[int(child)] = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
            found.update(descendants(int(child)))
    return found


def set_faked_clock(offset, days):
    """Sets the clock of a program by the file that its libfaketime reads at any time, and ends the program where it is empty."""
    new = offset.with_suffix(".new")
    new.write_text(f"{days:+d}d\n")
    new.rename(offset)


def sample(process, resource, value, at=None):
    return {"timestamp": time.time() if at is None else at, "value": value, "process_name": process,
            "type_data": resource}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        def refuse(constant):
            raise ValueError(f"{constant} is not JSON")
        return json.loads(self.body.decode("utf-8"), parse_constant=refuse)

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Vigie:
    """deploy/run as a process. Use start() and stop(), or as a context."""

    holds_answers = True  # against the description of the interface

    def __init__(self, *options, config="", build=BUILD, state=None, environment=None):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.state = pathlib.Path(state) if state else self.folder / "state"
        self.options = options
        self.environment = dict(os.environ, PORT=str(self.port), STATE=str(self.state), BUILD=str(build))
        self.environment.pop("CONF", None)
        self.environment.pop("LISTEN", None)
        if config:
            self.config_path = self.folder / "vigie.conf"
            self.config_path.write_text(config)
            self.environment["CONF"] = str(self.config_path)
        self.environment.update(environment or {})
        self.process = None
        self.seen = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def spawn(self):
        self.output = open(self.folder / "output", "ab")
        # A session of its own: its process group is what a terminal's foreground group would be. Nothing outlives the
        # tests, however they end.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", RUN, *self.options], env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True)

    def printed(self):
        return (self.folder / "output").read_text(errors="replace")

    def start(self):
        self.spawn()
        try:
            wait_until(lambda: "Ctrl-C" in self.printed() or self.process.poll() is not None, 40, "deploy/run is up")
            if self.process.poll() is not None:
                raise AssertionError(f"deploy/run ended with {self.process.returncode}: {self.printed()}")
        except BaseException:
            self.remove()
            raise
        return self

    def programs(self):
        """{process number: comm} of everything deploy/run has started that lives; remembered for left_behind()."""
        now = descendants(self.process.pid)
        self.seen.update(now)
        return now

    def pid_of(self, name):
        """The process number of a direct child by its comm."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == name:
                    return int(child)
        return None

    def left_behind(self):
        return {pid: name for pid, name in self.seen.items() if is_alive(pid)}

    def logs(self):
        return {path.name: path.read_text(errors="replace") for path in sorted(self.state.glob("*.log"))}

    def end(self, end_signal=signal.SIGINT):
        """Signals the whole foreground group, as Ctrl-C does; the exit status."""
        self.programs()
        os.killpg(self.process.pid, end_signal)
        return self.process.wait(40)

    def remove(self):
        if self.process:
            self.programs()
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not self.left_behind(), 5, "")
            for pid in self.left_behind():
                os.kill(pid, signal.SIGKILL)
            self.output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        """Ends all of it with Ctrl-C; fails when that does not end it well or a sanitizer has complained."""
        try:
            if self.process.poll() is None:
                status = self.end()
                if status != 0:
                    raise AssertionError(f"deploy/run ended with {status}: {self.printed()}")
                wait_until(lambda: not self.left_behind(), 5, lambda: f"ended: {self.left_behind()}")
                if "killed" in self.printed():
                    raise AssertionError(self.printed())
            self.check_sanitizers()
        finally:
            self.remove()

    def check_sanitizers(self):
        for name, log in self.logs().items():
            if any(word in log for word in SANITIZER_WORDS):
                raise AssertionError(f"{name}:\n{log}")

    def request(self, method, path, body=None, headers=None, timeout=30):
        """`path` is relative to the interface unless it begins with a slash; `body` is bytes or what becomes JSON. The answer
        is as the interface is described, or it fails."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            target = path if path.startswith("/") else PREFIX + path
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", str(len(body)))
            try:
                connection.endheaders(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent: the answer is there
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
            if self.holds_answers:
                INTERFACE.check(method, target, answer.status, answer.headers, answer.body)
            return answer
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def put(self, path, body, **options):
        return self.request("PUT", path, body=body, **options)

    def save(self, ip, *samples, **more):
        return self.put("save-all", {"ipaddress": ip, "data": list(samples), **more})


class ServerTest(unittest.TestCase):
    """Tests that share one server without collector and alert service. It keeps no answers, unless `config` has it so:
    they read again what they have just written."""

    config = ""

    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ncache = 0\n" + cls.config).start()
        cls.addClassCleanup(cls.vigie.stop)

    def save(self, ip, *samples, **more):
        answer = self.vigie.save(ip, *samples, **more)
        self.assertEqual((answer.status, answer.json()), (200, {"Response": "Ok"}))

    def json_of(self, path):
        answer = self.vigie.get(path)
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("application/json", answer.headers["Content-Type"])
        return answer.json()

    def assert_refused(self, answer, status, field=None):
        self.assertEqual(answer.status, status, answer)
        self.assertIn("application/json", answer.headers["Content-Type"])
        body = answer.json()
        self.assertEqual(body["Response"], "NOk")
        self.assertTrue(body["error"])
        self.assertNotIn("\n", body["error"])
        if field is not None:
            self.assertEqual(body.get("field"), field, answer)
        return body
