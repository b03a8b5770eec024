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
    """One kill, that two collectors see: one that reads the kernel's records, and one in a PID namespace of its own, which may not."""

    counting = None  # the log of the second, where it can be had
    counting_ip = "10.34.0.1"

    @classmethod
    def setUpClass(cls):
        cls.group = memory_group()
        if not cls.group:
            raise unittest.SkipTest("no control group that limits memory can be made here")
        cls.addClassCleanup(cls.remove_group)
        cls.name = unique("hungry")
        cls.vigie = Vigie(config=CONFIG.format(name=cls.name)).start()
        cls.addClassCleanup(cls.vigie.stop)
        # The first of a PID namespace cannot look for leaks.
        if not is_sanitized() and subprocess.run([*OWN_PIDS, "true"], capture_output=True).returncode == 0:
            cls.start_counting()
        process = cls.start_hungry()
        wait_until(lambda: cls.mine("RED"), 20, "it is in alarm")
        if cls.counting:
            wait_until(lambda: cls.counting_ip in cls.vigie.get("hosts").json(), 15, cls.counting.read_text)
        if may_read_records():
            with open("/dev/kmsg", "w") as kmsg:  # as anybody may: it gets facility 1
                kmsg.write(f"<3>Out of memory: Killed process {process.pid} (forged) total-vm:1kB, anon-rss:1kB\n")
        process.stdin.write(b"\n")
        process.stdin.flush()
        if process.wait(30) != -signal.SIGKILL:
            raise AssertionError(f"it was not killed: {process.returncode}")
        cls.after = time.time()

    @classmethod
    def remove_group(cls):
        def removed():
            with contextlib.suppress(OSError):
                cls.group.rmdir()
            return not cls.group.exists()
        wait_until(removed, 10, "the group is empty")

    @classmethod
    def start_counting(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="vigie-collector-"))
        cls.addClassCleanup(shutil.rmtree, folder, True)
        settings = [word for setting in (f"url=http://127.0.0.1:{cls.vigie.port}{PREFIX}", "interval=1s", f"ip={cls.counting_ip}")
                    for word in ("--set", f"collector.{setting}")]
        cls.counting = folder / "log"
        with open(cls.counting, "wb") as log:
            inside = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *OWN_PIDS, BUILD / "vigie-collector", *settings],
                                      cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        cls.addClassCleanup(inside.wait)
        cls.addClassCleanup(inside.kill)

    @classmethod
    def start_hungry(cls):
        program = cls.vigie.folder / cls.name
        program.symlink_to(os.path.realpath(sys.executable))

        def enter():
            (cls.group / "cgroup.procs").write_text(str(os.getpid()))
        process = subprocess.Popen([program, "-c", HUNGRY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=enter)
        for close in (process.stdin.close, process.stdout.close, process.wait, process.kill):
            cls.addClassCleanup(close)
        if process.stdout.readline() != b"\n":
            raise AssertionError("it did not start")
        return process

    @classmethod
    def lines(cls, word):
        path = cls.vigie.state / "alert.log"
        return [line for line in (path.read_text().splitlines() if path.exists() else []) if f" {word} " in line]

    @classmethod
    def mine(cls, word):
        return [line for line in cls.lines(word) if f'process="{cls.name}"' in line]

    def alarms(self):
        return [item for item in self.vigie.get("alarms").json() if item["process"] == self.name]

    def kills(self, ip):
        return {item["process"]: item["oom_kills"] for item in self.vigie.get(f"oom-kills?ip={ip}").json()}

    @unittest.skipUnless(may_read_records(), "the kernel's records are not for us to read here")
    def test_who_was_killed_is_told_by_name_and_is_gone_by_that(self):
        wait_until(lambda: self.mine("OOM"), 15, "it is said")
        self.assertRegex(self.mine("OOM")[0], rf'^\S+Z OOM ip=127\.0\.0\.1 process="{self.name}" kills=1 since=\S+Z$')
        os.kill(self.vigie.pid_of("vigie-alert"), signal.SIGHUP)
        wait_until(lambda: self.mine("GONE"), 15, "it is gone")
        self.assertRegex(self.mine("GONE")[0], r" threshold=0\.001 reason=oom since=\S+Z$")
        # The line is first, then the server is told.
        wait_until(lambda: [item["color"] for item in self.alarms() if item["color"]] == ["red", "green"], 15, self.alarms)
        kill = next(item for item in self.alarms() if item["color"] is None)
        self.assertEqual((kill["ip"], kill["resource"], kill["oom_kills"]), ("127.0.0.1", "mem", 1))
        self.assertLess(abs(kill["time"] - self.after), 30)
        self.assertEqual(self.kills("127.0.0.1"), {self.name: 1})

        # What it opened the records with is given up, and what was said is not said again.
        status = pathlib.Path(f"/proc/{self.vigie.pid_of('vigie-collector')}/status").read_text()
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertFalse(int(re.search(rf"{kind}:\s*([0-9a-f]+)", status)[1], 16) & CAP_SYSLOG, kind)
        self.assertEqual(len(self.mine("OOM")), 1)

    def test_where_no_record_may_be_read_they_are_counted(self):
        if not self.counting:
            self.skipTest("no PID namespace can be had")
        ip = self.counting_ip
        self.assertIn("known by number alone", self.counting.read_text())
        wait_until(lambda: self.kills(ip), 15, "it is counted")
        self.assertEqual(set(self.kills(ip)), {"*"})
        wait_until(lambda: any(f"ip={ip}" in line for line in self.lines("OOM")), 15, "it is said")
        self.assertRegex("\n".join(self.lines("OOM")), rf'OOM ip={ip} process="\*" kills=\d+ since=')


if __name__ == "__main__":
    unittest.main()
