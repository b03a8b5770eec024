"""Tokens and bodies that are more than they seem, through the real nginx."""

import email.utils
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import threading
import time
import unittest
import zlib

from vigie import PREFIX, ServerTest, Vigie, is_sanitized, sample, wait_until

READS = ("get-all", "get-all/10.9.0.1", "get-all-detailed", "latest", "query-alarm", "alarms", "oom-kills", "forecasts", "hosts",
         "silences", "metrics", "metrics/processes")
WRITES = ("save-all", "save-alarms", "save-forecasts")
TOKENS = {"write": ["writer-1", "both"], "read": ["reader-1", "both"], "admin": ["admin-1"]}
TOKEN_CONFIG = "".join(f"{kind}_tokens = {kind}.tokens\n" for kind in TOKENS)


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


def write_tokens(vigie, kind, tokens, mode=0o600):
    path = vigie.folder / f"{kind}.tokens"
    path.unlink(missing_ok=True)
    path.write_text("# of the tests\n\n" + "\n".join(tokens) + "\n")
    path.chmod(mode)


class TokenTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.vigie = Vigie("--server", config="[server]\ncache = 1s\n" + TOKEN_CONFIG)
        for kind, tokens in TOKENS.items():
            write_tokens(cls.vigie, kind, tokens)
        cls.vigie.start()
        cls.addClassCleanup(cls.vigie.stop)

    def status(self, method, path, token, body=None):
        return self.vigie.request(method, path, body=body, headers=bearer(token)).status

    def metric(self, name):
        answer = self.vigie.get("metrics", headers=bearer("reader-1"))
        found = re.search(rf"^{re.escape(name)} (\S+)$", answer.body.decode(), re.M)
        return float(found.group(1)) if found else 0

    def reload(self):
        log = self.vigie.state / "vigie-fcgi.log"
        begun = len(log.read_text())
        os.kill(self.vigie.pid_of("vigie-fcgi"), signal.SIGHUP)
        return wait_until(lambda: re.search("configuration reloaded|stays as it was", log.read_text()[begun:]) and
                          log.read_text()[begun:], 5, "the configuration is read anew")

    def test_each_token_opens_its_doors(self):
        for token, read, write in ((None, 401, 401), ("nobody", 401, 401), ("reader-1", 200, 403),
                                   ("writer-1", 403, 400), ("both", 200, 400), ("admin-1", 200, 400),
                                   ("reader", 401, 401), ("reader-11", 401, 401), ("# of the tests", 401, 401)):
            for method, paths, status in (("GET", READS, read), ("PUT", WRITES, write)):
                for path in paths:
                    with self.subTest(token=token, path=path):
                        answer = self.vigie.request(method, path, body=b"" if method == "PUT" else None,
                                                    headers=bearer(token))
                        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer" if status == 401 else None)
                        if status == 200:
                            self.assertEqual(answer.status, 200, answer)
                        else:
                            body = self.assert_refused(answer, status)
                            self.assertEqual(set(body), {"Response", "error"})

    def test_doors_that_are_open_to_all(self):
        for token in (None, "nobody", "writer-1"):
            self.assertEqual(self.status("GET", "health", token), 200)
            self.assertEqual(self.status("HEAD", "health", token), 200)
            self.assertEqual(self.status("GET", "/", token), 200)
            self.assertEqual(self.status("GET", "nothing", token), 404)

    def test_token_in_its_own_header_counts_before_a_login(self):
        for headers, status in (({"X-Vigie-Token": "reader-1"}, 200), ({"X-Vigie-Token": "nobody"}, 401),
                                ({"X-Vigie-Token": "writer-1"}, 403), ({"X-Vigie-Token": "Bearer reader-1"}, 401),
                                ({"X-Vigie-Token": "reader-1", "Authorization": "Basic dTpw"}, 200),
                                ({"X-Vigie-Token": "nobody", "Authorization": "Bearer reader-1"}, 401),
                                ({"X-Vigie-Token": "", "Authorization": "Bearer reader-1"}, 200)):
            with self.subTest(headers):
                self.assertEqual(self.vigie.get("latest", headers=headers).status, status)
        large = {"ipaddress": "10.9.0.9", "data": [sample(f"p{number}", "mem", 1) for number in range(2000)]}
        for token, status in (("writer-1", 200), ("reader-1", 403)):  # asked about before its body is taken
            self.assertEqual(self.vigie.put("save-all", large, headers={"X-Vigie-Token": token}).status, status)

    def test_other_schemes_are_no_tokens(self):
        for value, status in (("bearer reader-1", 200), ("BEARER  reader-1", 200), ("reader-1", 401), ("Bearer", 401),
                              ("Basic cmVhZGVyLTE=", 401), ("Bearer reader-1 both", 401), ("Bearer " + "x" * 4000, 401),
                              ("Bearer reader-1, Bearer nobody", 401), ("Bearer \u00e9", 401)):
            with self.subTest(value[:40]):
                answer = self.vigie.get("latest", headers={"Authorization": value})
                self.assertEqual(answer.status, status, answer)
        for path in ("latest?token=reader-1", "latest?access_token=reader-1"):  # not where logs and proxies see it
            self.assert_refused(self.vigie.get(path), 401)

    def test_stranger_does_not_reach_the_store(self):
        before = [self.metric(name) for name in ("vigie_batches_total", "vigie_commits_total", "vigie_rejected_total")]
        body = {"ipaddress": "10.9.0.1", "data": [sample("a", "mem", 1)], "collector": {"hostname": "stranger"}}
        for token, status in ((None, 401), ("nobody", 401), ("reader-1", 403)):
            answer = self.vigie.put("save-all", body, headers=bearer(token))
            self.assert_refused(answer, status)
            # Nobody looks at what they send, be it ever so broken, large or encoded.
            for broken in (b"{", b"\xff" * 1000000):
                self.assert_refused(self.vigie.put("save-all", broken, headers=bearer(token)), status)
            headers = dict(bearer(token), **{"Content-Encoding": "gzip"})
            self.assert_refused(self.vigie.put("save-all", gzip.compress(bytes(1000000)), headers=headers), status)
        self.assertEqual([self.metric(name) for name in
                          ("vigie_batches_total", "vigie_commits_total", "vigie_rejected_total")], before)
        self.assertEqual(self.vigie.get("get-all/10.9.0.1", headers=bearer("reader-1")).json(), {})
        self.assertNotIn(b"stranger", self.vigie.get("metrics", headers=bearer("reader-1")).body)
        self.assertEqual(self.vigie.put("save-all", dict(body, ipaddress="10.9.0.2"), headers=bearer("writer-1")).json(),
                         {"Response": "Ok"})
        self.assertEqual(self.vigie.get("get-all/10.9.0.2", headers=bearer("both")).json(), {"a": [1, None]})

    def test_refusals_are_counted(self):
        names = [f'vigie_requests_total{{route="{route}",status="{status}"}}' for route, status in
                 (("save-alarms", 401), ("save-alarms", 403), ("hosts", 401), ("hosts", 403))]
        before = [self.metric(name) for name in names]
        for number, (method, path, token) in enumerate((("PUT", "save-alarms", None), ("PUT", "save-alarms", "reader-1"),
                                                        ("GET", "hosts", "nobody"), ("GET", "hosts", "writer-1"))):
            for _ in range(number + 1):
                self.status(method, path, token, b"" if method == "PUT" else None)
        self.assertEqual([self.metric(name) for name in names], [count + number + 1 for number, count in enumerate(before)])

    def test_shared_answers_are_not_for_strangers(self):
        self.vigie.put("save-all", {"ipaddress": "10.9.0.3", "data": [sample("shared", "mem", 1)]},
                       headers=bearer("writer-1"))
        wrong = []

        def ask(token, status):
            for _ in range(100):
                answer = self.vigie.get("get-all?ip=10.9.0.3", headers=bearer(token))
                if answer.status != status or (b"shared" in answer.body) != (status == 200):
                    wrong.append((token, answer))
        clients = [threading.Thread(target=ask, args=case) for case in
                   (("reader-1", 200), (None, 401), ("writer-1", 403), ("admin-1", 200), ("nobody", 401))]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(wrong, [])

    def test_tokens_of_one_connection_are_each_requests_own(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.vigie.port, timeout=10)
        self.addCleanup(connection.close)
        for token, status in (("reader-1", 200), (None, 401), ("writer-1", 403), ("admin-1", 200)) * 10:
            connection.request("GET", PREFIX + "hosts", headers=bearer(token))
            response = connection.getresponse()
            response.read()
            self.assertEqual(response.status, status)

    def test_rotation_has_no_gap(self):
        self.addCleanup(self.reload)
        self.addCleanup(write_tokens, self.vigie, "write", TOKENS["write"])
        ended, wrong = threading.Event(), []

        def write_on():
            while not ended.is_set():
                if (status := self.status("PUT", "save-alarms", "both", {"data": []})) != 200:
                    wrong.append(status)
        writer = threading.Thread(target=write_on)
        writer.start()
        for tokens in (["writer-1", "writer-2", "both"], ["writer-2", "both"]):
            write_tokens(self.vigie, "write", tokens)
            self.assertIn("reloaded", self.reload())
            for token in ("writer-1", "writer-2"):
                self.assertEqual(self.status("PUT", "save-alarms", token, {"data": []}), 200 if token in tokens else 401)

        # A file that is not right: the tokens stay as they were.
        for tokens, mode, why in ((["writer-3"], 0o640, "others than its owner"), (["writer-3"], 0o604, "chmod 600"),
                                  ([], 0o600, "no token"), (["writer-3", "a b"], 0o600, "line 4 is no token")):
            with self.subTest(why):
                write_tokens(self.vigie, "write", tokens, mode)
                log = self.reload()
                self.assertRegex(log, f"error: server.write_tokens: {self.vigie.folder}/write.tokens: .*{why}")
                self.assertIn("stays as it was", log)
                self.assertEqual(self.status("PUT", "save-alarms", "writer-2", {"data": []}), 200)
                self.assertEqual(self.status("PUT", "save-alarms", "writer-3", {"data": []}), 401)
        ended.set()
        writer.join()
        self.assertEqual(wrong, [])


class RefusedStartTest(unittest.TestCase):
    def test_wrong_token_files_are_told_at_the_start(self):
        for tokens, mode, why in ((["t"], 0o644, "others than its owner have access to it (chmod 600)"),
                                  (["t"], 0o620, "others than its owner have access to it (chmod 600)"),
                                  ([], 0o600, "it holds no token"), (None, 0, "No such file or directory")):
            with self.subTest(why):
                vigie = Vigie("--server", config="[server]\nread_tokens = read.tokens\n")
                self.addCleanup(vigie.remove)
                if tokens is not None:
                    write_tokens(vigie, "read", tokens, mode)
                vigie.spawn()
                self.assertEqual(vigie.process.wait(20), 1)
                self.assertEqual(vigie.printed(), "vigie: the configuration is not right: server.read_tokens: "
                                                  f"{vigie.folder}/read.tokens: {why}\n")


class EncodedBodyTest(ServerTest):
    LIMIT = 65536
    config = "max_body = 64KiB\n"

    def put_encoded(self, body, encoding="gzip"):
        return self.vigie.put("save-all", body, headers={"Content-Encoding": encoding})

    def body_of(self, ip, length=0):
        body = json.dumps({"ipaddress": ip, "data": [sample("a", "cpu", 1)]}).encode()
        return body + b" " * (length - len(body))

    def test_gzip_is_stored_like_what_it_holds(self):
        for number, encoding in enumerate(("gzip", "GZIP", "x-gzip"), 1):
            for level in (0, 1, 9):
                ip = f"10.9.1.{10 * number + level}"
                answer = self.put_encoded(gzip.compress(self.body_of(ip), level), encoding)
                self.assertEqual((answer.status, answer.json()), (200, {"Response": "Ok"}))
                self.assertEqual(self.json_of(f"get-all/{ip}"), {"a": [None, 1]})
        # In the pieces that a client makes up as it goes.
        compressed = gzip.compress(self.body_of("10.9.1.100"))
        with socket.create_connection(("127.0.0.1", self.vigie.port), timeout=10) as connection:
            connection.sendall((f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n").encode())
            for byte in compressed:
                connection.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
            self.assertIn(b" 200 ", connection.recv(100))
        self.assertEqual(self.json_of("get-all/10.9.1.100"), {"a": [None, 1]})
        # Of several members, and with zeros behind them.
        body = self.body_of("10.9.1.102")
        members = b"".join(gzip.compress(part) for part in (body[:10], b"", body[10:]))
        self.assertEqual(self.put_encoded(members + bytes(1000)).status, 200)
        self.assertEqual(self.json_of("get-all/10.9.1.102"), {"a": [None, 1]})
        # As it stands.
        self.assertEqual(self.put_encoded(self.body_of("10.9.1.101"), "identity").status, 200)

    def test_limit_is_that_of_the_inflated_body(self):
        for length, status in ((self.LIMIT, 200), (self.LIMIT + 1, 413), (2 * self.LIMIT, 413)):
            with self.subTest(length):
                answer = self.put_encoded(gzip.compress(self.body_of("10.9.1.2", length)))
                self.assertEqual(answer.status, status, answer)
                if status == 413:
                    self.assert_refused(answer, 413)

    def test_bomb_is_413_soon_and_costs_no_memory(self):
        bomb = gzip.compress(bytes(40 << 20))  # a thousandth of that
        self.assertLess(len(bomb), self.LIMIT)
        self.assert_refused(self.put_encoded(bomb), 413)
        status = pathlib.Path(f"/proc/{self.vigie.pid_of('vigie-fcgi')}/status")

        def memory(name):
            return int(re.search(rf"^{name}:\s+(\d+) kB$", status.read_text(), re.M).group(1))
        (status.parent / "clear_refs").write_text("5")  # the peak is counted anew
        before = memory("VmHWM")
        slowest, wrong = [], []

        def throw():
            for _ in range(10):
                begun = time.monotonic()
                if (answer := self.put_encoded(bomb)).status != 413:
                    wrong.append(answer)
                slowest.append(time.monotonic() - begun)
        clients = [threading.Thread(target=throw) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(wrong, [])
        self.assertLess(max(slowest), 2)
        if not is_sanitized():  # whose allocator holds what was freed
            self.assertLess(memory("VmHWM") - before, 20 << 10)  # not one of them has been inflated
        self.assertEqual(self.vigie.get("health").status, 200)

    def test_what_is_no_whole_gzip_is_400(self):
        body = self.body_of("10.9.1.3")
        whole = gzip.compress(body)
        damaged = bytearray(whole)
        damaged[-6] ^= 1
        bodies = {"empty": b"", "plain": body, "zlib": zlib.compress(body), "damaged": bytes(damaged), "length": whole[:-1] + b"x",
                  "more": whole + b"x", "more behind zeros": whole + bytes(9) + whole, "half": whole[:len(whole) // 2], "header": whole[:10],
                  "one short": whole[:-1], "bomb of the wrong sum": gzip.compress(bytes(1000))[:-8] + bytes(8)}
        for name, bad in bodies.items():
            with self.subTest(name):
                self.assertIn("gzip", self.assert_refused(self.put_encoded(bad), 400)["error"])
        self.assertEqual(self.json_of("get-all/10.9.1.3"), {})
        # What is in it is judged as ever.
        self.assert_refused(self.put_encoded(gzip.compress(b"{")), 400)
        self.assert_refused(self.put_encoded(gzip.compress(b'{"ipaddress": 1}')), 400, "ipaddress")
        self.assert_refused(self.put_encoded(gzip.compress(b"")), 400)

    def test_other_encodings_are_415(self):
        for encoding in ("br", "deflate", "zstd", "gzip, gzip", "gzip,br", "x"):
            with self.subTest(encoding):
                self.assert_refused(self.put_encoded(gzip.compress(self.body_of("10.9.1.4")), encoding), 415)
        self.assertEqual(self.json_of("get-all/10.9.1.4"), {})


class ClockTest(ServerTest):
    def test_server_tells_its_time_to_the_millisecond_and_its_date(self):
        begun = time.time()
        answer = self.vigie.save("10.9.2.1", sample("a", "mem", 1, begun + 61.5))
        body = self.assert_refused(answer, 409, "data[0].timestamp")
        self.assertLessEqual(int(begun * 1000), round(body["server_time"] * 1000))
        self.assertLessEqual(body["server_time"], time.time())
        self.assertRegex(answer.body.decode(), r'"server_time": \d+(\.\d{1,3})?[,}]')
        for path in ("health", "get-all", "nothing"):
            date = email.utils.parsedate_to_datetime(self.vigie.get(path).headers["Date"]).timestamp()
            self.assertLess(abs(date - time.time()), 3)


class AlertTokenTest(unittest.TestCase):
    """The alert service with the server's doors closed."""

    CONFIG = ("[server]\ninterval = 1s\nwrite_tokens = write.tokens\nread_tokens = read.tokens\n"
              "[collector]\ninterval = 1s\n[alert]\ninterval = 1s\nphase = 500ms\ntoken_file = alert.tokens\n")

    def test_alert_service_shows_its_token_and_takes_a_new_one(self):
        vigie = Vigie(config=self.CONFIG)
        self.addCleanup(vigie.stop)

        def write_all(token):
            for kind in ("write", "read"):
                write_tokens(vigie, kind, [token, "test"])
            (vigie.folder / "alert.tokens").write_text(token + "\n")
            (vigie.folder / "alert.tokens").chmod(0o600)

        def reports():
            """How often the alert service has reported, and whether it was refused."""
            metrics = vigie.get("metrics", headers=bearer("test")).body.decode()
            return [float(found.group(1)) if (found := re.search(
                rf'^vigie_requests_total{{route="{route}",status="{status}"}} (\S+)$', metrics, re.M)) else 0
                for route, status in (("save-alarms", 200), ("latest", 401))]

        write_all("alert-1")
        vigie.start()
        wait_until(lambda: reports()[0] > 0, 15, lambda: f"the alert service reports: {vigie.logs()}")
        self.assertEqual(reports()[1], 0)

        write_all("alert-2")
        os.kill(vigie.pid_of("vigie-fcgi"), signal.SIGHUP)
        wait_until(lambda: reports()[1] > 0, 10, "the old token is refused")
        log = vigie.state / "vigie-alert.log"
        wait_until(lambda: "401 (the token is not known; this needs a read token)" in log.read_text(), 5, "that is logged")
        refused = reports()[0]
        os.kill(vigie.pid_of("vigie-alert"), signal.SIGHUP)
        wait_until(lambda: reports()[0] > refused, 10, "the alert service reports with its new token")


if __name__ == "__main__":
    unittest.main()
