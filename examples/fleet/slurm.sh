#!/bin/bash
# slurm.sh LOG DIR PARTS: checks a log in parts on a Slurm cluster, and joins them when all have ended. DIR is on a shared filesystem.
set -eu
printf -v log %q "$1"
printf -v dir %q "$2"
parts=$3
mkdir -p "$2"
# A part that is killed or preempted is requeued, and reads only what it had not written down. What no part has read the join reads.
array=$(sbatch --parsable --requeue --array="1-$parts" --job-name=walctl-part --wrap \
    "walctl verify $log --part \$SLURM_ARRAY_TASK_ID/$parts --seen $dir/part-\$SLURM_ARRAY_TASK_ID --quiet")
sbatch --dependency="afterany:$array" --job-name=walctl-join --wrap "cat $dir/part-* >$dir/all; walctl verify $log --seen $dir/all"
