#!/bin/sh
# Builds the image where neither a container engine nor a registry is at hand, and uses it as somebody would:
# try_image.sh CONTAINERFILE CONTEXT FOLDER
#
# Debian's buildah builds it, as root, in a chroot instead of a container of its own. The base image comes from
# debootstrap, as Debian's own does; BASE names another one. Needs buildah, debootstrap and Debian's packages.
set -eu
containerfile=$1
context=$2
work=$3
name=localhost/throughline
mkdir -p "$work"
# Nothing of it lies among the machine's own images.
storing() {
    buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"
}

if [ -z "${BASE:-}" ]; then
    BASE=localhost/debian:bookworm
    if [ ! -e "$work/debian.tar" ]; then
        rm -rf "$work/debian"
        debootstrap --variant=minbase bookworm "$work/debian" >"$work/debootstrap.log"
        tar --create --file "$work/debian.tar" --directory "$work/debian" --exclude=./proc --exclude=./sys --exclude=./dev .
        rm -rf "$work/debian"
    fi
    base=$(storing from scratch)
    storing add --quiet "$base" "$work/debian.tar" /
    storing commit --quiet --rm "$base" "$BASE"
fi

storing build --isolation chroot --build-arg "BASE=$BASE" --file "$containerfile" --tag "$name" "$context"
container=$(storing from "$name")
trap 'storing rm "$container" >"$work/removed.log"' EXIT
inside() {
    printf '\n$ %s\n' "$*"
    storing run --isolation chroot "$container" -- "$@"
}
told() {
    storing inspect --type image --format "$1" "$name"
}

test "$(told '{{.OCIv1.Config.User}} {{.OCIv1.Config.WorkingDir}} {{.OCIv1.Config.Entrypoint}}')" = \
    "10001:0 /workspace [throughline]"
inside throughline --version
test "$(inside id -u | tail -n 1)" = 10001
inside sh -c 'test -s /etc/ssl/certs/ca-certificates.crt'
if inside sh -c 'touch /usr/local/bin/throughline' 2>"$work/refused.log"; then
    echo "whoever is inside may replace the program"
    exit 1
fi
# The same bytes as those that were tested before.
test "$(inside sha256sum /usr/local/bin/throughline | tail -n 1 | cut -d ' ' -f 1)" = \
    "$(sha256sum "$context/throughline" | cut -d ' ' -f 1)"
inside throughline init .
inside throughline run
inside throughline report
inside sh -c 'test -s report.html && test "$(stat --format %u report.html)" = 10001'
code=0
inside throughline init . || code=$?
test "$code" = 2
echo
storing images
echo "the image works"
