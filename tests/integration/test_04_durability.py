"""What was answered with 200 is on the disk, whatever happens to the program then."""

import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from vigie import BUILD, PREFIX, Vigie, sample, wait_until

SYNC_CALL = re.compile(r"^(\d+) +(?:fdatasync|fsync)\(\d+<[^>]*vigie\.db-wal>(?:\) += (\S+)| <unfinished \.\.\.>)")
SYNC_RETURN = re.compile(r"^(\d+) +<\.\.\. (?:fdatasync|fsync) resumed>\) += (\S+)")


def log_was_synced(trace):
    """Whether a sync of the write-ahead log has returned, well, within these lines of strace."""
    under_way = set()
    for line in trace:
        call, back = SYNC_CALL.match(line), SYNC_RETURN.match(line)
        if call and call[2] is None:
            under_way.add(call[1])
        elif (call and call[2] == "0") or (back and back[2] == "0" and back[1] in under_way):
            return True
    return False


def traced_build(folder, *options):
    """A folder of programs in which vigie-fcgi runs under strace, which writes to `folder`/trace."""
    build = pathlib.Path(folder) / "build"
    build.mkdir()
    for name in ("vigie-collector", "vigie-alert", "vigie-forecast"):
        os.symlink(BUILD / name, build / name)
    script = build / "vigie-fcgi"
    # -D: the program keeps its process number, and strace is the one beside it. The leak checker cannot be traced.
    script.write_text(f'''#!/bin/bash
case "$*" in
*-config) exec {BUILD}/vigie-fcgi "$@" ;;
esac
export ASAN_OPTIONS=detect_leaks=0
exec strace -D -f -y -s 400 -o {folder}/trace {" ".join(options)} {BUILD}/vigie-fcgi "$@"
''')
    script.chmod(0o755)
    return build


class SyncTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vigie-trace-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_answer_is_written_after_the_sync(self):
        build = traced_build(self.folder, "-e", "trace=fdatasync,fsync,write,writev,sendto,sendmsg")
        with Vigie("--server", build=build) as vigie:
            for number in range(5):
                self.assertEqual(vigie.save("10.6.0.1", sample("a", "mem", number)).status, 200)
            trace = pathlib.Path(self.folder, "trace").read_text().splitlines()
        answers = [number for number, line in enumerate(trace) if '\\"Response\\": \\"Ok\\"' in line]
        self.assertEqual(len(answers), 5, trace)
        before = 0
        for answer in answers:
            self.assertTrue(log_was_synced(trace[before:answer]),
                            f"no sync before an answer: {trace[before:answer + 1]}")
            before = answer + 1

    def test_termination_finishes_the_request_under_way(self):
        build = traced_build(self.folder, "-e", "trace=fdatasync,fsync",
                             "-e", "inject=fdatasync,fsync:delay_enter=500000")
        with Vigie("--server", build=build) as vigie:
            answers = []
            client = threading.Thread(target=lambda: answers.append(vigie.save("10.6.0.2", sample("a", "mem", 7))))
            pid = vigie.pid_of("vigie-fcgi")
            trace = pathlib.Path(self.folder, "trace")
            before = trace.read_text().count("sync(")
            client.start()
            wait_until(lambda: trace.read_text().count("sync(") > before, 10, "the request is being stored")
            os.kill(pid, signal.SIGTERM)
            client.join()
            self.assertEqual(answers[0].status, 200, answers)
            wait_until(lambda: vigie.pid_of("vigie-fcgi") not in (None, pid), 15, "started again")
            wait_until(lambda: vigie.get("health").status == 200, 20, "well again")
            self.assertEqual(vigie.get("get-all/10.6.0.2").json(), {"a": [7, None]})
            self.assertIn("vigie-fcgi ended (status 0", vigie.printed())


class KillTest(unittest.TestCase):
    CLIENTS = 1000
    BATCH = 3

    def begin(self, vigie, number):
        """A connection on which a PUT waits for its last byte."""
        names = ", ".join(f'{{"timestamp": {time.time()}, "value": {number}, "process_name": "p{number}-{item}", '
                          f'"type_data": "mem"}}' for item in range(self.BATCH))
        body = f'{{"ipaddress": "10.7.{number // 250}.{number % 250 + 1}", "data": [{names}]}}'.encode()
        connection = socket.create_connection(("127.0.0.1", vigie.port), timeout=30)
        self.addCleanup(connection.close)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(f"PUT {PREFIX}save-all HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() +
                           body[:-1])
        return connection

    def put_all_and_kill(self, vigie, kill_after):
        """The statuses of all requests, None where none came, when the server is killed after some answers."""
        connections = [self.begin(vigie, number) for number in range(self.CLIENTS)]
        statuses = [None] * self.CLIENTS
        numbers = {connection.fileno(): number for number, connection in enumerate(connections)}
        poll = select.poll()
        for connection in connections:
            poll.register(connection, select.POLLIN)
        pid = vigie.pid_of("vigie-fcgi")
        sender = threading.Thread(target=lambda: [connection.sendall(b"}") for connection in connections])
        sender.start()
        left, answered = self.CLIENTS, 0
        while left and (events := poll.poll(20000)):
            for descriptor, _ in events:
                poll.unregister(descriptor)
                left -= 1
                number = numbers[descriptor]
                try:
                    answer = connections[number].recv(2000)
                except ConnectionResetError:
                    answer = b""
                if answer:
                    statuses[number] = int(answer.split()[1])
                    if statuses[number] == 502:
                        self.assertIn(b"Retry-After: 5", answer)
                        self.assertIn(b'{"Response": "NOk", "error": "', answer)
                answered += 1
                if answered == kill_after:
                    os.kill(pid, signal.SIGKILL)
        sender.join()
        wait_until(lambda: vigie.pid_of("vigie-fcgi") not in (None, pid), 10, "started again")
        wait_until(lambda: vigie.get("health").status == 200, 20, "well again")
        return statuses

    def test_kill_loses_nothing_that_was_answered(self):
        for kill_after in (300, 100, 30):
            with Vigie("--server") as vigie:
                statuses = self.put_all_and_kill(vigie, kill_after)
                stored = vigie.get("get-all?by=host").json()
            kept = {int(name.split("-")[0][1:]): 0 for host in stored.values() for name in host}
            for host in stored.values():
                for name in host:
                    kept[int(name.split("-")[0][1:])] += 1
            answered = {number for number, status in enumerate(statuses) if status == 200}
            self.assertGreaterEqual(len(answered), kill_after // 2)
            self.assertEqual(answered - set(kept), set(), "answered with 200, and lost")
            self.assertEqual({number for number, count in kept.items() if count != self.BATCH}, set(), "half a batch")
            self.assertLessEqual(set(statuses) - {None}, {200, 502, 503})
            if len(answered) < self.CLIENTS:
                return
        self.fail("every request was answered before the kill: nothing is proved")


class TakeoverTest(unittest.TestCase):
    """A listening socket that is nobody's but kept, as a service manager keeps it, and one version after the other on it."""

    CLIENTS = 8

    def start_program(self):
        program = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", BUILD / "vigie-fcgi", "--config", self.vigie.state / "vigie.conf"],
                                   stdin=self.listener, stdout=self.log, stderr=self.log)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        return program

    def take_socket(self):
        """Puts a socket of the test's own in the place of the run's, which is not to start anything again."""
        path = self.vigie.state / "nginx" / "fcgi.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(f"{path}.new")
        self.listener.listen(4096)
        shutil.copymode(path, f"{path}.new")
        shutil.chown(f"{path}.new", group=path.group())
        pid = self.vigie.pid_of("vigie-fcgi")
        os.kill(self.vigie.process.pid, signal.SIGSTOP)
        os.rename(f"{path}.new", path)
        os.kill(pid, signal.SIGTERM)

    def put_until_told(self, number):
        """A host whose samples are sent again until they are taken, as a collector's are."""
        value = 0
        while not self.told.is_set():
            value += 1
            item = sample("a", "mem", value, self.begun + value / 1000)
            while (status := self.vigie.save(f"10.4.0.{number}", item).status) != 200:
                self.refused.append(status)
                time.sleep(0.05)
        self.sent[number] = value

    def test_new_version_takes_over_the_socket_while_a_fleet_writes(self):
        self.vigie = Vigie("--server", config="[server]\ncache = 0\n").start()
        self.addCleanup(self.vigie.remove)
        self.log = open(self.vigie.folder / "programs", "wb")
        self.addCleanup(self.log.close)
        self.begun, self.told, self.sent, self.refused = time.time() - 60, threading.Event(), {}, []
        self.take_socket()
        program = self.start_program()
        clients = [threading.Thread(target=self.put_until_told, args=(number,)) for number in range(1, self.CLIENTS + 1)]
        for client in clients:
            client.start()
        try:
            for _ in range(3):
                time.sleep(0.3)
                newer = self.start_program()
                time.sleep(0.1)
                program.send_signal(signal.SIGTERM)
                self.assertEqual(program.wait(20), 0)
                program = newer
            time.sleep(0.3)
        finally:
            self.told.set()
            for client in clients:
                client.join()
        stored = self.vigie.get("get-all-detailed?by=host").json()
        self.assertEqual({host: len(processes["a"]) for host, processes in stored.items()},
                         {f"10.4.0.{number}": count for number, count in self.sent.items()})
        self.assertEqual(self.refused, [], "a socket that is kept refuses nobody")


if __name__ == "__main__":
    unittest.main()
