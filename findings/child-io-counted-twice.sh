#!/bin/bash
# /proc/PID/io, process-exporter, pidstat: what a child has read and written is counted for its parent once more.
#
# One would guess: read_bytes and write_bytes of a process are what it has caused itself, so that sums over processes are
# what the machine did.
# What happens: when a parent waits for a child, the kernel adds all that the child has read and written to the parent's
# own counters (kernel/exit.c, wait_task_zombie()); there is no field of its own for children, as cutime is for CPU. A
# shell that has written nothing jumps by all that its command wrote; process-exporter's counters have it in both groups,
# and pidstat shows the shell as the writer, in the second in which the command ended.
# It matters to whoever sums disk I/O over processes or asks who has written: a build's bytes come again at every level up
# to make, a cron job's under cron.
set -eu
cd "$(dirname "$0")"
. ./common.bash

exporter_version=0.7.10-3+b5
sysstat_version=12.6.1-1
debian "prometheus-process-exporter=$exporter_version" "sysstat=$sysstat_version"
echo "version: prometheus-process-exporter $exporter_version, sysstat $sysstat_version, Linux $(uname -r)"

mib=$((1 << 20))
cp /bin/bash "$folder/parent"
cp /bin/dd "$folder/child"
mkfifo "$folder/go"
# shellcheck disable=SC2016 # expanded by the parent
start parent "$folder/parent" -c 'read -r line <"$0/go"
	"$0/child" if=/dev/zero of="$0/data" bs=1M count=64 conv=fsync status=none
	echo >"$0/ended"; read -r line <"$0/go"' "$folder"
parent=${processes[-1]}

cat >"$folder/groups.yml" <<'END'
process_names:
  - comm: [parent]
    name: parent
  - comm: [child]
    name: child
END
url=127.0.0.1:$(free_port)
start exporter "$root/usr/bin/prometheus-process-exporter" -config.path "$folder/groups.yml" -web.listen-address "$url"
until_true curl --silent --fail "$url/metrics"

# written_of GROUP: in whole MiB
written_of()
{
	curl --silent "$url/metrics" | awk -v mib=$mib -v group="\"$1\"" \
		'index($1, "namedprocess_namegroup_write_bytes_total{groupname=" group "}") == 1 { printf "%d\n", $2 / mib }'
}

own_before=$(awk -v mib=$mib '$1 == "write_bytes:" { printf "%d", $2 / mib }' "/proc/$parent/io")
before=$(written_of parent)
start pidstat "$root/usr/bin/pidstat" -d -p "$parent" 1 60
pidstat=${processes[-1]}
echo >"$folder/go"
until_true test -e "$folder/ended"
own=$(awk -v mib=$mib '$1 == "write_bytes:" { printf "%d", $2 / mib }' "/proc/$parent/io")
after=$(written_of parent)
# shellcheck disable=SC2317 # called by until_true
is_shown()
{
	awk '$NF == "parent" && $5 > 1000 { found = 1 } END { exit !found }' "$folder/pidstat.log"
}
shown=no
until_true is_shown && shown=yes
kill -INT "$pidstat"
seen "a file of 64 MiB, written by a child; write_bytes of its parent before and after: $own_before MiB, $own MiB"
seen "process-exporter on the group of the parent: $before MiB, $after MiB"
seen "a line of pidstat -d: $(awk '$NF == "parent" && $5 > 1000 { print $5, "kB written each second by", $NF; exit }' "$folder/pidstat.log")"
expect "$own_before" 0 'what the parent had written before'
expect "$before" 0 'what process-exporter said before'
expect "$own" 64 'what the parent has written once its child has ended'
expect "$after" 64 'what process-exporter says of the parent'
expect "$shown" yes 'whether pidstat shows the parent as the writer'
