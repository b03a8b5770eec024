#!/bin/bash
# InfluxQL: ORDER BY time DESC, asked for to see the newest rows first, is taken for the order in which the functions
# walk.
#
# One would guess: the same rows, the other way round.
# What happens: differences and derivatives turn their sign and are stamped at the earlier of the two points, so that
# non_negative_derivative() of a counter that only rises has no row at all; integral() is negative; fill(previous)
# fills from the value that came later.
# It matters to whoever asks for the newest rate of a process's CPU seconds with ORDER BY time DESC LIMIT 1.
set -eu
cd "$(dirname "$0")"
. ./influxdb.bash

influx_start
influx_write <<'END'
cpu_seconds,process=java value=10 1000
cpu_seconds,process=java value=13 1030
cpu_seconds,process=java value=18 1040
END

# row NAME FUNCTION ASCENDING DESCENDING
row()
{
	local query="SELECT $2 FROM cpu_seconds WHERE time >= 1000s AND time < 1050s $5"
	local ascending descending
	ascending=$(influx_query "$query ORDER BY time ASC")
	descending=$(influx_query "$query ORDER BY time DESC")
	seen "$1: ascending [$ascending], descending [$descending]"
	expect "$ascending" "$3" "$1, oldest first,"
	expect "$descending" "$4" "$1, newest first,"
}

row derivative 'derivative(value, 1s)' '1030,0.1 1040,0.5' '1030,-0.5 1000,-0.1' ''
row non_negative_derivative 'non_negative_derivative(value, 1s)' '1030,0.1 1040,0.5' '' ''
row integral 'integral(value)' '0,500' '0,-500' ''
row 'fill(previous)' 'mean(value)' '1000,10 1010,10 1020,10 1030,13 1040,18' '1040,18 1030,13 1020,13 1010,13 1000,10' \
	'GROUP BY time(10s) fill(previous)'
