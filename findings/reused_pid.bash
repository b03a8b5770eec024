# A PID that changes hands while a tool watches it, in a PID namespace of its own. Sourced.
. ./common.bash

# What the namespace's first process runs; its arguments are a folder to work in and the tool's words. PID 500 is
# "older", which has used 2 s of CPU, and from the second second of the watch on "newcomer", which uses 0.2 s and waits.
# shellcheck disable=SC2016 # it expands in there
reused_pid_program='
# as_500 NAME TICKS: starts what uses so much CPU, in the mode of the user and of the kernel, as PID 500.
as_500()
{
	echo 499 >/proc/sys/kernel/ns_last_pid
	{
		printf %s "$1" >/proc/self/comm
		stat=()
		while read -r -a stat </proc/self/stat && ((stat[13] + stat[14] < $2 && SECONDS < 60)); do
			:
		done
		: >"$1.has_run"
		read -r -t 120 <>idle
	} &
	if [ $! -ne 500 ]; then
		echo "PID 500 is not to be had"
		exit 2
	fi
	echo 1000 >/proc/sys/kernel/ns_last_pid
}

cd "$1" || exit 2
shift
mkfifo idle
as_500 older 200
until [ -e older.has_run ] || ((SECONDS > 60)); do
	sleep 0.1
done
"$@" &
tool=$!
sleep 2
kill -KILL 500
wait 500 2>/dev/null
as_500 newcomer 20
wait $tool
'

# watch_reused_pid TOOL ARGUMENT…: what the tool prints goes to $folder/watch.log.
watch_reused_pid()
{
	local place
	place=$(mktemp --directory --tmpdir="$folder")
	start watch unshare --map-root-user --pid --fork --mount-proc --kill-child \
		bash -c "$reused_pid_program" bash "$place" "$@"
	if ! wait "${processes[-1]}"; then
		cat "$folder/watch.log" >&2
		exit 2
	fi
}
