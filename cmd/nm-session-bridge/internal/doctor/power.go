package doctor

// power finds out whether UPower and logind disagree about the source of
// power.
func (sys *system) power() []Finding {
	upower, login1 := sys.machine.upower.properties, sys.machine.login1.properties
	_, upowerKnows := upower["OnBattery"]
	_, logindKnows := login1["OnExternalPower"]
	if !upowerKnows || !logindKnows || upower.is("OnBattery") != login1.is("OnExternalPower") {
		return nil
	}
	f := Finding{
		What: "UPower says that the machine has external power, but logind says that it has none",
		Why:  "power-ac.target and power-battery.target follow UPower; what logind does with a closed lid follows logind",
		Mend: byHand("the files /sys/class/power_supply/*/online show which one is right; if it is logind, sudo systemctl restart upower.service"),
	}
	if upower.is("OnBattery") {
		f.What = "UPower says that the machine runs on battery, but logind says that it has external power"
	}
	return []Finding{f}
}
