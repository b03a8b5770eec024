# A VictoriaMetrics on a free port; another than Debian's can be tried by VICTORIAMETRICS=PATH. Sourced.
. ./common.bash

victoriametrics_version=1.79.5+ds1-2+b5

victoriametrics_start()
{
	local program=${VICTORIAMETRICS-}
	if [ -z "$program" ]; then
		debian "victoria-metrics=$victoriametrics_version"
		program=$root/usr/bin/victoria-metrics
	fi
	victoriametrics_url=http://127.0.0.1:$(free_port)
	start victoria-metrics "$program" -storageDataPath="$folder/data" -retentionPeriod=7d \
		-httpListenAddr="${victoriametrics_url#http://}"
	until_true curl --silent --fail "$victoriametrics_url/health"
	echo "version: victoria-metrics ${VICTORIAMETRICS-$victoriametrics_version}"
}
