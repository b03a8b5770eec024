#!/bin/bash
# ps -C, check_procs -C: a process whose name has a blank is not found by its name.
#
# One would guess: -C with the name that ps, top and /proc/PID/comm show finds the process, as pgrep -x and pidof do.
# What happens: ps takes a blank in the list of -C for the end of a name, quoted or not: "tmux: server" is asked for as "tmux:"
# and "server", and nothing is found. check_procs reads lines of ps and takes the first word of a name for all of it:
# -C "tmux: server" finds none, so that a check that it runs is critical for ever, and one that too many run is OK for ever;
# -C "tmux:" finds it, together with "tmux: client".
# It matters to whoever watches tmux: server, Web Content, Isolated Web Co or any of the threads and workers that give
# themselves a title.
set -eu
cd "$(dirname "$0")"
. ./common.bash

procps_version=2:4.0.2-3
plugins_version=2.3.3-5+deb12u2
debian "procps=$procps_version" "monitoring-plugins-basic=$plugins_version"
echo "version: procps $procps_version, monitoring-plugins-basic $plugins_version"
# It runs ps by its path, which is the machine's own.
check_procs=$root/usr/lib/nagios/plugins/check_procs

for name in 'work: server' 'work: client'; do
	cp /bin/sleep "$folder/$name"
	start sleeper "$folder/$name" 60
	until_true grep --quiet --line-regexp "$name" "/proc/${processes[-1]}/comm"
done
server=${processes[0]}

by_pgrep=$("$root/usr/bin/pgrep" -x 'work: server' || true)
by_ps=$("$root/bin/ps" -C 'work: server' -o pid= || true)
plain=$("$root/bin/ps" -C sleep,bash -o comm= | sort --unique | head --lines=1)
status=0
must_run=$("$check_procs" -c 1: -C 'work: server') || status=$?
first_word=$("$check_procs" -C 'work:' || true)
seen "pgrep -x: $([ "$by_pgrep" = "$server" ] && echo found)"
seen "ps -C: '${by_ps}'"
seen "check_procs -c 1: -C 'work: server': ${must_run%%|*}"
seen "check_procs -C 'work:': ${first_word%%|*}"
expect "$by_pgrep" "$server" 'what pgrep -x finds'
expect "$by_ps" '' 'what ps -C finds'
expect "$plain" bash 'what ps -C finds of a name without a blank'
expect "$status" 2 'the status of check_procs, of a process that must run and does'
expect "${first_word%%:*}" 'PROCS OK' 'what check_procs says of the first word'
expect "$(grep --only-matching 'OK: [0-9]*' <<<"$first_word")" 'OK: 2' 'how many it finds by the first word'
