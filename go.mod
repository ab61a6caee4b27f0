module github.com/nm-session-bridge/nm-session-bridge

go 1.24.0

require (
	github.com/Wifx/gonetworkmanager/v2 v2.2.0
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/godbus/dbus/v5 v5.2.4
	golang.org/x/sys v0.27.0
)
