#!/bin/bash
# Alertmanager: an alert that is given an end and no start starts at its end.
#
# One would guess: it starts now, as one without either does.
# What happens: the start is set to the end. An alert that was posted to last for an hour, by amtool alert add --end
# or by the API, is active and is notified at once, with a startsAt an hour ahead, and then ends in the moment in
# which it began.
# It matters to whoever posts alerts from scripts: pages and reports tell a beginning that is to come, and a length of
# 0.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=0.25.0-1+b4
debian "prometheus-alertmanager=$version"
echo "version: prometheus-alertmanager $version"

printf 'route: {receiver: none}\nreceivers: [{name: none}]\n' >"$folder/alertmanager.yml"
url=http://127.0.0.1:$(free_port)
start alertmanager "$root/usr/bin/prometheus-alertmanager" --config.file="$folder/alertmanager.yml" \
	--storage.path="$folder/data" --web.listen-address="${url#http://}" --cluster.listen-address=
until_true curl --silent --fail "$url/-/ready"

now=$(date +%s)
end=$(date --utc --date=@$((now + 3600)) +%Y-%m-%dT%H:%M:%SZ)
amtool=("$root/usr/bin/amtool" --alertmanager.url="$url")
"${amtool[@]}" alert add by-amtool --end="$end"
"${amtool[@]}" alert add without-end
curl --silent --fail --header 'Content-Type: application/json' "$url/api/v2/alerts" \
	--data "[{\"labels\": {\"alertname\": \"by-api\"}, \"endsAt\": \"$end\"}]"

# told NAME: when it starts, and its state
told()
{
	curl --silent --get "$url/api/v2/alerts" --data-urlencode "filter=alertname=$1" >"$folder/alert"
	local start
	start=$(date --date="$(sed 's/.*"startsAt":"\([^"]*\)".*/\1/' "$folder/alert")" +%s)
	if ((start == now + 3600)); then
		printf 'starts in an hour, '
	elif ((start - now < 60)); then
		printf 'starts now, '
	fi
	sed 's/.*"state":"\([^"]*\)".*/\1/' "$folder/alert"
}
for name in without-end by-amtool by-api; do
	until_true "${amtool[@]}" alert query "$name"
	seen "$name: $(told "$name")"
done
expect "$(told without-end)" 'starts now, active' 'an alert without an end'
expect "$(told by-amtool)" 'starts in an hour, active' 'an alert by amtool that ends in an hour'
expect "$(told by-api)" 'starts in an hour, active' 'an alert by the API that ends in an hour'
