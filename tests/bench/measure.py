"""What the benchmarks share: figures, load, servers with another clock, and simulated fleets."""

import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "integration"))
from vigie import BUILD, PREFIX, Vigie  # noqa: E402

Vigie.holds_answers = False  # against their description: that is no part of what is measured

CONNECTIONS = 64
SECONDS = int(os.environ.get("SECONDS_EACH", "10"))
PROCESSES = 150
POINTS = 2 * PROCESSES  # in a body
KEY_SHIFT = 24          # of the database's rows: see fcgi/sqlite/placement.h
BEFORE = pathlib.Path(os.environ["BEFORE"]).resolve() if os.environ.get("BEFORE") else None  # programs of another version


def show(name, figure, limit="", holds=None):
    verdict = "" if holds is None else "  ok" if holds else "  MISSED"
    print(f"{name:<66} {figure:>16}   {limit}{verdict}", flush=True)


def parse_rate():
    """Points per second that cJSON alone parses on one core."""
    return float(subprocess.run([BUILD / "bench" / "parse", "2"], check=True, capture_output=True).stdout)


def wrk(url, connections=CONNECTIONS, seconds=SECONDS, may_fail=False, **environment):
    """(requests per second, 99th percentile in ms) of save_all.lua."""
    variables = {name.upper(): str(value) for name, value in environment.items()}
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "30s", "-s", BENCH / "save_all.lua", url],
        check=True, capture_output=True, text=True, env=dict(os.environ, **variables)).stdout
    requests, duration, p99, failures = re.search(r"RESULT (\S+) (\S+) (\S+) (\S+)", output).groups()
    if int(failures) and not may_fail:
        raise SystemExit(f"{failures} of {requests} requests failed:\n{output}")
    return int(requests) / float(duration), float(p99)


def rss_anon_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) / 1024


def median_ms(vigie, path, times=15):
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        answer = vigie.request("GET", path)
        durations.append((time.perf_counter() - start) * 1000)
        assert answer.status == 200, answer
    return statistics.median(durations)


def stand_in(folder, command, build=BUILD):
    """Makes a folder of programs whose vigie-fcgi is a line of the shell; what asks for the configuration gets that of
    `build`."""
    program = pathlib.Path(folder) / "vigie-fcgi"
    program.write_text(f'#!/bin/sh\ncase "$*" in *-config) exec "{build}/vigie-fcgi" "$@" ;; esac\n{command}\n')
    program.chmod(0o755)


def cpu_seconds(pids):
    """{comm: seconds that processes have used}, and under "" what the whole machine has."""
    used = {}
    for pid, name in pids.items():
        with contextlib.suppress(OSError):  # it has ended
            fields = pathlib.Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
            used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    cpu = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    used[""] = (sum(cpu[:8]) - cpu[3] - cpu[4]) / os.sysconf("SC_CLK_TCK")
    return used


class Fleet:
    """Simulated collectors against a server, and what that took: everything fleet.c prints, and more."""

    def __init__(self, vigie, hosts, seconds, form="data"):
        self.hosts, pid, pids = hosts, vigie.pid_of("vigie-fcgi"), vigie.programs()
        self.rss_mib, before = 0, cpu_seconds(pids)
        process = subprocess.Popen(
            [BUILD / "bench" / "fleet", str(hosts), str(PROCESSES), str(seconds), f"http://127.0.0.1:{vigie.port}{PREFIX}", form],
            env=dict(os.environ, RECORDING=str(BENCH / "hour.json.gz")), stdout=subprocess.PIPE, text=True)
        begun, ended = time.monotonic(), threading.Event()

        def watch():
            while not ended.wait(0.5):
                self.rss_mib = max(self.rss_mib, rss_anon_mib(pid))
        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = process.communicate()
        ended.set()
        watcher.join()
        if process.returncode not in (0, 2):
            raise SystemExit(f"fleet ended with {process.returncode}")
        vars(self).update(json.loads(output))
        after, elapsed = cpu_seconds(pids), time.monotonic() - begun
        self.cores = {name: (after[name] - before[name]) / elapsed for name in before}
        self.cores["fleet"] = self.cpu_s / elapsed
        metrics = vigie.request("GET", "metrics").body.decode()
        buckets = [(bound, int(count)) for bound, count in
                   re.findall(r'^vigie_store_append_seconds_bucket{le="(\S+)"} (\d+)$', metrics, re.M)]
        self.writes = buckets[-1][1]
        self.write_p99_s = next(float(bound) for bound, count in buckets if count >= 0.99 * self.writes)
        self.write_mean_s = float(re.search(r"^vigie_store_append_seconds_sum (\S+)", metrics, re.M)[1]) / self.writes
        self.holds = self.failures == 0 and self.p99_ms < 50 and self.max_ms <= 1000

    def show(self):
        show(f"{self.hosts:,} hosts x {PROCESSES} every 10 s, {self.ticks} ticks: stored", f"{self.points_per_s:,.0f} points/s")
        show("    PUTs, median", f"{self.median_ms:.1f} ms")
        show("    99th percentile", f"{self.p99_ms:.1f} ms", "under 50 ms", self.p99_ms < 50)
        show("    longest", f"{self.max_ms:.0f} ms", "at most 1000 ms", self.max_ms <= 1000)
        show("    failed", f"{self.failures}", "none", self.failures == 0)
        show("    first tick, all names new: 99th percentile, longest", f"{self.first_p99_ms:.0f}, {self.first_max_ms:.0f} ms")
        show("    vigie-fcgi, RssAnon at its highest", f"{self.rss_mib:.1f} MiB")
        show("    the store's writes, synced: mean, 99th percentile at most",
             f"{self.write_mean_s * 1000:.1f}, {self.write_p99_s * 1000:.0f} ms",
             f"{(self.puts + self.failures) / self.writes:.1f} PUTs each, {self.write_mean_s * self.writes / self.ticks:.2f} s a tick, whose turns are 3 s")
        busy = ", ".join(f"{name or 'all of the machine'} {share:.2f}" for name, share in sorted(self.cores.items()) if share >= 0.005)
        show("    the longest that the fleet itself was late", f"{self.late_ms:.0f} ms", f"cores: {busy}")
