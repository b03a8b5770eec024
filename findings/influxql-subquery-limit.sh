#!/bin/bash
# InfluxQL: LIMIT and SLIMIT of a subquery count for nothing unless the outer query groups by the same tags.
#
# One would guess: what the inner query answers alone, one row a process, is what the outer query sums.
# What happens: the sum is over all rows of all processes; with GROUP BY process outside as well it is over one row
# each.
# It matters to whoever takes a row of each process, or the first processes, and adds them up to a figure of the host.
set -eu
cd "$(dirname "$0")"
. ./influxdb.bash

influx_start
influx_write <<'END'
mem,process=java value=1 1
mem,process=java value=10 2
mem,process=ruby value=100 1
mem,process=ruby value=1000 2
END

inner='SELECT value FROM mem GROUP BY process LIMIT 1'
alone=$(influx_query "$inner")
seen "[$inner] alone: $alone"
expect "$alone" '1,1 1,100' 'a row of each process'

summed=$(influx_query "SELECT sum(value) FROM ($inner)")
seen "its sum: $summed (101 would be right)"
expect "$summed" '0,1111' 'the sum'

grouped=$(influx_query "SELECT sum(value) FROM ($inner) GROUP BY process")
seen "its sums by process: $grouped"
expect "$grouped" '0,1 0,100' 'the sums by process'

one=$(influx_query "SELECT sum(value) FROM (SELECT max(value) AS value FROM mem GROUP BY process SLIMIT 1)")
seen "the sum over SLIMIT 1: $one (10 would be right)"
expect "$one" '0,1010' 'the sum over one series'
