#!/bin/sh
# xargs.sh LOG DIR [PARTS]: checks a log in parts on one machine, as many at once as it has processors, and joins them.
# DIR keeps what was seen from night to night.
set -eu
log=$1 dir=$2 parts=${3:-$(nproc)}
mkdir -p "$dir"
# A part that is killed keeps what it has found. What no part has read the join reads, so the verdict does not depend on them.
seq "$parts" | xargs -P "$(nproc)" -I{} sh -c 'walctl verify "$1" --part "$3/$4" --seen "$2/part-$3" --quiet || exit 1' \
    part "$log" "$dir" {} "$parts" || echo "a part did not come to its end; the join reads what is left" >&2
cat "$dir"/part-* >"$dir/all"
exec walctl verify "$log" --seen "$dir/all"
