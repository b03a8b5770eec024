#!/bin/bash
# The crate sysinfo: threads are processes, each with all of the memory.
#
# One would guess: System::processes() has each process once.
# What happens: it has each thread beside them, under the process's name where it has none of its own, as a child of
# the process, and with the memory of the whole: 100 MiB with eight threads are 900 MiB. Only thread_kind() tells them
# apart.
# It matters to whoever sums memory by name: a program with a pool of threads is the largest of the machine.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=0.40.4
rust_program "sysinfo@=$version" --no-default-features --features system <<'END'
use std::{thread, time::Duration};

fn main() {
    let memory = vec![1u8; 100 << 20];
    for _ in 0..8 {
        thread::spawn(|| thread::sleep(Duration::from_secs(60)));
    }
    thread::sleep(Duration::from_millis(500));
    let system = sysinfo::System::new_all().unwrap();
    let myself = sysinfo::get_current_pid().unwrap();
    let name = system.process(myself).unwrap().name();
    let mine: Vec<_> = system
        .processes()
        .values()
        .filter(|one| one.name() == name && (one.pid() == myself || one.parent() == Some(myself)))
        .collect();
    let large = mine.iter().filter(|one| one.memory() > memory.len() as u64).count();
    println!("{} of its name, {} of them with over 100 MiB", mine.len(), large);
}
END
echo "version: sysinfo $version, $(cargo --version)"

found=$("$folder/rust/target/debug/program")
seen "a process of 100 MiB with eight more threads: $found"
expect "$found" '9 of its name, 9 of them with over 100 MiB' 'what there is'
