package doctor

import "testing"

func TestWhichUnitWasMeant(t *testing.T) {
	known := []string{"-x.service", "mail.service", "mail.timer", "share@.service", "internet-online.target"}
	for unit, want := range map[string]string{
		"mial.service":            "mail.service",
		"mai.service":             "mail.service",
		"shar@.service":           "share@.service",
		"internet-onlin.target":   "internet-online.target",
		"internet-online.service": "internet-online.target",
		"..service":               "",
		"*.service":               "",
		"@.service":               "",
		"x-ü.service":             "",
	} {
		if got, found := similar(unit, known); found != (want != "") || found && got != want {
			t.Errorf("of %s: %q, %v", unit, got, found)
		}
	}
}
