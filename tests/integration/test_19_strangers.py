"""Who is not to be here, and who takes long: names that are not this server's, uploads without a token, uploads that
drip, many connections of one address, and readers of large answers that hardly read."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import socket
import stat
import tempfile
import threading
import time
import unittest

from test_09_security import TOKEN_CONFIG, TOKENS, write_tokens
from vigie import PREFIX, ServerTest, Vigie, is_sanitized, sample, wait_until

MIB = 1 << 20


def connect(test, port, address="127.0.0.1", receive_buffer=None):
    connection = socket.socket()
    test.addCleanup(connection.close)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(30)
    connection.connect((address, port))
    return connection


def read_answer(connection, method="GET"):
    """The status, headers and body of the answer that a connection is to have."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return response.status, response.headers, response.read()


def nginx_workers(vigie):
    return [pid for pid, name in vigie.programs().items() if name == "nginx"]


def bytes_in_files(vigie, device=None):
    """What nginx has in temporary files, which have no names any more, on a file system: that of the state folder."""
    device, total = os.stat(vigie.state).st_dev if device is None else device, 0
    for pid in nginx_workers(vigie):
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    file = os.stat(entry.path)
                    if stat.S_ISREG(file.st_mode) and file.st_nlink == 0 and file.st_dev == device:
                        total += 512 * file.st_blocks
    return total


def memory(pid, name):
    return int(re.search(rf"^{name}:\s+(\d+) kB$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) << 10


class HostTest(ServerTest):
    """A page of evil.example whose name suddenly means this server's address (DNS rebinding)."""

    config = "hosts = monitor.example\nhosts = *.fleet.example\n"

    def ask(self, host, method="GET", path=PREFIX + "get-all", body=b""):
        connection = connect(self, self.vigie.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)
        return read_answer(connection, method)

    def test_own_names_and_addresses_are_answered(self):
        for host in ("127.0.0.1", f"127.0.0.1:{self.vigie.port}", "10.1.2.3", "[::1]", "[fd00::2]:80", "localhost",
                     "LocalHost:8000", "localhost.", socket.gethostname(), socket.getfqdn(), "monitor.example",
                     "MONITOR.example:8000", "a.fleet.example", "b.a.fleet.example:1"):
            for path in (PREFIX + "get-all", PREFIX + "health", "/"):
                with self.subTest(host=host, path=path):
                    self.assertEqual(self.ask(host, path=path)[0], 200)

    def test_other_names_are_421_for_all_there_is(self):
        body = json.dumps({"ipaddress": "10.23.0.1", "data": [sample("a", "mem", 1)]}).encode()
        for host in ("evil.example", f"evil.example:{self.vigie.port}", "127.0.0.1.evil.example", "localhost.evil.example",
                     "fleet.example", "xmonitor.example", "monitor.example.evil.example", "1.2.3.4.5", "1.2.3", "[::1].evil",
                     "2130706433"):
            for method, path in (("GET", PREFIX + "get-all"), ("HEAD", PREFIX + "get-all"), ("GET", PREFIX + "health"),
                                 ("GET", PREFIX + "nothing"), ("GET", "/"), ("GET", "/style.css"), ("GET", "/nothing"),
                                 ("PUT", PREFIX + "save-all"), ("DELETE", PREFIX + "get-all")):
                with self.subTest(host=host, method=method, path=path):
                    status, headers, answer = self.ask(host, method, path, body if method == "PUT" else b"")
                    self.assertEqual(status, 421, answer)
                    self.assertIn("application/json", headers["Content-Type"])
                    if method != "HEAD":
                        self.assertEqual(json.loads(answer)["Response"], "NOk")
                        self.assertIn("[server] hosts", json.loads(answer)["error"])
        large = body + b" " * MIB
        self.assertEqual(self.ask("evil.example", "PUT", PREFIX + "save-all", large)[0], 421)
        self.assertEqual(self.json_of("get-all/10.23.0.1"), {})
        log = (self.vigie.state / "vigie-fcgi.log").read_text()
        self.assertEqual(log.count("[server] hosts"), 1, log)
        self.assertRegex(log, r"warning: .*evil\.example")

    def test_request_that_names_no_host_is_answered(self):
        for path in (PREFIX + "health", "/"):
            connection = connect(self, self.vigie.port)
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            self.assertEqual(read_answer(connection)[0], 200)


class UploadTest(ServerTest):
    """Large bodies of those who have no right to send them, or not there, or not so."""

    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ncache = 0\n" + TOKEN_CONFIG)
        for kind, tokens in TOKENS.items():
            write_tokens(cls.vigie, kind, tokens)
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)

    def begin(self, headers, method="PUT", path="save-all", host="localhost"):
        connection = connect(self, self.vigie.port)
        lines = [f"{method} {PREFIX}{path} HTTP/1.1", f"Host: {host}", *headers]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return connection

    def test_large_body_is_refused_before_it_is_sent(self):
        length = f"Content-Length: {3 * MIB}"
        for case in ({"headers": []}, {"headers": ["Authorization: Bearer nobody"]},
                     {"headers": ["Authorization: Bearer reader-1"], "status": 403},
                     {"headers": ["Authorization: Bearer writer-1"], "path": "nothing", "status": 404},
                     {"headers": ["Authorization: Bearer writer-1"], "path": "get-all", "status": 405},
                     {"headers": [], "path": "save-alarms"}, {"headers": [], "method": "GET", "path": "hosts"},
                     {"headers": ["Authorization: Bearer writer-1"], "host": "evil.example", "status": 421}):
            status = case.pop("status", 401)
            for way in ("length", "half", "expect", "chunked"):
                with self.subTest(case, way=way, status=status):
                    more = {"length": [length], "half": [length], "expect": [length, "Expect: 100-continue"],
                            "chunked": ["Transfer-Encoding: chunked"]}[way]
                    connection = self.begin(**dict(case, headers=case["headers"] + more))
                    if way == "half":
                        connection.sendall(b" " * (MIB // 2))
                    got, headers, answer = read_answer(connection, case.get("method", "PUT"))
                    # The same words as to those who send little.
                    small = self.begin(**dict(case, headers=case["headers"] + ["Content-Length: 2"]))
                    small.sendall(b"{}")
                    wanted, small_headers, small_answer = read_answer(small, case.get("method", "PUT"))
                    self.assertEqual((got, wanted), (status, status), answer)
                    self.assertEqual(json.loads(answer), json.loads(small_answer))
                    for name in ("Content-Type", "WWW-Authenticate", "Allow", "Cache-Control"):
                        self.assertEqual(headers.get_all(name), small_headers.get_all(name), name)
        self.assertEqual(bytes_in_files(self.vigie), 0)

    def test_large_body_with_a_token_is_stored(self):
        for number, way in enumerate(("length", "expect", "chunked"), 2):
            body = json.dumps({"ipaddress": f"10.23.1.{number}", "data": [sample("a", "mem", 1)]}).encode() + b" " * MIB
            headers = ["Authorization: Bearer writer-1"]
            if way == "chunked":
                connection = self.begin(headers + ["Transfer-Encoding: chunked"])
                for start in range(0, len(body), 50000):
                    piece = body[start:start + 50000]
                    connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            elif way == "expect":
                connection = self.begin(headers + [f"Content-Length: {len(body)}", "Expect: 100-continue"])
                self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
                connection.sendall(body)
            else:
                connection = self.begin(headers + [f"Content-Length: {len(body)}"])
                connection.sendall(body)
            self.assertEqual(read_answer(connection, "PUT")[0], 200)
            answer = self.vigie.get(f"get-all/10.23.1.{number}", headers={"Authorization": "Bearer reader-1"})
            self.assertEqual(answer.json(), {"a": [1, None]})

    def test_refusals_of_large_bodies_are_counted_once(self):
        def count():
            metrics = self.vigie.get("metrics", headers={"Authorization": "Bearer reader-1"}).body.decode()
            found = dict(re.findall(r'^vigie_requests_total\{route="save-forecasts",status="(\d+)"\} (\S+)$', metrics, re.M))
            return [float(found.get(status, 0)) for status in ("200", "401")]
        before = count()
        connection = self.begin([f"Content-Length: {MIB}"], path="save-forecasts")
        self.assertEqual(read_answer(connection, "PUT")[0], 401)
        answer = self.vigie.put("save-forecasts", b'{"data": []}' + b" " * MIB, headers={"Authorization": "Bearer writer-1"})
        self.assertEqual(answer.status, 200)
        self.assertEqual(count(), [number + 1 for number in before])

    def test_uploads_of_strangers_take_no_places(self):
        drips = []
        for _ in range(90):
            connection = self.begin([f"Content-Length: {4 * MIB}"])
            connection.sendall(b" " * 100000)
            drips.append(connection)
        begun = time.monotonic()
        answer = self.vigie.put("save-alarms", b'{"data": []}' + b" " * MIB, headers={"Authorization": "Bearer writer-1"})
        self.assertEqual(answer.status, 200, answer)
        self.assertLess(time.monotonic() - begun, 3)
        for connection in drips:
            self.assertEqual(read_answer(connection, "PUT")[0], 401)
        self.assertEqual(bytes_in_files(self.vigie), 0)


class DripTest(ServerTest):
    """Where everybody may send."""

    BOUND = 128 * MIB
    SENT = 3 * MIB

    def test_uploads_that_drip_are_bounded_and_others_are_answered(self):
        drips = []
        for _ in range(90):
            connection = connect(self, self.vigie.port)
            connection.sendall(f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nContent-Length: {4 * MIB}\r\n\r\n".encode())
            with contextlib.suppress(ConnectionError):
                connection.sendall(b" " * self.SENT)
            drips.append(connection)
        begun, turns = time.monotonic(), 0
        while time.monotonic() - begun < 3:
            for connection in drips:
                with contextlib.suppress(ConnectionError):
                    connection.send(b" ")
            self.save("10.23.2.1", sample("a", "mem", turns))
            self.assertEqual(self.json_of("health")["status"], "ok")
            turns += 1
        self.assertGreater(turns, 3)
        self.assertEqual(bytes_in_files(self.vigie), 0)
        held = sum(memory(pid, "RssAnon") for pid in nginx_workers(self.vigie))
        self.assertLess(held, self.BOUND + 64 * MIB)

        refused = [connection for connection in drips if select.select([connection], [], [], 0)[0]]
        self.assertGreaterEqual(len(refused), 90 - self.BOUND // (4 * MIB))
        answered = 0
        for connection in refused:
            with contextlib.suppress(ConnectionError):
                status, headers, answer = read_answer(connection, "PUT")
                self.assertEqual((status, headers["Retry-After"]), (503, "5"))
                self.assertIn("under way", json.loads(answer)["error"])
                answered += 1
        self.assertGreater(answered, 0)
        for connection in drips:
            connection.close()
        wait_until(lambda: self.vigie.put("save-all", b" " * MIB).status == 400, 5, "large bodies are taken again")


@unittest.skipIf(os.stat("/dev/shm").st_dev == os.stat(tempfile.gettempdir()).st_dev, "all is one file system")
class ChunksTest(ServerTest):
    """Chunks whose heads are longer than they are: nginx keeps both."""

    config = "max_body = 64KiB\n"

    def test_what_memory_has_no_room_for_is_not_on_the_disk_of_the_database(self):
        body = json.dumps({"ipaddress": "10.23.5.1", "data": [sample("a", "mem", 1)]}).encode() + b" " * 40000
        connection = connect(self, self.vigie.port)
        connection.sendall(f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"".join(b"1\r\n%c\r\n" % byte for byte in body[:-1]))
        wait_until(lambda: bytes_in_files(self.vigie, os.stat("/dev/shm").st_dev), 5, "there is a file")
        self.assertEqual(bytes_in_files(self.vigie), 0)
        connection.sendall(b"1\r\n \r\n0\r\n\r\n")
        self.assertEqual(read_answer(connection, "PUT")[0], 200)
        self.assertEqual(self.json_of("get-all/10.23.5.1"), {"a": [1, None]})


def own_address():
    """An address of this machine that is not loopback's; None: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("203.0.113.1", 9))  # sends nothing
            return probe.getsockname()[0]
    return None


@unittest.skipUnless(own_address(), "this machine has no address but loopback's")
class ConnectionsTest(unittest.TestCase):
    """Requests under way of one address."""

    def begin(self, vigie, address):
        """A request that is under way: nginx has counted it once it asks for the body."""
        connection = connect(self, vigie.port, address)
        connection.sendall(f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                           "Expect: 100-continue\r\n\r\n".encode())
        self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 100 "))
        return connection

    def status(self, vigie, address):
        connection = connect(self, vigie.port, address)
        connection.sendall(f"GET {PREFIX}health HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return read_answer(connection)

    def test_an_address_has_so_many_and_loopback_any_number(self):
        for limit in (5, 0):
            with self.subTest(limit), Vigie("--server", config=f"[server]\nconnections_per_address = {limit}\n",
                                            environment={"LISTEN": "0.0.0.0"}) as vigie:
                slow = [self.begin(vigie, own_address()) for _ in range(limit or 40)]
                if limit:
                    status, headers, answer = self.status(vigie, own_address())
                    self.assertEqual(status, 503)
                    self.assertEqual(headers["Retry-After"], "5")
                    self.assertIn("[server] connections_per_address", json.loads(answer)["error"])
                else:
                    self.assertEqual(self.status(vigie, own_address())[0], 200)
                loopback = [self.begin(vigie, "127.0.0.1") for _ in range(10)]
                self.assertEqual(self.status(vigie, "127.0.0.1")[0], 200)
                for connection in slow + loopback:
                    connection.close()
                wait_until(lambda: self.status(vigie, own_address())[0] == 200, 5, "there is room again")


class SlowReaderTest(ServerTest):
    """Readers who ask for much and take little."""

    HOSTS, NAMES = 16, 9000
    READERS = 12
    config = "threads = 8\n"  # fewer than readers

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for host in range(cls.HOSTS):
            samples = [sample(f"{host:03}-{number:06}-{'x' * 240}", "mem", 1) for number in range(cls.NAMES)]
            assert cls.vigie.save(f"10.23.3.{host}", *samples).status == 200

    def ask(self, number, receive_buffer=4096):
        """Asks for all of it, not for the same as others."""
        connection = connect(self, self.vigie.port, receive_buffer=receive_buffer)
        connection.sendall(f"GET {PREFIX}get-all?above=0.{number + 1:03} HTTP/1.1\r\nHost: localhost\r\n"
                           "Connection: close\r\n\r\n".encode())
        return connection

    def read_status(self, connection):
        line = b""
        while not line.endswith(b"\r\n"):
            line += connection.recv(1)
        return int(line.split()[1])

    def test_slow_readers_are_bounded_and_others_are_answered(self):
        readers = [self.ask(number) for number in range(self.READERS)]
        for number in range(10):
            self.assertEqual(self.json_of("health")["status"], "ok")
            self.save("10.23.4.1", sample("a", "mem", number))
        statuses = [self.read_status(connection) for connection in readers]
        self.assertIn(200, statuses)
        self.assertIn(503, statuses)
        self.assertEqual(set(statuses), {200, 503})
        wait_until(lambda: self.vigie.get("get-all/10.23.4.1").status == 200, 3, "a small answer is there")
        self.assertEqual(bytes_in_files(self.vigie), 0)
        if not is_sanitized():
            self.assertLess(sum(memory(pid, "RssAnon") for pid in nginx_workers(self.vigie)), 64 * MIB)
            self.assertLess(memory(self.vigie.pid_of("vigie-fcgi"), "VmHWM"), 512 * MIB)
        # They make room for who reads.
        wait_until(lambda: self.vigie.get("get-all").status == 200, 30, "one that reads has its answer")

    def test_readers_that_drip_make_room_for_who_reads(self):
        drips, refused = [], False
        while not refused:
            connection = self.ask(100 + len(drips), receive_buffer=None)
            refused = self.read_status(connection) == 503
            drips.append(connection)
            self.assertLess(len(drips), self.READERS)
        ended = threading.Event()

        def drip():  # fast enough for nginx, and three minutes long
            while not ended.wait(0.5):
                for connection in drips:
                    with contextlib.suppress(OSError):
                        connection.recv(125000, socket.MSG_WAITALL)
        reader = threading.Thread(target=drip)
        reader.start()
        self.addCleanup(reader.join)
        self.addCleanup(ended.set)
        for above in ("0.7", "0.71", "0.72"):
            wait_until(lambda above=above: self.vigie.get(f"get-all?above={above}").status == 200, 40,
                       "one that reads has its answer")

    def test_reader_that_goes_on_has_it_all(self):
        whole = self.vigie.get("get-all?above=0.5").body
        self.assertGreater(len(whole), 36 * MIB)
        connection = self.ask(499)
        status, _, body = (self.read_status(connection), time.sleep(1), b"".join(iter(lambda: connection.recv(4096), b"")))
        self.assertEqual(status, 200)
        self.assertEqual(body.partition(b"\r\n\r\n")[2], whole)

    def test_end_of_the_run_is_not_kept_waiting(self):
        with Vigie("--server") as vigie:
            samples = [sample(f"{number:06}-{'x' * 240}", "mem", 1) for number in range(self.NAMES)]
            self.assertEqual(vigie.save("10.23.3.1", *samples).status, 200)
            connection = connect(self, vigie.port, receive_buffer=4096)
            connection.sendall(f"GET {PREFIX}get-all HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.assertEqual(self.read_status(connection), 200)


if __name__ == "__main__":
    unittest.main()
