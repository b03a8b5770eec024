#!/bin/bash
# pidstat and top: a PID that changes hands between two looks shows a CPU usage that nobody had.
#
# One would guess: a process that has another start time is another process, so that its CPU counts from its birth.
# What happens: both subtract what the old process had used from what the new one has, without a sign. pidstat shows
# some 10^18 %, also as the average; top cuts it to 100 % a thread. (The process has used 0.2 s of the five seconds.)
# It matters to whoever feeds an alarm from them on machines where PIDs go round soon: 32768 of them, or a small
# container.
set -eu
cd "$(dirname "$0")"
. ./reused_pid.bash

debian sysstat=12.6.1-1 procps=2:4.0.2-3 libproc2-0=2:4.0.2-3
echo "version: sysstat 12.6.1-1, procps 2:4.0.2-3"

watch_reused_pid "$root/usr/bin/pidstat" -u -p 500 5 1
line=$(grep newcomer "$folder/watch.log" | grep --invert-match Average)
seen "pidstat: $(tr --squeeze-repeats ' ' <<<"$line")"
percent=$(awk '{ print ($(NF - 2) > 1000000 ? "millions" : "sane") }' <<<"$line")
expect "$percent" millions "pidstat's %CPU of the newcomer"

watch_reused_pid "$root/usr/bin/top" -b -n 2 -d 5 -p 500
line=$(grep newcomer "$folder/watch.log")
seen "top:     $(tr --squeeze-repeats ' ' <<<"$line")"
percent=$(awk '{ print $9 }' <<<"$line")
expect "$percent" 100.0 "top's %CPU of the newcomer"
