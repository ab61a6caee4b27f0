package installer

import "testing"

func TestAHomeThatIsNoneIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, home := range []string{"", ".", "/nowhere"} {
		t.Setenv("HOME", home)
		want := "HOME=" + home + " is not the absolute path of a directory: run this with HOME set to your home, as a login sets it"
		if _, err := userPlaces(); err == nil || err.Error() != want {
			t.Errorf("with HOME=%s: %v", home, err)
		}
	}
}
