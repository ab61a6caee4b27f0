#!/bin/sh
# base.sh SUITE FILE: makes a Debian of which nobody has used anything yet, and
# packs it into FILE. A new user has Go and git; Valid-Until is left out of account, as
# mirrors may be older.
set -eu
suite=$1 file=$2
if [ "$suite" = bookworm ]; then # has Go 1.19, which is too old: install Go as https://go.dev/doc/install says
	GOROOT=$(go env GOROOT)
	export GOROOT
	set -- --customize-hook='cp --recursive --dereference "$GOROOT" "$1/usr/local/go" && echo "export PATH=\$PATH:/usr/local/go/bin" >"$1/etc/profile.d/go.sh"'
else
	set -- --include=golang-go
fi
mmdebstrap --mode=root --variant=minbase --include=ca-certificates,git,sudo \
	--aptopt='Acquire::Check-Valid-Until "false"' \
	--customize-hook='chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash newcomer' \
	--customize-hook='echo "newcomer ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/newcomer"' \
	"$@" "$suite" "$file"
