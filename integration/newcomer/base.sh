#!/bin/sh
# base.sh SUITE FILE: makes a Debian of which nobody has used anything yet, and
# packs it into FILE. A new user has Go and git; Valid-Until is left out of account, as
# mirrors may be older.
set -eu
suite=$1 file=$2
mmdebstrap --mode=root --variant=minbase --include=ca-certificates,git,golang-go,sudo \
	--aptopt='Acquire::Check-Valid-Until "false"' \
	--customize-hook='chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash newcomer' \
	--customize-hook='echo "newcomer ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/newcomer"' \
	"$suite" "$file"
