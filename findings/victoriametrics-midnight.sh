#!/bin/bash
# VictoriaMetrics 1.79.5: what begins with the day is not there in a range that ends with the day before.
#
# One would guess: a range has its end in it, on every day and at every time of it; a sample at its end is in the answer.
# What happens: a range that ends with a midnight of UTC, to the millisecond, goes through the index of the days before
# alone. A series that was there the day before has its sample of midnight; one that begins at that very time is not
# found by query, export and labels, while a millisecond later, or an hour, all have it. (1.151 has it.)
# It matters to whoever samples on round times and asks day by day: reports, billing, backfilling: a container that is
# started by cron at 0:00 lacks its first sample.
set -eu
cd "$(dirname "$0")"
. ./victoriametrics.bash

victoriametrics_start
midnight=$(($(date +%s) / 86400 * 86400 - 86400))
curl --silent --fail --data-binary @- "$victoriametrics_url/api/v1/import/prometheus" <<-END
	cpu{process="old"} 1 $((midnight - 60))000
	cpu{process="old"} 2 ${midnight}000
	cpu{process="new"} 6 ${midnight}000
	cpu{process="hour"} 7 $((midnight + 3600))000
END

# What is at a time, each time by another selector: which series one has found is kept for some seconds.
query()
{
	curl --silent --get "$victoriametrics_url/api/v1/query" --data "nocache=1&time=$1" \
		--data-urlencode "query=last_over_time(cpu{none!=\"$1\"}[1m])" | processes
}
export_until()
{
	curl --silent --get "$victoriametrics_url/api/v1/export" --data "start=$((midnight - 60))&end=$1" \
		--data-urlencode "match[]=cpu{none!=\"$1\"}" | processes
}
processes()
{
	grep --only-matching '"process":"[a-z]*"' | cut --delimiter='"' --fields=4 | sort | paste --serial --delimiters=' '
}
# shellcheck disable=SC2317 # called by until_true
is_there()
{
	[ -n "$(query "$((midnight + 3600 + RANDOM % 60))")" ]
}
until_true is_there

at=$(query "$midnight")
after=$(query "$midnight.001")
exported=$(export_until "$midnight")
exported_after=$(export_until "$midnight.001")
hour=$(query "$((midnight + 3600))")
seen "last values at midnight: $at; a millisecond later: $after"
seen "an export until midnight: $exported; until a millisecond later: $exported_after"
seen "last values at 1:00 of what begins at 1:00: $hour"
expect "$at" old 'the last values at midnight'
expect "$after" 'new old' 'the last values a millisecond later'
expect "$exported" old 'the export until midnight'
expect "$exported_after" 'new old' 'the export until a millisecond later'
expect "$hour" hour 'the last values at one'
