"""Starts a user target for each position of a lid. usage: listen.py PATH OPEN CLOSED"""
import os
import socket
import sys

import dbus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

path, open_target, closed_target = sys.argv[1:]
DBusGMainLoop(set_as_default=True)
manager = dbus.Interface(
    dbus.SessionBus().get_object("org.freedesktop.systemd1", "/org/freedesktop/systemd1"),
    "org.freedesktop.systemd1.Manager",
)


def changed(_interface, properties, _invalidated):
    if "LidClosed" in properties:
        manager.StartUnit(closed_target if properties["LidClosed"] else open_target, "replace")


dbus.SystemBus().add_signal_receiver(
    changed, "PropertiesChanged", "org.freedesktop.DBus.Properties", path=path
)
if "NOTIFY_SOCKET" in os.environ:
    name = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", name)
GLib.MainLoop().run()
