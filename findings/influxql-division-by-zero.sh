#!/bin/bash
# InfluxQL: what is divided by zero is 0.
#
# One would guess: null, no row, or an error.
# What happens: value / 0, value % 0 and mean(a) / mean(b) with a mean of 0 are all 0, of floats and of integers.
# It matters to whoever computes memory used / limit, or hits / requests: where the divisor is missing as a 0, the
# share is the best there is, and no alarm is raised.
set -eu
cd "$(dirname "$0")"
. ./influxdb.bash

influx_start
influx_write <<'END'
mem,process=java used=512,limit=0,used_kib=524288i,limit_kib=0i 1
END

for share in 'used / "limit"' 'used_kib / limit_kib' 'used_kib % limit_kib' 'mean(used) / mean("limit")'; do
	rows=$(influx_query "SELECT $share FROM mem")
	seen "$share with used=512, limit=0: ${rows#*,}"
	expect "${rows#*,}" 0 "$share"
done
