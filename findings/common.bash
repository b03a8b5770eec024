# What every script of this folder needs: pinned packages in a temporary folder, and an end that leaves nothing
# behind. It is sourced by them.
set -eu
export LC_ALL=C.UTF-8

folder=$(mktemp -d)
root=$folder/root # what the packages hold
processes=()      # ended at the exit, the youngest first

# Ends everything by its PID: what does not end at SIGTERM within three seconds is killed.
end_all()
{
	local i deadline
	for ((i = ${#processes[@]} - 1; i >= 0; i--)); do
		kill -TERM "${processes[i]}" 2>/dev/null || continue
		deadline=$((SECONDS + 3))
		while kill -0 "${processes[i]}" 2>/dev/null && ((SECONDS < deadline)); do
			sleep 0.1
		done
		kill -KILL "${processes[i]}" 2>/dev/null || true
		wait "${processes[i]}" 2>/dev/null || true
	done
	rm -rf "$folder"
}
trap end_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Unpacks Debian packages, NAME=VERSION, without installing them.
debian()
{
	local fetch=(apt-get -qq -o APT::Sandbox::User=root download "$@")
	mkdir -p "$folder/packages" "$root"
	if ! (cd "$folder/packages" &&
		{ "${fetch[@]}" 2>/dev/null || { apt-get -qq update && "${fetch[@]}"; }; } >/dev/null); then
		echo "these versions cannot be had here (they are Debian 12's): $*" >&2
		exit 2
	fi
	local package
	for package in "$folder"/packages/*.deb; do
		dpkg --extract "$package" "$root"
		rm "$package"
	done
	local libraries
	libraries=$(printf '%s:' "$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu)
	export LD_LIBRARY_PATH=${libraries%:}
}

# Python packages, NAME==VERSION, into a virtual environment; $python is its interpreter.
python_packages()
{
	python=$folder/python/bin/python
	/usr/bin/python3 -m venv "$folder/python"
	"$python" -m pip install --quiet --disable-pip-version-check "$@" 2>"$folder/pip.log" || {
		cat "$folder/pip.log" >&2
		exit 2
	}
}

# npm packages, NAME@VERSION; programs in $folder find them.
node_packages()
{
	(cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts "$@" >/dev/null) || exit 2
}

# A Rust program from the standard input, with crates as cargo add takes them: $folder/rust/target/debug/program.
rust_program()
{
	mkdir -p "$folder/rust/src"
	printf '[package]\nname = "program"\nversion = "0.1.0"\nedition = "2021"\n' >"$folder/rust/Cargo.toml"
	cat >"$folder/rust/src/main.rs"
	(cd "$folder/rust" && cargo add --quiet "$@" && cargo build --quiet) 2>"$folder/cargo.log" || {
		cat "$folder/cargo.log" >&2
		exit 2
	}
}

# Starts a program in the background; its output is in $folder/NAME.log.
start()
{
	local name=$1
	shift
	"$@" >"$folder/$name.log" 2>&1 </dev/null &
	processes+=($!)
}

# Waits up to 30 seconds until a command succeeds.
until_true()
{
	local deadline=$((SECONDS + 30))
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= deadline)); then
			echo "this did not come true within 30 seconds: $*" >&2
			tail --lines=5 "$folder"/*.log >&2 || true
			exit 2
		fi
		sleep 0.2
	done
}

# A port of 127.0.0.1 on which nobody listens.
free_port()
{
	local port
	while :; do
		port=$((20000 + RANDOM % 10000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
}

# seen WHAT: prints a line of what was observed.
seen()
{
	echo "seen: $*"
}

# expect ACTUAL EXPECTED WHAT: ends the script when what is told in its head is not so any more.
expect()
{
	if [ "$1" != "$2" ]; then
		echo "this has changed: $3 is '$1', not '$2'" >&2
		exit 1
	fi
}
