#!/bin/bash
# atop: a process that got the PID of one that was watched is reported with the CPU of its whole life at every interval.
#
# One would guess: it is new in the interval in which it came, and from then on what it uses within each interval is
# shown.
# What happens: it is new in every interval. A process that used 0.2 s once and then sleeps is shown with these 0.2 s
# each time; one that works on is shown with all that it has used so far.
# It matters to whoever reads atop's figures, or its logs, of machines where PIDs go round within atop's life.
set -eu
cd "$(dirname "$0")"
. ./reused_pid.bash

version=2.8.1-1+deb12u1
debian "atop=$version"
echo "version: atop $version"

# The third interval begins some seconds after the newcomer has done its work.
watch_reused_pid "$root/usr/bin/atop" -P PRC 4 5
mapfile -t ticks < <(awk '/\(newcomer\)/ { print $11 + $12 }' "$folder/watch.log")
seen "ticks of CPU of the newcomer, interval by interval: ${ticks[*]}"
expect "${#ticks[@]}" 4 'the number of intervals with the newcomer'
if [ "${ticks[-1]}" -lt 20 ] || [ "${ticks[-1]}" != "${ticks[-2]}" ]; then
	echo 'this has changed: the newcomer, which sleeps, is not shown with the CPU of its whole life any more' >&2
	exit 1
fi
