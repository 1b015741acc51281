# spark-submit on_spark.py LOG DIR PARTS: checks a log in parts on the executors of a Spark cluster, and joins them here. DIR is shared by all.
import subprocess
import sys

from pyspark.sql import SparkSession

log, folder, parts = sys.argv[1], sys.argv[2], int(sys.argv[3])

def part(number):
    seen = f"{folder}/part-{number}"
    subprocess.run(["walctl", "verify", log, "--part", f"{number}/{parts}", "--seen", seen, "--quiet"])

# The task of an executor that dies runs again on another one, and reads only what was not written down. What no part has read the join reads.
spark = SparkSession.builder.appName("walctl").getOrCreate()
spark.sparkContext.parallelize(range(1, parts + 1), parts).foreach(part)
subprocess.run(["sh", "-c", 'cat "$1"/part-* >"$1/all"', "join", folder])
sys.exit(subprocess.run(["walctl", "verify", log, "--seen", f"{folder}/all"]).returncode)
