# What demo and test begin with; to be sourced in the repository's root.

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E "$@"; fi
}

# prepare PURPOSE: makes sure of Go and of the packages for demo or test.
prepare() {
	if ! command -v go >/dev/null; then
		echo "Go is missing: install Go 1.24 or newer (https://go.dev/doc/install, or your distribution's package)" >&2
		exit 2
	fi
	set -- "$1" "$(mktemp -d)"
	status=0
	go build -o "$2/packages" ./integration/packages && "$2/packages" "$1" || status=$?
	rm -rf "$2"
	[ "$status" = 0 ] || exit "$status"
}
