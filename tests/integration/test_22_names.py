"""What a process is called by, and what its memory is measured by: units, containers and programs, limits of control
groups, and names that are longer than the kernel's. With real processes in groups that are made for them."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

import subjects
from subjects import arguments, unique
from vigie import BUILD, PREFIX, SANITIZER_WORDS, Vigie, wait_until

MIB = 1 << 20
LIMIT_MIB, USED_MIB = 256, 200
CONTAINER = "3f2a61d09c4e" + "0123456789abcdef" * 3 + "0123"
LONG = "victoria-metrics-prod"
KEPT = LONG[:15]


def setUpModule():
    subjects.build()


def memory_kib():
    return int(pathlib.Path("/proc/meminfo").read_text().split()[1])


def mounts():
    """(mount point, type, options) of the hierarchies of control groups that are shown from their root."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind in ("cgroup", "cgroup2") and fields.split()[3] == "/":
            yield pathlib.Path(fields.split()[4]), kind, options.split(",")


@contextlib.contextmanager
def group(path, memory_mib=None):
    """A control group, by its folder: with a limit in the hierarchy that has one, otherwise in the one that names units."""
    places = list(mounts())
    if memory_mib:
        places = [place for place in places if "memory" in place[2]] or [p for p in places if p[1] == "cgroup2"]
    else:
        places = [place for place in places if "name=systemd" in place[2]] or [p for p in places if p[1] == "cgroup2"]
    if not places:
        raise unittest.SkipTest("no control groups are mounted here")
    mount, kind, _ = places[0]
    folder = mount
    made = []
    try:
        try:
            for part in path.split("/"):
                if memory_mib and kind == "cgroup2":
                    (folder / "cgroup.subtree_control").write_text("+memory")
                folder /= part
                if not folder.exists():
                    folder.mkdir()
                    made.append(folder)
            if memory_mib:
                set_limit(folder, memory_mib)
        except OSError as error:
            raise unittest.SkipTest(f"no control group may be made here: {error}") from None
        yield folder
    finally:
        for folder in reversed(made):
            # Who has ended leaves it a moment later.
            wait_until(lambda folder=folder: remove_group(folder), 5, f"{folder} is empty")


def remove_group(folder):
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def set_limit(folder, mib):
    file = folder / "memory.limit_in_bytes"
    (file if file.exists() else folder / "memory.max").write_text(str(mib * MIB))


def running(command, folder=None):
    """A process of subject.c, in a control group from before it executes its program."""
    if folder:
        command = ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', str(folder), *command]
    return subjects.running(command)


class Server(http.server.ThreadingHTTPServer):
    """Takes what collectors send, and keeps the newest values of each: {ip: {name: {resource: value}}}."""

    daemon_threads = True

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                latest = {}
                for item in body["data"]:
                    latest.setdefault(item["process_name"], {})[item["type_data"]] = item["value"]
                if latest:
                    self.server.latest[body["ipaddress"]] = latest
                self.do_GET()

            def do_GET(self):
                answer = b'{"Response": "Ok"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.latest = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class NameTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-names-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}{PREFIX}"

    def collect(self, ip, *settings, url=None, around=()):
        """Starts a collector, by the command `around`; its log, as a path."""
        path = self.folder / f"{ip}.log"
        command = [*around, str(BUILD / "vigie-collector")]
        for setting in (f"url={url or self.url}", "interval=1s", "spool=", f"ip={ip}", *settings):
            command += ["--set", f"collector.{setting}"]
        with open(path, "wb") as log:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], cwd=self.folder,
                                       env=dict(os.environ, **({"ASAN_OPTIONS": "detect_leaks=0"} if around else {})),
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.end, process, path)
        return path

    def end(self, process, path):
        process.terminate()
        process.wait(10)
        self.assertFalse([word for word in SANITIZER_WORDS if word in path.read_text(errors="replace")])

    def value(self, ip, name, resource="mem"):
        return self.server.latest.get(ip, {}).get(name, {}).get(resource)

    def wait_for(self, ip, *names):
        return wait_until(lambda: all(self.value(ip, name) is not None for name in names), 15,
                          lambda: f"{names} of {ip} in {sorted(self.server.latest.get(ip, {}))}")


class UnitTest(NameTest):
    def test_services_of_one_comm_are_apart_by_their_units(self):
        comm, loose, top = unique("java"), unique("loose"), f"vigie-test-{os.getpid()}.slice"
        units = [f"tomcat@{comm}-{i}.service" for i in range(4)]
        places = [f"{top}/{unit}" for unit in units]
        places += [f"vigie-docker-{os.getpid()}/{CONTAINER}", f"lxc.payload.{comm}/system.slice/nginx.service"]
        names = [*units, f"vigie-docker-{os.getpid()}-{CONTAINER[:12]}", f"lxc-{comm}/nginx.service"]
        with contextlib.ExitStack() as stack:
            for place in places:
                stack.enter_context(running(arguments(comm, "sleep"), stack.enter_context(group(place))))
            stack.enter_context(running(arguments(loose, "sleep"), stack.enter_context(group(top))))
            self.collect("10.22.0.1")
            self.collect("10.22.0.2", "name=unit")
            self.wait_for("10.22.0.1", comm, loose)
            self.wait_for("10.22.0.2", loose, *names)
            self.assertNotIn(comm, self.server.latest["10.22.0.2"])
            self.assertFalse(set(names) & set(self.server.latest["10.22.0.1"]))

    def test_process_is_looked_up_once_and_not_in_each_tick(self):
        trace = self.folder / "trace"
        # -D: the collector keeps its process number. The leak checker cannot be traced.
        self.collect("10.22.0.4", "name=unit", "mem_scale=limit",
                     around=("strace", "-D", "-f", "-s", "200", "-e", "trace=openat", "-o", str(trace)))
        wait_until(lambda: trace.exists() and trace.read_text().count('"/proc/meminfo"') >= 4, 20, "four readings")
        self.assertEqual(trace.read_text().count('"/proc/1/cgroup"'), 1)

    def test_program_s_file_is_the_name_also_once_it_is_removed(self):
        comm, name = unique("renamed"), f"program-of-a-long-name-{os.getpid()}"
        program = self.folder / name
        shutil.copy(subjects.SUBJECT, program)
        command = [str(program), *arguments(comm, "sleep")[1:]]
        with running(command):
            program.unlink()  # as an upgrade does
            self.collect("10.22.0.3", "name=exe")
            self.wait_for("10.22.0.3", name)
            self.assertNotIn(comm, self.server.latest["10.22.0.3"])


class LimitTest(NameTest):
    def test_memory_is_of_the_limit_of_the_group_or_of_one_above(self):
        name = unique("limited")
        with group(f"vigie-test-{os.getpid()}.slice", LIMIT_MIB) as above, \
             group(f"{above.name}/inner.service", 4 * LIMIT_MIB) as inner, \
             running(arguments(name, "grow", USED_MIB, USED_MIB, 1), inner) as process:
            pages = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            used_kib = pages * os.sysconf("SC_PAGE_SIZE") / 1024
            self.collect("10.22.1.1")
            self.collect("10.22.1.2", "mem_scale=limit")
            self.wait_for("10.22.1.1", name)
            self.wait_for("10.22.1.2", name)
            # The kernel's count of resident pages lags behind by some of them.
            self.assertAlmostEqual(self.value("10.22.1.1", name), 100 * used_kib / memory_kib(), delta=0.1)
            limited = 100 * used_kib / (LIMIT_MIB * 1024)
            self.assertAlmostEqual(limited, 78, delta=3)
            self.assertAlmostEqual(self.value("10.22.1.2", name), limited, delta=1)

            # A limit that is changed holds from the next tick on.
            set_limit(above, 2 * LIMIT_MIB)
            wait_until(lambda: abs(self.value("10.22.1.2", name) - limited / 2) < 1, 10,
                       lambda: f"{self.value('10.22.1.2', name)} of {limited / 2}")


class LengthTest(NameTest):
    CONFIG = f"""[collector]
include = {LONG}
exclude = victoria-*-prod-nothing
[alert]
rule = process={LONG} resource=mem threshold=50 clear=40
rule = process=victoria-*-prod threshold=60 clear=50
[server]
cache = 0
"""

    def check_config(self, program, content):
        path = self.folder / "vigie.conf"
        path.write_text(content)
        done = subprocess.run([BUILD / program, "--check-config", "--config", path], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line for line in done.stderr.splitlines() if "matches nothing" in line]

    def test_patterns_that_can_match_no_comm_are_warned_about(self):
        keeps = "matches nothing: the kernel keeps 15 bytes of a name"
        for program in ("vigie-collector", "vigie-alert", "vigie-forecast", "vigie-fcgi"):
            with self.subTest(program):
                warnings = self.check_config(program, self.CONFIG)
                self.assertEqual(len(warnings), 3, warnings)
                self.assertIn(f"vigie.conf:2: include: {LONG} {keeps}: {KEPT} would match", warnings[0])
                self.assertIn(f"vigie.conf:3: exclude: victoria-*-prod-nothing {keeps}, and it needs 22", warnings[1])
                self.assertIn(f"vigie.conf:5: rule: process={LONG} {keeps}: {KEPT} would match", warnings[2])
        for setting in ("name = unit", "name = exe", "kernel_threads = yes"):
            with self.subTest(setting):
                config = self.CONFIG.replace("[collector]", f"[collector]\n{setting}")
                self.assertEqual(self.check_config("vigie-collector", config), [])

    def test_running_program_says_it_in_its_log(self):
        log = self.collect("10.22.2.1", f"include={LONG}")
        wait_until(lambda: f": {KEPT} would match" in log.read_text(), 10, log.read_text)

    def test_who_asks_for_a_long_name_is_told_what_the_kernel_keeps(self):
        program = self.folder / LONG
        shutil.copy(subjects.SUBJECT, program)
        vigie = Vigie("--server", config="[server]\ninterval = 1s\ncache = 0\n")
        with vigie, running([str(program), KEPT.encode().hex(), "sleep"]):
            self.collect("10.22.2.2", url=f"http://127.0.0.1:{vigie.port}{PREFIX}")
            answer = wait_until(lambda: (lambda a: a if KEPT in a.json() else None)(
                vigie.get(f"get-all/10.22.2.2?process={KEPT}")), 15, "it is measured")
            self.assertIsNone(answer.headers.get("Vigie-Hint"))
            for path in ("get-all/10.22.2.2?", "get-all?", "get-all-detailed?", "latest?", "query-alarm?"):
                answer = vigie.get(f"{path}process={LONG}")
                self.assertEqual(answer.status, 200)
                self.assertNotIn(KEPT, answer.body.decode())
                self.assertEqual(answer.headers.get("Vigie-Hint"), f"the kernel keeps 15 bytes of a name: {KEPT}")
            log = vigie.logs()["vigie-fcgi.log"]
            self.assertEqual(log.count(f"nothing is found for process={LONG}: the kernel keeps 15 bytes of a name: {KEPT}"), 1)


if __name__ == "__main__":
    unittest.main()
