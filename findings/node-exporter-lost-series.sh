#!/bin/bash
# node_exporter, textfile collector: a file whose series are thrown away is none that failed to be read.
#
# One would guess: node_textfile_scrape_error, which is there to alarm on, says 1, or the scrape fails.
# What happens: when two files describe one metric with other words of HELP or another TYPE, or both have a series, what
# comes later is left out of the answer, which is 200, with node_textfile_scrape_error 0. Only the log tells.
# It matters to whoever lets several jobs write a metric each for its own process or host: one job's edited HELP
# blinds another.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=1.5.0-1+b6
debian "prometheus-node-exporter=$version"
echo "version: prometheus-node-exporter $version"
mkdir "$folder/text"
url=http://127.0.0.1:$(free_port)/metrics
start exporter "$root/usr/bin/prometheus-node-exporter" --collector.disable-defaults --collector.textfile \
	--collector.textfile.directory="$folder/text" --web.listen-address="$(cut --delimiter=/ --fields=3 <<<"$url")"
until_true curl --silent --fail "$url"

# check WHAT FIRST-FILE SECOND-FILE: the first file's series is there, the second's is not
check()
{
	printf '%b' "$2" >"$folder/text/a.prom"
	printf '%b' "$3" >"$folder/text/b.prom"
	local status series error
	status=$(curl --silent --output "$folder/answer" --write-out '%{http_code}' "$url")
	series=$(grep '^job_' "$folder/answer" | tr '\n' ' ')
	error=$(sed --quiet 's/^node_textfile_scrape_error //p' "$folder/answer")
	seen "$1: HTTP $status, scrape_error $error, series: $series"
	expect "$status" 200 'the status'
	expect "$error" 0 'node_textfile_scrape_error'
	expect "$series" "$4" 'what is answered'
}

check 'one description' '# HELP job_up Is it?\n# TYPE job_up gauge\njob_up{job="a"} 1\n' \
	'# HELP job_up Is it?\n# TYPE job_up gauge\njob_up{job="b"} 1\n' 'job_up{job="a"} 1 job_up{job="b"} 1 '
check 'another HELP' '# HELP job_up Is it?\n# TYPE job_up gauge\njob_up{job="a"} 1\n' \
	'# HELP job_up Is it up?\n# TYPE job_up gauge\njob_up{job="b"} 1\n' 'job_up{job="a"} 1 '
check 'another TYPE' '# TYPE job_up gauge\njob_up{job="a"} 1\n' \
	'# TYPE job_up counter\njob_up{job="b"} 1\n' 'job_up{job="a"} 1 '
check 'a series twice' 'job_up{job="a"} 1\n' 'job_up{job="a"} 0\n' 'job_up{job="a"} 1 '
