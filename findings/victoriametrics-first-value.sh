#!/bin/bash
# VictoriaMetrics: whether the first value of a series counts in increase() and delta() depends on how it compares
# with the next step.
#
# One would guess: a series that is first seen in the window adds what it grew by from its first value on (as in
# Prometheus), or, for who has read that new counters are taken to begin at 0, always all of it.
# What happens: the first value counts in full when it is under about ten times the first change, else not at all. Two
# counters that both grew by 10 differ by a factor of 11. It holds for delta() of gauges too, and for a single value.
# It matters to whoever adds up CPU seconds or memory growth over processes that come and go, or restarts an exporter:
# its spike is there or not by the age of the process.
set -eu
cd "$(dirname "$0")"
. ./victoriametrics.bash

victoriametrics_start
now=$(($(date +%s) - 3600))
# process NAME FIRST: ten seconds later it is at FIRST + 10
process()
{
	echo "cpu_seconds{process=\"$1\"} $2 $((now - 20))000"
	echo "cpu_seconds{process=\"$1\"} $(($2 + 10)) $((now - 10))000"
}
{
	process young 100
	process old 120
	echo "cpu_seconds{process=\"single\"} 7 $((now - 10))000"
} | curl --silent --fail --data-binary @- "$victoriametrics_url/api/v1/import/prometheus"

# answer FUNCTION PROCESS
answer()
{
	curl --silent --get "$victoriametrics_url/api/v1/query" --data "time=$now&nocache=1" \
		--data-urlencode "query=$1(cpu_seconds{process=\"$2\"}[1m])" |
		sed --quiet 's/.*"value":\[[0-9]*,"\([^"]*\)".*/\1/p'
}
# shellcheck disable=SC2317 # called by until_true
is_there()
{
	[ -n "$(answer increase old)" ] && [ -n "$(answer increase young)" ] && [ -n "$(answer delta single)" ]
}
until_true is_there

for function in increase delta; do
	young=$(answer $function young)
	old=$(answer $function old)
	seen "$function() of 100, 110 within the window: $young; of 120, 130: $old"
	expect "$young" 110 "$function() of 100, 110"
	expect "$old" 10 "$function() of 120, 130"
done
single=$(answer delta single)
seen "delta() of a single 7: $single"
expect "$single" 7 'delta() of one value'
