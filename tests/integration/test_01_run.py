"""deploy/run: one command starts all of it, Ctrl-C ends all of it, and what goes wrong is said in one sentence."""

import fcntl
import http.client
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from vigie import BUILD, ROOT, RUN, Vigie, free_port, is_alive, wait_until

QUICK = "[server]\ninterval = 1s\n[collector]\ninterval = 1s\n[alert]\ninterval = 1s\nphase = 500ms\n"


def run_to_its_end(**environment):
    """deploy/run where it is to refuse: its status and what it printed."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("CONF", "LISTEN", "PORT", "STATE")}
    process = subprocess.run([RUN], env=dict(inherited, BUILD=str(BUILD), **environment), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=40, text=True)
    return process.returncode, process.stdout


def printed_value(config, section, key):
    """What a program that is started anywhere has of an option."""
    printed = subprocess.run([BUILD / "vigie-forecast", "--config", config, "--print-config"], cwd="/", check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    return re.search(rf"^{key} = (.*)$", printed.split(f"\n[{section}]\n")[1].split("\n[")[0], re.MULTILINE)[1]


class RunTest(unittest.TestCase):
    def assert_refuses(self, *words, **environment):
        status, printed = run_to_its_end(**environment)
        self.assertNotEqual(status, 0, printed)
        self.assertEqual(len(printed.splitlines()), 1, printed)
        for word in words:
            self.assertIn(word, printed)

    def run_in_temporary_state(self, **options):
        vigie = Vigie(config=QUICK, **options).start()
        self.addCleanup(vigie.remove)
        return vigie

    def test_start_shows_own_processes_and_ctrl_c_leaves_none_behind(self):
        vigie = Vigie()  # the defaults: a tick every 10 s
        started = time.monotonic()
        vigie.start()
        self.addCleanup(vigie.remove)
        own = wait_until(lambda: (lambda all: all if "vigie-fcgi" in all else None)(vigie.get("get-all").json()),
                         25, "get-all shows vigie-fcgi")
        self.assertLess(time.monotonic() - started, 25)
        self.assertLessEqual({"vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast", "nginx"}, set(own))
        memory, cpu = own["vigie-fcgi"]
        self.assertGreater(memory, 0)
        self.assertGreaterEqual(cpu, 0)
        self.assertLessEqual({"vigie-fcgi", "vigie-collecto", "vigie-alert", "vigie-forecast", "nginx", "tail"},
                             {name[:14] for name in vigie.programs().values()})
        self.assertIn(f"http://127.0.0.1:{vigie.port}/", vigie.printed())
        self.assertEqual(vigie.end(signal.SIGINT), 0, vigie.printed())
        self.assertEqual(vigie.left_behind(), {})
        self.assertEqual(vigie.printed().count("vigie: "), 1, vigie.printed())
        vigie.check_sanitizers()

    def test_started_by_a_script_it_reloads_at_hangup_ends_at_term_and_tells_what_its_programs_warn_of(self):
        # Nobody has a token; and what a shell starts in the background ignores SIGINT.
        vigie = Vigie(config=QUICK.replace("[server]\n", "[server]\nwrite_tokens = write.tokens\n"))
        self.addCleanup(vigie.remove)
        with open(os.open(vigie.folder / "write.tokens", os.O_WRONLY | os.O_CREAT, 0o600), "w") as tokens:
            tokens.write("secret\n")
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            vigie.start()
        finally:
            signal.signal(signal.SIGINT, before)
        self.assertIn(f"(kill {vigie.process.pid} ends it, as Ctrl-C is ignored where it was started;", vigie.printed())
        for name in ("collector", "alert"):
            words = rf"(?m)^\S+ vigie-{name} (warning|error): .*\b401\b"
            wait_until(lambda words=words: re.search(words, vigie.printed()), 15, vigie.printed)
        self.assertNotIn(" info: ", vigie.printed())
        self.assertGreaterEqual(len(vigie.programs()), 5)
        os.kill(vigie.process.pid, signal.SIGHUP)
        for name in ("fcgi", "collector", "alert", "forecast"):
            wait_until(lambda name=name: "configuration reloaded" in vigie.logs()[f"vigie-{name}.log"], 10,
                       f"vigie-{name} reloads")
        self.assertIsNone(vigie.process.poll())
        os.kill(vigie.process.pid, signal.SIGTERM)
        self.assertEqual(vigie.process.wait(30), 0, vigie.printed())
        self.assertEqual(vigie.left_behind(), {})

    def test_hangup_with_the_terminal_leaves_none_behind(self):
        vigie = Vigie(config=QUICK)
        self.addCleanup(vigie.remove)
        vigie.output = open(vigie.folder / "output", "ab")
        terminal, own = pty.openpty()
        # It is its own: what closes is what it was started from.
        vigie.process = subprocess.Popen(["setsid", "--ctty", "--wait", "setpriv", "--pdeathsig", "TERM", RUN],
                                         env=vigie.environment, stdin=own, stdout=vigie.output, stderr=subprocess.STDOUT)
        os.close(own)
        wait_until(lambda: "Ctrl-C" in vigie.printed(), 40, "deploy/run is up")
        self.assertGreaterEqual(len(vigie.programs()), 5)
        os.close(terminal)
        vigie.process.wait(30)
        wait_until(lambda: not vigie.left_behind(), 10, lambda: f"ended: {vigie.left_behind()}")

    def test_listen_takes_addresses_of_ipv6(self):
        for listen, reached, closed in (("::1", {"::1"}, {"127.0.0.1"}), ("::", {"::1", "127.0.0.1"}, set())):
            with self.subTest(listen), Vigie("--server", config=QUICK, environment={"LISTEN": listen}) as vigie:
                self.assertIn(f"http://[::1]:{vigie.port}/", vigie.printed())
                for address in reached:
                    connection = http.client.HTTPConnection(address, vigie.port, timeout=10)
                    connection.request("GET", "/ressources-usage/health")
                    self.assertEqual(connection.getresponse().status, 200)
                    connection.close()
                for address in closed:
                    with self.assertRaises(ConnectionRefusedError):
                        socket.create_connection((address, vigie.port), timeout=10)

    def test_kill_leaves_none_behind(self):
        vigie = self.run_in_temporary_state()
        self.assertGreaterEqual(len(vigie.programs()), 5)
        os.kill(vigie.process.pid, signal.SIGKILL)
        wait_until(lambda: not vigie.left_behind(), 10, lambda: f"ended: {vigie.left_behind()}")

    def test_kill_at_any_moment_of_the_start_leaves_none_behind(self):
        for moment in range(0, 400, 20):
            with self.subTest(f"{moment} ms"):
                vigie = Vigie(config=QUICK)
                self.addCleanup(vigie.remove)
                vigie.spawn()
                end = time.monotonic() + moment / 1000
                while time.monotonic() < end:
                    vigie.programs()
                vigie.process.kill()
                vigie.process.wait()
                # Children that were too young to be seen hold the lock of the state folder.
                with open(vigie.state / "lock", "a") if vigie.state.exists() else open(os.devnull) as lock:
                    def is_free(lock=lock):
                        try:
                            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        except BlockingIOError:
                            return False
                        return True
                    wait_until(is_free, 10, "the lock is free")
                wait_until(lambda vigie=vigie: not vigie.left_behind(), 10,
                           lambda vigie=vigie: f"ended: {vigie.left_behind()}")

    def test_programs_that_are_killed_are_started_again(self):
        vigie = self.run_in_temporary_state()
        for name in ("vigie-fcgi", "nginx", "vigie-collector", "vigie-alert", "vigie-forecast"):
            vigie.programs()
            pid = wait_until(lambda name=name: vigie.pid_of(name), 5, f"{name} runs")
            os.kill(pid, signal.SIGKILL)
            again = wait_until(lambda name=name, pid=pid: vigie.pid_of(name) not in (None, pid) and vigie.pid_of(name),
                               10, f"{name} is started again")
            self.assertTrue(is_alive(again))
            self.assertRegex(vigie.printed(), rf"(?m)^vigie: {name} ended \(status 137(: .+)?\), starting it again$")
        wait_until(lambda: vigie.get("health").status == 200, 10, "health is well again")
        self.assertEqual(vigie.end(), 0, vigie.printed())
        # A line each, with its last words, beside what the others warn of.
        self.assertIn("vigie: vigie-fcgi ended (status 137: ", vigie.printed())
        self.assertEqual([line for line in vigie.printed().splitlines()
                          if not re.match(r"vigie: |\S+ vigie-\w+ (warning|error): ", line)], [])
        self.assertEqual(vigie.left_behind(), {})

    def test_program_that_always_fails_ends_the_run(self):
        with tempfile.TemporaryDirectory() as build:
            for name in ("vigie-fcgi", "vigie-collector", "vigie-forecast"):
                os.symlink(BUILD / name, f"{build}/{name}")
            with open(f"{build}/vigie-alert", "w") as script:
                script.write('#!/bin/sh\n[ "$1" = --check-config ] && exit 0\necho it is broken >&2\nexit 3\n')
            os.chmod(f"{build}/vigie-alert", 0o755)
            vigie = Vigie(build=build).start()
            self.addCleanup(vigie.remove)
            vigie.programs()
            self.assertEqual(vigie.process.wait(40), 1, vigie.printed())
            self.assertIn("vigie-alert ended 5 times in a row (status 3: it is broken)", vigie.printed())
            self.assertEqual(vigie.left_behind(), {})

    def test_taken_port_is_refused(self):
        with socket.socket() as other, tempfile.TemporaryDirectory() as state:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = str(other.getsockname()[1])
            self.assert_refuses(f"port {port} is taken", PORT=port, STATE=state)

    def test_second_run_with_the_same_state_is_refused(self):
        vigie = self.run_in_temporary_state()
        self.assert_refuses("another vigie", str(vigie.state), PORT="1", STATE=str(vigie.state))

    def test_unusable_state_is_refused(self):
        with tempfile.NamedTemporaryFile() as file:
            self.assert_refuses("state folder", file.name, STATE=file.name)
            self.assert_refuses("state folder", file.name, STATE=file.name + "/below")

    def test_broken_configuration_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            conf = f"{folder}/vigie.conf"
            for text, word in (("[server]\nthreads = many\n", "vigie.conf:2"), ("[nonsense]\nx = 1\n", "nonsense"),
                               ("[alert]\nrule = process=a threshold=x\n", "vigie.conf:2")):
                with self.subTest(text):
                    with open(conf, "w") as file:
                        file.write(text)
                    self.assert_refuses(word, CONF=conf, STATE=f"{folder}/state")
            self.assert_refuses("none.conf", CONF=f"{folder}/none.conf", STATE=f"{folder}/state")

    def test_paths_of_the_configuration_are_beside_it(self):
        vigie = Vigie(config=QUICK + "[sqlite]\npath = samples.db\n[alert]\nlog = said.log\nstate = ./said.state\n"
                                     "[forecast]\nmodel = vigie.model\n")
        self.addCleanup(vigie.remove)
        vigie.state.mkdir()
        shutil.copy(ROOT / "forecast" / "builtin.model", vigie.state / "vigie.model")
        vigie.start()
        for name in ("samples.db", "said.log", "said.state"):
            wait_until((vigie.folder / name).exists, 10, f"{name} is beside the configuration")
            self.assertFalse((vigie.state / name).exists(), name)

        # What only the folder of the run has is taken from there.
        def log():
            return vigie.logs().get("vigie-forecast.log", "")
        there, beside = vigie.state / "vigie.model", vigie.folder / "vigie.model"
        warning = f"vigie.conf:14: model: there is no {beside}: taking {there}, of the working directory\n"
        self.assertEqual(vigie.printed().count(warning), 1, vigie.printed())
        wait_until(lambda: " info: forecasting " in log(), 10, log)
        self.assertEqual(log().count(warning), 1, log())
        self.assertNotIn(" error: ", log())

        # A reload looks again.
        there.rename(beside)
        os.kill(vigie.pid_of("vigie-forecast"), signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in log(), 5, log)
        beside.unlink()
        os.kill(vigie.pid_of("vigie-forecast"), signal.SIGHUP)
        wait_until(lambda: f"cannot use the model in {beside}: No such file or directory" in log(), 5, log)
        self.assertEqual(log().count(warning), 1, log())
        self.assertEqual(vigie.end(), 0, vigie.printed())

    def test_configuration_of_the_run_is_in_one_file(self):
        vigie = self.run_in_temporary_state()
        config = vigie.state / "vigie.conf"
        self.assertIn(str(config), vigie.printed())
        self.assertEqual(config.stat().st_mode & 0o777, 0o600)
        url = f"http://127.0.0.1:{vigie.port}/ressources-usage/"
        for section, key, value in (("collector", "url", url), ("alert", "url", url), ("forecast", "url", url),
                                    ("collector", "interval", "1s"), ("alert", "log", vigie.state / "alert.log"),
                                    ("forecast", "state", vigie.state / "forecast.state"),
                                    ("sqlite", "path", vigie.state / "vigie.db")):
            with self.subTest(section=section, key=key):
                self.assertEqual(printed_value(config, section, key), str(value))
        self.assertGreaterEqual(int(printed_value(config, "server", "threads")), 4)
        self.assertEqual(vigie.end(), 0, vigie.printed())
        # It is the run's own.
        before = config.read_text()
        self.assert_refuses(str(config), "CONF", CONF=str(config), STATE=str(vigie.state), PORT=str(vigie.port))
        self.assertEqual(config.read_text(), before)

    def test_wrong_port_is_refused(self):
        with tempfile.TemporaryDirectory() as state:
            for port in ("0", "70000", "http", "-1"):
                with self.subTest(port):
                    self.assert_refuses("PORT", port, PORT=port, STATE=state)

    def test_long_state_path_works(self):
        with tempfile.TemporaryDirectory() as folder:
            vigie = Vigie("--server", state=f"{folder}/{'long' * 50}")
            with vigie:
                self.assertEqual(vigie.get("health").status, 200)

    @unittest.skipUnless(os.getuid() == 0, "only root's nginx has workers of another user")
    def test_state_below_closed_folder_works(self):
        with tempfile.TemporaryDirectory() as folder:  # mode 0700
            vigie = Vigie("--server", state=f"{folder}/state")
            with vigie:
                self.assertEqual(vigie.get("health").status, 200)
                self.assertEqual(vigie.get("/").status, 200)
                # Larger than nginx keeps in memory: its workers can write their temporary files.
                self.assertEqual(vigie.put("save-all", b" " * 500000).status, 400)

    @unittest.skipUnless(os.getuid() == 0, "only root can become another user")
    def test_unprivileged_user_is_told_what_root_is_to_run(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            for name in ("deploy/install-deps", "debian/control"):
                pathlib.Path(folder, name).parent.mkdir()
                shutil.copy(ROOT / name, f"{folder}/{name}")
            for tool in ("bash", "dirname", "id", "realpath", "sed"):
                os.symlink(shutil.which(tool), f"{folder}/{tool}")
            for tool, script in (("dpkg-query", "exit 1"), ("sudo", "echo you may not >&2; exit 1")):
                pathlib.Path(folder, tool).write_text(f"#!{shutil.which('bash')}\n{script}\n")
                os.chmod(f"{folder}/{tool}", 0o755)
                run = subprocess.run(["/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "bash",
                                      f"{folder}/deploy/install-deps", "run"], cwd="/", env={"PATH": folder}, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
                self.assertEqual(run.returncode, 1, run.stdout)
                self.assertRegex(run.stdout.splitlines()[-1],
                                 rf"^install-deps: these packages are not installed: gcc .* spawn-fcgi\. As root, run: {folder}/deploy/install-deps run$")

    @unittest.skipUnless(os.getuid() == 0, "only root can become another user")
    def test_unprivileged_run_works(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            copy = f"{folder}/copy"
            # Another user may not be allowed to enter the folder of the sources.
            subprocess.run(["cp", "-r", "--parents", "deploy", "nginx", folder], cwd=ROOT, check=True)
            os.mkdir(copy)
            for name in ("vigie-fcgi", "vigie-collector", "vigie-alert", "vigie-forecast"):
                subprocess.run(["cp", BUILD / name, copy], check=True)
            subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
            with open(f"{folder}/output", "w+") as output:
                environment = dict(os.environ, PORT=str(free_port()),
                                   STATE=f"{folder}/state", BUILD=copy)
                environment.pop("CONF", None)
                process = subprocess.Popen(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                                            f"{folder}/deploy/run"], env=environment, stdin=subprocess.DEVNULL,
                                           stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

                def printed():
                    output.seek(0)
                    return output.read()
                try:
                    wait_until(lambda: "Ctrl-C" in printed() or process.poll() is not None, 40, "up")
                    self.assertIsNone(process.poll(), printed())
                    os.killpg(process.pid, signal.SIGINT)
                    self.assertEqual(process.wait(30), 0, printed())
                finally:
                    if process.poll() is None:
                        process.kill()
                        process.wait()


if __name__ == "__main__":
    unittest.main()
