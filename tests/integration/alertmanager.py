"""Debian's Alertmanager on a port of its own, and a receiver of what it and the hooks send."""

import http.server
import json
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from served import Server
from vigie import free_port, wait_until

PROGRAM = shutil.which("prometheus-alertmanager")
SOON = 20  # seconds, on a busy machine, too


class Receiver:
    """Keeps the bodies of all POSTs: (path, headers, body)."""

    def __init__(self, status=200):
        self.port, self.posts, self.status = free_port(), [], status

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                receiver = self.server.engine
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((self.path, self.headers, body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = Server(self, Handler)
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self):
        self.server.stop()

    def alerts(self):
        """All alerts that Alertmanager has sent, oldest first."""
        return [alert for _, _, body in list(self.posts) for alert in json.loads(body)["alerts"]]


class Alertmanager:
    def __init__(self, receiver):
        self.folder = tempfile.mkdtemp(prefix="vigie-alertmanager-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        with open(f"{self.folder}/alertmanager.yml", "w") as file:
            json.dump({"route": {"receiver": "all", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
                       "receivers": [{"name": "all", "webhook_configs": [{"url": receiver.url + "/webhook"}]}]}, file)

    def start(self):
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", PROGRAM, f"--config.file={self.folder}/alertmanager.yml",
                 f"--storage.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                 "--cluster.listen-address="], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.is_up, SOON, self.log)

    def log(self):
        with open(f"{self.folder}/log", errors="replace") as file:
            return file.read()

    def is_up(self):
        try:
            return self.get("status") is not None
        except OSError:
            return False

    def get(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/api/v2/{path}", timeout=5) as answer:
            return json.load(answer)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(30)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder)

