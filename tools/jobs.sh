#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# How many files to compile at a time: one a processor, but none without 400 MB of memory of its own.
#
# What is free is the machine's, or what a container's limit leaves; ZATT_PROC and ZATT_CGROUP are
# where that is read, for the tests.
set -eu
proc=${ZATT_PROC:-/proc}
cgroup=${ZATT_CGROUP:-/sys/fs/cgroup}
per_job_kib=400000

jobs=${ZATT_PROCESSORS:-$(nproc 2>/dev/null || echo 1)}
free_kib=$(awk '/^MemAvailable:/ { print $2 }' "$proc/meminfo" 2>/dev/null || true)
most=$(cat "$cgroup/memory.max" 2>/dev/null || echo max)
if [ "$most" != max ]; then
  used=$(cat "$cgroup/memory.current" 2>/dev/null || echo 0)
  # Cached files are given back.
  cached=$(awk '$1 == "inactive_file" { print $2 }' "$cgroup/memory.stat" 2>/dev/null || true)
  left_kib=$(((most - used + ${cached:-0}) / 1024))
  [ "$left_kib" -ge "${free_kib:-$left_kib}" ] || free_kib=$left_kib
  free_kib=${free_kib:-$left_kib}
fi
if [ -n "$free_kib" ] && [ $((free_kib / per_job_kib)) -lt "$jobs" ]; then
  jobs=$((free_kib / per_job_kib))
fi
[ "$jobs" -gt 0 ] || jobs=1
echo "$jobs"
