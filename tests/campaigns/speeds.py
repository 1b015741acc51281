#!/usr/bin/env python3
"""How fast are `walctl verify` and `walctl dump` beside the tools that the systems bring themselves?

Real servers write logs of some hundred megabytes into the work folder (once; a later run finds them there). Then each turn runs, one after
the other over the same log, the system's own reader, `walctl verify`, `walctl verify -j1` and `walctl dump`, with output to /dev/null. What
is printed are medians over the turns, how many times faster walctl is, gigabytes a second of one thread, and the peak memory of verify.

    cargo build --release
    tests/campaigns/speeds.py --walctl target/release/walctl --work /tmp/speeds
    tests/campaigns/speeds.py --walctl target/release/walctl --work /tmp/speeds --only rocksdb,postgres --megabytes 1000 --turns 5

A system whose server or tool is not installed is left out, and named. Servers listen on 127.0.0.1 and are ended by their process id. Only the
standard library is used. PostgreSQL does not run as root: then it runs as the user `postgres`, who must be able to enter the work folder.
"""

import argparse
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def size_of(files):
    return sum(file.stat().st_size for file in files)


def wait_for(ready, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit("a server did not answer")


def connect(at):
    return socket.create_connection(("127.0.0.1", at), timeout=60)


def program(name):
    """Where a program is, also one that is not on the path of a user who is not root."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", *map(str, sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin")))]
    return shutil.which(name, path=os.pathsep.join(places))


class Killed:
    """A server that is killed at the end, so that its log stays as it is."""

    def __init__(self, args, **how):
        self.process = subprocess.Popen(args, **{**QUIET, **how})

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


# Each system: the programs that it needs, how its log is made, where it lies, and the command of its own reader.


def make_rocksdb(home, megabytes):
    subprocess.run(
        ["db_bench", "--benchmarks=fillrandom", f"--db={home}/db", f"--num={megabytes * 1_000_000 // 122}", "--batch_size=7",
         f"--write_buffer_size={megabytes * 3_000_000}", "--max_total_wal_size=16000000000", "--compression_type=none", "--sync=0"],
        check=True, **QUIET)


def own_rocksdb(home):
    logs = sorted((home / "db").glob("*.log"), key=lambda log: log.stat().st_size)
    return ["ldb", "dump_wal", f"--walfile={logs[-1]}", "--header=false"], logs[-1], [logs[-1]]


def as_postgres():
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def make_postgres(home, megabytes):
    home.chmod(0o777)
    data, listen = home / "data", port()
    run = lambda *args: subprocess.run([*as_postgres(), *args], check=True, cwd=home, **QUIET)
    run(program("initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-N")
    settings = ["max_wal_size=64GB", "min_wal_size=1GB", "checkpoint_timeout=1d", "fsync=off", "autovacuum=off", f"unix_socket_directories={home}"]
    args = [program("postgres"), "-D", str(data), "-p", str(listen), "-h", "127.0.0.1", *(word for setting in settings for word in ("-c", setting))]
    with Killed([*as_postgres(), *args], cwd=home):
        ready = [program("pg_isready"), "-h", "127.0.0.1", "-p", str(listen)]
        wait_for(lambda: subprocess.run(ready, **QUIET).returncode == 0)
        # 15 MB a unit, and what the transactions write.
        host = ["-h", "127.0.0.1", "-p", str(listen), "-U", "postgres", "postgres"]
        run(program("pgbench"), "-i", "-s", str(max(1, megabytes // 20)), *host)
        run(program("pgbench"), "-c", "4", "-t", str(megabytes * 20), *host)
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        wait_for(lambda: not (data / "postmaster.pid").exists())


def own_postgres(home):
    wal = home / "data/pg_wal"
    names = sorted(file for file in wal.iterdir() if len(file.name) == 24)
    written = [file for file in names if file.open("rb").read(16)[8:16] == struct.pack("<Q", number_of(file) << 24)]
    return [program("pg_waldump"), "-q", "-p", str(wal), written[0].name, written[-1].name], wal, written


def number_of(segment):
    return int(segment.name[8:16], 16) * 256 + int(segment.name[16:], 16)


def make_sqlite(home, megabytes):
    rows = megabytes * 1_000_000 // 4152
    script = (
        "pragma journal_mode=wal; pragma wal_autocheckpoint=0; pragma synchronous=off; create table t(a integer primary key, b blob);"
        f"with recursive n(i) as (select 1 union all select i+1 from n where i < {rows}) insert into t select i, randomblob(3900) from n;"
    )
    # A killed shell leaves the log; one that ends takes it into the database.
    with Killed(["sqlite3", f"{home}/app.db"], stdin=subprocess.PIPE) as shell:
        shell.stdin.write(script.encode() + b"\nselect 1;\n")
        shell.stdin.flush()
        log = home / "app.db-wal"
        last = -1
        while not log.exists() or log.stat().st_size != last or last < megabytes * 900_000:
            last = log.stat().st_size if log.exists() else -1
            time.sleep(1)


def own_sqlite(home):
    log = home / "app.db-wal"
    tool = shutil.which("showwal")
    return [tool, str(log)] if tool else None, log, [log]


def make_mysql(home, megabytes):
    user = ["--user=mysql"] if os.geteuid() == 0 else []
    home.chmod(0o777)
    data, listen, meeting = home / "data", port(), home / "s"
    subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db", *user], check=True, **QUIET)
    args = [program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={meeting}", f"--port={listen}", "--bind-address=127.0.0.1",
            "--log-bin=binlog", "--server-id=7", "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0", "--binlog-format=ROW", "--max-binlog-size=1073741824", *user]
    with Killed(args):
        wait_for(lambda: meeting.exists())
        time.sleep(1)
        rows = 1000
        statement = f"insert into d.t select seq, repeat('x', 200) from seq_1_to_{rows};delete from d.t;"
        script = "create database d; use d; create table d.t(a int, b varchar(250));" + statement * (megabytes * 1_000_000 // (rows * 420))
        subprocess.run(["mariadb", "--no-defaults", f"--socket={meeting}", "-uroot"], input=script.encode(), check=True, stdout=subprocess.DEVNULL)


def own_mysql(home):
    logs = sorted((home / "data").glob("binlog.0*"))
    command = ["mariadb-binlog", "--no-defaults", "--verify-binlog-checksum", "--base64-output=decode-rows", *map(str, logs)]
    return command, home / "data", logs


def make_redis(home, megabytes):
    listen = port()
    args = ["redis-server", "--port", str(listen), "--bind", "127.0.0.1", "--dir", str(home), "--appendonly", "yes", "--appendfsync", "no",
            "--save", "", "--daemonize", "no", "--auto-aof-rewrite-percentage", "0"]
    with Killed(args):
        wait_for(lambda: connect(listen))
        at = connect(listen)
        value, sent = b"v" * 100, 0
        while sent < megabytes * 1_000_000:
            many = b"".join(b"*3\r\n$3\r\nSET\r\n$10\r\nkey:%06d\r\n$100\r\n%s\r\n" % (number % 100_000, value) for number in range(1000))
            at.sendall(many)
            answer = b""
            while answer.count(b"+OK") < 1000:
                answer += at.recv(1 << 16)
            sent += len(many)


def own_redis(home):
    folder = home / "appendonlydir"
    return ["redis-check-aof", str(next(folder.glob("*.manifest")))], folder, list(folder.glob("*.aof"))


def uvarint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def make_prometheus(home, megabytes):
    listen = port()
    (home / "p.yml").write_text("global: {scrape_interval: 1h}\n")
    args = ["prometheus", f"--config.file={home}/p.yml", f"--storage.tsdb.path={home}/data", f"--web.listen-address=127.0.0.1:{listen}",
            "--web.enable-remote-write-receiver", "--no-storage.tsdb.wal-compression"]
    field = lambda number, content: uvarint(number << 3 | 2) + uvarint(len(content)) + content
    label = lambda name, value: field(1, field(1, name) + field(2, value))
    names = [label(b"__name__", b"metric_%d" % (series % 50)) + label(b"instance", b"host-%05d" % series) for series in range(20_000)]
    with Killed(args, cwd=home):
        wait_for(lambda: connect(listen))
        time.sleep(3)
        now, wal, turn = int(time.time() * 1000), home / "data/wal", 0
        while size_of(wal.glob("0*")) < megabytes * 1_000_000:
            turn += 1
            sample = lambda series: field(2, b"\x09" + struct.pack("<d", turn + series / 7) + b"\x10" + uvarint(now + turn * 100))
            body = b"".join(field(1, name + sample(series)) for series, name in enumerate(names))
            # Snappy without a copy in it: the length, and literals.
            packed = uvarint(len(body)) + b"".join(
                b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in (body[at : at + 65536] for at in range(0, len(body), 65536)))
            head = (f"POST /api/v1/write HTTP/1.0\r\nContent-Length: {len(packed)}\r\nContent-Encoding: snappy\r\n"
                    "X-Prometheus-Remote-Write-Version: 0.1.0\r\n\r\n")
            with connect(listen) as at:
                at.sendall(head.encode() + packed)
                answer = at.recv(4096)
                assert b" 20" in answer[:16], answer


def own_prometheus(home):
    wal = home / "data/wal"
    return ["promtool", "tsdb", "dump", str(home / "data")], wal, list(wal.glob("0*"))


JARS = "/etc/zookeeper/conf:/usr/share/java/*"


def make_zookeeper(home, megabytes):
    listen = port()
    (home / "zoo.cfg").write_text(
        f"tickTime=2000\ndataDir={home}/data\nclientPort={listen}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nsnapCount=10000000\npreAllocSize=65536\n")
    with Killed(["java", "-Xmx512m", "-Dzookeeper.forceSync=no", "-cp", JARS, "org.apache.zookeeper.server.quorum.QuorumPeerMain", f"{home}/zoo.cfg"], cwd=home):
        wait_for(lambda: connect(listen))
        at = connect(listen)
        text = lambda bytes_: struct.pack(">i", len(bytes_)) + bytes_
        framed = lambda body: struct.pack(">i", len(body)) + body
        at.sendall(framed(struct.pack(">iqiq", 0, 0, 30_000, 0) + text(b"\0" * 16)))

        def answer():
            length = struct.unpack(">i", exactly(at, 4))[0]
            return exactly(at, length)

        answer()
        acl = struct.pack(">ii", 1, 31) + text(b"world") + text(b"anyone")
        at.sendall(framed(struct.pack(">ii", 1, 1) + text(b"/t") + text(b"x") + acl + struct.pack(">i", 0)))
        answer()
        data = text(b"d" * 400)
        for turn in range(megabytes * 1_000_000 // (470 * 200)):
            at.sendall(b"".join(framed(struct.pack(">ii", turn * 200 + number + 2, 5) + text(b"/t") + data + struct.pack(">i", -1)) for number in range(200)))
            for _ in range(200):
                answer()


def exactly(at, count):
    out = b""
    while len(out) < count:
        more = at.recv(count - len(out))
        if not more:
            sys.exit("ZooKeeper closed the connection")
        out += more
    return out


def own_zookeeper(home):
    logs = sorted((home / "data/version-2").glob("log.*"), key=lambda log: log.stat().st_size)
    return ["java", "-cp", JARS, "org.apache.zookeeper.server.persistence.TxnLogToolkit", "-d", str(logs[-1])], logs[-1], [logs[-1]]


SYSTEMS = {
    "rocksdb": (("db_bench", "ldb"), make_rocksdb, own_rocksdb),
    "postgres": (("initdb", "pg_waldump", "pgbench"), make_postgres, own_postgres),
    "sqlite": (("sqlite3",), make_sqlite, own_sqlite),
    "mysql": (("mariadbd", "mariadb-binlog"), make_mysql, own_mysql),
    "redis": (("redis-server", "redis-check-aof"), make_redis, own_redis),
    "prometheus": (("prometheus", "promtool"), make_prometheus, own_prometheus),
    "zookeeper": (("java",), make_zookeeper, own_zookeeper),
}


def timed(command):
    """Seconds, processor seconds and peak memory of one run."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, **QUIET)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(name, walctl, home, turns):
    own, log, files = SYSTEMS[name][2](home)
    for file in files:
        subprocess.run(["cat", str(file)], **QUIET)
    bytes_ = size_of(files)
    runs = {"verify": [walctl, "verify", str(log)], "verify -j1": [walctl, "verify", "-j1", str(log)], "dump": [walctl, "dump", str(log)]}
    if own:
        runs = {"own": own, **runs}
    figures = {key: [] for key in runs}
    for _ in range(turns):
        for key, command in runs.items():
            figures[key].append(timed(command))
    median = {key: [statistics.median(column) for column in zip(*all_)] for key, all_ in figures.items()}
    line = f"{name:<11} {bytes_ / 1e6:7.0f} MB"
    for key in runs:
        line += f"  {key} {median[key][0]:.2f} s"
    print(line)
    one = bytes_ / 1e9 / median["verify -j1"][1]
    print(f"{'':<11} verify: {one:.2f} GB/s of processor time, {median['verify -j1'][2]:.0f} MiB (-j1), {median['verify'][2]:.0f} MiB")
    if own:
        times = lambda key: (median["own"][0] / median[key][0], median["own"][1] / median[key][1])
        print(f"{'':<11} own reader / verify {times('verify')[0]:.1f} ({times('verify')[1]:.1f} in processor time)"
              f", own reader / dump {times('dump')[0]:.1f} ({times('dump')[1]:.1f})")
    sys.stdout.flush()


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--walctl", default="target/release/walctl")
    parse.add_argument("--work", type=pathlib.Path, required=True)
    parse.add_argument("--only", default=",".join(SYSTEMS))
    parse.add_argument("--megabytes", type=int, default=300)
    parse.add_argument("--turns", type=int, default=5)
    parse.add_argument("--make-only", action="store_true")
    args = parse.parse_args()
    walctl = str(pathlib.Path(args.walctl).resolve())
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    for name in args.only.split(","):
        needs, make, _ = SYSTEMS[name]
        lacking = [need for need in needs if program(need) is None]
        if lacking:
            print(f"{name:<11} left out: {', '.join(lacking)} not installed")
            continue
        home = args.work.resolve() / f"{name}-{args.megabytes}"
        if not (home / "made").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            make(home, args.megabytes)
            (home / "made").touch()
        if not args.make_only:
            measure(name, walctl, home, args.turns)


if __name__ == "__main__":
    main()
