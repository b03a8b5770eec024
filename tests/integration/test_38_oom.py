"""Whom the kernel kills for want of memory: a real kill in a group whose memory is limited, from the kernel's record to the
lines of alert.log, and from its counter where no record may be read."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from subjects import unique
from vigie import BUILD, PREFIX, Vigie, is_sanitized, wait_until

FIRST_PIDS = "pid:[4026531836]"  # include/linux/proc_ns.h
OWN_PIDS = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
CAP_SYSLOG = 1 << 34
LIMIT = 64 << 20
CONFIG = """
[server]
interval = 1s
cache = 0
[collector]
interval = 1s
[alert]
interval = 1s
phase = 500ms
threshold = 100000
clear = 99999
rule = process={name} resource=mem threshold=0.001 clear=0.0005
"""

# Takes a part of what its group may have, and once it is told to, all of it and more.
HUNGRY = f"""
import sys
taken = [bytearray(b"x" * ({LIMIT} // 4))]
print(flush=True)
sys.stdin.readline()
while True:
    taken.append(bytearray(b"x" * (1 << 20)))
"""


def memory_group():
    """A new control group with so much memory and no swap, v1 or v2; None where none can be made."""
    name = unique("vigie-oom")
    for root, limit, swap in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.swappiness"),
                              ("/sys/fs/cgroup", "memory.max", "memory.swap.max")):
        group = pathlib.Path(root, name)
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                (group / limit).write_text(str(LIMIT))
                with contextlib.suppress(OSError):
                    (group / swap).write_text("0")
                return group
            except OSError:
                group.rmdir()
    return None


def may_read_records():
    return os.geteuid() == 0 and os.path.exists("/dev/kmsg") and os.readlink("/proc/self/ns/pid") == FIRST_PIDS


class OomTest(unittest.TestCase):
    def setUp(self):
        self.group = memory_group()
        if not self.group:
            self.skipTest("no control group that limits memory can be made here")
        self.addCleanup(self.remove_group)
        self.name = unique("hungry")
        self.vigie = Vigie(config=CONFIG.format(name=self.name)).start()
        self.addCleanup(self.vigie.stop)

    def remove_group(self):
        def removed():
            with contextlib.suppress(OSError):
                self.group.rmdir()
            return not self.group.exists()
        wait_until(removed, 10, "the group is empty")

    def start_hungry(self):
        program = self.vigie.folder / self.name
        program.symlink_to(os.path.realpath(sys.executable))

        def enter():
            (self.group / "cgroup.procs").write_text(str(os.getpid()))
        process = subprocess.Popen([program, "-c", HUNGRY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=enter)
        for close in (process.stdin.close, process.stdout.close, process.wait, process.kill):
            self.addCleanup(close)
        self.assertEqual(process.stdout.readline(), b"\n")
        return process

    def starve(self, process):
        process.stdin.write(b"\n")
        process.stdin.flush()
        self.assertEqual(process.wait(30), -signal.SIGKILL)

    def lines(self, word):
        path = self.vigie.state / "alert.log"
        return [line for line in (path.read_text().splitlines() if path.exists() else []) if f" {word} " in line]

    def mine(self, word):
        return [line for line in self.lines(word) if f'process="{self.name}"' in line]

    def alarms(self):
        return [item for item in self.vigie.get("alarms").json() if item["process"] == self.name]

    def kills(self, ip):
        return {item["process"]: item["oom_kills"] for item in self.vigie.get(f"oom-kills?ip={ip}").json()}

    @unittest.skipUnless(may_read_records(), "the kernel's records are not for us to read here")
    def test_who_was_killed_is_told_by_name_and_is_gone_by_that(self):
        process = self.start_hungry()
        wait_until(lambda: self.mine("RED"), 20, "it is in alarm")
        with open("/dev/kmsg", "w") as kmsg:  # as anybody may: it gets facility 1
            kmsg.write(f"<3>Out of memory: Killed process {process.pid} (forged) total-vm:1kB, anon-rss:1kB\n")
        self.starve(process)
        after = time.time()
        wait_until(lambda: self.mine("OOM"), 15, "it is said")
        self.assertRegex(self.mine("OOM")[0], rf'^\S+Z OOM ip=127\.0\.0\.1 process="{self.name}" kills=1 since=\S+Z$')
        wait_until(lambda: self.mine("GONE"), 15, "it is gone")
        self.assertRegex(self.mine("GONE")[0], r" threshold=0\.001 reason=oom since=\S+Z$")
        # The line is first, then the server is told.
        wait_until(lambda: [item["color"] for item in self.alarms() if item["color"]] == ["red", "green"], 15, self.alarms)
        kill = next(item for item in self.alarms() if item["color"] is None)
        self.assertEqual((kill["ip"], kill["resource"], kill["oom_kills"]), ("127.0.0.1", "mem", 1))
        self.assertLess(abs(kill["time"] - after), 30)
        self.assertEqual(self.kills("127.0.0.1"), {self.name: 1})

        # What it opened the records with is given up, and what was said is not said again.
        status = pathlib.Path(f"/proc/{self.vigie.pid_of('vigie-collector')}/status").read_text()
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertFalse(int(re.search(rf"{kind}:\s*([0-9a-f]+)", status)[1], 16) & CAP_SYSLOG, kind)
        os.kill(self.vigie.pid_of("vigie-alert"), signal.SIGHUP)
        time.sleep(2)
        self.assertEqual(len(self.mine("OOM")), 1)

    @unittest.skipUnless(subprocess.run([*OWN_PIDS, "true"], capture_output=True).returncode == 0, "no PID namespace can be had")
    @unittest.skipIf(is_sanitized(), "the first of a PID namespace cannot look for leaks")
    def test_where_no_record_may_be_read_they_are_counted(self):
        ip = "10.34.0.1"
        folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-collector-"))
        self.addCleanup(shutil.rmtree, folder, True)
        settings = [word for setting in (f"url=http://127.0.0.1:{self.vigie.port}{PREFIX}", "interval=1s", f"ip={ip}")
                    for word in ("--set", f"collector.{setting}")]
        with open(folder / "log", "wb") as log:
            inside = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *OWN_PIDS, BUILD / "vigie-collector", *settings],
                                      cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(inside.wait)
        self.addCleanup(inside.kill)
        wait_until(lambda: ip in self.vigie.get("hosts").json(), 15, "it reports")
        self.assertIn("known by number alone", (folder / "log").read_text())
        process = self.start_hungry()
        self.starve(process)
        wait_until(lambda: self.kills(ip), 15, "it is counted")
        self.assertEqual(set(self.kills(ip)), {"*"})
        wait_until(lambda: any(f"ip={ip}" in line for line in self.lines("OOM")), 15, "it is said")
        self.assertRegex("\n".join(self.lines("OOM")), rf'OOM ip={ip} process="\*" kills=\d+ since=')


if __name__ == "__main__":
    unittest.main()
