#!/bin/bash
# VictoriaMetrics: one huge value takes the digits of those beside it.
#
# One would guess: a value is kept as it is, or to some twelve digits, whatever else is in its series.
# What happens: the values of a block share one exponent, and have 64 bits: beside 1e18, which an exporter's counter
# that went below 0 gives, 12.1 to 12.6 are all 12, and 0.123 is 0. (1.151 does the same.)
# It matters to whoever stores percentages, or seconds, of what can glitch: dropping the spike in a query brings
# nothing back.
set -eu
cd "$(dirname "$0")"
. ./victoriametrics.bash

victoriametrics_start
now=$(($(date +%s) - 600))
# series NAME VALUE...
series()
{
	local name=$1 at=$now value
	shift
	for value; do
		echo "cpu_percent{process=\"$name\"} $value ${at}000"
		at=$((at + 10))
	done
}
{
	series alone 12.1 0.123 12.3 0.0456 12.6
	series spiked 12.1 0.123 12.3 0.0456 12.6 1844674407370955161.6
} | curl --silent --fail --data-binary @- "$victoriametrics_url/api/v1/import/prometheus"
curl --silent --fail --output /dev/null "$victoriametrics_url/internal/force_flush"

# values NAME
values()
{
	curl --silent --get "$victoriametrics_url/api/v1/export" --data-urlencode "match[]=cpu_percent{process=\"$1\"}" |
		sed --quiet 's/.*"values":\[\([^]]*\)\].*/\1/p'
}
# shellcheck disable=SC2317 # called by until_true
is_there()
{
	[ -n "$(values alone)" ] && [ -n "$(values spiked)" ]
}
until_true is_there
alone=$(values alone)
spiked=$(values spiked)
seen "12.1 0.123 12.3 0.0456 12.6: $alone"
seen "the same and 1844674407370955161.6: $spiked"
expect "$alone" 12.1,0.123,12.3,0.0456,12.6 'the series without a spike'
expect "$spiked" 12,0,12,0,12,1844674407370955264 'the series with one'
