# An InfluxDB 1 on a free port, with an empty database. Sourced.
. ./common.bash

influx_version=1.6.7~rc0-1+b13

influx_start()
{
	debian "influxdb=$influx_version"
	influx_url=http://127.0.0.1:$(free_port)
	cat >"$folder/influxdb.conf" <<-END
		reporting-disabled = true
		bind-address = "127.0.0.1:$(free_port)"
		[meta]
		dir = "$folder/meta"
		[data]
		dir = "$folder/data"
		wal-dir = "$folder/wal"
		[http]
		bind-address = "${influx_url#http://}"
		log-enabled = false
		[monitor]
		store-enabled = false
	END
	start influxd "$root/usr/bin/influxd" -config "$folder/influxdb.conf"
	until_true curl --silent --fail "$influx_url/ping"
	curl --silent --output /dev/null --data-urlencode 'q=CREATE DATABASE d' "$influx_url/query"
	echo "version: influxdb $influx_version"
}

# Writes what comes in as lines, with times in seconds.
influx_write()
{
	curl --silent --fail --data-binary @- "$influx_url/write?db=d&precision=s"
}

# Answers a query with its rows, "time,value time,value", each series on a line; nothing where there is no row.
influx_query()
{
	curl --silent --get "$influx_url/query?db=d&epoch=s" --data-urlencode "q=$1" --header 'Accept: application/csv' |
		awk -F , 'NR > 1 && NF > 1 { printf "%s%s,%s", separator, $3, $4; separator = " " } END { print "" }'
}
