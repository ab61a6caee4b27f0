package suggest

import "testing"

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"lid", "lid", 0},
		{"lid", "lids", 1},
		{"lid", "led", 1},
		{"ild", "lid", 1},
		{"closed", "close", 1},
		{"kitten", "sitting", 3},
		{"ca", "abc", 3},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestName(t *testing.T) {
	names := []string{"mail", "vpn", "ratpoison", "Home Wifi"}
	for given, want := range map[string]string{
		"mail": "mail", "mial": "mail", "email": "mail", "ratposion": "ratpoison", "vp": "vpn", "VPN": "vpn", "homewifi": "Home Wifi",
	} {
		if name, found := Name(given, names); !found || name != want {
			t.Errorf("nearest to %s is %q, %v", given, name, found)
		}
	}
	for _, given := range []string{"", "nonsense", "post", "ratp"} {
		if name, found := Name(given, names); found {
			t.Errorf("nearest to %q is %q", given, name)
		}
	}
}
