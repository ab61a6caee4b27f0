# upower.py DAEMON...: runs UPower on an imitated machine with a charging
# battery, until the input ends. The input's lines, "ac" and "battery", set the
# machine's source of power. Run it with umockdev-wrapper.
import subprocess
import sys

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev

machine = UMockdev.Testbed.new()
mains = machine.add_device("power_supply", "AC", None, ["type", "Mains", "online", "1"], [])
battery = machine.add_device("power_supply", "BAT0", None, [
    "type", "Battery", "present", "1", "status", "Charging", "voltage_now", "12000000",
    "energy_full_design", "60000000", "energy_full", "60000000", "energy_now", "48000000",
], [])
daemon = subprocess.Popen(sys.argv[1:])
for line in sys.stdin:
    plugged = {"ac": True, "battery": False}[line.strip()]
    machine.set_attribute(mains, "online", str(int(plugged)))
    machine.set_attribute(battery, "status", "Charging" if plugged else "Discharging")
    for device in mains, battery:
        machine.uevent(device, "change")
daemon.terminate()
sys.exit(daemon.wait())
