#!/bin/bash
# csvkit: csvsort changes what it sorts.
#
# One would guess: a tool that sorts rows gives the same rows in another order.
# What happens: each column is read as a type and written anew. In a column of counts that are 0 and 1 they become False and
# True, a process yes is True where all of them are, none is empty, 007 is 7, and 5% is 5. It is done to all columns, not only
# to the one that is sorted by, and nothing is said. csvcut and csvgrep leave values alone; -I (no inference) does, too, but
# then 10 sorts before 9.
# It matters to whoever sorts rows of processes by their CPU before mailing them: each name depends on all the other names
# in its column.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=2.2.0
python_packages "csvkit==$version"
echo "version: csvkit $version"
bin=$folder/python/bin

# sorted OPTION... : the first column of rows from the standard input, sorted by the second
sorted()
{
	"$bin/csvsort" "$@" --columns cpu | "$bin/csvcut" --columns process | tail --lines=+2 | tr '\n' ' ' | sed 's/ $//'
}

yes=$(printf 'process,cpu\nyes,10\nyes,9\n' | sorted)
mixed=$(printf 'process,cpu\nyes,10\nbash,9\n' | sorted)
none=$(printf 'process,cpu\nnone,10\nbash,9\n' | sorted)
counts=$(printf 'process,cpu\n1,10\n0,9\n' | sorted)
digits=$(printf 'process,cpu\n007,10\n5%%,9\n' | sorted)
plain=$(printf 'process,cpu\nyes,10\nno,9\n' | sorted --no-inference)
seen "yes and yes: $yes"
seen "yes and bash: $mixed"
seen "none and bash: $none"
seen "1 and 0: $counts"
seen "007 and 5%: $digits"
seen "yes (10) and no (9) with --no-inference: $plain"
expect "$yes" 'True True' 'a column of yes'
expect "$mixed" 'bash yes' 'a column of yes and bash'
expect "$none" 'bash ""' 'a column of none and bash'
expect "$counts" 'False True' 'a column of 1 and 0'
expect "$digits" '5 7' 'a column of 007 and 5%'
expect "$plain" 'yes no' 'what is sorted without inference'
