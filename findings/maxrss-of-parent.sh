#!/bin/bash
# Linux, wait4() and getrusage(): the ru_maxrss of a program has the memory of whoever started it.
#
# One would guess: it is the most that the program had, as time -f %M tells.
# What happens: what a child has between fork, vfork or posix_spawn and exec is its parent's, and counts. The same
# "true" has 1 MiB when it is started by a small program and over 300 when by a Python of 300 MiB.
# It matters to whoever measures commands from a large program, as judges, build systems and test runners do: all
# small commands need exactly as much as the runner.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=1.9-0.2
debian "time=$version"
echo "version: Linux $(uname --kernel-release), $(/usr/bin/python3 --version), time $version"

cat >"$folder/program.py" <<'END'
import os
import sys

memory = bytearray(b"x") * (300 << 20)
for name, start in (("posix_spawn", lambda: os.posix_spawn("/bin/true", ["true"], {})),
                    ("fork and exec", lambda: os.fork() or os.execv("/bin/true", ["true"])),
                    ("by time", lambda: os.posix_spawn(sys.argv[1], ["time", "--format=%M", "/bin/true"], {}))):
    usage = os.wait4(start(), 0)[2]
    if name != "by time":
        print(f"{name}: {'over 300 MiB' if usage.ru_maxrss >= 300 << 10 else 'less'}")
END
/usr/bin/python3 "$folder/program.py" "$root/usr/bin/time" >"$folder/answer" 2>"$folder/by-time"
for name in posix_spawn 'fork and exec'; do
	maximum=$(sed --quiet "s/^$name: //p" "$folder/answer")
	seen "ru_maxrss of \"true\", started by a Python of 300 MiB with $name: $maximum"
	expect "$maximum" 'over 300 MiB' "ru_maxrss with $name"
done
by_time=$(($(cat "$folder/by-time") < 10240 ? 10 : 1000))
seen "and by time, which that Python starts: $(cat "$folder/by-time") KiB"
expect "$by_time" 10 'what time tells, in MiB at most'
