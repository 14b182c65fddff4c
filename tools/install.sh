#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# The last step of `make install`, and `make uninstall`.
#
#   tools/install.sh copy STAGE DESTDIR PREFIX   everything below STAGE, and a list of it
#   tools/install.sh remove DESTDIR PREFIX       what that list names, and folders of zatt's own that are then empty
set -eu

list_of() { echo "$1/share/zatt/installed"; }

copy() {
  stage=$1 destination=$2 list=$(list_of "$3")
  mkdir -p "$stage$(dirname "$list")"
  : >"$stage$list"
  (cd "$stage" && find . ! -type d | sed 's|^\.||' | sort) >"$stage.list"
  cat "$stage.list" >"$stage$list"
  chmod 644 "$stage$list"
  while read -r name; do
    folder=$destination$(dirname "$name")
    [ -d "$folder" ] || install -d -m 755 "$folder"
    # A program that runs keeps its file: the new one takes the name.
    cp -P --preserve=mode --remove-destination "$stage$name" "$destination$name"
  done <"$stage.list"
  rm -f "$stage.list"
}

remove() {
  destination=$1 list=$(list_of "$2")
  if [ ! -e "$destination$list" ]; then
    echo "nothing of zatt is installed below $destination$2: give the PREFIX and DESTDIR that \`make install\` was given" >&2
    exit 1
  fi
  names=$(cat "$destination$list")
  echo "$names" | while read -r name; do rm -f "$destination$name"; done
  # Deepest first; python leaves its compiled files behind.
  echo "$names" | sed -n 's|^\(.*/zatt\(/.*\)\{0,1\}\)/[^/]*$|\1|p' | sort -ru | while read -r folder; do
    rm -rf "$destination$folder/__pycache__"
    rmdir "$destination$folder" 2>/dev/null || true
  done
}

case ${1:-} in
  copy) copy "$2" "$3" "$4" ;;
  remove) remove "$2" "$3" ;;
  *)
    sed -n '3,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
