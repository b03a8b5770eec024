#!/bin/bash
# VictoriaMetrics 1.79.5: whether the newest 30 seconds are in a range depends on its step.
#
# One would guess: a range of one point has what a query of that time has; the step says how far points lie apart.
# What happens: with a step of a minute it has. With any shorter one the last 30 seconds before now repeat what came
# before them, and a range that lies in them as a whole has nothing to repeat: it is empty, though the samples are there,
# and nocache=1 and latency_offset=1ms change nothing. It is the answer for "no such series". (1.151 obeys latency_offset.)
# It matters to whoever asks for the last seconds at a fine step: health checks, tests of alerts, live charts that add the
# newest points to those they have: they wait half a minute, or find nothing ever, while the last value is told at once.
set -eu
cd "$(dirname "$0")"
. ./victoriametrics.bash

victoriametrics_start
base=$(($(date +%s) - 60))
for ((i = 0; i < 180; i++)); do # also of the seconds that this takes
	echo "cpu $i $((base + i))000"
done | curl --silent --fail --data-binary @- "$victoriametrics_url/api/v1/import/prometheus"

# ask KIND TIMES: the values
ask()
{
	curl --silent --get "$victoriametrics_url/api/v1/$1" --data "nocache=1&latency_offset=1ms&$2" --data-urlencode 'query=cpu' |
		grep --only-matching '"[0-9]*"\]' | tr --delete '"]' | paste --serial --delimiters=' '
}
# shellcheck disable=SC2317 # called by until_true
is_there()
{
	[ -n "$(ask query "time=$(date +%s)")" ]
}
until_true is_there

now=$(date +%s)
at=$((now - 6))
last=$(ask query "time=$at")
second=$(ask query_range "start=$((at - 5))&end=$at&step=1")
most=$(ask query_range "start=$at&end=$at&step=59.999")
minute=$(ask query_range "start=$at&end=$at&step=60")
over=$(ask query_range "start=$((now - 41))&end=$at&step=5")
seen "six seconds ago, a query: $last"
seen "the five seconds before, in steps of a second: ${second:-nothing}; that time, with a step just under a minute: ${most:-nothing}"
seen "that time, with a step of a minute: $minute"
seen "from 41 seconds ago, in steps of five seconds: $over"
age=$((now - base))
expect "$last" $((age - 6)) 'the query'
expect "$second" '' 'the range in seconds'
expect "$most" '' 'the range with a step just under a minute'
expect "$minute" $((age - 6)) 'the range with a step of a minute'
old=$((age - 31))
expect "$over" "$((age - 41)) $((age - 36)) $old $old $old $old $old $old" 'the range that begins 41 seconds ago'
