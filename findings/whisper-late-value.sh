#!/bin/bash
# whisper (Graphite): a value that comes late replaces the mean that is there.
#
# One would guess: it is refused, or goes into the mean of its minute as the others did.
# What happens: when it is older than the finest archive, it is written into the coarser one as it is, in the place of
# what was aggregated there. One late value of 1 makes 1 of a minute whose mean of six was 50; and six late ones sent
# together leave the last of them, not their mean.
# It matters to whoever fills in samples after an outage: each minute that is filled in is one of its samples.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=1.1.10
python_packages "whisper==$version" six==1.17.0
echo "version: whisper $version"

cat >"$folder/program.py" <<'END'
import sys

import whisper

path, now = sys.argv[1], 1700000040
minute = now - 1800  # older than ten minutes
# Each 10 s for ten minutes, then minutes for a day.
whisper.create(path, [(10, 60), (60, 1440)], xFilesFactor=0.5, aggregationMethod="average")


def show(what, at):
    values = whisper.fetch(path, at - 1, at + 59, now=now, archiveToSelect=60)[1]
    print(f"{what}: {values[0]:g}")


for i in range(6):
    whisper.update(path, 50, minute + 10 * i, now=minute + 60)
show("six of 50 in time", minute)
whisper.update(path, 1, minute + 30, now=now)
show("and one of 1 late", minute)
for i in range(6):
    whisper.update(path, 100 * i, minute + 120 + 10 * i, now=minute + 180)
show("0 100 200 300 400 500 in time", minute + 120)
whisper.update_many(path, [(minute + 240 + 10 * i, 100 * i) for i in range(6)], now=now)
show("0 100 200 300 400 500 late", minute + 240)
END
"$python" "$folder/program.py" "$folder/series.wsp" >"$folder/answer"

# of WHAT EXPECTED
of()
{
	local value
	value=$(sed --quiet "s/^$1: //p" "$folder/answer")
	seen "the minute's value, $1: $value"
	expect "$value" "$2" "the minute's value, $1,"
}
of 'six of 50 in time' 50
of 'and one of 1 late' 1
of '0 100 200 300 400 500 in time' 250
of '0 100 200 300 400 500 late' 500
