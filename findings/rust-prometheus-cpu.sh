#!/bin/bash
# The crate prometheus: process_cpu_seconds_total has no fractions.
#
# One would guess: seconds with two decimals at least, as the kernel counts them, and as Go's and Python's clients
# tell.
# What happens: it is an integer: 1.7 s of CPU are 1.
# It matters to whoever takes rate() of it: a program that uses a tenth of a core, looked at over a minute, uses 8 %
# or 12 %, and over five seconds nothing, or 20 %.
set -eu
cd "$(dirname "$0")"
. ./common.bash

version=0.14.0
rust_program "prometheus@=$version" --no-default-features --features process <<'END'
fn ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split(' ').collect();
    fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap()
}

fn main() {
    while ticks() < 170 {}
    let text = prometheus::TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap();
    print!("{}", text.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total ")).unwrap());
    assert!(ticks() < 195);
}
END
echo "version: prometheus $version, $(cargo --version)"

value=$("$folder/rust/target/debug/program")
seen "process_cpu_seconds_total after 1.7 s of CPU: $value"
expect "$value" 1 'process_cpu_seconds_total'
