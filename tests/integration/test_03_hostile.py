"""What strangers send: broken bodies, hostile names and slow clients harm nobody else."""

import pathlib
import select
import socket
import subprocess
import sys
import time
import unittest

from vigie import PREFIX, ServerTest, Vigie, sample, wait_until

HOSTILE_NAMES = ["a) R 1 (", " ", "  spaces  ", 'quo"te', "back\\slash", "trailing\\", "a,b=c d", "%41%", "${x}",
                 "'; DROP TABLE samples; --", "</script>", "null", "\u00e9\u4e2d\U0001f600", "-", ".", "\\u0041",
                 "x" * 255, "\u4e2d" * 85]


class BodyTest(ServerTest):
    def assert_unstored(self, body, field=None):
        answer = self.vigie.put("save-all", body)
        refused = self.assert_refused(answer, 400)
        if field:
            self.assertEqual(refused.get("field"), field)
        self.assertEqual(self.json_of("get-all/10.4.0.1"), {})

    def test_bodies_that_are_no_json(self):
        at = time.time()
        whole = (f'{{"ipaddress": "10.4.0.1", "data": [{{"timestamp": {at}, "value": 1, "process_name": "a", '
                 f'"type_data": "cpu"}}]}}').encode()
        for length in range(0, len(whole), 7):
            self.assert_unstored(whole[:length])
        for body in (b"", b"\0", b"\xff\xfe", whole + b"x", whole + b"\0", whole.replace(b'"a"', b'"\xff\xfe"'),
                     whole.replace(b'"a"', b'"\xed\xa0\x80"'), whole.replace(b'"a"', b'"\xe4\xb8"'),
                     whole.replace(b'"a"', b'"a\0b"'), whole.replace(b"1,", b"01x,"), b"{" * 100000, b"[" * 100000,
                     b'{"ipaddress":' * 20000, b'{"ipaddress": "10.4.0.1", "data": ' + b"[" * 200000, whole.replace(b"1,", b"[[1]],")):
            with self.subTest(body[:60]):
                self.assert_unstored(body)
        self.assertEqual(self.vigie.put("save-all", whole).status, 200)  # the one that the others were made of
        self.assertEqual(self.json_of("get-all/10.4.0.1"), {"a": [None, 1]})

    def test_values_that_are_no_numbers(self):
        at = time.time()
        template = ('{"ipaddress": "10.4.0.2", "data": [{"timestamp": TIME, "value": VALUE, "process_name": "a", '
                    '"type_data": "cpu"}]}')
        for value in ("NaN", "nan", "Infinity", "-Infinity", "-1", "-0.0001", "1e999", '"5"', "[]", "{}", "null",
                      "true", "0x10", "+1", "1,2"):
            with self.subTest(value=value):
                body = template.replace("VALUE", value).replace("TIME", str(at))
                self.assert_refused(self.vigie.put("save-all", body.encode()), 400)
        for stamp in ("NaN", "-1", "0", "1e999", '"now"', "null", "[]"):
            with self.subTest(timestamp=stamp):
                body = template.replace("VALUE", "1").replace("TIME", stamp)
                self.assert_refused(self.vigie.put("save-all", body.encode()), 400)
        for stamp in ("1e15", "1e300"):
            with self.subTest(timestamp=stamp):
                answer = self.vigie.put("save-all", template.replace("VALUE", "1").replace("TIME", stamp).encode())
                self.assertIn(answer.status, (400, 409))
        self.assertEqual(self.json_of("get-all/10.4.0.2?window=2d"), {})

    def test_hostile_names_come_back_as_they_were(self):
        self.save("10.4.0.3", *(sample(name, "cpu", number) for number, name in enumerate(HOSTILE_NAMES)))
        expected = {name: [None, number] for number, name in enumerate(HOSTILE_NAMES)}
        self.assertEqual(self.json_of("get-all/10.4.0.3"), expected)
        self.assertEqual(set(self.json_of("get-all-detailed?ip=10.4.0.3&resource=cpu")), set(HOSTILE_NAMES))
        self.assertEqual(set(self.json_of("latest?ip=10.4.0.3")["10.4.0.3"]), set(HOSTILE_NAMES))

    def test_control_characters_and_empty_names_become_question_marks(self):
        for name, stored in (("new\nline", "new?line"), ("\x1b[31mred", "?[31mred"), ("", "?"), ("\x7f", "?"),
                             ("a\u0000b", "a?b"), ("\u0085", "?")):
            with self.subTest(name):
                self.save("10.4.0.4", sample(name, "mem", 1))
                self.assertIn(stored, self.json_of("get-all/10.4.0.4"))

    def test_paths_that_climb_are_no_addresses(self):
        for path, statuses in (("get-all/..%2f", (404,)), ("get-all/%2e%2e/%2e%2e/etc/passwd", (404,)),
                               ("get-all/..%2f..%2f..%2fetc/passwd", (400,)), ("../../etc/passwd", (400,)),
                               ("get-all/%00", (400,)), ("get-all/%ff", (400,)), ("get-all/a%22b%0a", (400,)),
                               ("get-all/" + "1" * 5000, (400,))):
            with self.subTest(path):
                answer = self.vigie.get(path)
                self.assertIn(answer.status, statuses, answer)
                self.assertNotIn(b"root:", answer.body)

    def test_hostile_queries_are_refused(self):
        for query in ("process=%", "process=%zz", "process=%00", "window=%0a5m", "=", "%22=1", "ip=" + "1" * 3000,
                      "&".join(["x=1"] * 1000)):
            with self.subTest(query[:40]):
                self.assert_refused(self.vigie.get(f"get-all?{query}"), 400)

    def test_server_is_well_after_all_of_it(self):
        self.assertEqual(self.json_of("health")["status"], "ok")
        self.assertNotIn("ended", self.vigie.printed())


class LimitTest(ServerTest):
    config = "[server]\nmax_body = 1MiB\n"

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.vigie.port), timeout=30)
        self.addCleanup(connection.close)
        return connection

    def test_oversized_bodies_are_cut_off(self):
        self.assert_refused(self.vigie.put("save-all", b" " * 5000000), 413)
        # A length that is only announced costs nothing, and chunks are counted as they come.
        connection = self.connect()
        connection.sendall(f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n".encode())
        self.assertIn(b" 413 ", connection.recv(100))
        connection = self.connect()
        connection.sendall(f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        self.assert_cut_off(connection, b"10000\r\n" + b" " * 65536 + b"\r\n", b" 413 ")

    def assert_cut_off(self, connection, piece, status):
        """Sends the piece again and again, up to 10 MB that never end: the answer comes before nginx's patience ends."""
        begun = time.monotonic()
        answer = status
        try:
            for _ in range(10000000 // len(piece)):
                if select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(piece)
            answer = connection.recv(200)
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed while more was on its way
        self.assertIn(status, answer)
        self.assertLess(time.monotonic() - begun, 8)

    def test_header_of_ten_megabytes_is_cut_off(self):
        connection = self.connect()
        connection.sendall(f"GET {PREFIX}health HTTP/1.1\r\nHost: localhost\r\n".encode())
        self.assert_cut_off(connection, b"X-Large: " + b"x" * 4000 + b"\r\n", b" 431")
        self.assertEqual(self.vigie.get("health").status, 200)

    def test_thousand_slow_clients_are_bounded_and_others_are_answered(self):
        beginnings = [b"P", f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".encode(),
                      f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{{".encode()]
        slow = []
        for number in range(1000):
            connection = self.connect()
            connection.sendall(beginnings[number % 3])
            slow.append(connection)
        slowest = 0
        for number in range(50):
            begun = time.monotonic()
            self.save("10.5.0.1", sample("a", "mem", number))
            self.assertEqual(self.vigie.get("get-all/10.5.0.1").status, 200)
            slowest = max(slowest, time.monotonic() - begun)
        self.assertLess(slowest, 2)

        # nginx closes them all though they never finish.
        deadline = time.monotonic() + 20
        waiting = {connection.fileno(): connection for connection in slow}
        poll = select.poll()
        for number in waiting:
            poll.register(number, select.POLLIN)
        while waiting and time.monotonic() < deadline:
            for number, _ in poll.poll(500):
                try:
                    data = waiting[number].recv(1000)
                except ConnectionResetError:
                    data = b""
                if not data:
                    poll.unregister(number)
                    del waiting[number]
        self.assertEqual(len(waiting), 0)

    def test_slow_readers_of_large_answers_hold_no_thread(self):
        samples = [sample(f"process-{number:05}-{'x' * 200}", "mem", 1) for number in range(3000)]
        self.save("10.5.0.2", *samples)
        size = len(self.vigie.get("get-all/10.5.0.2").body)
        self.assertGreater(size, 600000)
        readers = []
        for _ in range(30):
            connection = socket.socket()
            self.addCleanup(connection.close)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(30)
            connection.connect(("127.0.0.1", self.vigie.port))
            connection.sendall(f"GET {PREFIX}get-all/10.5.0.2 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            readers.append(connection)
        time.sleep(0.5)
        begun = time.monotonic()
        for _ in range(20):
            self.assertEqual(self.vigie.get("health").status, 200)
        self.assertLess(time.monotonic() - begun, 3)
        self.assertIn(b" 200 ", readers[-1].recv(20))


class ProcessNameTest(unittest.TestCase):
    """Real processes with hostile names, through the real collector."""

    NAMES = [b"a) R 1 (", b"new\nline", b'q"u\\o', b"a,=b \\", b"\xff\xfe", b"caf\xc3\xa9 \xe4\xb8\xad\xe4\xb8\xad",
             b"\xe4\xb8\xad" * 5, b"cut-at-15-by\xe4\xb8\xad"[:15], b"cut-in-two-\xe4\xb8\xad\xe4"[:15], b"\x1b[31m"]
    SHOWN = ["a) R 1 (", "new?line", 'q"u\\o', "a,=b \\", "??", "caf\u00e9 \u4e2d\u4e2d", "\u4e2d" * 5,
             "cut-at-15-by\u4e2d", "cut-in-two-\u4e2d?", "?[31m"]

    def test_names_come_back_as_valid_json(self):
        rename = ("import sys, time; open('/proc/self/comm', 'wb').write(bytes.fromhex(sys.argv[1])); "
                  "print(flush=True); time.sleep(100)")
        for name in self.NAMES:
            process = subprocess.Popen([sys.executable, "-c", rename, name.hex()], stdout=subprocess.PIPE)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            process.stdout.readline()
            self.assertEqual(pathlib.Path(f"/proc/{process.pid}/comm").read_bytes()[:-1], name)
        with Vigie(config="[server]\ninterval = 1s\n[collector]\ninterval = 1s\n") as vigie:
            def missing():
                shown = vigie.get("get-all").json()
                return [name for name in self.SHOWN if name not in shown]
            try:
                wait_until(lambda: not missing(), 15, "all names are shown")
            except AssertionError:
                self.fail(f"missing: {missing()}; shown: {list(vigie.get('get-all').json())}")
            for name, values in vigie.get("get-all").json().items():
                self.assertIsNotNone(values[1])
                for value in values:
                    # What has ended between two ticks had no memory at one.
                    self.assertTrue(value is None or value >= 0, (name, values))


if __name__ == "__main__":
    unittest.main()
