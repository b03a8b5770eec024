#!/bin/bash
# bash: `while read line; do …; done </proc/PID/status` passes over lines that are there.
#
# One would guess: a file that is read line by line through one descriptor is read as a whole, as it was or as it became.
# What happens: read takes a block, and seeks back to behind the line. For each seek the kernel makes a file of /proc anew, and
# when a number before that place has got a digit more or less by then, what is read next begins within another line:
# fields are cut, or missing. In some of a thousand readings of a process that works, SigIgn or Threads is not there.
# $(</proc/PID/status), mapfile and grep read on without seeking, and have all of it each time.
# It matters to whoever looks for a field of a busy process in a script: a check fails now and then, for no reason that
# anything tells.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=5.2.15-2+b13
debian "bash=$version"
echo "version: bash $version, Linux $(uname -r)"

cat >"$folder/look" <<'END'
missed=0
for ((i = 0; i < $2; i++)); do
	found=no
	case $3 in
	lines) while read -r word _; do [ "$word" = SigIgn: ] && found=yes; done <"/proc/$1/status" ;;
	whole) [[ $(<"/proc/$1/status") == *$'\nSigIgn:'* ]] && found=yes ;;
	esac
	[ $found = yes ] || missed=$((missed + 1))
done
echo $missed
END
# Its memory grows and shrinks, so that VmRSS has four digits and five.
# shellcheck disable=SC2016 # expanded by the worker
start worker "$root/bin/bash" -c 'while :; do text=$(printf "%*s" $((RANDOM * 300)) x); done'

readings=0 missed=0
while [ "$missed" -eq 0 ] && [ "$readings" -lt 40000 ]; do
	missed=$((missed + $("$root/bin/bash" "$folder/look" "${processes[-1]}" 2000 lines)))
	readings=$((readings + 2000))
done
whole=$("$root/bin/bash" "$folder/look" "${processes[-1]}" 4000 whole)
seen "SigIgn of /proc/PID/status by lines: missed $missed times in $readings readings"
seen "the same by \$(<file): missed $whole times in 4000 readings"
expect "$([ "$missed" -gt 0 ] && echo some)" some 'how often a line is passed over'
expect "$whole" 0 'how often it is missed in all of the file'
