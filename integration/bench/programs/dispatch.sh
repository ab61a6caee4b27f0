#!/bin/sh
# Starts a program of the user at each change of connectivity; for /etc/NetworkManager/dispatcher.d. Such
# scripts run as root, with no environment of the user's.
[ "$2" = connectivity-change ] || exit 0
case $CONNECTIVITY_STATE in
FULL) name=dispatch-open ;;
*) name=dispatch-closed ;;
esac
exec setpriv --reuid=gemini --regid=gemini --clear-groups @started@ $name
