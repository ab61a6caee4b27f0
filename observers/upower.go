package observers

const (
	upowerName = "org.freedesktop.UPower"

	// upower is what the source is known by.
	upower = "UPower"
)

// UPower is the source of what UPower says of power, and of the lid for machines
// whose logind does not signal it. It is started only where it is needed.
func UPower() Source {
	return Source{
		ID:         upower,
		Name:       upowerName,
		Label:      "UPower",
		Path:       "/org/freedesktop/UPower",
		Interface:  upowerName,
		Properties: map[string]string{"LidIsClosed": "b", "LidIsPresent": "b", "OnBattery": "b"},
		OnDemand:   true,
	}
}
