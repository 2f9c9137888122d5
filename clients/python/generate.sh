#!/bin/sh
# Generates barista_client/_generated from barista.thrift, with Apache Thrift's compiler. It is not committed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
description="$here/../../barista.thrift"
generated="$here/barista_client/_generated"

if ! command -v thrift >/dev/null 2>&1; then
  echo "generate: Apache Thrift's compiler is missing. On Debian: apt-get install thrift-compiler" >&2
  exit 1
fi

# Beside its place and then moved there, so that nobody meets half of it.
fresh="$generated.$$"
trap 'rm -rf "$fresh"' EXIT
mkdir "$fresh"
thrift --gen py -out "$fresh" "$description"
touch "$fresh/__init__.py"
rm -rf "$generated"
mv "$fresh" "$generated"
