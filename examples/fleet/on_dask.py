# on_dask.py SCHEDULER LOG DIR PARTS: checks a log in parts on the workers of a Dask cluster, and joins them here. DIR is shared by all.
import subprocess
import sys

from dask.distributed import Client

scheduler, log, folder, parts = sys.argv[1:]

def part(number):
    seen = f"{folder}/part-{number}"
    subprocess.run(["walctl", "verify", log, "--part", f"{number}/{parts}", "--seen", seen, "--quiet"], check=True)
    return seen

# The task of a worker that dies runs again on another one, and reads only what was not written down. What no part has read the join reads.
client = Client(scheduler)
files = client.gather(client.map(part, range(1, int(parts) + 1), pure=False, retries=2), errors="skip")
with open(f"{folder}/all", "wb") as whole:
    whole.writelines(open(file, "rb").read() for file in files)
sys.exit(subprocess.run(["walctl", "verify", log, "--seen", f"{folder}/all"]).returncode)
