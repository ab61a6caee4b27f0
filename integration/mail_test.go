package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	mailbox       = sandbox.Home + "/Mail/INBOX"
	serverMailbox = serverDir + "/mail/INBOX"

	// mbsync reads it.
	mailAccount = `IMAPAccount work
Host ` + sandbox.UplinkAddress + `
User gemini
Pass secret
SSLType None
AuthMechs LOGIN

IMAPStore far
Account work

MaildirStore near
Inbox ~/Mail/INBOX

Channel mail
Far :far:
Near :near:
`
	// dovecot reads it, and what its version needs.
	mailServer = `base_dir = ` + serverDir + `/dovecot
state_dir = ` + serverDir + `/dovecot
log_path = /dev/stderr
protocols = imap
ssl = no
service imap-login {
  inet_listener imaps {
    port = 0
  }
}
`
	mailServer23 = `disable_plaintext_auth = no
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=gemini gid=gemini home=` + serverDir + `/mail
}
mail_location = maildir:` + serverMailbox + `
`
	mailServer24 = `auth_allow_cleartext = yes
passdb static {
  password = secret
}
userdb static {
  fields {
    uid = gemini
    gid = gemini
    home = ` + serverDir + `/mail
  }
}
mail_driver = maildir
mail_path = ` + serverMailbox + `
`
)

// The real mbsync fetches mail from a real dovecot.
func TestMailIsFetchedEachTimeTheInternetComes(t *testing.T) {
	const unit = "mail-fetch.service"
	s := beginWithPrograms(t, sandbox.Options{})
	s.online()
	config := "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + mailServer + mailServer24
	if strings.HasPrefix(s.user("/usr/sbin/dovecot --version"), "2.3.") {
		config = mailServer + mailServer23
	}
	s.write(serverDir+"/dovecot.conf", config)
	s.serve("starting up", "dovecot", "-F", "-c", serverDir+"/dovecot.conf")
	s.write(sandbox.Home+"/.mbsyncrc", mailAccount)
	s.user("mkdir Mail")
	s.mailArrives("written before")
	s.follows("reconnect")
	s.started(unit, 1)
	s.wantMail("written before")

	s.unplug()
	s.mailArrives("written while away")
	s.refused(unit)
	s.wantMail("written before")
	s.plug()
	s.started(unit, 2)
	s.wantMail("written before", "written while away")
}

// mailArrives puts a mail into the mailbox at the server.
func (s *scene) mailArrives(subject string) {
	s.Helper()
	name := strings.ReplaceAll(subject, " ", "-")
	s.write(serverMailbox+"/new/"+name, "From: friend@example.org\nSubject: "+subject+"\n\nHello.\n")
}

// wantMail checks the subjects of all mail in the user's own mailbox, and that no
// fetch has failed.
func (s *scene) wantMail(want ...string) {
	s.Helper()
	if failed := s.systemctl("list-units", "--failed", "--no-legend"); failed != "" {
		s.Errorf("failed: %s", failed)
	}
	files, err := filepath.Glob(mailbox + "/[nc]*/*")
	s.must(err)
	var got []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		s.must(err)
		_, subject, _ := strings.Cut(string(content), "Subject: ")
		subject, _, _ = strings.Cut(subject, "\n")
		got = append(got, strings.TrimSpace(subject))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.Errorf("the mailbox has %q, not %q", got, want)
	}
}
