#!/bin/bash
# prom-client (npm): process_cpu_seconds_total is not the CPU of the process.
#
# One would guess: it is what the process has used since its start, as with the same name in the clients for Go and
# Python.
# What happens: it is what was used since collectDefaultMetrics() was called. What came before is in no metric, though
# process_start_time_seconds tells of the whole life.
# It matters to whoever compares it with what /proc or another exporter tells, or divides it by the age: the start,
# which is the dearest part of many programs, is missing.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=15.1.3
python_version=0.26.0
node_packages "prom-client@$version"
python_packages "prometheus-client==$python_version"
echo "version: prom-client $version, node $(node --version), prometheus_client $python_version (Python)"

cat >"$folder/program.js" <<'END'
while (process.cpuUsage().user < 1500000);
const client = require('prom-client');
client.collectDefaultMetrics();
const name = 'process_cpu_seconds_total';
client.register.getSingleMetric(name).get().then(async () => {
	const text = await client.register.getSingleMetricAsString(name);
	const value = Number(text.split('\n').find(line => line.startsWith(name + ' ')).split(' ')[1]);
	console.log(value < 0.75 ? 'less than half of it' : 'all of it');
});
END
cat >"$folder/program.py" <<'END'
import time

while time.process_time() < 1.5:
    pass
import prometheus_client

value = prometheus_client.REGISTRY.get_sample_value("process_cpu_seconds_total")
print("less than half of it" if value < 0.75 else "all of it")
END
node=$(cd "$folder" && node program.js)
python=$("$python" "$folder/program.py")
seen "1.5 s of CPU before the client is asked for: prom-client tells $node, the one for Python $python"
expect "$node" 'less than half of it' 'what prom-client tells'
expect "$python" 'all of it' 'what the client for Python tells'
