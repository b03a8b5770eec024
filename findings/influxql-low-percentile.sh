#!/bin/bash
# InfluxQL: a low percentile of few values is no row at all.
#
# One would guess: the lowest value, as min() gives, or something between the lowest two.
# What happens: percentile(value, p) takes the value of rank n × p / 100, rounded, and where that is rank 0 there is
# none. The 5th percentile needs ten values; a minute of samples every ten seconds has six. High percentiles are
# always there.
# It matters to whoever draws a band from the 5th to the 95th percentile: the lower edge is missing, or 0 with
# fill(0).
set -eu
cd "$(dirname "$0")"
. ./influxdb.bash

influx_start
for second in 0 10 20 30 40 50; do
	echo "cpu,process=java value=$((50 + second)) $((6000 + second))"
done | influx_write

# percentile P EXPECTED
percentile()
{
	local rows
	rows=$(influx_query "SELECT percentile(value, $1) FROM cpu
		WHERE time >= 6000s AND time < 6060s GROUP BY time(1m) fill(none)")
	seen "percentile(value, $1) of 50 60 70 80 90 100: [${rows#*,}]"
	expect "${rows#*,}" "$2" "the percentile $1"
}

percentile 5 ''
percentile 8 ''
percentile 9 50
percentile 95 100
