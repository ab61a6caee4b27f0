package observers

const (
	upowerName = "org.freedesktop.UPower"

	// upower is the ID of the source.
	upower = "UPower"
)

// UPower is the source for power, and for the lid on machines whose logind does
// not signal it. It is started only if it is needed.
func UPower() Source {
	return Source{
		ID:    upower,
		Name:  upowerName,
		Label: "UPower",
		Root: Kind{
			Path:       "/org/freedesktop/UPower",
			Interface:  upowerName,
			Properties: map[string]string{"LidIsClosed": "b", "LidIsPresent": "b", "OnBattery": "b"},
		},
		OnDemand:  true,
		Startable: true,
	}
}
