#!/bin/sh
# Generates src/rpc/generated from barista.thrift. With --check changes nothing, and fails if what is committed differs.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
generated="$root/src/rpc/generated"
version=0.17.0

if ! command -v thrift >/dev/null 2>&1; then
  echo "gen-thrift: Apache Thrift's compiler is missing. On Debian: apt-get install thrift-compiler" >&2
  exit 1
fi
found=$(thrift -version | sed 's/.* //')
if [ "$found" != "$version" ]; then
  echo "gen-thrift: Apache Thrift's compiler is $found; the generated code is of $version (Debian 12's thrift-compiler)" >&2
  exit 1
fi

generate() {
  thrift -r --gen js:node,es6,ts -out "$1" "$root/barista.thrift"
  thrift --gen json -out "$1" "$root/barista.thrift"
}

case "${1:-}" in
  '')
    rm -f "$generated"/*.js "$generated"/*.d.ts "$generated/barista.json"
    generate "$generated"
    ;;
  --check)
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    generate "$fresh"
    # These two are ours: the folder is CommonJS, and says what it is.
    cp "$generated/package.json" "$generated/README.md" "$fresh"
    if ! diff -r "$generated" "$fresh"; then
      echo "gen-thrift: src/rpc/generated is not what barista.thrift gives; run scripts/gen-thrift.sh and commit it" >&2
      exit 1
    fi
    ;;
  *)
    echo "usage: scripts/gen-thrift.sh [--check]" >&2
    exit 2
    ;;
esac
