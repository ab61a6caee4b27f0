package observers

const upower = "org.freedesktop.UPower"

// UPower is the source of what UPower says of the lid, for machines whose
// logind does not signal it. It is started only where it is needed.
func UPower() Source {
	return Source{
		Name:       upower,
		Label:      "UPower",
		Path:       "/org/freedesktop/UPower",
		Interface:  upower,
		Properties: map[string]string{"LidIsClosed": "b", "LidIsPresent": "b"},
		OnDemand:   true,
	}
}
