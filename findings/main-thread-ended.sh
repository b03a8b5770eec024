#!/bin/bash
# psutil, ps and check_procs: a process that works is a zombie of 0 bytes once its first thread has ended.
#
# One would guess: what has running threads is alive, and has the memory that they have.
# What happens: Linux shows the state and the memory of the first thread, which are Z and 0 once it has ended by
# pthread_exit(), as the main thread of a program may. psutil believes it: status is zombie, memory 0, exe() and
# cmdline() raise ZombieProcess, while cpu_times() and num_threads() go on. ps has an RSS of 0, and check_procs counts
# a zombie. What one of its other threads tells in /proc is all true.
# It matters to whoever sums memory, or alarms on zombies: the program is in no sum, and its parent, who is asked to
# reap it, cannot.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=7.1.3
procps_version=2:4.0.2-3
plugins_version=2.3.3-5+deb12u2
debian "procps=$procps_version" "libproc2-0=$procps_version" "monitoring-plugins-basic=$plugins_version"
python_packages "psutil==$version"
echo "version: psutil $version, procps $procps_version, monitoring-plugins $plugins_version, Linux $(uname -r)"

gcc -x c -pthread -o "$folder/headless" - <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *work(void *unused)
{
	char *memory = malloc(100 << 20);
	(void)unused;
	memset(memory, 1, 100 << 20);
	alarm(60);
	for (;;)
		usleep(1000);
}

int main(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, work, NULL) == 0)
		pthread_exit(NULL);
	return 1;
}
END
start headless "$folder/headless"
pid=${processes[-1]}
# shellcheck disable=SC2317 # called by until_true
is_there()
{
	other=$(printf '%s\n' "/proc/$pid/task"/* | tail --lines=1)
	[ "$(awk '/^VmRSS/ { print $2 }' "$other/status")" -gt 102400 ]
}
until_true is_there

cat >"$folder/program.py" <<'END'
import sys

import psutil

process = psutil.Process(int(sys.argv[1]))
try:
    process.exe()
    answer = "tells"
except psutil.ZombieProcess:
    answer = "raises ZombieProcess"
print(f"status {process.status()}, rss {process.memory_info().rss}, threads {process.num_threads()}, exe() {answer}")
END
psutil=$("$python" "$folder/program.py" "$pid")
ps=$("$root/bin/ps" -o s=,rss= -p "$pid" | tr --squeeze-repeats ' ')
check=$("$root/usr/lib/nagios/plugins/check_procs" -s Z -C headless -w 0 | sed 's/ |.*//' || true)
thread=$(awk '/^(State|VmRSS)/ { printf "%s ", ($1 == "State:") ? $2 : ($2 > 102400) ? "over 100 MiB" : "less" }' \
	"$other/status")
seen "psutil: $psutil"
seen "ps: $ps"
seen "check_procs: $check"
seen "/proc/PID/task/TID/status of its other thread: $thread"
expect "$psutil" 'status zombie, rss 0, threads 2, exe() raises ZombieProcess' 'what psutil tells'
expect "$ps" 'Z 0' 'what ps tells'
expect "$check" "PROCS WARNING: 1 process with STATE = Z, command name 'headless'" 'what check_procs tells'
expect "$thread" 'S over 100 MiB ' 'what the other thread tells'
