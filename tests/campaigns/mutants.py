#!/usr/bin/env python3
"""Which faults in the sources would the fast tests notice?

Takes a sample of the mutants that cargo-mutants lists (an operator replaced, a body that returns a constant, a match arm deleted, and
the like) and puts all of them into one build of a copy of the tree, each behind a switch that the environment sets. Then it runs the
fast tests once for each mutant, and names those that no test noticed.

    cargo install cargo-mutants
    tests/campaigns/mutants.py src/writer src/native --sample 300 --seed 1 --work /tmp/mutants
    tests/campaigns/mutants.py src/ops --sample 300 --jobs 2 --it 'cases:: mend:: verify::'

A function with mutants in it becomes `match at(3) { 17 => { its body with mutant 17 } … _ => { its body } }`, so a mutant costs no build,
and no expression has to be taken apart. `at` also notes which functions a test enters: each test runs once by itself without a mutant, and
a mutant meets only the tests that enter its function, the cheapest first. Mutants that do not compile are found by their lines, dropped and
counted. Constants, statics and `const fn` cannot look at a switch: they are counted apart and not run.

Tests are the unit tests and those of `tests/it` that are not ignored (`--it` narrows these to filters; `tidy` and `api` never run, because
the copy is neither tidy nor has the same public face). They meet a mutant until one fails, and the one that failed must fail again by
itself. What a test printed that fails without a mutant is kept in the work folder, and one that fails twice is left out and named. Tests
that cost more than `--longest` seconds wait until every mutant has met the others.

Costs and limits are in processor time, so a busy machine does not pass for a mutant that loops. A run that uses many times the processor
time that its tests need counts as noticed (`loops`), and so does one that has used none for a minute (`hangs`); both are listed apart.

`equivalent.txt` beside this file lists mutants that no test can notice, each with the reason. They are met like all others, and counted
apart when no test noticed them.

With `--work` the folder stays: its `results.jsonl` lets a run that was ended go on, and its `target` makes the next build faster. Only the
standard library is used. Nothing is written outside of the work folder and the temporary folders of the tests.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SWITCH = "WALCTL_MUTANT"
TRACE = "WALCTL_MUTANT_TRACE"
MOST_FUNCTIONS = 8192
SWITCH_SOURCE = f"""//! Which mutant is on, and which functions with mutants are entered.

use std::fs::{{File, OpenOptions}};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{{AtomicBool, Ordering}};

static SEEN: [AtomicBool; {MOST_FUNCTIONS}] = [const {{ AtomicBool::new(false) }}; {MOST_FUNCTIONS}];

/// The number of the mutant that is on, 0 for none. Called at the entry of each function that has mutants.
#[inline]
pub fn at(function: usize) -> u32 {{
    static ID: OnceLock<u32> = OnceLock::new();
    static TRACE: OnceLock<Option<File>> = OnceLock::new();
    let open = || OpenOptions::new().create(true).append(true).open(std::env::var_os("{TRACE}")?).ok();
    if let Some(mut file) = TRACE.get_or_init(open).as_ref()
        && !SEEN[function].swap(true, Ordering::Relaxed)
    {{
        let _ = file.write_all(format!("{{function}}\\n").as_bytes());
    }}
    *ID.get_or_init(|| std::env::var("{SWITCH}").ok().and_then(|id| id.parse().ok()).unwrap_or(0))
}}
"""
# A mutant may loop and write or allocate for ever.
MOST_MEMORY = 8 << 30
MOST_FILE = 2 << 30
# A run may use this many times the processor time that its tests need without a mutant, and these seconds.
TIMES, SECONDS = 10, 20
# A run that uses no processor time for so long waits for something that never comes.
STILL = 60
EQUIVALENT = pathlib.Path(__file__).with_name("equivalent.txt")


class Mutant:
    def __init__(self, listed, text):
        self.name, self.file, self.replacement = listed["name"], listed["file"], listed["replacement"]
        self.start, self.end = offset(text, listed["span"]["start"]), offset(text, listed["span"]["end"])
        self.line = text[listed["span"]["start"]["line"] - 1].strip()
        function = listed["function"]
        self.function = function and (offset(text, function["span"]["start"]), offset(text, function["span"]["end"]))
        self.id = 0
        self.place = 0


def offset(text, place):
    """Where a line and column counted from 1 stand in a list of lines."""
    return sum(len(line) for line in text[: place["line"] - 1]) + place["column"] - 1


def tokens(source):
    """Every bracket of Rust source that is not in a comment, string or character, with its place."""
    at, end = 0, len(source)
    while at < end:
        c = source[at]
        if source.startswith("//", at):
            at = source.find("\n", at)
            at = end if at < 0 else at
        elif source.startswith("/*", at):
            at = source.index("*/", at) + 2
        elif c == '"':
            at += 1
            while source[at] != '"':
                at += 2 if source[at] == "\\" else 1
            at += 1
        elif c == "r" and (source.startswith('r"', at) or source.startswith("r#", at)) and not identifier(source, at - 1):
            hashes = len(source[at + 1 :]) - len(source[at + 1 :].lstrip("#"))
            if source[at + 1 + hashes] != '"':
                at += 1
                continue
            closing = '"' + "#" * hashes
            at = source.index(closing, at + 2 + hashes) + len(closing)
        elif c == "'":
            if source[at + 1] == "\\":
                at = source.index("'", at + 3) + 1
            elif source[at + 2] == "'":
                at += 3
            else:
                at += 1
        else:
            if c in "{}":
                yield at, c
            at += 1


def identifier(source, at):
    return at >= 0 and (source[at].isalnum() or source[at] == "_")


def body(source, start, end):
    """The inside of the braces that a function ends with, and what stands in front of them."""
    open_at = []
    for at, bracket in tokens(source[start:end]):
        if bracket == "{":
            open_at.append(at)
        else:
            last = open_at.pop()
            if at == end - start - 1:
                return start + last + 1, end - 1, source[start : start + last]
    return None


def listed(folders, excepted):
    command = ["cargo", "mutants", "--list", "--json"]
    for folder in folders:
        command += ["-f", folder if folder.endswith(".rs") else folder.rstrip("/") + "/**"]
    for folder in excepted:
        command += ["-e", folder if folder.endswith(".rs") else folder.rstrip("/") + "/**"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    lines, found = {}, []
    for entry in json.loads(done.stdout):
        file = entry["file"]
        if file not in lines:
            lines[file] = (ROOT / file).read_text().splitlines(keepends=True)
        found.append(Mutant(entry, lines[file]))
    return found


def sort_out(mutants):
    """Those that a switch can reach, each with the body it is in; and how many it cannot reach."""
    sources = {mutant.file: (ROOT / mutant.file).read_text() for mutant in mutants}
    outer = collections.defaultdict(list)
    for mutant in mutants:
        if mutant.function and mutant.function not in outer[mutant.file]:
            outer[mutant.file].append(mutant.function)
    reached, apart = [], []
    for mutant in mutants:
        if not mutant.function:
            apart.append(mutant)
            continue
        # A function within another goes with that.
        mutant.function = max(
            (f for f in outer[mutant.file] if f[0] <= mutant.function[0] and mutant.function[1] <= f[1]), key=lambda f: f[1] - f[0]
        )
        found = body(sources[mutant.file], *mutant.function)
        head = found and found[2].rsplit("fn ", 1)[0].splitlines()
        if not found or "const" in head[-1:][0].split() if head else not found:
            apart.append(mutant)
            continue
        mutant.body = found[:2]
        if not mutant.body[0] <= mutant.start <= mutant.end <= mutant.body[1]:
            apart.append(mutant)
            continue
        reached.append(mutant)
    return reached, apart


def numbered(mutants):
    """The number of each function that these are in, which the mutants note as their place."""
    numbers = {place: number for number, place in enumerate(sorted({(m.file, m.body) for m in mutants}))}
    if len(numbers) > MOST_FUNCTIONS:
        sys.exit(f"more than {MOST_FUNCTIONS} functions at once")
    for mutant in mutants:
        mutant.place = numbers[mutant.file, mutant.body]
    return numbers


def rewrite(copy, mutants):
    """Puts these into the copy. For each file the lines of each mutant's body, and of each function."""
    by_file = collections.defaultdict(lambda: collections.defaultdict(list))
    for mutant in mutants:
        by_file[mutant.file][mutant.body].append(mutant)
    numbers = numbered(mutants)
    places = {}
    for file, bodies in by_file.items():
        source = (ROOT / file).read_text()
        module = "walctl" if file.startswith("src/cli/") or file == "src/main.rs" else "crate"
        out, done, line, marks = [], 0, 1, []

        def put(text):
            nonlocal line
            out.append(text)
            line += text.count("\n")

        for (start, end), inside in sorted(bodies.items()):
            put(source[done:start])
            begun = line
            put(f" match {module}::mutant::at({numbers[file, (start, end)]}) {{\n")
            for mutant in inside:
                first = line
                put(f"{mutant.id} => {{")
                put(source[start : mutant.start] + mutant.replacement + source[mutant.end : end])
                put("}\n")
                marks.append((first, line - 1, [mutant]))
            put("_ => {" + source[start:end] + "}\n}")
            marks.append((begun, line, inside))
            done = end
        put(source[done:])
        (copy / file).write_text("".join(out))
        places[file] = marks
    return places


def blamed(message, places):
    """The mutants that an error of the compiler points at: those of the narrowest range that any of its spans is in."""
    best = None
    stack = [message]
    while stack:
        one = stack.pop()
        stack += one.get("children", [])
        for span in one.get("spans", []):
            for first, last, inside in places.get(span["file_name"], []):
                if first <= span["line_start"] <= last and (best is None or last - first < best[0]):
                    best = (last - first, inside)
    return best and best[1]


def cargo(copy, words):
    command = ["cargo", *words, "--message-format=json"]
    done = subprocess.run(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done, messages


def settle(copy, mutants):
    """Drops mutants until the rest compiles. Those that stayed and those that went."""
    left, gone = list(mutants), []
    while True:
        for file in {mutant.file for mutant in mutants}:
            shutil.copyfile(ROOT / file, copy / file)
        places = rewrite(copy, left)
        done, messages = cargo(copy, ["check", "--lib", "--bins"])
        if done.returncode == 0:
            return left, gone
        errors = [m["message"] for m in messages if m.get("reason") == "compiler-message" and m["message"]["level"] == "error"]
        drop = set()
        for error in errors:
            drop.update(mutant.id for mutant in blamed(error, places) or [])
        if not drop:
            sys.exit(done.stderr + "\n".join(e.get("rendered") or "" for e in errors) + "\nno mutant explains these errors")
        gone += [mutant for mutant in left if mutant.id in drop]
        left = [mutant for mutant in left if mutant.id not in drop]
        print(f"  {len(drop)} do not compile, {len(left)} left", flush=True)


def tree():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return sorted(name for name in names.stdout.decode().split("\0") if name and (ROOT / name).is_file())


def copy_tree(copy):
    for name in tree():
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            shutil.copy(source, target)
    (copy / "src/mutant.rs").write_text(SWITCH_SOURCE)
    library = copy / "src/lib.rs"
    # What is certain to panic when it runs is for the tests to notice, and no reason to refuse the whole build.
    allowed = "#![allow(arithmetic_overflow, unconditional_panic)]\n"
    library.write_text(allowed + library.read_text() + "\npub mod mutant;\n")


def settled(work, copy, batch, size):
    """Puts the sample into a copy of the tree, unless it is there from a run before. And how many do not compile."""
    kept, unviable, digest = work / "settled.json", set(), hashlib.sha256()
    for name in tree():
        if not name.startswith("tests/campaigns/"):
            digest.update(f"{name}\0".encode() + (ROOT / name).read_bytes())
    asked = [digest.hexdigest(), size, *(mutant.name for mutant in batch)]
    if kept.is_file():
        before = json.loads(kept.read_text())
        unviable = set(before["unviable"])
        if before["asked"] == asked:
            left = [mutant for mutant in batch if mutant.name not in unviable]
            numbered(left[:size])
            return left[:size], len(batch) - len(left)
    copy.mkdir(parents=True, exist_ok=True)
    copy_tree(copy)
    left, _ = settle(copy, [mutant for mutant in batch if mutant.name not in unviable])
    gone = {mutant.name for mutant in batch} - {mutant.name for mutant in left}
    # The others would only make the build slower.
    for file in {mutant.file for mutant in batch}:
        shutil.copyfile(ROOT / file, copy / file)
    rewrite(copy, left[:size])
    kept.write_text(json.dumps({"asked": asked, "unviable": sorted(unviable | gone)}))
    return left[:size], len(gone)


def programs(copy, unit_only):
    """Builds the tests. The unit tests' program and that of tests/it."""
    done, messages = cargo(copy, ["test", "--no-run", "--lib", *([] if unit_only else ["--test", "it"])])
    if done.returncode != 0:
        errors = [m["message"]["rendered"] for m in messages if m.get("reason") == "compiler-message"]
        sys.exit("\n".join(error for error in errors if error.startswith("error")) + done.stderr)
    found = {}
    for message in messages:
        if message.get("reason") == "compiler-artifact" and message["profile"]["test"] and message.get("executable"):
            found[message["target"]["name"]] = message["executable"]
    return found["walctl"], found.get("it")


def limits():
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE, MOST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


TICKS = os.sysconf("SC_CLK_TCK")


def processor(session):
    """Seconds of processor time that the living processes of a session and the children they have waited for have used."""
    used = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = pathlib.Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                used += sum(map(int, fields[11:15]))
    return used / TICKS


def watch(child, budget, verdict, over):
    """Ends a run that loops or hangs, and leaves in `verdict` which of them."""
    most, since = 0, time.monotonic()
    while not over.wait(1):
        used, now = processor(child.pid), time.monotonic()
        if used > budget:
            verdict.append("loops")
        elif used > most + 0.05:
            most, since = used, now
        elif now - since > STILL:
            verdict.append("hangs")
        if verdict:
            stop(child)
            return


def run(copy, number, program, words, budget, trace=None, printed=None):
    """Runs tests until one fails. What became of them ('' when all passed, the test that failed, 'loops' or 'hangs') and their processor time.

    With a list for what they print, they run to their end."""
    folder = tempfile.mkdtemp(prefix="mutant-")
    environment = dict(os.environ, **{SWITCH: str(number), "TMPDIR": folder, "CARGO_MANIFEST_DIR": str(copy), "RUST_BACKTRACE": "0"})
    environment.pop("CI", None)
    if trace:
        environment[TRACE] = str(trace)
    child = subprocess.Popen(
        [program, *words], cwd=copy, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True, preexec_fn=limits,
    )
    verdict, over = [], threading.Event()
    watcher = threading.Thread(target=watch, args=(child, budget, verdict, over))
    watcher.start()
    failed, code, used = "", None, 0
    try:
        for line in child.stdout:
            if printed is not None:
                printed.append(line)
            if line.startswith("test ") and line.rstrip().endswith("FAILED"):
                failed = line.split()[1]
                if printed is None:
                    stop(child)
                    break
        _, status, usage = os.wait4(child.pid, 0)
        code = child.returncode = os.waitstatus_to_exitcode(status)
        used = usage.ru_utime + usage.ru_stime
    finally:
        over.set()
        watcher.join()
        stop(child)
        if code is None:
            child.wait()
        child.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)
    if verdict:
        return verdict[0], used
    return failed or ("" if code == 0 else f"ended with {code}"), used


def stop(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def without_line(name):
    """A mutant's name without where it stands in its file."""
    place, what = name.split(": ", 1)
    return place.split(":")[0], what


def names_of(program, words):
    done = subprocess.run([program, *words, "--list", "--format", "terse"], stdout=subprocess.PIPE, text=True, check=True)
    return {line.removesuffix(": test") for line in done.stdout.splitlines() if line.endswith(": test")}


def explore(arguments, copy, work, unit, whole):
    """Each test by itself, without a mutant: what it costs, and which functions with mutants it enters."""
    tests = []
    for program, filters in [(unit, []), (whole, arguments.it.split())]:
        if not program:
            continue
        names = names_of(program, filters) - names_of(program, ["--ignored"])
        skips = [] if program == unit else ["tidy::", "api::", *arguments.skip]
        tests += [(program, name) for name in sorted(names) if not any(name.startswith(skip) for skip in skips)]
    # The same programs were perhaps explored before.
    mark = [[program, os.stat(program).st_mtime_ns] for program in (unit, whole) if program]
    kept, explored = work / "explored.jsonl", {}
    if kept.is_file():
        lines = kept.read_text().splitlines()
        if lines and json.loads(lines[0]) == mark:
            explored = {(test["program"], test["name"]): test for test in map(json.loads, lines[1:])}
    if not explored:
        kept.write_text(json.dumps(mark) + "\n")

    def one(numbered):
        number, (program, name) = numbered
        trace = work / f"trace-{number}"
        trace.unlink(missing_ok=True)
        begun = time.monotonic()
        words, printed = [name, "--exact", "--test-threads", "1"], []
        outcome, used = run(copy, 0, program, words, arguments.limit, trace, printed)
        if outcome:
            shown = work / "failed" / f"{name.replace('::', '.')}.txt"
            shown.parent.mkdir(exist_ok=True)
            shown.write_text("".join(printed))
            again, used = run(copy, 0, program, words, arguments.limit, trace)
            print(f"  without a mutant {name} {'fails' if again else 'failed once'}: {shown}", flush=True)
            outcome = again
        waited = time.monotonic() - begun
        entered = sorted(set(map(int, trace.read_text().split()))) if trace.exists() else []
        trace.unlink(missing_ok=True)
        # Waiting costs too, and less where others have the processor meanwhile.
        cost = max(used, waited / 4)
        return {"program": program, "name": name, "outcome": outcome, "used": used, "waited": waited, "cost": cost, "entered": entered}

    left = [test for test in tests if test not in explored]
    with kept.open("a") as log, concurrent.futures.ThreadPoolExecutor(arguments.threads) as pool:
        for test in pool.map(one, enumerate(left)):
            explored[test["program"], test["name"]] = test
            log.write(json.dumps(test) + "\n")
            log.flush()
    for test in explored.values():
        if test["outcome"]:
            print(f"  left out, for it fails without a mutant: {test['name']} ({test['outcome']})", flush=True)
    good = [test for key, test in explored.items() if not test["outcome"] and key in set(tests)]
    print(f"  {len(good)} tests, {sum(test['used'] for test in good):.0f} s of processor time in all", flush=True)
    return good


def batches(arguments, tests, unit, mutant):
    """Tests of one program for one run: unit tests first, of these those that bear the name of the mutant's file or folder, the cheapest first."""
    place = pathlib.Path(mutant.file).with_suffix("").parts
    words = {place[-1], place[2]} if len(place) > 2 else {place[-1]}
    batch, cost = [], 0
    for test in sorted(tests, key=lambda t: (t["program"] != unit, not any(word in t["name"] for word in words), t["cost"])):
        if batch and (test["program"] != batch[0]["program"] or cost + test["cost"] > arguments.batch):
            yield batch
            batch, cost = [], 0
        batch.append(test)
        cost += test["cost"]
    if batch:
        yield batch


def budget(tests):
    return SECONDS + TIMES * sum(test["used"] for test in tests)


def meet(arguments, copy, unit, tests, mutant):
    """Lets these tests meet a mutant until one notices it."""
    begun, used, doubted = time.monotonic(), 0, []
    result = {"name": mutant.name, "line": mutant.line, "tests": len(tests), "outcome": "missed", "by": ""}
    waiting = list(batches(arguments, tests, unit, mutant))
    while waiting and result["outcome"] == "missed":
        batch = waiting.pop(0)
        program, words = batch[0]["program"], ["--exact", "--test-threads", str(arguments.threads)]
        outcome, cost = run(copy, mutant.id, program, [test["name"] for test in batch] + words, budget(batch))
        used += cost
        failed = [test for test in batch if test["name"] == outcome]
        if failed:
            again, cost = run(copy, mutant.id, program, [outcome, *words], budget(failed))
            used += cost
            if not again:
                # Luck, or the company of the others. The rest of the batch has still to be met.
                doubted.append(outcome)
                rest = [test for test in batch if test["name"] != outcome]
                waiting[:0] = [rest] if rest else []
                continue
        if outcome:
            result |= {"outcome": outcome if outcome in ("loops", "hangs") else "caught", "by": outcome}
            if outcome in ("loops", "hangs"):
                result["by"] = " ".join(test["name"] for test in batch)
    return result | {"used": used, "waited": time.monotonic() - begun, "doubted": doubted}


def campaign(arguments, work):
    copy, results = work / "tree", work / "results.jsonl"
    found = listed(arguments.folders, arguments.excepted)
    known = {}
    if results.is_file():
        known = {entry["name"]: entry for entry in map(json.loads, results.read_text().splitlines())}
    reached, apart = sort_out(found)
    print(f"{len(found)} mutants; {len(apart)} in constants and const fn, which a switch cannot reach", flush=True)
    reached.sort(key=lambda mutant: mutant.name)
    random.Random(arguments.seed).shuffle(reached)
    if arguments.only:
        wanted = {without_line(name) for name in pathlib.Path(arguments.only).read_text().splitlines()}
        reached = [mutant for mutant in reached if without_line(mutant.name) in wanted]
    # About a quarter does not compile.
    batch = reached[: arguments.sample * 8 // 5]
    for number, mutant in enumerate(batch, 1):
        mutant.id = number
    os.environ["CARGO_TARGET_DIR"] = str(work / "target")
    sample, gone = settled(work, copy, batch, arguments.sample)
    print(f"{len(sample)} in the sample, {gone} of {len(batch)} do not compile", flush=True)
    unit, whole = programs(copy, arguments.unit_only)
    tests = explore(arguments, copy, work, unit, whole)
    with results.open("a") as log:
        for dear in (False, True):
            met = [test for test in tests if (test["cost"] > arguments.longest) == dear]
            todo = []
            for mutant in sample:
                before, entering = known.get(mutant.name), [test for test in met if mutant.place in test["entered"]]
                if before is None or (dear and before["outcome"] == "missed" and not before["dear"]):
                    todo.append((mutant, entering))
            print(f"  {len(todo)} mutants meet {'the dear' if dear else 'all other'} tests", flush=True)
            with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
                asked = [pool.submit(meet, arguments, copy, unit, entering, mutant) for mutant, entering in todo]
                for entry in concurrent.futures.as_completed(asked):
                    entry = entry.result() | {"dear": dear}
                    known[entry["name"]] = entry
                    log.write(json.dumps(entry) + "\n")
                    log.flush()
                    costs = f"{entry['used']:5.1f} s used, {entry['waited']:4.0f} s"
                    print(f"  {entry['outcome']:6} {costs} {entry['name']} {entry['by'][:80]} of {entry['tests']}", flush=True)
    tell([known[mutant.name] for mutant in sample], arguments)


def equivalents():
    """Mutants that no test can notice: the file and what is changed, and the line as it stands in the source."""
    known, lines = set(), EQUIVALENT.read_text().splitlines() if EQUIVALENT.is_file() else []
    for name, line in zip(lines, lines[1:]):
        if name.startswith("src/") and line.startswith("    "):
            known.add((*without_line(name), line.strip()))
    return known


def tell(entries, arguments):
    listed = equivalents()
    for entry in entries:
        if entry["outcome"] == "missed" and (*without_line(entry["name"]), entry["line"]) in listed:
            entry["outcome"] = "equivalent"
    by = collections.Counter(entry["outcome"] for entry in entries)
    noticed, of = by["caught"] + by["loops"] + by["hangs"], len(entries) - by["equivalent"]
    print(f"seed {arguments.seed}: {len(entries)} mutants, {by['equivalent']} equivalent, {by['caught']} caught, {by['loops']} loop, ", end="")
    print(f"{by['hangs']} hang, {by['missed']} missed: {100 * noticed / max(of, 1):.1f} % noticed")
    for outcome in ("equivalent", "loops", "hangs", "missed"):
        for entry in sorted(entries, key=lambda entry: entry["name"]):
            if entry["outcome"] == outcome:
                print(f"{outcome}: {entry['name']}")
    for entry in entries:
        for test in entry["doubted"]:
            print(f"failed once and passed by itself: {test} with {entry['name']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", help="folders or files whose mutants are wanted")
    parser.add_argument("--except", dest="excepted", action="append", default=[], help="a folder or file to leave out")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="a file with names of mutants, one a line: no others; their line numbers may have changed")
    parser.add_argument("--work", help="a folder that stays; otherwise a temporary one")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument("--threads", type=int, default=2, help="tests at a time for one mutant")
    parser.add_argument("--longest", type=float, default=5, help="seconds of a test that waits until the cheaper ones have met all mutants")
    parser.add_argument("--it", default="", help="filters for tests/it, in one word")
    parser.add_argument("--skip", action="append", default=[], help="a filter of tests/it to leave out")
    parser.add_argument("--unit-only", action="store_true")
    parser.add_argument("--limit", type=float, default=300, help="seconds of processor time for a test without a mutant")
    parser.add_argument("--batch", type=float, default=5, help="seconds of tests that meet a mutant in one run")
    arguments = parser.parse_args()
    if arguments.work:
        work = pathlib.Path(arguments.work).resolve()
        work.mkdir(parents=True, exist_ok=True)
        campaign(arguments, work)
    else:
        with tempfile.TemporaryDirectory(prefix="mutants-") as work:
            campaign(arguments, pathlib.Path(work))


if __name__ == "__main__":
    main()
