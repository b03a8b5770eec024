#!/bin/bash
# Miller: a text of CSV that looks like a number to it makes JSON which nobody reads.
#
# One would guess: mlr --icsv --ojson writes JSON: numbers as JSON has them, and all else as strings.
# What happens: what Miller takes for a number is written as it stood, though JSON has no such numbers: of a process that is
# called 0xff, .5 or 0b11 there is a bare word, and whoever reads JSON refuses all of the output, not that row alone. 007 and
# +7 are strings. With -S all are.
# It matters to whoever turns rows of processes, units or containers (hexadecimal ids) into JSON: it works until one of the
# names looks like a number.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=6.6.0-2+b3
debian "miller=$version"
echo "version: miller $version"

# json_of NAME [OPTION]: how a process of that name is written
json_of()
{
	local name=$1
	shift
	printf 'process,value\nbash,1\n%s,2\n' "$name" | "$root/usr/bin/mlr" "$@" --icsv --ojson cat >"$folder/rows.json"
	sed --quiet 's/.*"process": \(.*\),$/\1/p' "$folder/rows.json" | tail --lines=1
}

# read_by_python: whether the last answer is JSON
read_by_python()
{
	/usr/bin/python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$folder/rows.json" 2>/dev/null && echo yes || echo no
}

for name in 0xff .5 0b11; do
	bare=$(json_of "$name")
	readable=$(read_by_python)
	seen "$name as JSON: $bare; what Python reads of both rows: $readable"
	expect "$bare" "$name" "how $name is written"
	expect "$readable" no "whether Python reads JSON with $name"
done
for name in 007 +7; do
	text=$(json_of "$name")
	seen "$name as JSON: $text"
	expect "$text" "\"$name\"" "how $name is written"
done
text=$(json_of 0xff -S)
readable=$(read_by_python)
seen "0xff with -S: $text; what Python reads of both rows: $readable"
expect "$text" '"0xff"' 'how 0xff is written with -S'
expect "$readable" yes 'whether Python reads it with -S'
