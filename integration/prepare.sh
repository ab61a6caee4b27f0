# demo and test begin with this. Source it in the repository's root.

root=$PWD/integration/as-root
# The sandbox's user must be able to read what is built here.
umask 022

as_root() { "$root" "$@"; }

# prepare PURPOSE: makes sure that Go and the packages for demo or test are
# there.
prepare() {
	if ! command -v go >/dev/null; then
		echo "Go is missing: install Go 1.24 or newer (https://go.dev/doc/install, or your distribution's package)" >&2
		exit 2
	fi
	case $(go env GOVERSION) in
	go1.[0-9] | go1.[0-9].* | go1.1[0-9] | go1.1[0-9].* | go1.2[0-3] | go1.2[0-3].*)
		echo "$(go env GOVERSION) is too old: install Go 1.24 or newer (https://go.dev/doc/install)" >&2
		exit 2
		;;
	esac
	if ! go run ./integration/packages "$1"; then
		exit 2
	fi
}
