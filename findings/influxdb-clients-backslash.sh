#!/bin/bash
# InfluxDB's own clients: a tag that ends in a backslash is not what is stored.
#
# One would guess: the official writers and the server agree, so that the name comes back, or the writer refuses it.
# What happens: line protocol cannot say a backslash before a comma or a blank. The client for Python puts a blank in
# its place, answered 204. The one for JavaScript leaves it, where it takes the separator for its own, and the batch
# is a 400.
# It matters to whoever has paths such as C:\ in tags: volumes, working folders, commands. By one client the series
# has another name, which no query asks for; by the other all that is in the batch is lost.
set -eu
cd "$(dirname "$0")"
. ./influxdb.bash

python_version=1.49.0
node_version=1.35.0
influx_start
python_packages "influxdb-client==$python_version"
node_packages "@influxdata/influxdb-client@$node_version"
echo "version: influxdb-client $python_version (Python), @influxdata/influxdb-client $node_version (JavaScript)"

cat >"$folder/points.py" <<'END'
import sys

from influxdb_client import Point

point = Point(sys.argv[1]).tag("drive", "C:\\").field("value", 1).time(1, "s")
print((point.tag("host", "db1") if sys.argv[2] == "host" else point).to_line_protocol())
END
cat >"$folder/points.js" <<'END'
const { Point } = require('@influxdata/influxdb-client');
const point = new Point(process.argv[2]).tag('drive', 'C:\\').intField('value', 1).timestamp(1);
console.log((process.argv[3] === 'host' ? point.tag('host', 'db1') : point).toLineProtocol());
END

# check WHAT MEASUREMENT TAG EXPECTED PROGRAM...: what the server has of the tag C:\ that a client wrote; with a second
# tag where TAG is "host"
check()
{
	local what=$1 measurement=$2 tag=$3 expected=$4 line status tags
	shift 4
	line=$("$@" "$measurement" "$tag")
	status=$(curl --silent --output /dev/null --write-out '%{http_code}' --data-binary "$line" \
		"$influx_url/write?db=d&precision=s")
	tags=$(curl --silent --get "$influx_url/query?db=d" --data-urlencode "q=SELECT value FROM $measurement GROUP BY *" |
		sed --quiet 's/.*"tags":\({[^}]*}\).*/\1/p')
	seen "$what: $line: answer $status, tags stored: $tags"
	expect "$status $tags" "$expected" "what the server has of it"
}
check 'Python, alone' p1 none '204 {"drive":"C: "}' "$python" "$folder/points.py"
check 'Python, before another' p2 host '204 {"drive":"C: ","host":"db1"}' "$python" "$folder/points.py"
check 'JavaScript, alone' j1 none '400 ' node "$folder/points.js"
check 'JavaScript, before another' j2 host '400 ' node "$folder/points.js"
