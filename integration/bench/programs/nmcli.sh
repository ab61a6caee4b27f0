#!/bin/sh
# Starts a program of the user at each change of connectivity. usage: nmcli.sh PROGRAM
nmcli monitor | while read -r line; do
	case $line in
	"Connectivity is now 'full'") "$1" nmcli-open ;;
	"Connectivity is now 'portal'") "$1" nmcli-closed ;;
	esac
done
