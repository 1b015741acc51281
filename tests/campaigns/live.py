#!/usr/bin/env python3
"""How often does a repaired log start again with what was promised, and is there a false alarm beside a server under load?

Runs the live tests of real servers over and over: with `--repairs N` each is torn by another number of bytes, repaired and started again; with
`--look SECONDS` walctl looks at each running server for that long. What is printed is how many runs held and how many looks there were.

    tests/campaigns/live.py --repairs 20
    tests/campaigns/live.py --look 600 --only etcd,prometheus

The tests are those of `cargo test --test it -- --ignored`; a server that is not installed is a skip, and named. Only the standard library is used.
"""

import argparse
import os
import re
import subprocess

TESTS = {
    "etcd": "etcd_is_read_beside",
    "prometheus": "prometheus_is_read_beside",
    "nats": "nats_is_read_beside",
    "rocksdb": "rocksdb_is_read_beside",
    "postgres": "postgres",
    "zookeeper": "live_zookeeper",
    "redis": "live_redis",
    "mysql": "live_mysql",
    "sqlite": "live_sqlite",
}
REPAIRED = ["etcd", "prometheus", "rocksdb", "zookeeper", "redis"]


def run(command, name, **variables):
    """Whether the test held, its looks, and what it said."""
    filters = [TESTS[name], "--ignored", "--nocapture", "--test-threads=1"]
    ran = subprocess.run([*command, *filters], env={**os.environ, **variables}, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    said = ran.stdout + ran.stderr
    tests = sum(int(count) for count in re.findall(r"(\d+) passed", said))
    return ran.returncode == 0 and tests > 0, sum(int(count) for count in re.findall(r"(\d+) looks at", said)), said


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--repairs", type=int, default=0)
    parse.add_argument("--look", type=int, default=0)
    parse.add_argument("--only", default="")
    parse.add_argument("--test", default="", help="the test program, if it is built already")
    args = parse.parse_args()
    command = [args.test] if args.test else ["cargo", "test", "-q", "--test", "it", "--"]
    for name in args.only.split(",") if args.only else TESTS:
        if args.look:
            held, looks, said = run(command, name, WALCTL_LOOK_SECONDS=str(args.look))
            print(f"{name:<11} {looks} looks in {args.look} s each: {'no alarm' if held else said[-2000:]}", flush=True)
        if args.repairs and name in REPAIRED:
            runs = [run(command, name, WALCTL_LOOK_SECONDS="1", WALCTL_TEAR_BYTES=str(bytes_)) for bytes_ in range(1, args.repairs + 1)]
            good = sum(held for held, _, _ in runs)
            print(f"{name:<11} {good} of {args.repairs} starts after a repair with what was promised", flush=True)
            for _, _, said in [ran for ran in runs if not ran[0]][:1]:
                print(said[-2000:], flush=True)


if __name__ == "__main__":
    main()
