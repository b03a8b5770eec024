"""The collector against a server that goes away, refuses, or is somewhere else: nothing is lost, nothing comes twice."""

import gzip
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from vigie import BUILD, PREFIX, ROOT, SANITIZER_WORDS, Vigie, descendants, wait_until

QUICK = "[server]\ninterval = 1s\ncache = 0\n[collector]\ninterval = 1s\n[alert]\ninterval = 1s\nphase = 500ms\n"
OUTAGE_S = 24
NAME = "vigie-collector"
BLOCK = 4096  # what a file of the spool counts as
COUNTERS = re.compile(r"samples sent (\d+), spooled (\d+), replayed (\d+), dropped (\d+), rejected (\d+); "
                      r"ticks missed (\d+), exits lost \d+; (\d+) intervals wait")


class Collector:
    """vigie-collector in a folder of its own, which sends only what collectors use themselves: two samples a tick.
    `around` is the command that it is run by."""

    def __init__(self, url, ip, *options, around=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-collector-"))
        self.log_path = self.folder / "log"
        self.spool = self.folder / "spool"
        settings = (f"url={url}", "interval=1s", f"ip={ip}", f"include={NAME}", *options)
        self.command = [*around, str(BUILD / "vigie-collector")]
        for setting in settings:
            self.command += ["--set", f"collector.{setting}"]
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.command], cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def counters(self):
        """sent, spooled, replayed, dropped, rejected, missed ticks, intervals that wait."""
        before = len(COUNTERS.findall(self.log()))
        self.signal(signal.SIGUSR1)
        found = wait_until(lambda: (lambda all: all if len(all) > before else None)(COUNTERS.findall(self.log())), 5,
                           "the counters are in the log")
        return tuple(int(number) for number in found[-1])

    def batches(self):
        return sorted(self.spool.glob("*.batch"))

    def remove(self):
        if self.process and self.process.poll() is None:
            for pid, name in {**descendants(self.process.pid), self.process.pid: NAME}.items():
                if name == NAME:
                    os.kill(pid, signal.SIGTERM)
            self.process.wait(10)
        words = [word for word in SANITIZER_WORDS if word in self.log()]
        shutil.rmtree(self.folder, ignore_errors=True)
        if words:
            raise AssertionError(f"{words} in the log of a collector")


class CollectorTest(unittest.TestCase):
    def collector(self, url, ip, *options, **more):
        collector = Collector(url, ip, *options, **more)
        self.addCleanup(collector.remove)
        return collector

    def times(self, vigie, ip, name=NAME):
        """When the samples of a host were taken, in whole seconds, oldest first."""
        answer = vigie.get(f"get-all-detailed/?timestamps=1&by=host&ip={ip}&resource=cpu")
        self.assertEqual(answer.status, 200, answer)
        found = [at for host in answer.json().values() for process, points in host.items()
                 if process == name for at, _ in points]
        self.assertEqual([at for at in found if at != int(at)], [], "a time beside the boundary")
        return [int(at) for at in found]

    def assert_no_hole(self, times, missed=0, begun=None):
        """A sample each second, none twice, but for ticks that the machine had no time for, which are counted."""
        self.assertEqual(len(times), len(set(times)), f"a sample twice: {times}")
        holes = set(range(begun or times[0], times[-1] + 1)) - set(times)
        self.assertLessEqual(len(holes), missed, f"not there: {sorted(holes)}")


def kill_server(vigie):
    """SIGKILL for all of the server; deploy/run has no time to end it well or start it again."""
    vigie.programs()
    os.kill(vigie.process.pid, signal.SIGSTOP)
    for pid in descendants(vigie.process.pid):
        os.kill(pid, signal.SIGKILL)
    vigie.process.kill()
    vigie.process.wait()
    wait_until(lambda: not vigie.left_behind(), 5, "the server is dead")


def settled(collector):
    """Its counters, once nothing waits."""
    counters = collector.counters()
    return counters if counters[6] == 0 else None


class OutageTest(CollectorTest):
    def start_server(self, vigie):
        vigie.spawn()
        wait_until(lambda: answers(vigie), 20, lambda: f"the server answers: {vigie.printed()}")

    def test_server_that_is_killed_and_comes_back_has_everything(self):
        vigie = Vigie("--server", config=QUICK)
        self.addCleanup(vigie.remove)
        self.start_server(vigie)
        url = f"http://127.0.0.1:{vigie.port}{PREFIX}"
        patient = self.collector(url, "10.8.0.1").start()
        killed = self.collector(url, "10.8.0.2").start()
        small = self.collector(url, "10.8.0.3", "spool_bytes=64KiB").start()
        without = self.collector(url, "10.8.0.4", "spool=/proc/self/spool", "buffer=8").start()
        collectors = (patient, killed, small, without)
        wait_until(lambda: all(len(self.times(vigie, f"10.8.0.{i}")) >= 2 for i in range(1, 5)), 15, "all of them send")
        # A busy machine may have made them wait before.
        before = {collector: wait_until(lambda collector=collector: settled(collector), 15, collector.log)
                  for collector in (small, without)}

        kill_server(vigie)
        begun = time.monotonic()
        self.check_server_that_is_started_again()
        time.sleep(max(0, begun + OUTAGE_S / 2 - time.monotonic()))
        self.assertGreater(len(killed.batches()), 5)
        killed.kill()
        (killed.spool / "new.tmp").write_bytes(b"half of a batch")
        killed.start()
        time.sleep(max(0, begun + OUTAGE_S - time.monotonic()))

        self.check_spools(patient, small, without)
        self.start_server(vigie)
        for collector in collectors:
            collector.signal(signal.SIGHUP)  # an admin who is in a hurry: the backoff is up to a minute
        self.check_fresh_comes_first(vigie, "10.8.0.1")
        wait_until(lambda: all(collector.counters()[6] == 0 for collector in collectors), 25, "all of it is replayed")
        time.sleep(1.2)
        self.check_what_arrived(vigie, patient, killed, small, without, before)
        for collector in collectors:
            collector.signal(signal.SIGTERM)
            self.assertEqual(collector.process.wait(10), 0)
        vigie.stop()

    def check_spools(self, patient, small, without):
        self.assertGreaterEqual(len(patient.batches()), OUTAGE_S - 5)
        self.assertLessEqual(sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in small.batches()), 64 * 1024)
        self.assertEqual(len(small.batches()), 16)
        self.assertEqual(without.log().count("/proc/self/spool: "), 1, without.log())
        for collector in (patient, small, without):
            # A few attempts, and one line about them.
            outage = collector.log().rpartition(" answers again; ")[2]
            self.assertEqual(outage.count("; the samples wait "), 1, collector.log())
            status = pathlib.Path(f"/proc/{collector.process.pid}/status").read_text()
            anonymous_kib = int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])
            if not any(word in os.environ.get("BUILD", "") for word in ("asan", "tsan")):
                self.assertLess(anonymous_kib, 4096)

    def check_fresh_comes_first(self, vigie, ip):
        now = int(time.time()) - 1
        times = wait_until(lambda: (lambda times: times if times and times[-1] >= now else None)(self.times(vigie, ip)),
                           10, "a fresh sample arrives")
        self.assertLess(len(times), times[-1] - times[0] + 1 - OUTAGE_S / 2, "the backlog came first")

    def check_what_arrived(self, vigie, patient, killed, small, without, before):
        sent, spooled, replayed, dropped, rejected, missed, _ = patient.counters()
        times = self.times(vigie, "10.8.0.1")
        self.assert_no_hole(times, missed)
        self.assertGreater(times[-1] - times[0], OUTAGE_S)
        self.assertEqual((dropped, rejected), (0, 0))
        self.assertEqual(spooled, replayed)
        self.assertGreaterEqual(replayed, 2 * (OUTAGE_S - 5))
        self.assertLessEqual(abs(sent - 2 * len(times)), 4)  # one may be on its way

        # Its second life begins up to 3 s after the end of the first.
        sent, spooled, replayed, dropped, rejected, missed, _ = killed.counters()
        self.assertGreater(replayed, spooled)
        self.assertEqual((dropped, rejected), (0, 0))
        self.assert_no_hole(self.times(vigie, "10.8.0.2"), missed + 4)
        self.assertEqual(killed.batches(), [])
        self.assertIn("intervals wait in the spool", killed.log())

        # The cap is 16 ticks: what is not there was dropped and counted, and is the oldest of the outage.
        for collector, ip, kept in ((small, "10.8.0.3", 16), (without, "10.8.0.4", 8)):
            with self.subTest(ip):
                sent, spooled, replayed, dropped, rejected, missed, _ = collector.counters()
                spooled, replayed = spooled - before[collector][1], replayed - before[collector][2]
                times = self.times(vigie, ip)
                holes = set(range(times[0], times[-1] + 1)) - set(times)
                self.assertGreater(dropped, 0)
                self.assertEqual(dropped, spooled - 2 * kept)
                self.assertEqual(replayed, 2 * kept)
                self.assertIn(len(holes), range(dropped // 2, dropped // 2 + missed + 1))
                self.assertEqual(collector.log().count(": the oldest samples are dropped from now on"), 1)

    def check_server_that_is_started_again(self):
        """vigie-fcgi alone is killed, and deploy/run starts it again: nginx answers meanwhile."""
        with Vigie(config=QUICK) as vigie:
            wait_until(lambda: len(self.times(vigie, "127.0.0.1")) >= 2, 15, "its collector sends")
            pid = vigie.pid_of("vigie-fcgi")
            os.kill(pid, signal.SIGKILL)
            killed = int(time.time())
            wait_until(lambda: answers(vigie), 10, "deploy/run has started it again")
            # Retry-After is 5 s, and the backoff up to a second more.
            times = wait_until(lambda: (lambda times: times if times and times[-1] >= killed + 2 and
                                        len(times) == times[-1] - times[0] + 1 else None)(
                                            self.times(vigie, "127.0.0.1")), 20,
                               lambda: f"no hole: {self.times(vigie, '127.0.0.1')} {vigie.logs()}")
            self.assertLess(times[0], killed)
            self.assertEqual(list(vigie.state.glob("spool/*.batch")), [])


def answers(vigie):
    try:
        return vigie.get("health").status == 200
    except OSError:
        return False


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers "Ok" and keeps what it is asked, in its server's `requests`."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        self.reply(200, b'{"Response": "Ok"}')

    do_GET = do_PUT = answer

    def reply(self, status, answer, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class ChangingServer(Recorder):
    """Stands before a server, and plays it as it was before it knew ticks while `old` of its own server says so. Keeps the
    forms of the bodies, and how they were answered, in its server's `puts`."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        headers = {name: value for name, value in self.headers.items() if name == "Content-Encoding"}
        form, old = None, self.server.old
        if body:
            members = json.loads(gzip.decompress(body) if headers else body)
            form = "processes" if "processes" in members else "data"
        if old and form == "processes":
            status, answer, offer = 400, b'{"Response": "NOk", "error": "data is not an array", "field": "data"}', None
        else:
            given = self.server.vigie.request(self.command, self.path, body, headers)
            status, answer, offer = given.status, given.body, given.headers["Vigie-Accept"]
        if form:
            self.server.puts.append((form, status))
        self.reply(status, answer, **({"Vigie_Accept": offer} if offer and not old else {}))

    do_GET = do_PUT = answer


class FormTest(CollectorTest):
    """Ticks are sent to a server that takes them, and items of `data` to one that does not."""

    def test_server_that_is_upgraded_and_downgraded_has_everything(self):
        with Vigie("--server", config=QUICK) as vigie:
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ChangingServer)
            server.vigie, server.old, server.puts, server.connections = vigie, True, [], 0
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
            collector = self.collector(f"http://127.0.0.1:{server.server_port}{PREFIX}", "10.8.4.1", "gzip=yes").start()

            def wait_for(*puts):
                wait_until(lambda: tuple(server.puts[-len(puts):]) == puts, 15, lambda: f"{server.puts} {collector.log()}")

            old, new, refused = ("data", 200), ("processes", 200), ("processes", 400)
            wait_for(old, old)
            for _ in range(2):
                server.old = False
                wait_for(new, new)
                server.old = True
                # It is sent plain, too: the server might have disliked that.
                wait_for(new, refused, refused, old, old)
            self.assertEqual(collector.batches(), [])
            sent, spooled, _, dropped, rejected, missed, waiting = collector.counters()
            self.assertEqual((spooled, dropped, rejected, waiting), (0, 0, 0, 0), collector.log())
            times = self.times(vigie, "10.8.4.1")
            self.assert_no_hole(times, missed)
            self.assertGreaterEqual(len(times), 10)
            self.assertIn(sent - 2 * len(times), (-2, 0, 2))  # one may be on its way


class RemoteTest(CollectorTest):
    """What goes over a network: TLS, compressed bodies, a token, one connection."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-tls-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=vigie.test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        self.folder / "key.pem", "-out", self.folder / "ca.pem"], check=True, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "ca.pem", self.folder / "key.pem")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
        self.server.requests, self.server.connections = [], 0
        self.server.handle_error = lambda *_: None  # of clients that do not trust it
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"https://127.0.0.1:{self.server.server_port}{PREFIX}"
        (self.folder / "token").write_text("a secret\n")
        (self.folder / "token").chmod(0o600)

    def test_trusted_server_gets_compressed_bodies_and_the_token_on_one_connection(self):
        trusting = self.collector(self.url, "10.8.1.1", f"ca_file={self.folder}/ca.pem", "gzip=yes",
                                  f"token_file={self.folder}/token").start()
        puts = wait_until(lambda: (lambda puts: puts if len(puts) >= 3 else None)(
            [request for request in list(self.server.requests) if request[0] == "PUT"]), 15, trusting.log)
        self.assertEqual(self.server.connections, 1)
        for _, path, headers, body in puts:
            self.assertEqual(path, PREFIX + "save-all")
            self.assertEqual(headers["Authorization"], "Bearer a secret")
            self.assertEqual(headers["Content-Encoding"], "gzip")
            self.assertEqual(json.loads(gzip.decompress(body))["ipaddress"], "10.8.1.1")
        report = json.loads(gzip.decompress(puts[-1][3]))["collector"]
        self.assertEqual(report["clock_offset_s"], 0)
        self.assertEqual(set(report["counters"]), {"sent", "spooled", "replayed", "dropped", "rejected", "missed_ticks", "lost_exits"})
        self.assertNotIn("secret", trusting.log())

    def test_stranger_is_sent_nothing(self):
        # Until the next interval it waits for an answer: a busy machine needs more than a second for it.
        wary = self.collector(self.url, "10.8.1.2", f"token_file={self.folder}/token", "interval=3s").start()
        wait_until(lambda: "certificate" in wary.log(), 30, wary.log)
        wait_until(lambda: len(wary.batches()) >= 2, 30, "the samples wait")
        self.assertEqual(self.server.requests, [])


class SmallBodyTest(unittest.TestCase):
    def test_bodies_over_the_limit_of_nginx_are_sent_in_pieces(self):
        names = [f"piece-{number}" for number in range(30)]
        folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-test-"))
        self.addCleanup(shutil.rmtree, folder)
        for name in names:
            shutil.copy("/bin/sleep", folder / name)
            process = subprocess.Popen([folder / name, "60"])
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
        with Vigie("--server", config=QUICK.replace("[server]\n", "[server]\nmax_body = 2KiB\n")) as vigie:
            collector = Collector(f"http://127.0.0.1:{vigie.port}{PREFIX}", "10.8.3.1", "include=piece-*")
            self.addCleanup(collector.remove)
            collector.start()
            wait_until(lambda: set(names) <= set(vigie.get("latest").json().get("10.8.3.1", {})), 20, collector.log)
            self.assertIn("413", collector.log())
            counters = wait_until(lambda: vigie.get("hosts").json()["10.8.3.1"]["counters"], 5, "it reports")
            self.assertEqual((counters["rejected"], counters["dropped"]), (0, 0))


# What collector/sampler.c uses of libproc2/pids.h as it is from 4.0.5 on: PIDS_VAL() takes an argument less.
NEWER_LIBPROC2 = """
enum pids_item { PIDS_CMD, PIDS_FLAGS, PIDS_ID_PID, PIDS_ID_PPID, PIDS_NLWP, PIDS_RSS, PIDS_STATE, PIDS_TICS_ALL,
                 PIDS_TICS_ALL_C, PIDS_TICS_BEGAN, PIDS_VSIZE_BYTES };
enum pids_fetch_type { PIDS_FETCH_TASKS_ONLY };
struct pids_result {
	enum pids_item item;
	union { signed char s_ch; signed int s_int; unsigned long ul_int; unsigned long long ull_int; char *str; } result;
};
struct pids_stack { struct pids_result *head; };
struct pids_counts { int total; };
struct pids_fetch { struct pids_counts *counts; struct pids_stack **stacks; };
struct pids_info;
#define PIDS_VAL(relative_enum, type, stack) stack->head[relative_enum].result.type
int procps_pids_new(struct pids_info **info, enum pids_item *items, int numitems);
int procps_pids_unref(struct pids_info **info);
struct pids_fetch *procps_pids_reap(struct pids_info *info, enum pids_fetch_type which);
"""


class LibraryTest(unittest.TestCase):
    def test_it_compiles_with_a_newer_libproc2(self):
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder, "libproc2", "pids.h")
            header.parent.mkdir()
            header.write_text(NEWER_LIBPROC2)
            run = subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                                  f"-I{folder}", f"-I{ROOT}", ROOT / "collector" / "sampler.c"], stderr=subprocess.PIPE,
                                 text=True)
            self.assertEqual((run.returncode, run.stderr), (0, ""))


class HiddenProcessesTest(CollectorTest):
    def test_hidden_processes_make_the_view_partial(self):
        if os.geteuid() != 0:
            self.skipTest("only root mounts /proc")
        own_proc = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if subprocess.run([*own_proc, "true"], capture_output=True).returncode != 0:
            self.skipTest("no /proc of its own can be mounted here (a chroot, a container)")
        with Vigie("--server", config=QUICK) as vigie:
            # A /proc of its own, in which nobody sees nobody's processes alone.
            around = [*own_proc, "sh", "-c",
                      'mount -o remount,hidepid=2 /proc && setpriv --reuid nobody --regid nogroup --clear-groups "$@"; '
                      'exit $?', "sh"]  # the shell stays: PID 1 of that namespace is root's
            url = f"http://127.0.0.1:{vigie.port}{PREFIX}"
            collector = Collector(url, "10.8.2.1", around=around)
            self.addCleanup(collector.remove)
            program = collector.folder / "vigie-collector"  # where nobody may read it
            shutil.copy(BUILD / "vigie-collector", program)
            collector.command[len(around)] = str(program)
            collector.folder.chmod(0o777)
            os.environ["ASAN_OPTIONS"] = "detect_leaks=0"  # that checker looks at /proc
            self.addCleanup(os.environ.pop, "ASAN_OPTIONS")
            collector.start()
            host = wait_until(lambda: vigie.get("hosts").json().get("10.8.2.1"), 15, collector.log)
            self.assertIs(host["partial"], True)
            self.assertGreater(len(wait_until(lambda: (lambda times: times if len(times) > 2 else None)(
                self.times(vigie, "10.8.2.1")), 10, "it sees itself")), 2)
            self.assertEqual(collector.log().count("hidden from this user (hidepid)"), 1, collector.log())


# Of this run alone, since all processes of the machine are seen: who else passes these tests has others.
IO = f"io-{os.getpid()}"
IO_WRITER, IO_PARENT, IO_OTHER = f"{IO}-w", f"{IO}-p", f"{IO}-o"

# Writes and reads some MiB each quarter of a second, past what is cached, until it has done all or the test is over.
WRITER = """
import ctypes, os, sys, time
open("/proc/self/comm", "w").write(sys.argv[2])
mib = bytes(1 << 20)
with open(sys.argv[1], "w+b", buffering=0) as file:
    for i in range(12):
        file.seek(0)
        file.write(mib * 2)
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        while file.read(1 << 20):
            pass
        time.sleep(0.25)
print(open("/proc/self/io").read(), flush=True)
time.sleep(2.5)
"""

# A parent that waits, and so has in its counters all that the writer has done.
PARENT = """
import subprocess, sys, time
open("/proc/self/comm", "w").write(sys.argv[1])
subprocess.run(sys.argv[2:], check=True)
print("waited", flush=True)
time.sleep(60)
"""


class IoTest(CollectorTest):
    """What processes read and write, of a file system that counts it."""

    @classmethod
    def setUpClass(cls):
        cls.vigie = cls.enterClassContext(Vigie("--server", config=QUICK))

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-io-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        if not os.path.exists("/proc/self/io"):
            self.skipTest("this kernel does not count what processes read and write")
        with open(self.folder / "probe", "wb", buffering=0) as probe:
            before = self.counters_of("self")
            probe.write(bytes(1 << 20))
            os.fsync(probe.fileno())
        if self.counters_of("self")[1] - before[1] < 1 << 20:
            self.skipTest("the file system of temporary files does not count what is written")

    def counters_of(self, pid, text=None):
        text = text or pathlib.Path(f"/proc/{pid}/io").read_text()
        return tuple(int(re.search(rf"^{key}: (\d+)$", text, re.MULTILINE)[1]) for key in ("read_bytes", "write_bytes"))

    def bytes_of(self, vigie, ip, process, resource):
        """What the samples of a process come to: each is the rate since the one before, or, of the first, of a second."""
        answer = vigie.get(f"get-all-detailed?timestamps=1&ip={ip}&process={process}&resource={resource}").json()
        points = answer.get(process, [])
        return sum(rate * (at - points[i - 1][0] if i else 1) for i, (at, rate) in enumerate(points))

    def test_what_is_written_and_read_is_counted_once(self):
        vigie = self.vigie
        collector = self.collector(f"http://127.0.0.1:{vigie.port}{PREFIX}", "10.8.5.1", f"include={IO}-*", "io=yes").start()
        wait_until(lambda: "10.8.5.1" in vigie.get("hosts").json(), 15, collector.log)
        parent = subprocess.Popen(["/usr/bin/python3", "-c", PARENT, IO_PARENT, "/usr/bin/python3", "-c", WRITER, str(self.folder / "file"), IO_WRITER],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(parent.stdout.close)
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        said = []
        for line in parent.stdout:
            said.append(line)
            if line == "waited\n":
                break
        read, written = self.counters_of(parent.pid)
        self.assertGreaterEqual(written, 24 << 20, said)

        def newest():
            latest = vigie.get(f"latest?ip=10.8.5.1&process={IO_PARENT}&resource=write_bytes_per_second").json()
            return latest.get("10.8.5.1", {}).get(IO_PARENT, {}).get("write_bytes_per_second", [0])[0]
        ended = time.time()
        wait_until(lambda: newest() > ended + 2, 20, lambda: f"{newest()} {collector.log()}")
        for resource, count in (("write", written), ("read", read)):
            found = self.bytes_of(vigie, "10.8.5.1", IO_WRITER, f"{resource}_bytes_per_second")
            self.assertAlmostEqual(found, count, delta=0.3 * count + 4096, msg=resource)
            self.assertLess(self.bytes_of(vigie, "10.8.5.1", IO_PARENT, f"{resource}_bytes_per_second"), 0.1 * count + 4096,
                            resource)
        self.assertIn("vigie_process_write_bytes_per_second{ip=\"10.8.5.1\"", vigie.get("metrics/processes").body.decode())
        # Who does not ask for one has mem and cpu.
        self.assertEqual({len(values) for values in vigie.get("get-all?ip=10.8.5.1").json().values()}, {2})

    def test_processes_of_others_have_none(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        sleeper = subprocess.Popen(["/usr/bin/python3", "-c", f'open("/proc/self/comm", "w").write("{IO_OTHER}"); input()'],
                                   stdin=subprocess.PIPE)
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.stdin.close)
        self.addCleanup(sleeper.kill)
        vigie = self.vigie
        around = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        collector = Collector(f"http://127.0.0.1:{vigie.port}{PREFIX}", "10.8.5.2", f"include={IO_OTHER}", "io=yes", "spool=",
                              around=around)
        self.addCleanup(collector.remove)
        collector.folder.chmod(0o777)
        collector.start()
        wait_until(lambda: IO_OTHER in vigie.get("get-all?ip=10.8.5.2").json(), 15, collector.log)
        own = wait_until(lambda: vigie.get("get-all?ip=10.8.5.2&resource=write_bytes_per_second").json(), 15, collector.log)
        self.assertEqual(set(own), {NAME})
        self.assertEqual(collector.log().count("may not be read: these have no read and write rates"), 1, collector.log())


if __name__ == "__main__":
    unittest.main()
