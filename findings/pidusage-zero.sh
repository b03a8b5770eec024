#!/bin/bash
# pidusage (npm): asked less often than once in its maxage, a minute, it says 0 % CPU for a process that keeps a core
# busy, for ever.
#
# One would guess: without a usable earlier look the average since the process's start, which is what the first call
# seems to be for, or since the last call however long ago.
# What happens: without one it looks twice at once, and the CPU used between two looks of the same moment is 0. That
# holds for the first call, and for every call when what was remembered has expired.
# It matters to whoever polls every two minutes, as a slow dashboard does: no alarm is ever raised.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=4.1.0
node_packages "pidusage@$version"
echo "version: pidusage $version, node $(node --version)"

# With a maxage of 2.5 s instead of a minute; the process has several seconds of CPU by the end.
start busy bash -c 'while ((SECONDS < 60)); do :; done'
cat >"$folder/poll.js" <<'END'
const pidusage = require('pidusage');
const pid = Number(process.argv[2]);
const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

async function poll(name, pause)
{
	const values = [];
	for (let i = 0; i < 4; i++) {
		const usage = await pidusage(pid, { maxage: 2500 });
		values.push(usage.cpu === 0 ? 'zero' : 'more');
		await sleep(pause);
	}
	console.log(`${name}: ${values.join(' ')}`);
	await sleep(5000);
}

(async () => {
	await sleep(1000);
	await poll('often', 600);
	await poll('seldom', 5000);
	console.log(`used: ${(await pidusage(pid)).ctime >= 1000 ? 'over a second' : 'little'}`);
})();
END
(cd "$folder" && node poll.js "${processes[0]}") >"$folder/polled"

# of NAME
of()
{
	sed --quiet "s/^$1: //p" "$folder/polled"
}
seen "the CPU of a busy process, asked every 0.6 s with a maxage of 2.5 s: $(of often)"
seen "asked every 5 s: $(of seldom); by then it had used $(of used)"
expect "$(of often)" 'zero more more more' 'what is said within maxage'
expect "$(of seldom)" 'zero zero zero zero' 'what is said beyond maxage'
expect "$(of used)" 'over a second' 'what the process had used'
