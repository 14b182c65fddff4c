#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Installs what building and testing zatt needs, where it is missing (Debian and its kin, by apt).
#
#   tools/deps.sh         the compiler and the libraries
#   tools/deps.sh run     what `make run` and its examples use besides
#   tools/deps.sh tests   what the tests use besides
#   tools/deps.sh check   what `make check` uses besides
#   tools/deps.sh types   what `make python-types` uses
#   tools/deps.sh fuzz    what `make fuzz` needs, all of it: CXX is a clang++
#
# When all is there this costs a few milliseconds and touches nothing.
set -eu
CXX=${CXX:-g++}
missing=

# need PACKAGE TEST...: the package is missing where the test fails.
need() {
  package=$1
  shift
  "$@" >/dev/null 2>&1 || missing="$missing $package"
}
has() { command -v "$1"; }
header() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] ||
  echo "#include <$1>" | "$CXX" -E -x c++ - ; }
fuzzer() {
  echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    "$CXX" -x c++ -fsanitize=fuzzer,address - -o /dev/null
}
tcp_nc() { nc -h 2>&1 | grep -q -- '-[A-Za-z]*N'; }

build() {
  case $CXX in
    *clang*) need clang has "$CXX" ;;
    *) need g++ has "$CXX" ;;
  esac
  need make has make
  need pkg-config has pkg-config
  need libuv1-dev pkg-config --exists libuv
  need libsimdjson-dev pkg-config --exists simdjson
  need libxxhash-dev pkg-config --exists libxxhash
  need binutils has objcopy
}
run() {
  need netcat-openbsd tcp_nc
  need python3 has python3
}
tests() {
  run
  need doctest-dev header doctest/doctest.h
  need python3-venv python3 -m ensurepip --version
}
check() {
  need clang-format has clang-format
  need clang-tidy has clang-tidy
}
types() {
  need mypy has mypy
}
fuzz() {
  build
  need python3 has python3
  need libclang-rt-dev fuzzer
}
case ${1:-build} in
  build | run | tests | check | types | fuzz) "${1:-build}" ;;
  *)
    echo "$0: unknown argument $1" >&2
    exit 2
    ;;
esac
[ -n "$missing" ] || exit 0

give_up() {
  echo "zatt needs these Debian packages, or what your system has for them:$missing" >&2
  echo "install them, for example with: $1 apt-get install$missing" >&2
  exit 1
}

command -v apt-get >/dev/null 2>&1 || give_up "sudo"
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1; then
  as_root=sudo
else
  give_up "as root:"
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -q update </dev/null >/dev/null || echo "apt-get update failed; trying with the lists there are" >&2
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing \
  </dev/null || give_up "sudo"
