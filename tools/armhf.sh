#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# 32-bit ARM, built and run on another machine (Debian and its kin).
#
#   tools/armhf.sh sysroot DIR     the compiler, qemu-user, and zatt's libraries for armhf, unpacked into DIR
#   tools/armhf.sh wrap DIR BUILD  BUILD/run/ gets a script for each of BUILD's programs, run by qemu
#
# The libraries are unpacked, not installed: nothing of the machine's own is touched by another architecture's.
set -eu
target=arm-linux-gnueabihf
packages="libuv1-dev libuv1 libsimdjson-dev libsimdjson14 libxxhash-dev libxxhash0"

emulator() { command -v qemu-arm || command -v qemu-arm-static || true; }

sysroot() {
  dir=$1
  missing=
  command -v $target-g++ >/dev/null 2>&1 || missing="$missing g++-$target"
  [ -n "$(emulator)" ] || missing="$missing qemu-user"
  if [ -n "$missing" ]; then
    echo "installing:$missing"
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get -q update </dev/null >/dev/null || true
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing </dev/null
  fi
  [ ! -e "$dir/unpacked" ] || return 0
  rm -rf "$dir"
  mkdir -p "$dir/apt/state/lists/partial" "$dir/apt/cache/archives/partial"
  : >"$dir/apt/status"
  # apt with lists and an architecture of its own.
  cat >"$dir/apt/conf" <<EOF
APT::Architecture "armhf";
APT::Architectures { "armhf"; };
APT::Sandbox::User "root";
Dir::State "$dir/apt/state";
Dir::State::status "$dir/apt/status";
Dir::Cache "$dir/apt/cache";
EOF
  export APT_CONFIG="$dir/apt/conf"
  apt-get -q update >/dev/null 2>&1 || true # a source without armhf is not needed
  # shellcheck disable=SC2086
  (cd "$dir/apt" && apt-get -q download $packages)
  for package in "$dir"/apt/*.deb; do dpkg-deb -x "$package" "$dir"; done
  rm -rf "$dir/apt"
  touch "$dir/unpacked"
}

wrap() {
  dir=$1 build=$2
  mkdir -p "$build/run"
  for program in unit-tests zatt-sim zattd zatt; do
    [ -e "$build/$program" ] || continue
    cat >"$build/run/$program" <<EOF
#!/bin/sh
exec $(emulator) -L /usr/$target -E LD_LIBRARY_PATH=$dir/usr/lib/$target $build/$program "\$@"
EOF
    chmod 755 "$build/run/$program"
  done
}

case ${1:-} in
  sysroot) sysroot "$2" ;;
  wrap) wrap "$2" "$3" ;;
  *)
    sed -n '3,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
