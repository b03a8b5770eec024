#!/bin/bash
# process-exporter: a process stays in the group that it was first seen in, whatever it becomes.
#
# One would guess: groups are told from the name that a process has at the scrape.
# What happens: a name is looked at once. What was seen in a starting script, or between fork and exec, counts there
# until it ends; what belonged to no group then is in none for ever, and the program's own group is not there. Another
# exporter with the same file, started later, has both. --recheck looks again, but only at those without a group.
# It matters to whoever alarms on a service that is missing: which of its processes count depends on when the scrapes
# came.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=0.7.10-3+b5
debian "prometheus-process-exporter=$version"
echo "version: prometheus-process-exporter $version"

# Scripts that become services; one of them is of a group.
cp /bin/bash "$folder/launcher"
cp /bin/bash "$folder/outsider"
cp /bin/sleep "$folder/service"
cat >"$folder/groups.yml" <<'END'
process_names:
  - comm: [launcher]
    name: launcher
  - comm: [service]
    name: service
END

# exporter NAME OPTION...: $NAME is its URL
exporter()
{
	local name=$1 port
	shift
	port=$(free_port)
	start "$name" "$root/usr/bin/prometheus-process-exporter" -config.path "$folder/groups.yml" \
		-web.listen-address "127.0.0.1:$port" "$@"
	printf -v "$name" '%s' "http://127.0.0.1:$port/metrics"
	until_true curl --silent --fail "${!name}"
}

# groups_of URL: those with a process, and with how many
groups_of()
{
	curl --silent "$1" |
		sed --quiet 's/^namedprocess_namegroup_num_procs{groupname="\(.*\)"} \([1-9]\)$/\1 \2/p' | tr '\n' ' '
}
# shellcheck disable=SC2317 # called by until_true
is_launcher()
{
	[ "$(groups_of "$early")" = 'launcher 1 ' ] && [ "$(groups_of "$recheck")" = 'launcher 1 ' ]
}
# shellcheck disable=SC2317 # called by until_true
are_services()
{
	[ "$(cat "/proc/${processes[-1]}/comm" "/proc/${processes[-2]}/comm" | tr '\n' ' ')" = 'service service ' ]
}

exporter early
exporter recheck -recheck
for name in launcher outsider; do
	mkfifo "$folder/go-$name"
	# shellcheck disable=SC2016 # expanded by the script
	start "$name" "$folder/$name" -c 'read -r line <"$0" && exec "$1" 60' "$folder/go-$name" "$folder/service"
done
until_true is_launcher
echo >"$folder/go-launcher"
echo >"$folder/go-outsider"
until_true are_services
exporter late
early=$(groups_of "$early")
recheck=$(groups_of "$recheck")
late=$(groups_of "$late")
seen "groups of two processes that are called service by now, of the exporter that saw them start: $early"
seen "of one with -recheck: $recheck"
seen "of one that was started later: $late"
expect "$early" 'launcher 1 ' 'what the exporter that saw them start tells'
expect "$recheck" 'launcher 1 service 1 ' 'what the one with -recheck tells'
expect "$late" 'service 2 ' 'what the one that was started later tells'
