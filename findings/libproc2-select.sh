#!/bin/bash
# libproc2: to look at one process is to forget all others.
#
# One would guess: PIDS_TICS_ALL_DELTA is what a process has used since it was last seen through this handle.
# What happens: it is told from what the very last fetch returned. After procps_pids_select() of one PID the next
# procps_pids_reap() takes every other process for new, and what is new has the CPU of its whole life as its delta (so
# has everything at the first fetch). One look at one process, between two rounds, makes all idle servers the busiest
# ones.
# It matters to whoever writes a monitor with libproc2 that samples all and asks for one in between: use a handle for
# each, or PIDS_TICS_ALL and an own memory.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=2:4.0.2-3
debian "libproc2-0=$version" "libproc2-dev=$version"
echo "version: libproc2 $version"

gcc -x c -I "$root/usr/include" -o "$folder/program" - -L "$(dirname "$root"/usr/lib/*/libproc2.so)" -lproc2 <<'END'
#include <libproc2/pids.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static enum pids_item items[] = { PIDS_ID_PID, PIDS_TICS_ALL_DELTA };
static struct pids_info *info;

/* A child that has used a quarter of a second of CPU, and waits. */
static pid_t child(void)
{
	int done[2];
	char byte;
	if (pipe(done) < 0)
		exit(2);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(60);
		while (clock() < CLOCKS_PER_SEC / 4)
			;
		if (write(done[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	if (pid < 0 || read(done[0], &byte, 1) != 1)
		exit(2);
	return pid;
}

static void print(const char *what, struct pids_fetch *fetch, pid_t pid)
{
	for (int i = 0; fetch && i < fetch->counts->total; i++)
		if (PIDS_VAL(0, s_int, fetch->stacks[i], info) == pid)
			printf("%s=%s ", what, PIDS_VAL(1, u_int, fetch->stacks[i], info) >= 20 ? "whole-life" : "little");
}

int main(void)
{
	pid_t idle = child(), other = child();
	unsigned one[] = { (unsigned)other };
	if (procps_pids_new(&info, items, 2) < 0)
		return 2;
	print("first", procps_pids_reap(info, PIDS_FETCH_TASKS_ONLY), idle);
	print("second", procps_pids_reap(info, PIDS_FETCH_TASKS_ONLY), idle);
	procps_pids_select(info, one, 1, PIDS_SELECT_PID);
	print("after-select", procps_pids_reap(info, PIDS_FETCH_TASKS_ONLY), idle);
	print("next", procps_pids_reap(info, PIDS_FETCH_TASKS_ONLY), idle);
	kill(idle, SIGKILL);
	kill(other, SIGKILL);
	return 0;
}
END

deltas=$("$folder/program")
seen "the delta of a process that is idle, reap by reap: $deltas"
expect "$deltas" 'first=whole-life second=little after-select=whole-life next=little ' 'what the deltas are'
