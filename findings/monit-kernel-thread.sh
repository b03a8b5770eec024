#!/bin/bash
# Monit: "check process NAME matching PATTERN" also matches kernel threads, and takes one rather than the program.
#
# One would guess: the pattern is for command lines, which kernel threads do not have; of several matches one of ours
# is taken.
# What happens: a kernel thread is matched by its name, and of all matches that with the longest uptime is watched.
# "matching worker" is a kworker: it never ends, uses no memory, and is OK while every worker of ours is dead.
# It matters to whoever watches "worker", "migration", "watchdog", "scsi" or "nfsd" by a pattern. A pattern with the
# path is safe.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=1:5.33.0-1
debian "monit=$version"
echo "version: monit $version"
if ! grep --quiet --no-messages '^kworker' /proc/[0-9]*/comm; then
	echo 'kernel threads cannot be seen here: it needs the PID namespace of a machine' >&2
	exit 2
fi

cat >"$folder/monitrc" <<END
set daemon 1
set pidfile $folder/monit.pid
set idfile $folder/monit.id
set statefile $folder/monit.state
set httpd port $(free_port) and use address 127.0.0.1 allow localhost
check process worker matching "worker"
check process ours matching "$folder/worker"
END
chmod 600 "$folder/monitrc"
cp /bin/bash "$folder/worker"
mkfifo "$folder/idle"
start worker "$folder/worker" -c "read -r -t 120 <>'$folder/idle'"
worker=${processes[-1]}
start monit "$root/usr/bin/monit" -c "$folder/monitrc" -I

# value SERVICE FIELD: of what monit knows by now
value()
{
	"$root/usr/bin/monit" -c "$folder/monitrc" status "$1" 2>/dev/null |
		awk -v field="$2" '$0 ~ "^  " field "  " { sub("^  " field " +", ""); print }'
}
# shellcheck disable=SC2317 # called by until_true
is_known()
{
	[ -n "$(value worker pid)" ] && [ "$(value ours status)" = "$1" ]
}
until_true is_known OK

kill -KILL "$worker"
until_true is_known 'Does not exist'
watched=$(value worker pid)
name=$(cat "/proc/$watched/comm")
seen "\"matching worker\" with no worker of ours alive: status $(value worker status), PID $watched, which is $name"
expect "$(value worker status)" OK 'the status'
expect "$(wc --bytes <"/proc/$watched/cmdline")" 0 'the length of the command line of what is watched'
seen "\"matching .../worker\": status $(value ours status)"
