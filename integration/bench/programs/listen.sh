#!/bin/sh
# Starts a user target for each position of a lid. usage: listen.sh PATH OPEN CLOSED
dbus-monitor --system "type='signal',path='$1',member='PropertiesChanged'" | while read -r line; do
	case $line in
	*'"LidClosed"'*)
		read -r line
		case $line in
		*true) systemctl --user start "$3" ;;
		*false) systemctl --user start "$2" ;;
		esac
		;;
	esac
done
