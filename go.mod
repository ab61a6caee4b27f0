module github.com/nm-session-bridge/nm-session-bridge

go 1.24.0

require (
	github.com/Wifx/gonetworkmanager/v2 v2.2.0
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/godbus/dbus/v5 v5.2.4
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.10
	golang.org/x/sys v0.27.0
)

require github.com/inconshreveable/mousetrap v1.1.0 // indirect
