package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	folder       = sandbox.Home + "/Sync"
	serverFolder = serverDir + "/sync"
)

// Two real Syncthings exchange files.
func TestFilesAreSyncedWhileOnline(t *testing.T) {
	const unit = "file-sync.service"
	const near, far = sandbox.Home + "/.config/syncthing", serverDir + "/syncthing"
	s := beginWithPrograms(t, sandbox.Options{})
	s.online()
	nearDevice := fmt.Sprintf(syncDevice, s.syncIdentity(near), "dynamic")
	farDevice := fmt.Sprintf(syncDevice, s.syncIdentity(far), "tcp://"+sandbox.UplinkAddress+":22000")
	s.write(near+"/config.xml", fmt.Sprintf(syncConfig, folder, nearDevice, farDevice))
	s.write(far+"/config.xml", fmt.Sprintf(syncConfig, serverFolder, nearDevice, farDevice))
	s.write(folder+"/.stfolder/marker", "")
	s.write(serverFolder+"/.stfolder/marker", "")
	s.write(serverFolder+"/first", "first\n")
	s.user("mkdir -p .local/state/syncthing") // 1.29 wants it
	s.serve("TCP listener", "sh", "-c", "HOME="+far+" exec syncthing serve --no-browser --home="+far+" >&2")
	s.follows("files")
	s.appears(folder + "/first")

	s.unplug()
	s.expect("inactive", unit)
	s.write(serverFolder+"/second", "second\n")
	s.write(folder+"/third", "third\n")
	s.refused(unit)
	if _, err := os.Stat(folder + "/second"); err == nil {
		t.Error("a file has come while offline")
	}
	s.plug()
	s.expect("active", unit)
	s.appears(folder + "/second")
	s.appears(serverFolder + "/third")
}

const (
	syncDevice = `<device id="%s"><address>%s</address></device>
`
	// Syncthing reads it, and fills in the rest. It takes the devices' lines in both places.
	syncConfig = `<configuration version="36">
<folder id="shared" path="%[1]s" fsWatcherEnabled="true" fsWatcherDelayS="1">
%[2]s%[3]s</folder>
%[2]s%[3]s<gui enabled="false"></gui>
<options>
<listenAddress>tcp://:22000</listenAddress>
<reconnectionIntervalS>5</reconnectionIntervalS>
<globalAnnounceEnabled>false</globalAnnounceEnabled>
<localAnnounceEnabled>false</localAnnounceEnabled>
<relaysEnabled>false</relaysEnabled>
<natEnabled>false</natEnabled>
<crashReportingEnabled>false</crashReportingEnabled>
<urAccepted>-1</urAccepted>
</options>
</configuration>
`
)

// syncIdentity makes a certificate for a Syncthing and returns the name by which
// others know it.
func (s *scene) syncIdentity(home string) string {
	s.Helper()
	_, id, found := strings.Cut(s.user("syncthing generate --no-default-folder --skip-port-probing --home="+home), "Device ID: ")
	if !found {
		s.Fatalf("Syncthing has no identity: %s", id)
	}
	id, _, _ = strings.Cut(id, "\n")
	return strings.TrimSpace(id)
}
