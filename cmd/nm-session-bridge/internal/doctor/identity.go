package doctor

import (
	"fmt"
	osuser "os/user"
	"slices"
	"strconv"
)

// exitGroup and exitUser are the exit statuses of a service that may not take on its User= or
// Group= (systemd.exec(5), "Process Exit Codes").
const (
	exitGroup = 216
	exitUser  = 217
)

// identities finds a service that failed because it sets User= or Group=, as unit files of
// the system manager do. The user manager cannot switch users; with systemd 252, it cannot
// even set its own.
func (c unitCheck) identities() []Finding {
	keys := c.identityKeys()
	if len(keys) == 0 || !c.lacksIdentity() {
		return nil
	}
	f := Finding{
		What: fmt.Sprintf("%s: %s cannot be set by a user unit", c.name, settings(keys)),
		Why:  "the user manager cannot switch to another user, so the service fails with 216/GROUP or 217/USER",
	}
	if who := c.text("User"); who != "" && !isUser(who, c.UID) {
		f.Mend = byEdit("make " + c.name + " a unit of the system manager if it has to run as " + who + ", or remove " + settings(keys) + " from " + c.text("FragmentPath"))
		return []Finding{f}
	}
	for _, key := range keys {
		c.change.add("Service", key+"=")
	}
	c.change.starts = c.change.starts || c.isFree()
	return []Finding{f}
}

// lacksIdentity reports whether the service failed because of who was to run it.
func (u unit) lacksIdentity() bool {
	status := property[int32](u.properties, "ExecMainStatus")
	return !u.active() && (status == exitGroup || status == exitUser)
}

// identityKeys returns the settings by which the unit's files choose who runs it.
func (c unitCheck) identityKeys() []string {
	return slices.DeleteFunc([]string{"User", "Group", "SupplementaryGroups"}, func(key string) bool {
		return !c.files.assign("Service", []string{key}, func(string) bool { return true })
	})
}

func isUser(name string, uid int) bool {
	known, err := osuser.LookupId(strconv.Itoa(uid))
	return name == strconv.Itoa(uid) || err == nil && name == known.Username
}
