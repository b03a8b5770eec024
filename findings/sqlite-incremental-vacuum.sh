#!/bin/bash
# SQLite, Python's sqlite3: PRAGMA incremental_vacuum(100) frees one page.
#
# One would guess: execute() of a pragma does it all, as the manual says that 100 pages are removed.
# What happens: each step of the statement frees one page, and execute() takes one step, since there are no columns;
# fetchall() changes nothing. executescript() and the program sqlite3 step to the end.
# It matters to whoever keeps a store of samples small by this pragma after each deletion: it grows for ever.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=3.40.1-2+deb12u2
debian "sqlite3=$version" "libsqlite3-0=$version"
echo "version: SQLite $version, $(/usr/bin/python3 --version)"

cat >"$folder/program.py" <<'END'
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.executescript("PRAGMA auto_vacuum = incremental; CREATE TABLE samples (value);"
                       "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                       "INSERT INTO samples SELECT zeroblob(3000) FROM n; DELETE FROM samples")


def free():
    return database.execute("PRAGMA freelist_count").fetchone()[0]


def freed(way):
    before = free()
    way("PRAGMA incremental_vacuum(100)")
    return before - free()


print("execute", freed(database.execute))
print("fetchall", freed(lambda sql: database.execute(sql).fetchall()))
print("executescript", freed(database.executescript))
END
/usr/bin/python3 "$folder/program.py" "$folder/database" >"$folder/answer"
before=$("$root/usr/bin/sqlite3" "$folder/database" 'PRAGMA freelist_count')
"$root/usr/bin/sqlite3" "$folder/database" 'PRAGMA incremental_vacuum(100)'
echo "sqlite3 $((before - $("$root/usr/bin/sqlite3" "$folder/database" 'PRAGMA freelist_count')))" >>"$folder/answer"

seen "pages freed: $(tr '\n' ' ' <"$folder/answer")"
expect "$(tr '\n' ' ' <"$folder/answer")" 'execute 1 fetchall 1 executescript 100 sqlite3 100 ' 'what is freed'
