"""The examples of deploy/nginx/examples, as they are, but for names and places: vigie by TLS, below a path, and behind a
login, with programs that verify a certificate made here."""

import base64
import http.client
import http.server
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest
import urllib.parse

import served
from vigie import BUILD, PREFIX, ROOT, Vigie, free_port, wait_until

EXAMPLES = ROOT / "deploy" / "nginx" / "examples"
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"alice:wonder land").decode()}
CONFIG = ("[server]\ninterval = 1s\ncache = 0\nread_tokens = read.tokens\nwrite_tokens = write.tokens\n"
          "[collector]\ninterval = 1s\n[alert]\ninterval = 1s\nphase = 500ms\n[forecast]\nrefresh = 1s\n")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def write_secret(path, text):
    path.touch(0o600)
    path.write_text(text)


class Front:
    """An nginx of its own before a server on `backend`, with the sites that are named, each on a port of its own."""

    def __init__(self, folder, backend, sites, *changes):
        self.folder, self.ports = pathlib.Path(tempfile.mkdtemp(dir=folder)), {site: free_port() for site in sites}
        changes = [("127.0.0.1:8000", f"127.0.0.1:{backend}"), ("snippets/vigie-proxy", "vigie-proxy"), ("/etc/nginx/", f"{folder}/"),
                   ("vigie.example", "localhost"), *changes]
        for name in ("vigie-limits", "vigie-proxy", *sites):
            text = (EXAMPLES / f"{name}.conf").read_text()
            for before, after in [*changes, ("listen 443 ", f"listen 127.0.0.1:{self.ports.get(name)} ")]:
                text = text.replace(before, after)
            (self.folder / f"{name}.conf").write_text(re.sub(r"\tlisten \[::\]:443.*\n", "", text))
        inner = "".join(f"include {site}.conf;\n" for site in sites if site != "sub-path")
        if "sub-path" in sites:
            inner += (f"server {{ listen 127.0.0.1:{self.ports['sub-path']} ssl; server_name localhost; "
                      f"ssl_certificate {folder}/vigie.crt; ssl_certificate_key {folder}/vigie.key; include sub-path.conf; }}\n")
        places = "".join(f"{name}_temp_path {name};\n" for name in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi"))
        root = "user root;\n" if pathlib.Path("/proc/self").owner() == "root" else ""
        (self.folder / "nginx.conf").write_text(
            f"daemon off;\npid nginx.pid;\n{root}worker_processes 1;\nevents {{}}\nhttp {{\naccess_log off;\n{places}"
            f"include vigie-limits.conf;\n{inner}}}\n")
        self.context = ssl.create_default_context(cafile=folder / "vigie.crt")
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "/usr/sbin/nginx", "-p", f"{self.folder}/", "-c",
                                             "nginx.conf", "-e", "stderr"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: (self.folder / "nginx.pid").exists() or self.process.poll() is not None, 10, self.log)
        assert self.process.poll() is None, self.log()

    def log(self):
        return (self.folder / "log").read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def url(self, site, path=PREFIX):
        return f"https://localhost:{self.ports[site]}{path}"

    def request(self, site, path, method="GET", headers=None, body=None):
        """(status, headers, body) of an answer; the certificate is verified."""
        connection = http.client.HTTPSConnection("localhost", self.ports[site])
        try:
            # By its address, since a bare Debian 12 has no /etc/hosts.
            plain = socket.create_connection(("127.0.0.1", self.ports[site]), 30)
            connection.sock = self.context.wrap_socket(plain, server_hostname="localhost")
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def make_folder():
    """What is in /etc/nginx besides the examples."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-front-"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                    folder / "vigie.key", "-out", folder / "vigie.crt"], check=True, stderr=subprocess.DEVNULL)
    hashed = subprocess.run(["openssl", "passwd", "-6", "wonder land"], check=True, stdout=subprocess.PIPE, text=True).stdout
    (folder / "vigie.users").write_text(f"alice:{hashed}")
    write_secret(folder / "vigie-login.token", 'default "reader";\n')
    return folder


class FrontTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = make_folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.vigie = Vigie("--server", config=CONFIG)
        write_secret(cls.vigie.folder / "read.tokens", "reader\nboth\n")
        write_secret(cls.vigie.folder / "write.tokens", "writer\nboth\n")
        for name in ("writer", "both"):
            write_secret(cls.folder / name, f"{name}\n")
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)
        cls.front = Front(cls.folder, cls.vigie.port, ("tls", "sub-path"))
        cls.addClassCleanup(cls.front.stop)
        cls.door = Front(cls.folder, cls.vigie.port, ("login",))
        cls.addClassCleanup(cls.door.stop)

    def start(self, program, *settings):
        """A program of vigie in a folder of its own; what gives its log."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        options = [option for setting in settings for option in ("--set", f"{program}.{setting}")]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", BUILD / f"vigie-{program}", "--config", self.vigie.config_path,
                                        *options], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        return lambda: (folder / "log").read_text()

    def hosts(self):
        return self.vigie.get("hosts", headers=bearer("reader")).json()

    def health(self):
        return self.vigie.get("health").json()

    def test_programs_verify_the_certificate_also_below_a_path(self):
        ca = f"ca_file={self.folder}/vigie.crt"
        sub_path = self.front.url("sub-path", "/vigie" + PREFIX)
        logs = [self.start("collector", f"url={url}", f"ip={ip}", ca, f"token_file={self.folder}/writer")
                for ip, url in (("10.29.0.1", self.front.url("tls")), ("10.29.0.2", sub_path), ("10.29.0.3", self.door.url("login")))]
        logs.append(self.start("alert", f"url={sub_path}", ca, f"token_file={self.folder}/both"))
        logs.append(self.start("forecast", f"url={self.door.url('login')}", ca, f"token_file={self.folder}/both"))
        said = lambda: "".join(log() for log in logs)  # noqa: E731
        wait_until(lambda: {"10.29.0.1", "10.29.0.2", "10.29.0.3"} <= set(self.hosts()), 20, said)
        wait_until(lambda: (self.health()["alert"]["status"], self.health()["forecast"]["status"]) == ("ok", "ok"), 20, said)

    def test_programs_trust_no_other_certificate(self):
        logs = [self.start("collector", f"url={self.front.url('tls')}", "ip=10.29.0.9"), self.start("alert", f"url={self.front.url('tls')}"),
                self.start("forecast", f"url={self.front.url('tls')}")]
        for log in logs:
            wait_until(lambda: "certificate" in log(), 20, log)
        self.assertNotIn("10.29.0.9", self.hosts())

    def test_other_names_are_refused(self):
        status, _, _ = self.front.request("tls", "/")
        self.assertEqual(status, 200)
        self.assertEqual(self.front.request("tls", PREFIX + "health", headers={"Host": "elsewhere.example"})[0], 421)
        connection = http.client.HTTPSConnection("127.0.0.1", self.front.ports["tls"], timeout=30, context=ssl._create_unverified_context())
        self.addCleanup(connection.close)
        with self.assertRaises(ssl.SSLError):
            connection.request("GET", "/")

    def test_pages_work_below_the_path_and_tokens_are_asked_for(self):
        for path, least in (("/vigie/", 5), ("/vigie/api.html", 9)):
            page = self.front.request("sub-path", path)[2].decode()
            links = [urllib.parse.urljoin(path, link.replace("&amp;", "&")) for link in re.findall(r'(?:href|src)="([^"]*)"', page)]
            self.assertGreater(len(links), least)
            for link in [*links, "/vigie/dygraphs/dygraph.min.js"]:
                with self.subTest(link):
                    self.assertTrue(link.startswith("/vigie/"))
                    self.assertEqual(self.front.request("sub-path", link, headers=bearer("reader"))[0], 200)
        self.assertIn(b'href="/vigie/"', self.front.request("sub-path", "/vigie/nothing")[2])
        for headers, status in (({}, 401), (LOGIN, 401), (bearer("nobody"), 401), (bearer("writer"), 403), (bearer("reader"), 200),
                                ({"X-Vigie-Token": "reader"}, 200), ({**LOGIN, "X-Vigie-Token": "reader"}, 200)):
            with self.subTest(headers):
                self.assertEqual(self.front.request("sub-path", f"/vigie{PREFIX}latest", headers=headers)[0], status)

    def test_what_is_too_large_is_refused_in_the_words_of_vigie(self):
        status, _, body = self.front.request("tls", PREFIX + "save-all", "PUT", bearer("writer"), b"x" * (5 << 20))
        self.assertEqual(status, 413)
        self.assertIn(b'"Response": "NOk"', body)

    def test_people_log_in_and_programs_show_a_token(self):
        wrong = {"Authorization": "Basic " + base64.b64encode(b"alice:wonder").decode()}
        for path, headers, status, challenge in (
                ("/", {}, 401, "Basic"), ("/", wrong, 401, "Basic"), ("/", bearer("reader"), 401, "Basic"), ("/", LOGIN, 200, None),
                ("latest", {}, 401, "Basic"), ("latest", wrong, 401, "Basic"), ("latest", LOGIN, 200, None),
                ("latest", {"X-Vigie-Token": "reader"}, 401, "Basic"), ("latest", {**LOGIN, "X-Vigie-Token": "nobody"}, 401, "Bearer"),
                ("latest", {**LOGIN, "X-Vigie-Token": "writer"}, 403, None), ("latest", bearer("reader"), 200, None),
                ("latest", bearer("nobody"), 401, "Bearer"), ("latest", {"Authorization": "Bearer"}, 401, "Basic"),
                ("latest", bearer(""), 401, None), ("health", {}, 401, "Basic"), ("health", bearer("any"), 200, None)):
            with self.subTest(path=path, headers=headers):
                answer, sent, _ = self.door.request("login", path if path == "/" else PREFIX + path, headers=headers)
                self.assertEqual(answer, status)
                if challenge:
                    self.assertTrue(sent["WWW-Authenticate"].startswith(challenge), sent["WWW-Authenticate"])
        # Whoever has logged in reads alone.
        item = b'{"ipaddress": "10.29.0.4", "data": []}'
        self.assertEqual(self.door.request("login", PREFIX + "save-all", "PUT", LOGIN, item)[0], 403)
        self.assertEqual(self.door.request("login", PREFIX + "save-all", "PUT", {**LOGIN, "X-Vigie-Token": "writer"}, item)[0], 200)
        page = self.door.request("login", "/", headers=LOGIN)[2].decode()
        for link in re.findall(r'href="([^"]*)"', page):
            with self.subTest(link):
                self.assertEqual(self.door.request("login", urllib.parse.urljoin("/", link.replace("&amp;", "&")), headers=LOGIN)[0], 200)


class Recorder(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.engine.heads.append(self.headers)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class PassedOnTest(unittest.TestCase):
    """What a server behind the examples is told, and how often."""

    def setUp(self):
        self.folder = make_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.port, self.heads = free_port(), []
        self.addCleanup(served.Server(self, Recorder).stop)

    def test_no_login_is_passed_on(self):
        front = Front(self.folder, self.port, ("tls", "sub-path", "login"))
        self.addCleanup(front.stop)
        for site, path in (("tls", PREFIX), ("sub-path", "/vigie" + PREFIX), ("login", PREFIX), ("login", "/")):
            for headers in (LOGIN, {**LOGIN, "X-Vigie-Token": "mine"}):
                with self.subTest(site=site, path=path, headers=headers):
                    self.assertEqual(front.request(site, path, headers=headers)[0], 200)
                    head = self.heads.pop()
                    self.assertIsNone(head["Authorization"])
                    token = headers.get("X-Vigie-Token") or ("reader" if (site, path) == ("login", PREFIX) else None)
                    self.assertEqual((head["X-Vigie-Token"], head["Host"]), (token, "127.0.0.1"))
        self.assertEqual(front.request("login", PREFIX, headers=bearer("mine"))[0], 200)
        head = self.heads.pop()
        self.assertEqual((head["Authorization"], head["X-Vigie-Token"]), ("Bearer mine", None))
        self.assertEqual(self.heads, [])

    def test_who_asks_too_often_is_told_to_come_back(self):
        front = Front(self.folder, self.port, ("tls",), ("rate=200r/s", "rate=1r/m"), ("burst=1000", "burst=3"))
        self.addCleanup(front.stop)
        self.assertEqual([front.request("tls", "/")[0] for _ in range(6)], [200] * 4 + [503] * 2)


if __name__ == "__main__":
    unittest.main()
