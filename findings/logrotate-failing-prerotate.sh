#!/bin/bash
# logrotate: a prerotate script that says no keeps the log from being rotated, and throws the older ones away.
#
# One would guess: when prerotate fails nothing is done for this log at that run.
# What happens: the older ones have been moved on by then: x.log.1 is x.log.2, x.log.2 is x.log.3. With every run that
# fails all move on again, until they are beyond "rotate", while x.log itself stays and grows. firstaction, and
# dateext, keep them.
# It matters to whoever lets prerotate ask whether now is a good time, for instance whether the program has the log
# open.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=3.21.0-1
debian "logrotate=$version" libpopt0=1.19+dfsg-1
echo "version: logrotate $version"
chmod 755 "$folder"

# rotate_thrice WORD DIRECTIVE…: three runs, each refused by the script that WORD names; says what is left
rotate_thrice()
{
	local word=$1
	shift
	rm -rf "$folder/log"
	mkdir --mode=755 "$folder/log"
	echo now >"$folder/log/x.log"
	local age
	for age in 1 2 3; do
		echo "old $age" >"$folder/log/x.log.$age"
	done
	printf '%s\n' "$folder/log/x.log {" "$@" 'size 1' 'rotate 3' "$word" 'exit 1' 'endscript' '}' >"$folder/conf"
	chmod 644 "$folder/conf"
	for age in 1 2 3; do
		if "$root/usr/sbin/logrotate" --state "$folder/state" "$folder/conf" 2>/dev/null; then
			echo "this has changed: logrotate succeeds though $word failed" >&2
			exit 1
		fi
	done
	(cd "$folder/log" && grep --with-filename . x.log* | tr '\n' ' ')
}

left=$(rotate_thrice prerotate)
seen "of x.log and three older ones after three runs whose prerotate fails: $left"
expect "$left" 'x.log:now x.log.4:old 1 ' 'what is left'
left=$(rotate_thrice firstaction)
seen "after three whose firstaction fails: $left"
expect "$left" 'x.log:now x.log.1:old 1 x.log.2:old 2 x.log.3:old 3 ' 'what is left'
