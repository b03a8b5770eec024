#!/bin/bash
# DuckDB: what type a column of CSV has depends on which row comes first, where a number is infinite.
#
# One would guess: inf in a column of numbers is a number, as it is in every other row; at worst the column is text.
# What happens: "1.5, inf" is a column of DOUBLE; the same rows the other way round, "inf, 1.5", are VARCHAR, of which no
# sum can be made; and inf alone is a DATE: the 31st of December 9999 for Python. (A date may be infinite, too, and is
# tried before a number.) +Inf, as Prometheus writes it, is always text.
# It matters to whoever reads rows of "time until full" or of histogram bounds: the query that worked fails, or computes
# with dates, after a sort.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=2.0.1
python_packages "duckdb==$version"
echo "version: duckdb $version"

# type_of VALUE...: of a column with these values
type_of()
{
	{
		echo 'process,seconds_left'
		printf 'java,%s\n' "$@"
	} >"$folder/rows.csv"
	"$python" - "$folder/rows.csv" <<'END'
import sys, duckdb
print(duckdb.sql(f"SELECT seconds_left FROM read_csv('{sys.argv[1]}')").types[0])
END
}

number_first=$(type_of 1.5 inf)
infinity_first=$(type_of inf 1.5)
alone=$(type_of inf inf)
prometheus=$(type_of +Inf 1.5)
value=$(printf 'process,seconds_left\njava,inf\n' >"$folder/rows.csv"
	"$python" -c "import duckdb; print(duckdb.sql(\"SELECT seconds_left FROM read_csv('$folder/rows.csv')\").fetchall()[0][0])")
seen "1.5, inf: $number_first"
seen "inf, 1.5: $infinity_first"
seen "inf, inf: $alone, $value"
seen "+Inf, 1.5: $prometheus"
expect "$number_first" DOUBLE 'a number and then inf'
expect "$infinity_first" VARCHAR 'inf and then a number'
expect "$alone" DATE 'inf alone'
expect "$value" 9999-12-31 'its value'
expect "$prometheus" VARCHAR '+Inf and then a number'
