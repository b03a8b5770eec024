"""What requests may hold in memory, whatever is sent and however much is asked for at once."""

import concurrent.futures
import gzip
import json
import pathlib
import re
import subprocess
import threading
import time
import unittest

from vigie import PREFIX, ServerTest, is_sanitized, sample, wait_until

MIB = 1 << 20


def status_of(ask):
    """The status of what ask() is answered with, or what went wrong."""
    try:
        return ask().status
    except OSError as error:
        return repr(error)


class MemoryTest(ServerTest):
    """Tests that read the memory of vigie-fcgi, in MiB. Under a sanitizer, which keeps what was freed, it is not judged."""

    def status(self, name):
        text = pathlib.Path(f"/proc/{self.vigie.pid_of('vigie-fcgi')}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.M).group(1)) / 1024

    def assert_peak_below(self, mib):
        if not is_sanitized():
            self.assertLess(self.status("VmHWM"), mib)

    def assert_given_back(self, mib):
        """Soon after the last answer, no more than this is kept; and all that was counted is free again."""
        wait_until(lambda: self.metric("vigie_memory_held_bytes") == 0, 20, "nothing is held")
        if not is_sanitized():
            wait_until(lambda: self.status("RssAnon") < mib, 20, lambda: f"{self.status('RssAnon')} of {mib} MiB are kept")

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.vigie.get("metrics").body.decode(), re.M).group(1))

    def answers_beside(self, load):
        """(PUTs, health) statuses of clients that ask all the while that load() runs; its result."""
        ended = threading.Event()
        puts, healths = [], []

        def put():
            while not ended.is_set():
                number = len(puts)
                samples = [sample(f"beside-{i}", "mem", 1) for i in range(1 if number % 4 else 3000)]
                body = {"ipaddress": f"10.16.9.{number % 200 + 1}", "data": samples}
                puts.append(status_of(lambda: self.vigie.put("save-all", body, timeout=60)))

        def ask():
            while not ended.wait(0.05):
                healths.append(status_of(lambda: self.vigie.get("health", timeout=60)))
        clients = [threading.Thread(target=put), threading.Thread(target=ask)]
        for client in clients:
            client.start()
        try:
            result = load()
        finally:
            ended.set()
            for client in clients:
                client.join()
        return puts, healths, result


class HostileBodyTest(MemoryTest):
    CLIENTS, TIMES = 48, 4

    def throw(self, body, headers):
        """Puts it from all clients, again and again; the answers."""
        def put(_):
            return self.vigie.put("save-all", body, headers=headers, timeout=60)
        with concurrent.futures.ThreadPoolExecutor(self.CLIENTS) as pool:
            return list(pool.map(put, range(self.CLIENTS * self.TIMES)))

    def test_small_bodies_that_are_huge_trees_are_refused_within_the_budget(self):
        zeros = b"0," * (2 * MIB)
        bodies = {
            "data[0]": b'{"data":[' + zeros[:4 * MIB - 12] + b"0]}",
            "data[0] in it": b'{"data":[[' + zeros[:4 * MIB - 14] + b"0]]}",
            "unknown": b'{"x":[' + zeros[:4 * MIB - 10] + b"0]}",
            "collector": b'{"collector":{"x":[' + zeros[:4 * MIB - 24] + b"0]}}",
        }
        for name, body in bodies.items():
            with self.subTest(name):
                self.assertLessEqual(len(body), 4 * MIB)
                compressed = gzip.compress(body, 9)
                self.assertLess(len(compressed), 5000)
                _, healths, answers = self.answers_beside(lambda: self.throw(compressed, {"Content-Encoding": "gzip"}))
                self.assertEqual({answer.status for answer in answers} - {503}, {400}, name)
                for answer in answers:
                    if answer.status == 503:
                        self.assertGreater(int(answer.headers["Retry-After"]), 0)
                    elif name == "data[0]":
                        self.assert_refused(answer, 400, "data[0]")
                self.assertEqual(set(healths), {200})
                self.assert_peak_below(256)
                self.assert_given_back(64)

    def test_large_good_bodies_are_stored_or_told_to_come_back(self):
        """What is refused for want of room comes again, and is stored then."""
        at = time.time()
        samples = [sample(f"process-{number}", "mem", number % 100, at) for number in range(35000)]
        body = json.dumps({"ipaddress": "10.16.1.1", "data": samples}).encode()
        self.assertLess(len(body), 4 * MIB)
        answers = self.throw(body, {})
        self.assertEqual({answer.status for answer in answers} - {503}, {200})
        self.assert_peak_below(256 + 64)  # its store has the names
        self.assert_given_back(128)


class LargeAnswerTest(MemoryTest):
    HOSTS, PROCESSES, TICKS, BLOCKS = 10, 100, 2000, 10  # four million samples
    CLIENTS = 64
    PATH = "get-all-detailed?window=2d&by=host&timestamps=1"

    def load(self):
        newest = int(time.time()) // 10 * 10
        for block in range(self.BLOCKS):
            ticks = self.TICKS // self.BLOCKS
            data = json.dumps([
                {"timestamp": newest - 10 * (block * ticks + tick), "value": (process * 7 + tick) % 3000 / 1000,
                 "process_name": f"process-{process:03}", "type_data": resource}
                for tick in range(ticks) for process in range(self.PROCESSES) for resource in ("mem", "cpu")],
                separators=(",", ":"))
            for host in range(self.HOSTS):
                body = f'{{"ipaddress":"10.16.2.{host}","data":{data}}}'.encode()
                self.assertLess(len(body), 4 * MIB)
                self.assertEqual(self.vigie.put("save-all", body).status, 200)

    def read(self, paths):
        """Asks for all of the paths at once; the status of each, and its bytes."""
        url = f"http://127.0.0.1:{self.vigie.port}{PREFIX}"
        clients = [subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-m", "120", "-w", "%{http_code} %{size_download} %header{retry-after}", url + path],
                                    stdout=subprocess.PIPE, text=True) for path in paths]
        try:
            return [(client.communicate(timeout=130)[0].split() + [""])[:3] for client in clients]
        finally:
            for client in clients:
                if client.poll() is None:
                    client.kill()
                    client.wait()

    def test_many_large_answers_are_within_the_budget_and_no_put_is_refused(self):
        self.load()
        size = self.read([self.PATH])[0]
        self.assertEqual(size[0], "200")
        self.assertGreater(int(size[1]), 40e6)
        for name, paths in (("the same", [self.PATH] * self.CLIENTS),
                            ("each its own", [f"{self.PATH}&ip=10.16.2.{i % self.HOSTS}&above=0.{i:02}" if i % 4 else f"{self.PATH}&above=0.{i:02}"
                                              for i in range(self.CLIENTS)])):
            with self.subTest(name):
                puts, healths, answers = self.answers_beside(lambda paths=paths: self.read(paths))
                statuses = [status for status, *_ in answers]
                self.assertEqual(set(statuses) - {"503"}, {"200"}, answers)
                for status, _, retry_after in answers:
                    self.assertEqual(bool(retry_after), status == "503")
                self.assertGreater(len(puts), 3)
                self.assertEqual(set(puts), {200})
                self.assertEqual(set(healths), {200})
                self.assert_peak_below(512)
                self.assert_given_back(96)
        self.assertEqual(self.read([self.PATH])[0][0], "200")


if __name__ == "__main__":
    unittest.main()
