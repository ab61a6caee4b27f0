#!/bin/sh
# Starts a user target for each change of connectivity; for /etc/NetworkManager/dispatcher.d. Such
# scripts run as root. systemctl --user -M gemini@ would ask the system manager for a login of the
# user, and the sandbox has no system manager. This way is quicker.
[ "$2" = connectivity-change ] || exit 0
case $CONNECTIVITY_STATE in
FULL) target=bench-dispatch-open.target ;;
*) target=bench-dispatch-closed.target ;;
esac
exec setpriv --reuid=gemini --regid=gemini --clear-groups \
	env XDG_RUNTIME_DIR=/run/user/100000 systemctl --user start "$target"
